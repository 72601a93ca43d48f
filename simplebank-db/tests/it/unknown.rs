//! Law T5: a connection lost in COMMIT is neither success nor failure, and the question settles it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use simplebank_db::{
    Db, Error, PoolOptions, Tx, TxSpec,
    testing::{Fault, Proxy, Strike, TestDatabase},
};
use sqlx::PgPool;
use tokio::time::Instant;

const SPEC: TxSpec = TxSpec::read_committed("pay");
/// Every fault around COMMIT that loses its answer.
const FAULTS: [Fault; 7] = [
    Fault::BeforeCommit(Strike::Cut),
    Fault::BeforeCommit(Strike::Hang),
    Fault::DuringCommit,
    Fault::LateCommit(Duration::from_millis(100)),
    Fault::LateCommit(Duration::from_secs(3)),
    Fault::AfterCommit(Strike::Cut),
    Fault::AfterCommit(Strike::Hang),
];

/// A table in which a payment that is made twice shows, and the way to it through a proxy.
struct Shop {
    owner: PgPool,
    proxy: Proxy,
    db: Db,
    _database: TestDatabase,
}

impl Shop {
    async fn open() -> Self {
        Self::with_connections(10).await
    }

    async fn with_connections(connections_max: u32) -> Self {
        let database = TestDatabase::new().await;
        let owner = database.owner().await;
        let tables = "create table payments (nth bigserial, id int not null);
            grant select, insert on payments to simplebank_app;
            grant usage on payments_nth_seq to simplebank_app";
        sqlx::raw_sql(tables).execute(&owner).await.unwrap();
        let proxy = Proxy::start(&database.url()).await;
        let options = PoolOptions { connections_max, ..PoolOptions::default() };
        let db = Db::connect(&proxy.url(), options).await.unwrap();
        Self { owner, proxy, db, _database: database }
    }

    /// How often each payment was made.
    async fn payments(&self, id: i32) -> i64 {
        let count = "select count(*) from payments where id = $1";
        sqlx::query_scalar(count).bind(id).fetch_one(&self.owner).await.unwrap()
    }
}

async fn pay(tx: &mut Tx<'_>, id: i32) -> Result<i64, Error> {
    let insert = "insert into payments (id) values ($1) returning nth";
    Ok(sqlx::query_scalar(insert).bind(id).fetch_one(tx.connection()).await?)
}

async fn paid(tx: &mut Tx<'_>, id: i32) -> Result<Option<i64>, Error> {
    let find = "select nth from payments where id = $1";
    Ok(sqlx::query_scalar(find).bind(id).fetch_optional(tx.connection()).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_settles_every_unknown_outcome() {
    let shop = Shop::open().await;
    for (id, fault) in (1..).zip(FAULTS) {
        let hooks = Arc::new(AtomicU32::new(0));
        shop.proxy.arm(fault);
        let began_at = Instant::now();
        let nth = shop
            .db
            .transact(SPEC, async |tx| {
                let hooks = Arc::clone(&hooks);
                tx.after_commit(move || {
                    hooks.fetch_add(1, Ordering::SeqCst);
                });
                pay(tx, id).await
            })
            .confirm(async |tx| paid(tx, id).await)
            .await
            .unwrap();
        assert!(began_at.elapsed() < Duration::from_secs(5), "{fault:?}");
        shop.proxy.settled().await;
        assert_eq!(shop.payments(id).await, 1, "{fault:?}");
        let found: i64 = sqlx::query_scalar("select nth from payments where id = $1")
            .bind(id)
            .fetch_one(&shop.owner)
            .await
            .unwrap();
        assert_eq!(nth, found, "{fault:?}: the answer is that of the payment that counts");
        assert_eq!(hooks.load(Ordering::SeqCst), 1, "{fault:?}");
    }
    assert_eq!(shop.proxy.hits(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_question_the_outcome_stays_unknown_and_nothing_runs_again() {
    let shop = Shop::open().await;
    let spec = SPEC.deadline(Duration::from_secs(2));
    for (id, fault) in (1..).zip(FAULTS) {
        let runs = AtomicU32::new(0);
        shop.proxy.arm(fault);
        let outcome = shop
            .db
            .transact(spec, async |tx| {
                runs.fetch_add(1, Ordering::SeqCst);
                tx.after_commit(|| panic!("nobody knows whether there was a commit"));
                pay(tx, id).await
            })
            .await;
        assert!(matches!(outcome, Err(Error::CommitUnknown(_))), "{fault:?}: {outcome:?}");
        assert_eq!(runs.into_inner(), 1, "{fault:?}");
    }
}

/// The control of the question's waiting: who asks at once, while the old session is still to commit, pays twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_does_not_wait_for_the_old_transaction_gets_a_wrong_answer() {
    let shop = Shop::open().await;
    shop.proxy.arm(Fault::LateCommit(Duration::from_millis(500)));
    let attempt = async || shop.db.transact(SPEC, async |tx| pay(tx, 1).await).await;
    assert!(matches!(attempt().await, Err(Error::CommitUnknown(_))));
    if shop.payments(1).await == 0 {
        attempt().await.unwrap();
    }
    shop.proxy.settled().await;
    while shop.payments(1).await < 2 {
        tokio::task::yield_now().await; // the server is still committing
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_can_not_be_answered_in_time_leaves_the_outcome_unknown() {
    let shop = Shop::open().await;
    shop.proxy.arm(Fault::AfterCommit(Strike::Cut));
    let refusing = async {
        shop.proxy.struck().await;
        shop.proxy.refuse_connections();
        shop.proxy.cut_all().await;
    };
    let spec = SPEC.deadline(Duration::from_secs(1));
    let began_at = Instant::now();
    let paying = async {
        shop.db
            .transact(spec, async |tx| pay(tx, 1).await)
            .confirm(async |tx| paid(tx, 1).await)
            .await
    };
    let (outcome, ()) = tokio::join!(paying, refusing);
    assert!(matches!(outcome, Err(Error::CommitUnknown(_))), "{outcome:?}");
    assert!(began_at.elapsed() < Duration::from_secs(2));
    assert_eq!(shop.payments(1).await, 1);
}

/// The network is bad for longer than one message.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_gets_lost_is_asked_again() {
    let shop = Shop::open().await;
    for (id, strike) in [(1, Strike::Cut), (2, Strike::Hang)] {
        shop.proxy.arm(Fault::AfterCommit(Strike::Cut));
        shop.proxy.arm(Fault::Statement(1, strike)); // the wait for the old transaction
        shop.proxy.arm(Fault::Statement(2, strike)); // the question
        shop.db
            .transact(SPEC, async |tx| pay(tx, id).await)
            .confirm(async |tx| paid(tx, id).await)
            .await
            .unwrap();
        assert_eq!(shop.payments(id).await, 1, "{strike:?}");
    }
    assert_eq!(shop.proxy.hits(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_reads_is_read_again() {
    let shop = Shop::open().await;
    shop.proxy.arm(Fault::AfterCommit(Strike::Cut));
    let read = shop.db.transact(SPEC.read_only(), async |tx| paid(tx, 1).await).await.unwrap();
    assert_eq!((read, shop.proxy.hits()), (None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_question_costs_no_round_trip_while_nothing_goes_wrong() {
    let shop = Shop::with_connections(1).await;
    pay_and_count(&shop, 1).await; // prepares the statement
    assert_eq!(pay_and_count(&shop, 2).await, 3);
}

/// BEGIN, a statement, COMMIT; what the pool does when a connection comes and goes is not counted.
async fn pay_and_count(shop: &Shop, id: i32) -> u64 {
    let before = shop.proxy.counts();
    shop.db
        .transact(SPEC, async |tx| pay(tx, id).await)
        .confirm(async |tx| paid(tx, id).await)
        .await
        .unwrap();
    let after = shop.proxy.counts();
    (after.begins - before.begins)
        + (after.statements - before.statements)
        + (after.commits - before.commits)
}
