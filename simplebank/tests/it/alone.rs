//! Batches that need no transaction around them: one statement, one round trip, and still exactly once.

use std::time::Duration;

use simplebank::{
    Bank,
    db::{Db, PoolOptions},
    testing::{Fault, FixedClock, Proxy, Strike},
};
use sqlx::Executor as _;

use crate::{Customer, TestBank, code, key, transfer};

/// A bank that reaches its database through a proxy, and two customers, whose accounts it knows.
async fn behind_a_proxy() -> (TestBank, Proxy, Bank, [Customer; 2]) {
    let tested = TestBank::new().await;
    let customers = [tested.customer("alice", 1_000).await, tested.customer("bob", 0).await];
    let proxy = Proxy::start(&tested.database.url()).await;
    let bank = through(&proxy).await;
    warm_up(&bank, &customers, "first").await;
    (tested, proxy, bank, customers)
}

async fn through(proxy: &Proxy) -> Bank {
    let db = Db::connect(&proxy.url(), PoolOptions::default()).await.unwrap();
    Bank::builder(db).clock(FixedClock::default()).build().unwrap()
}

async fn warm_up(bank: &Bank, [alice, bob]: &[Customer; 2], key_text: &str) {
    let pay = transfer(alice.account, bob.account, 1);
    bank.transfer(&alice.principal, key(key_text), pay).await.unwrap();
}

#[tokio::test]
async fn a_transfer_between_accounts_that_are_known_is_one_round_trip() {
    let (tested, proxy, bank, customers) = behind_a_proxy().await;
    let before = proxy.counts();
    for n in 0..10 {
        warm_up(&bank, &customers, &format!("again-{n}")).await;
    }
    let after = proxy.counts();
    assert_eq!(after.round_trips - before.round_trips, 10);
    assert_eq!(after.commits, before.commits);
    assert_eq!(tested.state(customers[0].account).await, (989, 12));

    // Accounts that are not known are read first, on the same session, and a refusal is an answer like any other.
    let stranger = tested.customer("carol", 5).await;
    let before = proxy.counts();
    let [alice, _] = &customers;
    let pay = transfer(stranger.account, alice.account, 5);
    bank.transfer(&stranger.principal, key("hello"), pay).await.unwrap();
    assert_eq!(proxy.counts().round_trips - before.round_trips, 2);
    // The first of its kind on this session is made ready, by a round trip more.
    for (key_text, round_trips) in [("much", 4), ("more", 5)] {
        let much = transfer(stranger.account, alice.account, 6);
        let refused = bank.transfer(&stranger.principal, key(key_text), much).await;
        assert_eq!(code(refused), "insufficient_funds");
        assert_eq!(proxy.counts().round_trips - before.round_trips, round_trips);
    }
    tested.is_whole().await;
}

/// Whatever happens to the statement or its answer, the transfer is made once, and the caller is told so.
#[tokio::test]
async fn a_statement_that_is_cut_off_is_settled() {
    let (tested, proxy, bank, customers) = behind_a_proxy().await;
    let faults = [
        Fault::BeforeCommit(Strike::Cut),
        Fault::CommitFails("40001"),
        Fault::CommitFails("40003"),
        Fault::DuringCommit,
        Fault::AfterCommit(Strike::Cut),
        Fault::LateCommit(Duration::from_millis(20)),
        Fault::LateCommit(Duration::from_millis(600)),
        Fault::AfterCommit(Strike::Delay(Duration::from_millis(20))),
    ];
    let [alice, bob] = &customers;
    let (mut hits, mut made) = (0, 1);
    for round in 0..3 {
        for (n, fault) in faults.into_iter().enumerate() {
            // Known again, so that the next one is a statement alone.
            warm_up(&bank, &customers, &format!("{round}-warm-{n}")).await;
            proxy.arm(fault);
            let pay = transfer(alice.account, bob.account, 1);
            let struck = key(&format!("{round}-struck-{n}"));
            let receipt =
                bank.transfer(&alice.principal, struck.clone(), pay.clone()).await.unwrap();
            proxy.settled().await;
            (hits, made) = (hits + 1, made + 2);
            assert_eq!(proxy.hits(), hits, "{fault:?}");
            assert_eq!(bank.transfer(&alice.principal, struck, pay).await.unwrap(), receipt);
            assert_eq!(tested.state(bob.account).await, (made, made), "{fault:?}");
        }
    }
    tested.is_whole().await;
}

/// The control: where nobody can be asked, the outcome is unknown and told as such, though the money has moved.
#[tokio::test]
async fn a_statement_that_can_not_be_settled_is_unknown() {
    let (tested, proxy, bank, [alice, bob]) = behind_a_proxy().await;
    // The pool has no connection that could be asked on: the only one has become the session's.
    proxy.refuse_connections();
    proxy.arm(Fault::AfterCommit(Strike::Cut));
    let pay = transfer(alice.account, bob.account, 7);
    let unknown = bank.transfer(&alice.principal, key("unknown"), pay.clone()).await;
    assert_eq!(code(unknown), "outcome_unknown");
    assert_eq!(tested.state(bob.account).await, (8, 2));
    proxy.accept_connections();
    bank.transfer(&alice.principal, key("unknown"), pay).await.unwrap();
    assert_eq!(tested.state(bob.account).await, (8, 2));
}

/// What another process has done meanwhile is noticed by the statement itself.
#[tokio::test]
async fn what_is_remembered_and_no_longer_true_moves_nothing() {
    let (tested, proxy, bank, customers) = behind_a_proxy().await;
    let [alice, bob] = &customers;
    tested.transfer(&alice.principal, "elsewhere", alice.account, bob.account, 900).await.unwrap();
    // The bank believes that alice still has 999.
    let pay = transfer(alice.account, bob.account, 500);
    let refused = bank.transfer(&alice.principal, key("too-much"), pay).await;
    assert_eq!(code(refused), "insufficient_funds");
    assert_eq!(tested.state(alice.account).await, (99, 3));

    // A key that was answered elsewhere gets that answer.
    let pay = transfer(alice.account, bob.account, 900);
    let again = bank.transfer(&alice.principal, key("elsewhere"), pay).await.unwrap();
    assert_eq!(again.account.balance.minor(), 99);
    assert_eq!(tested.state(alice.account).await, (99, 3));
    drop(proxy);
    tested.is_whole().await;
}

/// A session that died while nobody used it costs nobody anything but time.
#[tokio::test]
async fn a_session_that_died_is_replaced() {
    let (tested, _proxy, bank, customers) = behind_a_proxy().await;
    let owner = tested.owner().await;
    for round in 0..3 {
        simplebank::testing::kill_backends(&owner).await.unwrap();
        warm_up(&bank, &customers, &format!("round-{round}")).await;
    }
    assert_eq!(tested.state(customers[1].account).await, (4, 4));
    tested.is_whole().await;
}

/// Where no such session opens, the road through a transaction is there.
#[tokio::test]
async fn a_session_that_does_not_open_is_done_without() {
    let (tested, proxy, _, customers) = behind_a_proxy().await;
    let revoke = "revoke execute on function pg_catalog.pg_advisory_lock(bigint) from public";
    tested.owner().await.execute(revoke).await.unwrap();
    let bank = through(&proxy).await;
    let before = proxy.counts();
    for n in 0..3 {
        warm_up(&bank, &customers, &format!("again-{n}")).await;
    }
    assert_eq!(proxy.counts().commits - before.commits, 3);
    assert_eq!(tested.state(customers[1].account).await, (4, 4));
    tested.is_whole().await;
}
