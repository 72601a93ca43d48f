//! Where an account stood, and what a page of its statement costs.

use simplebank_core::{Account, AccountId, statement::Standing};
use simplebank_db::{
    Error, TxSpec, accounts,
    statements::{self, LINES_SQL, STANDING_SQL, first_step},
    testing::TestDatabase,
};
use sqlx::{AssertSqlSafe, Executor as _, PgPool, Row as _};
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

const ACCOUNT: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_00a1);
const OTHER: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_00c0);
const BEGINNING: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

/// A cash account and a customer's, whose entries the test brings itself.
async fn accounts() -> (TestDatabase, PgPool) {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    let sql = format!(
        "insert into simplebank.users (id, username, password_hash, full_name, email, role, password_changed_at, created_at)
         values ('{ACCOUNT}', 'alice', '!', 'A', 'a@b.cd', 'depositor', now(), now());
         insert into simplebank.accounts (id, kind, owner_id, currency, created_at)
         values ('{OTHER}', 'cash', null, 'EUR', '2026-01-01'), ('{ACCOUNT}', 'customer', '{ACCOUNT}', 'EUR', '2026-01-01')"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&owner).await.unwrap();
    (database, owner)
}

/// Gives both accounts as many entries; `created_at` tells the time of the entry `v`.
async fn fill(owner: &PgPool, count: i64, created_at: &str) {
    let sql = format!(
        "insert into simplebank.transfers
             (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at, from_version, to_version)
         select gen_random_uuid(), 'deposit', '{OTHER}', '{ACCOUNT}', 1, 'EUR', '{ACCOUNT}', {created_at}, v, v
         from generate_series(1, {count}) v;
         insert into simplebank.entries (account_id, version, transfer_id, amount, balance_after, created_at)
         select to_account_id, to_version, id, amount, to_version, created_at from simplebank.transfers
         union all
         select from_account_id, from_version, id, -amount, -from_version, created_at from simplebank.transfers;
         update simplebank.accounts set version = {count}, balance = {count} where id = '{ACCOUNT}'"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(owner).await.unwrap();
}

async fn standings(database: &TestDatabase, times: &[OffsetDateTime]) -> Vec<Standing> {
    const LOOK: TxSpec = TxSpec::snapshot("look");
    let id = AccountId::from_uuid(ACCOUNT);
    let found = database.db().transact(LOOK, async |tx| {
        let account: Account = accounts::find(tx, id).await?.unwrap();
        let mut standings = Vec::new();
        for time in times {
            standings.push(statements::standing(tx, &account, *time).await?);
        }
        Ok::<_, Error>(standings)
    });
    found.await.unwrap()
}

#[tokio::test]
async fn where_times_rise_the_newest_entry_of_any_moment_is_found() {
    for count in [0, 1, 2, 3, 7, 8, 9, 100] {
        let (database, owner) = accounts().await;
        // Two entries of each second.
        fill(&owner, count, "timestamptz '2026-01-01Z' + (v / 2) * interval '1 s'").await;
        let times: Vec<_> = (-1..=52).map(|s| BEGINNING + Duration::seconds(s)).collect();
        for (time, standing) in times.iter().zip(standings(&database, &times).await) {
            let second = (*time - BEGINNING).whole_seconds();
            let version = (2 * second + 1).clamp(0, count);
            assert_eq!((standing.version, standing.balance.minor()), (version, version), "{time}");
        }
    }
}

/// Clocks that differ: any times at all, in any order.
#[tokio::test]
async fn where_clocks_differ_a_place_is_found_that_never_goes_back() {
    let (database, owner) = accounts().await;
    let fresh: i64 =
        sqlx::query_scalar("select (random() * 1e9)::bigint").fetch_one(&owner).await.unwrap();
    let seed: i64 = std::env::var("STATEMENTS_SEED").map_or(fresh, |seed| seed.parse().unwrap());
    eprintln!("again with STATEMENTS_SEED={seed}");
    let count = 50 + seed.rem_euclid(100);
    // A number from 0 to 99 for each entry, of the seed alone.
    let created_at = format!(
        "timestamptz '2026-01-01Z' + abs(hashint8extended(v, {seed}) % 100) * interval '1 s'"
    );
    fill(&owner, count, &created_at).await;
    let kept: Vec<OffsetDateTime> = sqlx::query_scalar(
        "select created_at from simplebank.entries where account_id = $1 order by version",
    )
    .bind(ACCOUNT)
    .fetch_all(&owner)
    .await
    .unwrap();
    assert!(!kept.is_sorted(), "seed {seed}");
    let times: Vec<_> = (-1..=101).map(|s| BEGINNING + Duration::seconds(s)).collect();
    let found = standings(&database, &times).await;
    for (time, standing) in times.iter().zip(&found) {
        let place = usize::try_from(standing.version).unwrap();
        assert_eq!(standing.balance.minor(), standing.version, "seed {seed}, {time}");
        let before = place.checked_sub(1).and_then(|before| kept.get(before));
        assert!(before.is_none_or(|before| before <= time), "seed {seed}, {time}: {place}");
        assert!(kept.get(place).is_none_or(|after| after > time), "seed {seed}, {time}: {place}");
    }
    assert!(found.is_sorted_by_key(|standing| standing.version), "seed {seed}: {found:?}");
    let ends = [found.first(), found.last()].map(|standing| standing.unwrap().version);
    assert_eq!(ends, [0, count], "seed {seed}");
}

/// How many pages of tables and indexes a statement touches, by what the server counts.
async fn buffers(owner: &PgPool, settings: &str, sql: &str, values: &[i64]) -> i64 {
    let mut connection = owner.acquire().await.unwrap();
    connection.execute(AssertSqlSafe(settings.to_owned())).await.unwrap();
    let sql = format!("explain (analyze, buffers, timing off, format json) {sql}");
    let mut query = sqlx::query(AssertSqlSafe(sql)).bind(ACCOUNT);
    for value in values {
        query = query.bind(value);
    }
    let row = query.fetch_one(&mut *connection).await.unwrap();
    let plan = row.try_get_raw(0).unwrap().as_str().unwrap().to_owned();
    connection.execute("reset all").await.unwrap();
    // The first of each stands for the whole plan.
    let number = |name: &str| -> i64 {
        let (_, rest) = plan.split_once(name).unwrap_or_else(|| panic!("{name} in {plan}"));
        let digits: String = rest.chars().take_while(|char| char.is_ascii_digit()).collect();
        digits.parse().unwrap()
    };
    number("\"Shared Hit Blocks\": ") + number("\"Shared Read Blocks\": ")
}

const ENTRIES: i64 = 50_000;

#[tokio::test]
async fn a_balance_and_a_page_touch_few_buffers_of_a_long_history() {
    let (_database, owner) = accounts().await;
    fill(&owner, ENTRIES, "timestamptz '2026-01-01Z' + v * interval '1 s'").await;
    // A time by its seconds, since all values here are numbers.
    let at = "(timestamptz '2026-01-01Z' + $2::bigint * interval '1 s')";
    let standing = STANDING_SQL.replace("created_at <= $2", &format!("created_at <= {at}"));
    assert_ne!(standing, STANDING_SQL);
    let naive = format!(
        "select version, balance_after from simplebank.entries
         where account_id = $1 and created_at <= {at} order by version desc limit 1"
    );
    let step = first_step(ENTRIES);
    let analyzed = "analyze simplebank.entries, simplebank.transfers";
    for (settings, preparation) in [
        ("set plan_cache_mode = force_generic_plan", "select 1"), // what the server believes without statistics
        ("set plan_cache_mode = force_generic_plan", analyzed),
        ("set plan_cache_mode = force_custom_plan", "select 1"),
    ] {
        sqlx::raw_sql(preparation).execute(&owner).await.unwrap();
        for seconds in [0, 1, 100, ENTRIES / 2, ENTRIES - 1, 2 * ENTRIES] {
            // 16 steps, each of three pages of the index and one of the table, and what the server looks up for itself.
            let found = buffers(&owner, settings, &standing, &[seconds, step]).await;
            assert!((1..=96).contains(&found), "{seconds}: {found}");
            // 21 entries in a row and their transfers, anywhere.
            let page = [seconds, ENTRIES, 21];
            let found = buffers(&owner, settings, LINES_SQL, &page).await;
            assert!(found <= 128, "{seconds}: {found}");
        }
    }
    // The controls: the same questions without the search, and without the key that both live on.
    let settings = "set enable_seqscan = off";
    let walked = buffers(&owner, settings, &naive, &[100]).await;
    assert!(walked > 400, "{walked}");
    sqlx::raw_sql("alter table simplebank.entries drop constraint entries_pk")
        .execute(&owner)
        .await
        .unwrap();
    let searched = buffers(&owner, settings, &standing, &[100, step]).await;
    assert!(searched > 400, "{searched}");
    let paged = buffers(&owner, settings, LINES_SQL, &[100, ENTRIES, 21]).await;
    assert!(paged > 400, "{paged}");
}
