//! Many at once: no deadlock, exact totals, one effect for each key.

use std::sync::Arc;

use simplebank::core::AccountId;
use tokio::task::JoinSet;

use crate::{Customer, TestBank, transfer};

/// Deadlocks that PostgreSQL has counted in the test's database.
async fn deadlocks(bank: &TestBank) -> i64 {
    let owner = bank.owner().await;
    sqlx::raw_sql("select pg_stat_force_next_flush()").execute(&owner).await.unwrap();
    let sql = "select deadlocks from pg_stat_database where datname = current_database()";
    sqlx::query_scalar(sql).fetch_one(&owner).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn opposing_transfers_do_not_deadlock_and_lose_nothing() {
    const TASKS: usize = 16;
    const EACH: usize = 25;
    let bank = Arc::new(TestBank::new().await);
    let customers = Arc::new([
        bank.customer("alice", 10_000).await,
        bank.customer("bob", 10_000).await,
        bank.customer("carol", 10_000).await,
    ]);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (bank, customers) = (Arc::clone(&bank), Arc::clone(&customers));
        tasks.spawn(async move {
            for n in 0..EACH {
                // Both directions between each pair, and cycles.
                let from = &customers[(task + n) % 3];
                let to = &customers[(task + n + 1 + task % 2) % 3];
                bank.transfer(&from.principal, &format!("{task}-{n}"), from.account, to.account, 7)
                    .await
                    .unwrap();
            }
        });
    }
    tasks.join_all().await;
    let (mut total, mut entries) = (0, 0);
    for Customer { account, .. } in customers.iter() {
        let (balance, version) = bank.state(*account).await;
        total += balance;
        entries += version;
    }
    assert_eq!(total, 30_000);
    assert_eq!(entries, i64::try_from(2 * TASKS * EACH).unwrap() + 3);
    assert_eq!(deadlocks(&bank).await, 0);
    bank.is_whole().await;
}

/// The control of the test above: the same legs with the locks taken in the order of the request do deadlock.
#[tokio::test(flavor = "multi_thread")]
async fn locks_in_the_order_of_the_request_do_deadlock() {
    let bank = Arc::new(TestBank::new().await);
    let (alice, bob) = (bank.customer("alice", 1).await, bank.customer("bob", 1).await);
    let meet = Arc::new(tokio::sync::Barrier::new(2));
    let mut tasks = JoinSet::new();
    for (first, second) in [(alice.account, bob.account), (bob.account, alice.account)] {
        let (bank, meet) = (Arc::clone(&bank), Arc::clone(&meet));
        tasks.spawn(async move {
            #[expect(clippy::disallowed_methods, reason = "the control goes round the road")]
            let mut transaction = bank.database.db().pool().begin().await.unwrap();
            let lock = "select from simplebank.accounts where id = $1 for no key update";
            let mut lock_one = async |id: AccountId| {
                sqlx::query(lock).bind(id.as_uuid()).execute(&mut *transaction).await
            };
            lock_one(first).await.unwrap();
            meet.wait().await;
            lock_one(second).await.is_ok()
        });
    }
    assert_ne!(tasks.join_all().await, [true, true]);
    assert_eq!(deadlocks(&bank).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_uses_of_one_key_have_one_effect_and_one_answer() {
    let bank = Arc::new(TestBank::new().await);
    let (alice, bob) = (bank.customer("alice", 1_000).await, bank.customer("bob", 0).await);
    for round in 0..5 {
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let (bank, principal) = (Arc::clone(&bank), alice.principal.clone());
            let command = transfer(alice.account, bob.account, 10);
            let key = crate::key(&format!("round-{round}"));
            tasks.spawn(async move { bank.bank.transfer(&principal, key, command).await.unwrap() });
        }
        let mut receipts = tasks.join_all().await;
        receipts.dedup();
        assert_eq!(receipts.len(), 1);
        assert_eq!(bank.state(bob.account).await.0, 10 * (round + 1));
    }
    bank.is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_never_overdrawn_by_a_crowd() {
    let bank = Arc::new(TestBank::new().await);
    let (alice, bob) = (bank.customer("alice", 100).await, bank.customer("bob", 0).await);
    let mut tasks = JoinSet::new();
    for n in 0..30 {
        let (bank, principal) = (Arc::clone(&bank), alice.principal.clone());
        let (from, to) = (alice.account, bob.account);
        tasks.spawn(async move {
            bank.transfer(&principal, &format!("k{n}"), from, to, 10).await.is_ok()
        });
    }
    let paid = tasks.join_all().await.into_iter().filter(|is_paid| *is_paid).count();
    assert_eq!(
        (paid, bank.state(alice.account).await.0, bank.state(bob.account).await.0),
        (10, 0, 100)
    );
    bank.is_whole().await;
}

/// The control of `concurrent_uses_of_one_key_have_one_effect_and_one_answer`: a key that is looked up first and used
/// afterwards lets both of two through.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_checked_before_it_is_written_has_two_effects() {
    let bank = Arc::new(TestBank::new().await);
    let (alice, bob) = (bank.customer("alice", 1_000).await, bank.customer("bob", 0).await);
    let meet = Arc::new(tokio::sync::Barrier::new(2));
    let mut tasks = JoinSet::new();
    for n in 0..2 {
        let (bank, meet, principal) =
            (Arc::clone(&bank), Arc::clone(&meet), alice.principal.clone());
        let (from, to) = (alice.account, bob.account);
        tasks.spawn(async move {
            let used = "select exists (select from simplebank.idempotency where key like 'naive%')";
            let is_used: bool =
                sqlx::query_scalar(used).fetch_one(bank.bank.db().pool()).await.unwrap();
            meet.wait().await;
            if !is_used {
                bank.transfer(&principal, &format!("naive-{n}"), from, to, 10).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(bank.state(bob.account).await.0, 20);
}

/// The control of `an_account_is_never_overdrawn_by_a_crowd`: without the lock and the CHECK, two who have seen the same
/// balance both spend it.
#[tokio::test(flavor = "multi_thread")]
async fn without_lock_and_check_an_account_is_overdrawn() {
    let bank = Arc::new(TestBank::new().await);
    let alice = bank.customer("alice", 100).await;
    let owner = bank.owner().await;
    let sql = "alter table simplebank.accounts drop constraint accounts_balance_check";
    sqlx::raw_sql(sql).execute(&owner).await.unwrap();
    let meet = Arc::new(tokio::sync::Barrier::new(2));
    let mut tasks = JoinSet::new();
    for _ in 0..2 {
        let (owner, meet, id) = (owner.clone(), Arc::clone(&meet), alice.account.as_uuid());
        tasks.spawn(async move {
            let read = "select balance from simplebank.accounts where id = $1";
            let balance: i64 = sqlx::query_scalar(read).bind(id).fetch_one(&owner).await.unwrap();
            meet.wait().await;
            if balance >= 100 {
                let spend = "update simplebank.accounts set balance = balance - 100 where id = $1";
                sqlx::query(spend).bind(id).execute(&owner).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(bank.state(alice.account).await.0, -100);
}
