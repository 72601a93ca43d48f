//! Reversals: a transfer given back, never more of it than it moved.

use reqwest::Method;
use serde_json::{Value, json};
use simplebank::core::{Principal, TransferId};

use crate::support::{Answer, User, World, names, send};

/// Alice has paid Bob 60 of her 100 euros; their accounts, and the path of what can be given back.
async fn paid(world: &World) -> (User<'_>, User<'_>, User<'_>, String, String, String) {
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("start", &from, "100").await.is(201);
    let transfer = alice.transfer("pay", &from, &to, "60").await.is(201)["transfer"].clone();
    let path = format!("/v1/transfers/{}/reversals", transfer["id"].as_str().unwrap());
    (alice, bob, banker, from, to, path)
}

fn part(amount: &str) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}

#[tokio::test]
async fn a_transfer_is_given_back_in_parts_and_never_beyond_the_whole() {
    let world = World::new().await;
    let (alice, bob, banker, from, to, path) = paid(&world).await;
    let mut body = part("20");
    body["description"] = json!("too much");
    body["reference"] = json!("CREDIT-1");
    let answer = bob.pay("r1", &path, body).await;
    let receipt = answer.is(201);
    assert_eq!(names(&receipt), ["account", "entry", "transfer"]);
    let transfer = &receipt["transfer"];
    assert_eq!((&transfer["kind"], &transfer["amount"]), (&json!("reversal"), &json!("20.00")));
    assert!(path.contains(transfer["reverses_id"].as_str().unwrap()));
    assert_eq!(
        (&transfer["from_account_id"], &transfer["to_account_id"]),
        (&json!(to), &json!(from))
    );
    assert_eq!(
        (&transfer["description"], &transfer["reference"]),
        (&json!("too much"), &json!("CREDIT-1"))
    );
    assert_eq!(receipt["account"]["id"], to);
    assert_eq!(alice.get(answer.header("location")).await.is(200), *transfer);

    let above = banker.pay("r2", &path, part("40.01")).await;
    above.is_problem(422, "reversal_exceeds_transfer", &[]);
    // Nothing named is the rest; then nothing is left.
    let rest = send(banker.request(Method::POST, &path).header("Idempotency-Key", "r3")).await;
    assert_eq!(rest.is(201)["transfer"]["amount"], "40.00");
    bob.pay("r4", &path, json!({})).await.is_problem(422, "reversal_exceeds_transfer", &[]);
    assert_eq!(
        (alice.balance(&from).await, bob.balance(&to).await),
        ("100.00".into(), "0.00".into())
    );
    world.state().await;
}

#[tokio::test]
async fn a_reversal_sent_again_gets_the_same_bytes() {
    let world = World::new().await;
    let (alice, bob, _, from, to, path) = paid(&world).await;
    let first = bob.pay("r", &path, part("10")).await;
    first.is(201);
    let refused = bob.pay("no", &path, part("60")).await;
    refused.is_problem(422, "reversal_exceeds_transfer", &[]);
    bob.pay("more", &path, part("1")).await.is(201);
    world.bank.freeze(&Principal::Operator, to.parse().unwrap()).await.unwrap();
    let before = world.state().await;
    for (again, first) in [
        (bob.pay("r", &path, part("10.00")).await, &first),
        (bob.pay("no", &path, part("60")).await, &refused),
    ] {
        assert_eq!((again.status, &again.text), (first.status, &first.text));
        assert_eq!(again.header("location"), first.header("location"));
    }
    let mut described = part("10");
    described["description"] = json!("x");
    for other in [part("11"), json!({}), described] {
        let answer = bob.pay("r", &path, other).await;
        answer.is_problem(422, "idempotency_key_reused", &[]);
    }
    assert_eq!(world.state().await, before);
    // Nobody else's key.
    alice.pay("r", &path, part("1")).await.is_problem(422, "not_reversible", &[]);
    assert_eq!(alice.balance(&from).await, "51.00");
}

#[tokio::test]
async fn in_any_race_no_more_is_given_back_than_was_moved() {
    let world = World::new().await;
    let (alice, bob, banker, from, _, path) = paid(&world).await;
    let send_to = |user: &User<'_>, key: String, amount: &str| {
        let request = user.request(Method::POST, &path).header("Idempotency-Key", key);
        tokio::spawn(send(request.json(&part(amount))))
    };
    // 16 × 25 of 60: two fit. And one key eight times.
    let mut requests = Vec::new();
    for number in 0..8 {
        requests.push(send_to(&bob, format!("b{number}"), "25"));
        requests.push(send_to(&banker, format!("k{number}"), "25"));
    }
    let mut answers: Vec<Answer> = Vec::new();
    for request in requests {
        answers.push(request.await.unwrap());
    }
    let (done, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status.is_success());
    assert_eq!(done.len(), 2, "{answers:?}");
    for answer in refused {
        answer.is_problem(422, "reversal_exceeds_transfer", &[]);
    }
    let same: Vec<_> = (0..8).map(|_| send_to(&bob, "same".to_owned(), "5")).collect();
    let mut texts = Vec::new();
    for request in same {
        let answer = request.await.unwrap();
        answer.is(201);
        texts.push(answer.text);
    }
    texts.dedup();
    assert_eq!(texts.len(), 1);
    assert_eq!(alice.balance(&from).await, "95.00");
    world.state().await;
}

#[tokio::test]
async fn bad_reversals_are_refused_by_field_and_change_nothing() {
    let world = World::new().await;
    let (alice, bob, banker, from, _, path) = paid(&world).await;
    let carol = world.user("carol").await;
    let before = world.state().await;
    for (body, status, code, fields) in [
        (json!({"amount": "1"}), 422, "invalid_input", vec!["currency"]),
        (json!({"currency": "EUR"}), 422, "invalid_input", vec!["amount"]),
        (json!({"amount": "-1", "currency": "EUR"}), 422, "invalid_input", vec!["amount"]),
        (json!({"amount": "1", "currency": "USD"}), 422, "invalid_input", vec!["currency"]),
        (json!({"amount": "1", "currency": "JPY"}), 422, "invalid_input", vec!["currency"]),
        (json!({"amount": "1", "currency": "?"}), 422, "invalid_input", vec!["currency"]),
        (json!({"description": ""}), 422, "invalid_input", vec!["description"]),
        (json!({"reference": "a b"}), 422, "invalid_input", vec!["reference"]),
        (json!({"amount": 1, "currency": "EUR"}), 400, "malformed_request", vec!["amount"]),
        (json!({"reason": "x"}), 400, "malformed_request", vec!["reason"]),
    ] {
        bob.pay("bad", &path, body).await.is_problem(status, code, &fields);
    }
    let unreadable = alice.pay("x", "/v1/transfers/1/reversals", json!({})).await;
    unreadable.is_problem(400, "malformed_request", &["id"]);
    assert_eq!(world.state().await, before);
    // What can be judged is refused under its key.
    let nobodys = format!("/v1/transfers/{}/reversals", TransferId::from_parts(1, [7; 10]));
    for (key, body) in [("a", json!({})), ("b", part("1"))] {
        carol.pay(key, &path, body.clone()).await.is_problem(404, "transfer_not_found", &[]);
        bob.pay(key, &nobodys, body.clone()).await.is_problem(404, "transfer_not_found", &[]);
        alice.pay(key, &path, body).await.is_problem(422, "not_reversible", &[]);
    }
    assert_eq!(alice.balance(&from).await, "40.00");

    let reversal = banker.pay("r", &path, part("1")).await.is(201)["transfer"]["id"].clone();
    let path = format!("/v1/transfers/{}/reversals", reversal.as_str().unwrap());
    banker.pay("rr", &path, json!({})).await.is_problem(422, "not_reversible", &[]);
    assert_eq!(alice.balance(&from).await, "41.00");
}
