//! The fault kit: each fault does what it says and nothing else, to a plain client as to the door.

use std::{future::Future, time::Duration};

use simplebank_db::{
    Db, Error, PoolOptions, TxSpec,
    testing::{Fault, Proxy, Strike, TestDatabase, kill_backend, kill_backends},
};
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::time::Instant;

use crate::{database_with_notes, notes, state};

const DELAY: Duration = Duration::from_millis(300);
/// Time to look at what hasn't happened yet, on a machine with much else to do.
const LONG_DELAY: Duration = Duration::from_secs(2);
/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(1);

/// A database with the table `notes`, a proxy in front of it and a connection through that.
struct Place {
    _database: TestDatabase,
    owner: PgPool,
    proxy: Proxy,
    client: PgConnection,
    /// The backend of `client`.
    pid: i32,
}

impl Place {
    async fn new() -> Self {
        let (database, owner) = database_with_notes().await;
        let proxy = Proxy::start(&database.url()).await;
        let mut client = PgConnection::connect(&proxy.url()).await.unwrap();
        let pid =
            sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut client).await.unwrap();
        Self { _database: database, owner, proxy, client, pid }
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(sql).execute(&mut self.client).await.map(drop)
    }

    /// BEGIN and note 1.
    async fn begin(&mut self) {
        self.run("begin").await.unwrap();
        self.run("insert into notes values (1, 'x')").await.unwrap();
    }

    async fn is_committed(&self) -> bool {
        !notes(&self.owner).await.is_empty()
    }

    async fn forget(&self) {
        sqlx::raw_sql("delete from notes").execute(&self.owner).await.unwrap();
    }
}

/// The ways in which a transaction is committed: by sqlx and by the door.
const COMMITS: [&str; 2] = ["COMMIT", "select 1; commit and chain"];

fn is_broken(result: &Result<(), sqlx::Error>) -> bool {
    matches!(result, Err(sqlx::Error::Io(_)))
}

fn state_of(result: &Result<(), sqlx::Error>) -> Option<String> {
    state(result.as_ref().err()?)
}

/// True if it hasn't ended after a time in which it could have.
async fn is_stuck(future: impl Future) -> bool {
    tokio::time::timeout(PATIENCE, future).await.is_err()
}

#[tokio::test]
async fn with_nothing_armed_the_proxy_changes_nothing() {
    let mut place = Place::new().await;
    place.begin().await;
    place.run("commit").await.unwrap();
    let many: Vec<i32> = sqlx::query_scalar("select * from generate_series(1, $1)")
        .bind(100_000)
        .fetch_all(&mut place.client)
        .await
        .unwrap();
    let long = "x".repeat(5_000_000);
    let same: String =
        sqlx::query_scalar("select $1").bind(&long).fetch_one(&mut place.client).await.unwrap();
    assert_eq!(many.len(), 100_000);
    assert!(same == long);
    let mut copy = place.client.copy_in_raw("copy notes from stdin").await.unwrap();
    copy.send("8\tcopied\n".as_bytes()).await.unwrap();
    copy.send("9\tcopied; commit\n".as_bytes()).await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 2);
    let failed = place.run("select 1 / 0").await;
    assert_eq!(state_of(&failed).as_deref(), Some("22012"));
    assert_eq!(notes(&place.owner).await.len(), 3);
    assert_eq!(place.proxy.hits(), 0);
}

#[tokio::test]
async fn a_client_that_prefers_tls_is_served_without() {
    let place = Place::new().await;
    for mode in [PgSslMode::Prefer, PgSslMode::Allow] {
        let options: PgConnectOptions = place.proxy.url().parse().unwrap();
        let mut client = options.ssl_mode(mode).connect().await.unwrap();
        client.ping().await.unwrap();
    }
    let options: PgConnectOptions = place.proxy.url().parse().unwrap();
    assert!(options.ssl_mode(PgSslMode::Require).connect().await.is_err());
}

#[tokio::test]
async fn options_of_the_url_reach_the_server_through_the_proxy() {
    let database = TestDatabase::new().await;
    let url = format!("{}&options[lock_timeout]=1234&application_name=shop", database.url());
    let proxy = Proxy::start(&url).await;
    let mut client = PgConnection::connect(&proxy.url()).await.unwrap();
    let found: (String, String, String) = sqlx::query_as(
        "select current_setting('lock_timeout'), current_setting('application_name'), current_database()::text",
    )
    .fetch_one(&mut client)
    .await
    .unwrap();
    let expected = PgConnectOptions::clone(&database.url().parse().unwrap());
    let expected = ("1234ms", "shop", expected.get_database().unwrap());
    assert_eq!((&*found.0, &*found.1, &*found.2), expected);
}

#[tokio::test]
async fn a_cut_before_commit_leaves_nothing_committed() {
    for commit in COMMITS {
        let mut place = Place::new().await;
        place.begin().await;
        place.proxy.arm(Fault::BeforeCommit(Strike::Cut));
        let result = place.run(commit).await;
        place.proxy.struck().await;
        assert!(is_broken(&result), "{result:?}");
        kill_backends(&place.owner).await.unwrap();
        assert!(!place.is_committed().await);
    }
}

#[tokio::test]
async fn a_cut_after_commit_leaves_it_committed() {
    for commit in COMMITS {
        let mut place = Place::new().await;
        place.begin().await;
        place.proxy.arm(Fault::AfterCommit(Strike::Cut));
        let result = place.run(commit).await;
        assert!(is_broken(&result), "{result:?}");
        assert!(place.is_committed().await);
        assert_eq!(place.proxy.hits(), 1);
    }
}

#[tokio::test]
async fn a_cut_after_commit_passes_by_a_commit_that_fails() {
    let mut place = Place::new().await;
    place.run("alter table notes add unique (text) deferrable initially deferred").await.unwrap();
    place.proxy.arm(Fault::AfterCommit(Strike::Cut));
    place.begin().await;
    place.run("insert into notes values (2, 'x')").await.unwrap();
    let result = place.run("commit").await;
    assert_eq!(state_of(&result).as_deref(), Some("23505"));
    assert_eq!(place.proxy.hits(), 0);
    place.begin().await;
    assert!(is_broken(&place.run("commit").await));
    assert!(place.is_committed().await);
}

/// The server has COMMIT and nobody waits for it: it does commit, sooner or later.
#[tokio::test]
async fn a_cut_during_commit_leaves_it_to_the_server() {
    let mut place = Place::new().await;
    place.begin().await;
    place.proxy.arm(Fault::DuringCommit);
    let result = place.run("commit").await;
    assert!(is_broken(&result), "{result:?}");
    // The key belongs to the old transaction until that has ended, so this waits for it.
    sqlx::raw_sql("insert into notes values (1, 'after') on conflict do nothing")
        .execute(&place.owner)
        .await
        .unwrap();
    assert_eq!(notes(&place.owner).await, [(1, "x".to_owned())]);
}

#[tokio::test]
async fn a_late_commit_commits_when_the_client_is_long_gone() {
    let mut place = Place::new().await;
    place.begin().await;
    place.proxy.arm(Fault::LateCommit(LONG_DELAY));
    let begun = Instant::now();
    let result = place.run("commit").await;
    assert!(is_broken(&result), "{result:?}");
    assert!(!place.is_committed().await);
    place.proxy.settled().await;
    assert!(begun.elapsed() >= LONG_DELAY);
    assert!(place.is_committed().await);
}

#[tokio::test]
async fn a_late_commit_of_a_session_that_was_killed_commits_nothing() {
    let mut place = Place::new().await;
    place.begin().await;
    place.proxy.arm(Fault::LateCommit(LONG_DELAY));
    assert!(is_broken(&place.run("commit").await));
    assert!(kill_backend(&place.owner, place.pid).await.unwrap());
    place.proxy.settled().await;
    assert!(!place.is_committed().await);
}

#[tokio::test]
async fn a_failure_of_commit_is_the_servers_and_ends_the_transaction() {
    let mut place = Place::new().await;
    for commit in COMMITS {
        for code in ["40001", "40P01", "23514"] {
            place.begin().await;
            place.proxy.arm(Fault::CommitFails(code));
            let result = place.run(commit).await;
            assert_eq!(state_of(&result).as_deref(), Some(code));
            // In a transaction, failed or not, this would fail.
            place.run("vacuum notes").await.unwrap();
            assert!(!place.is_committed().await);
            place.begin().await;
            place.run("commit").await.unwrap();
            assert!(place.is_committed().await);
            place.forget().await;
        }
    }
}

#[tokio::test]
async fn a_failure_of_a_statement_is_the_servers_and_fails_the_transaction() {
    let mut place = Place::new().await;
    place.proxy.arm(Fault::StatementFails(2, "40001"));
    place.begin().await;
    let result = place.run("insert into notes values (2, 'y')").await;
    assert_eq!(state_of(&result).as_deref(), Some("40001"));
    let result = place.run("select 1").await;
    assert_eq!(state_of(&result).as_deref(), Some("25P02"));
    place.run("rollback").await.unwrap();
    place.run("select 1").await.unwrap();
    assert!(!place.is_committed().await);
}

/// Prepared statements take one flight to prepare and one to execute: only the second is a statement.
#[tokio::test]
async fn the_statement_that_fails_is_the_nth_that_is_executed() {
    let insert = "insert into notes values ($1, 'x')";
    let mut place = Place::new().await;
    for nth in 1..=3_u32 {
        place.run("select 'outside a transaction'").await.unwrap();
        place.proxy.arm(Fault::StatementFails(nth, "40P01"));
        place.run("select 'outside, too'").await.unwrap();
        place.run("begin; set local lock_timeout = 1000").await.unwrap();
        for number in 1..=nth {
            let result = sqlx::query(insert)
                .bind(i32::try_from(number).unwrap())
                .execute(&mut place.client)
                .await
                .map(drop);
            let expected = (number == nth).then_some("40P01");
            assert_eq!(state_of(&result).as_deref(), expected, "statement {number} of {nth}");
        }
        place.run("rollback").await.unwrap();
        assert_eq!(place.proxy.hits(), u64::from(nth));
    }
}

#[tokio::test]
async fn a_cut_at_a_statement_keeps_it_from_the_server() {
    let mut place = Place::new().await;
    place.proxy.arm(Fault::Statement(1, Strike::Cut));
    place.run("begin").await.unwrap();
    let result = place.run("select pg_notify('x', ''), pg_advisory_lock(1)").await;
    assert!(is_broken(&result), "{result:?}");
    let locked: bool =
        sqlx::query_scalar("select pg_try_advisory_lock(1)").fetch_one(&place.owner).await.unwrap();
    assert!(locked);
}

#[tokio::test]
async fn a_delay_holds_back_what_is_on_its_way_and_nothing_is_lost() {
    let mut place = Place::new().await;
    for (fault, hits) in [
        (Fault::Statement(1, Strike::Delay(DELAY)), 1),
        (Fault::BeforeCommit(Strike::Delay(DELAY)), 2),
        (Fault::AfterCommit(Strike::Delay(DELAY)), 3),
    ] {
        place.proxy.arm(fault);
        let begun = Instant::now();
        place.begin().await;
        place.run("commit").await.unwrap();
        assert!(begun.elapsed() >= DELAY, "{fault:?}");
        assert!(place.is_committed().await);
        place.run("begin; select 1; commit").await.unwrap();
        assert_eq!(place.proxy.hits(), hits, "{fault:?}");
        place.forget().await;
    }
}

#[tokio::test]
async fn a_hang_keeps_the_client_waiting_and_both_sides_open() {
    for (fault, sql, is_committed) in [
        (Fault::Statement(1, Strike::Hang), "select 1", false),
        (Fault::BeforeCommit(Strike::Hang), "commit", false),
        (Fault::AfterCommit(Strike::Hang), "commit", true),
    ] {
        let mut place = Place::new().await;
        place.begin().await;
        place.proxy.arm(fault);
        assert!(is_stuck(place.run(sql)).await, "{fault:?}");
        place.proxy.struck().await;
        assert_eq!(place.is_committed().await, is_committed, "{fault:?}");
        // The server still has its side: there is a session to kill.
        assert!(kill_backend(&place.owner, place.pid).await.unwrap(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_delay_is_over_when_it_is_settled_though_the_client_has_gone() {
    let mut place = Place::new().await;
    place.begin().await;
    place.proxy.arm(Fault::BeforeCommit(Strike::Delay(LONG_DELAY)));
    assert!(is_stuck(place.run("commit")).await);
    assert!(!place.is_committed().await);
    place.client.close_hard().await.unwrap();
    place.proxy.settled().await;
    // The row belongs to the old transaction until that has ended.
    sqlx::raw_sql("insert into notes values (1, 'after') on conflict do nothing")
        .execute(&place.owner)
        .await
        .unwrap();
    assert_eq!(notes(&place.owner).await, [(1, "x".to_owned())]);
}

#[tokio::test]
async fn what_only_looks_like_a_commit_is_none() {
    let mut place = Place::new().await;
    place.proxy.arm(Fault::BeforeCommit(Strike::Cut));
    place.run("commit").await.unwrap(); // outside a transaction: a warning
    place.run("begin; savepoint a").await.unwrap();
    for sql in [
        "insert into notes values (1, 'x; commit')",
        "select $$; commit; $$ -- ; commit",
        "release savepoint a",
        "do 'begin perform 1; end'",
    ] {
        place.run(sql).await.unwrap();
    }
    let sql = "select $1 || '; commit'";
    let _: String = sqlx::query_scalar(sql).bind("a").fetch_one(&mut place.client).await.unwrap();
    place.run("rollback").await.unwrap();
    place.run("begin").await.unwrap();
    assert_eq!(state_of(&place.run("select 1 / 0").await).as_deref(), Some("22012"));
    place.run("commit").await.unwrap(); // of a failed transaction: a rollback
    assert_eq!(place.proxy.hits(), 0);
    place.begin().await;
    assert!(is_broken(&place.run("commit").await));
    assert_eq!(place.proxy.hits(), 1);
}

#[tokio::test]
async fn faults_strike_once_each_and_in_their_order() {
    let mut place = Place::new().await;
    place.proxy.arm(Fault::CommitFails("40001"));
    place.proxy.arm(Fault::StatementFails(2, "40P01"));
    place.proxy.arm(Fault::CommitFails("40P01"));
    place.proxy.arm(Fault::BeforeCommit(Strike::Cut));
    for expected in ["40001", "40P01", "40P01"] {
        place.begin().await;
        let failed = match place.run("insert into notes values (2, 'y')").await {
            Ok(()) => place.run("commit").await,
            Err(error) => {
                place.run("rollback").await.unwrap();
                Err(error)
            }
        };
        assert_eq!(state_of(&failed).as_deref(), Some(expected));
    }
    assert_eq!(place.proxy.hits(), 3);
    place.proxy.disarm();
    place.begin().await;
    place.run("commit").await.unwrap();
    assert_eq!(place.proxy.hits(), 3);
}

#[tokio::test]
async fn round_trips_are_counted_as_the_client_makes_them() {
    let mut place = Place::new().await;
    let before = place.proxy.counts();
    place.run("begin; set local lock_timeout = 1").await.unwrap(); // 1
    place.run("select 1; select 2").await.unwrap(); // 2
    for _ in 0..2 {
        sqlx::query("select $1").bind("x").execute(&mut place.client).await.unwrap(); // 3 and 4, then 5
    }
    place.run("savepoint a").await.unwrap(); // 6
    place.client.ping().await.unwrap(); // 7
    place.run("select 1; commit and chain").await.unwrap(); // 8
    place.run("rollback").await.unwrap(); // 9
    let counts = place.proxy.counts();
    assert_eq!(counts.round_trips - before.round_trips, 9);
    assert_eq!(counts.statements - before.statements, 4);
    assert_eq!((counts.begins, counts.commits, counts.rollbacks), (1, 1, 1));
}

#[tokio::test]
async fn a_network_that_is_out_refuses_and_one_that_is_cut_breaks() {
    let mut place = Place::new().await;
    place.proxy.refuse_connections();
    assert!(PgConnection::connect(&place.proxy.url()).await.is_err());
    place.run("select 1").await.unwrap();
    place.proxy.accept_connections();
    let mut other = PgConnection::connect(&place.proxy.url()).await.unwrap();
    place.proxy.cut_all().await;
    assert!(is_broken(&place.run("select 1").await));
    assert!(other.ping().await.is_err());
    PgConnection::connect(&place.proxy.url()).await.unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn a_proxy_ends_with_its_value() {
    let mut place = Place::new().await;
    let url = place.proxy.url();
    place.begin().await;
    drop(place.proxy);
    let broken = sqlx::raw_sql("commit").execute(&mut place.client).await.map(drop);
    assert!(is_broken(&broken), "{broken:?}");
    assert!(PgConnection::connect(&url).await.is_err());
    assert!(notes(&place.owner).await.is_empty());
}

#[tokio::test]
async fn many_connections_go_through_one_proxy_and_one_of_them_is_struck() {
    let place = Place::new().await;
    place.proxy.arm(Fault::BeforeCommit(Strike::Cut));
    let mut clients = tokio::task::JoinSet::new();
    for id in 0..20 {
        let url = place.proxy.url();
        clients.spawn(async move {
            let mut client = PgConnection::connect(&url).await.unwrap();
            sqlx::raw_sql("begin").execute(&mut client).await.unwrap();
            let insert = sqlx::query("insert into notes values ($1, 'x')").bind(id);
            insert.execute(&mut client).await.unwrap();
            sqlx::raw_sql("commit").execute(&mut client).await.is_ok()
        });
    }
    let acknowledged = clients.join_all().await.into_iter().filter(|done| *done).count();
    assert_eq!(acknowledged, 19);
    assert_eq!(notes(&place.owner).await.len(), 19);
}

/// The door meets the faults: a failure and a cut before COMMIT run the body again, one after COMMIT is not a failure.
#[tokio::test]
async fn the_door_runs_again_after_what_certainly_did_not_commit() {
    let (database, owner) = database_with_notes().await;
    let proxy = Proxy::start(&database.url()).await;
    let db = Db::connect(&proxy.url(), PoolOptions::default()).await.unwrap();
    for fault in [
        Fault::CommitFails("40001"),
        Fault::StatementFails(1, "40P01"),
        Fault::Statement(1, Strike::Cut),
    ] {
        sqlx::raw_sql("delete from notes").execute(&owner).await.unwrap();
        let before = proxy.counts();
        proxy.arm(fault);
        db.transact(TxSpec::serializable("test"), async |tx| {
            sqlx::raw_sql("insert into notes values (1, 'x')").execute(tx.connection()).await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
        assert_eq!(proxy.counts().begins - before.begins, 2, "{fault:?}");
        assert_eq!(notes(&owner).await, [(1, "x".to_owned())], "{fault:?}");
    }
    assert_eq!(proxy.hits(), 3);
}
