//! The checker finds each kind of damage, and the reader what it looks for.

use std::{collections::BTreeSet, sync::Arc};

use simplebank::testing::TestDatabase;
use uuid::Uuid;

use super::{Clients, Findings, Line, Load, Log, Road, Shared, Size, Told, World, check, reader};

const SIZE: Size = Size { customers: 2, hot: 2, connections: 4 };
const CLIENTS: Clients = Clients { count: 4, transfers_max: 40, road: Road::Bank };

/// A world in which some transfers were made, and the log of them.
async fn used_world(database: &TestDatabase) -> (Arc<World>, Vec<Line>) {
    let world = World::open(database.url(), SIZE, 7).await;
    let log = Load::start(&world, CLIENTS).finish().await;
    (world, log.lines())
}

/// Does what nobody can do: writes past triggers, foreign keys and the CHECK of the limits.
async fn tamper(world: &World, sql: &'static str) {
    let sql = format!(
        "set session_replication_role = replica;
         alter domain simplebank.sound_account drop constraint accounts_balance_check;
         {sql};
         reset session_replication_role"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(world.owner()).await.unwrap();
}

/// The invariants that the checker finds broken.
async fn broken(world: &World, lines: &[Line]) -> BTreeSet<&'static str> {
    let mut findings = Findings::default();
    check(world, lines, &mut findings).await;
    findings.invariants()
}

fn acknowledged(lines: &mut [Line]) -> &mut Line {
    lines.iter_mut().find(|line| line.is_acknowledged()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checker_finds_each_kind_of_damage() {
    for (invariant, sql) in [
        ("I1", "update simplebank.accounts set balance = balance + 1 where kind = 'cash'"),
        (
            "I2",
            "with lost as (delete from simplebank.idempotency where key = 'load-0' returning transfer_id),
             entries as (delete from simplebank.entries e using lost l where e.transfer_id = l.transfer_id)
             delete from simplebank.transfers t using lost l where t.id = l.transfer_id",
        ),
        ("I2", "update simplebank.transfers set amount = amount + 1 where kind = 'transfer'"),
        (
            "I2",
            "insert into simplebank.transfers
                 (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at, from_version, to_version)
             select gen_random_uuid(), kind, from_account_id, to_account_id, amount,
                 currency, created_by, created_at, from_version, to_version from simplebank.transfers limit 1",
        ),
        ("I3", "delete from simplebank.entries where version = 2"),
        ("I3", "update simplebank.entries set transfer_id = gen_random_uuid() where version = 2"),
        ("I4", "update simplebank.entries set balance_after = balance_after + 1 where version = 2"),
        ("I4", "update simplebank.accounts set version = version + 1 where kind = 'customer'"),
        ("I4", "update simplebank.accounts set held = held + 1 where kind = 'customer'"),
        (
            "I2",
            "insert into simplebank.holds
                 (id, from_account_id, to_account_id, amount, currency, created_by, created_at, expires_at)
             select gen_random_uuid(), from_account_id, to_account_id, 1, currency, created_by, now(), now() + '1 hour'
             from simplebank.transfers where kind = 'transfer' limit 1",
        ),
        (
            "I3",
            "update simplebank.transfers set kind = 'capture', hold_id = gen_random_uuid()
             where id = (select id from simplebank.transfers where kind = 'transfer' limit 1)",
        ),
        ("I5", "update simplebank.entries set balance_after = -1 where version = 2"),
        ("I5", "update simplebank.accounts set balance = -1 where kind = 'customer'"),
        ("verify", "update simplebank.idempotency set content_hash = sha256('') where key = 'load-0'"),
    ] {
        let database = TestDatabase::new().await;
        let (world, lines) = used_world(&database).await;
        assert_eq!(broken(&world, &lines).await, BTreeSet::new());

        tamper(&world, sql).await;

        let found = broken(&world, &lines).await;
        assert!(found.contains(invariant), "{invariant} is not in {found:?}: {sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checker_believes_no_log_that_the_database_contradicts() {
    let database = TestDatabase::new().await;
    let (world, lines) = used_world(&database).await;
    for (invariant, told) in [
        ("I2", Told::Acknowledged { transfer: Uuid::nil(), version: 1, balance_after: 1 }),
        ("I6", Told::Failed("unavailable")),
        ("I7", Told::Refused("insufficient_funds")),
    ] {
        let mut lines = lines.clone();
        acknowledged(&mut lines).told = told;
        assert_eq!(broken(&world, &lines).await, BTreeSet::from([invariant]));
    }
    let mut lines = lines;
    acknowledged(&mut lines).amount += 1;
    assert_eq!(broken(&world, &lines).await, BTreeSet::from(["I2"]));
    lines.truncate(1);
    assert_eq!(broken(&world, &lines).await, BTreeSet::from(["I2"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reader_sees_what_is_missing_and_what_disagrees() {
    let database = TestDatabase::new().await;
    let (world, _) = used_world(&database).await;
    let shared = Shared::new(&world, &Arc::new(Log::new()), Road::Bank, 0);
    let seen = async |acknowledged: &[Uuid]| {
        reader::read(&shared, acknowledged).await.unwrap();
        shared.log.take_findings().invariants()
    };
    assert_eq!(seen(&[]).await, BTreeSet::new());
    assert_eq!(seen(&[Uuid::nil()]).await, BTreeSet::from(["I8"]));
    tamper(&world, "update simplebank.accounts set balance = balance + 1 where kind = 'cash'")
        .await;
    assert_eq!(seen(&[]).await, BTreeSet::from(["I1", "I4"]));
}
