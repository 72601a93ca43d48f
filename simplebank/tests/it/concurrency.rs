//! Many at once on one account. Lock order and keys used by many at once are tried by the proofs R12 and R14.

use std::{future::poll_fn, sync::Arc, task::Poll};

use simplebank::{Bank, CommitterOptions};
use tokio::task::JoinSet;

use crate::{TestBank, key, transfer};

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

/// The control of `an_account_is_never_overdrawn_by_a_crowd`: without the lock and the CHECK, two who have seen the same
/// balance both spend it.
#[tokio::test(flavor = "multi_thread")]
async fn without_lock_and_check_an_account_is_overdrawn() {
    let bank = Arc::new(TestBank::new().await);
    let alice = bank.customer("alice", 100).await;
    let owner = bank.owner().await;
    let sql = "alter domain simplebank.sound_account drop constraint accounts_balance_check";
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

/// At whichever of their await points: what they have begun is done, and whoever waits behind them is answered.
#[tokio::test]
async fn who_serves_the_others_and_goes_away_leaves_nobody_waiting() {
    let tested = TestBank::new().await;
    let (alice, bob) = (tested.customer("alice", 1_000).await, tested.customer("bob", 0).await);
    let options = CommitterOptions { callers_serve: true, ..CommitterOptions::default() };
    let db = tested.database.db().clone();
    let bank = Bank::builder(db).clock(tested.clock.clone()).committer(options).build().unwrap();
    let pay = || transfer(alice.account, bob.account, 1);
    for polls in 1..12 {
        let (first_key, second_key) = (key(&format!("{polls}-1")), key(&format!("{polls}-2")));
        let mut first = Box::pin(bank.transfer(&alice.principal, first_key.clone(), pay()));
        let second = {
            let (bank, principal, order) = (bank.clone(), alice.principal.clone(), pay());
            async move { bank.transfer(&principal, second_key, order).await }
        };
        let (mut second, mut left) = (Some(second), polls);
        let mut behind = None;
        poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(());
            }
            if let Poll::Ready(answer) = first.as_mut().poll(context) {
                answer.unwrap();
                return Poll::Ready(());
            }
            left -= 1;
            // Who comes next finds the first one's order in the queue, or taken.
            behind = behind.take().or_else(|| second.take().map(tokio::spawn));
            Poll::Pending
        })
        .await;
        drop(first);
        // Where it was answered at once, nobody came meanwhile.
        if let Some(behind) = behind {
            behind.await.unwrap().unwrap();
        } else if let Some(second) = second {
            second.await.unwrap();
        }
        // It was done, or is done now, and once.
        bank.transfer(&alice.principal, first_key, pay()).await.unwrap();
    }
    assert_eq!(tested.state(bob.account).await.0, 2 * 11);
    tested.is_whole().await;
}
