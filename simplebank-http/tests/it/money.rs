//! Exactly once: the same key gets the same bytes, whatever has happened since.

use reqwest::Method;
use serde_json::json;
use simplebank::{
    core::{AccountId, Principal},
    db::{self, TxSpec},
};
use tokio::sync::oneshot;

use crate::support::{World, nobodys_account, send, transfer_body};

#[tokio::test]
async fn a_key_sent_again_gets_the_same_bytes_and_moves_nothing() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    let deposit = banker.deposit("key", &from, "100").await;
    let transfer = alice.transfer("key", &from, &to, "10").await;
    let path = format!("/v1/accounts/{from}/withdrawals");
    let cash = json!({"amount": "1", "currency": "EUR"});
    let withdrawal = banker.pay("other", &path, cash.clone()).await;
    for answer in [&deposit, &transfer, &withdrawal] {
        answer.is(201);
    }
    // Later, with another balance, and frozen.
    alice.transfer("more", &from, &to, "5").await.is(201);
    world.clock.advance(time::Duration::minutes(5));
    world.bank.freeze(&Principal::Operator, from.parse().unwrap()).await.unwrap();
    let before = world.state().await;
    let again = [
        (banker.deposit("key", &from, "100").await, deposit),
        // The same wish, spelt and ordered differently.
        (alice.transfer("key", &from, &to, "10.00").await, transfer),
        (banker.pay("other", &path, cash).await, withdrawal),
    ];
    for (second, first) in again {
        assert_eq!((second.status, &second.text), (first.status, &first.text));
        assert_eq!(second.header("location"), first.header("location"));
        assert_ne!(second.header("x-request-id"), first.header("x-request-id"));
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn a_key_for_something_else_is_refused() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("key", &from, "100").await.is(201);
    alice.transfer("key", &from, &to, "10").await.is(201);
    let before = world.state().await;
    let other = alice.transfer("key", &from, &to, "10.01").await;
    other.is_problem(422, "idempotency_key_reused", &[]);
    let other = banker.deposit("key", &to, "100").await;
    other.is_problem(422, "idempotency_key_reused", &[]);
    let withdrawal = json!({"amount": "100", "currency": "EUR"});
    let other = banker.pay("key", &format!("/v1/accounts/{from}/withdrawals"), withdrawal).await;
    other.is_problem(422, "idempotency_key_reused", &[]);
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn a_refusal_stays_a_refusal() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    let (dollars, nobody) = (bob.account("USD").await, nobodys_account());
    let body = transfer_body;
    let refusals = [
        ("funds", body(&from, &to, "10"), 422, "insufficient_funds"),
        ("same", body(&from, &from, "10"), 422, "same_account"),
        ("currency", body(&from, &dollars, "10"), 422, "currency_mismatch"),
        ("nobody", body(&from, &nobody, "10"), 404, "account_not_found"),
        ("foreign", body(&to, &from, "10"), 404, "account_not_found"),
    ];
    let mut firsts = Vec::new();
    for (key, body, status, code) in &refusals {
        let first = alice.pay(key, "/v1/transfers", body.clone()).await;
        first.is_problem(*status, code, &[]);
        firsts.push(first);
    }
    banker.deposit("now", &from, "100").await.is(201);
    let before = world.state().await;
    for ((key, body, ..), first) in refusals.iter().zip(firsts) {
        let second = alice.pay(key, "/v1/transfers", body.clone()).await;
        assert_eq!((second.status, second.text), (first.status, first.text));
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn a_key_sent_many_times_at_once_moves_money_once() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("start", &from, "10").await.is(201);
    let requests = (0..8).map(|_| {
        let request = alice.request(Method::POST, "/v1/transfers").header("Idempotency-Key", "key");
        tokio::spawn(send(request.json(&transfer_body(&from, &to, "1"))))
    });
    let mut texts = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        let answer = request.await.unwrap();
        answer.is(201);
        texts.push(answer.text);
    }
    texts.dedup();
    assert_eq!(texts.len(), 1);
    assert_eq!(alice.balance(&from).await, "9.00");
}

#[tokio::test]
async fn keys_belong_to_their_owners() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (hers, his) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("1", &hers, "10").await.is(201);
    banker.deposit("2", &his, "10").await.is(201);
    let first = alice.transfer("key", &hers, &his, "1").await.is(201);
    let second = bob.transfer("key", &his, &hers, "2").await.is(201);
    assert_ne!(first["transfer"]["id"], second["transfer"]["id"]);
    assert_eq!(
        (alice.balance(&hers).await, bob.balance(&his).await),
        ("11.00".into(), "9.00".into())
    );
}

#[tokio::test]
async fn frozen_accounts_and_too_large_balances_are_refused() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("max", &from, "92233720368547758.07").await.is(201);
    let more = banker.deposit("more", &from, "0.01").await;
    more.is_problem(422, "balance_out_of_range", &[]);
    world.bank.freeze(&Principal::Operator, to.parse().unwrap()).await.unwrap();
    alice.transfer("frozen", &from, &to, "1").await.is_problem(422, "account_frozen", &[]);
    world.bank.unfreeze(&Principal::Operator, to.parse().unwrap()).await.unwrap();
    assert_eq!(alice.balance(&from).await, "92233720368547758.07");
    world.state().await;
}

#[tokio::test]
async fn a_locked_account_is_not_waited_for_for_ever_and_the_key_can_be_sent_again() {
    const HOLD: TxSpec = TxSpec::read_committed("hold");
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("start", &from, "10").await.is(201);
    let account: AccountId = from.parse().unwrap();
    let (locked, is_locked) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let signals = std::sync::Mutex::new(Some((locked, released)));
    let bank = world.bank.clone();
    let holder = tokio::spawn(async move {
        bank.db()
            .transact(HOLD, async |tx| {
                db::accounts::lock(tx, account).await?;
                let (locked, released) = signals.lock().unwrap().take().unwrap();
                locked.send(()).unwrap();
                drop(released.await);
                Ok::<_, db::Error>(())
            })
            .await
    });
    is_locked.await.unwrap();
    let answer = alice.transfer("key", &from, &to, "1").await;
    answer.is_problem(503, "overloaded", &[]);
    assert_eq!(answer.header("retry-after"), "3");
    assert_eq!(alice.balance(&from).await, "10.00");
    release.send(()).unwrap();
    holder.await.unwrap().unwrap();
    alice.transfer("key", &from, &to, "1").await.is(201);
    assert_eq!(alice.balance(&from).await, "9.00");
}
