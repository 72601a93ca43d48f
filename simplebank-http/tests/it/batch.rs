//! Many transfers in one request.

use reqwest::Method;
use serde_json::{Value, json};
use simplebank::core::Principal;
use simplebank_http::BATCH_BYTES_MAX;

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::support::{Answer, User, World, names, nobodys_account, send, transfer_body};

const PATH: &str = "/v1/transfers/batch";

/// Alice with 100 euros and Bob with none; their accounts.
async fn two(world: &World) -> (User<'_>, User<'_>, User<'_>, String, String) {
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("start", &from, "100").await.is(201);
    (alice, bob, banker, from, to)
}

fn member(key: &str, from: &str, to: &str, amount: &str) -> Value {
    let mut member = transfer_body(from, to, amount);
    member["key"] = json!(key);
    member
}

/// How members become a body.
type Shape = fn(Vec<Value>) -> Value;

fn independent<I: IntoIterator<Item = Value>>(members: I) -> Value {
    json!({"transfers": members.into_iter().collect::<Vec<_>>()})
}

fn atomic<I: IntoIterator<Item = Value>>(members: I) -> Value {
    let mut batch = independent(members);
    batch["mode"] = json!("atomic");
    batch
}

#[tokio::test]
async fn independent_transfers_stand_alone_and_are_answered_in_order() {
    let world = World::new().await;
    let (alice, bob, _, from, to) = two(&world).await;
    let mut first = member("a", &from, &to, "10");
    first["description"] = json!("first");
    first["reference"] = json!("R1");
    let batch = independent([
        first,
        member("b", &from, &to, "1000"),
        member("c", &from, &nobodys_account(), "1"),
        member("d", &to, &from, "1"),
        member("e", &from, &to, "5"),
    ]);
    let answer = alice.post(PATH, batch.clone()).await;
    let body = answer.is(200);
    let results = body["results"].as_array().unwrap();
    let codes: Vec<_> =
        results.iter().map(|result| result["problem"]["code"].as_str().unwrap_or("-")).collect();
    assert_eq!(codes, ["-", "insufficient_funds", "account_not_found", "account_not_found", "-"]);
    let keys: Vec<_> = results.iter().map(|result| result["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["a", "b", "c", "d", "e"]);
    let receipt = &results[0]["receipt"];
    assert_eq!(names(&results[0]), ["key", "receipt"]);
    assert_eq!(names(receipt), ["from_account", "from_entry", "transfer"]);
    assert_eq!(receipt["transfer"]["description"], "first");
    assert_eq!(receipt["transfer"]["reference"], "R1");
    assert_eq!(names(&results[1]), ["key", "problem"]);
    assert_eq!(names(&results[1]["problem"]), ["code", "detail", "status", "title", "type"]);
    assert_eq!(
        (&results[1]["problem"]["status"], &results[2]["problem"]["status"]),
        (&json!(422), &json!(404))
    );
    assert_eq!(
        (alice.balance(&from).await, bob.balance(&to).await),
        ("85.00".into(), "15.00".into())
    );

    // Again, and after a change, the same bytes; a member by itself is the same wish under the same key.
    world.bank.freeze(&Principal::Operator, to.parse().unwrap()).await.unwrap();
    let before = world.state().await;
    let again = alice.post(PATH, batch).await;
    assert_eq!((again.status, &again.text), (answer.status, &answer.text));
    let alone = alice.transfer("e", &from, &to, "5").await.is(201);
    assert_eq!(alone, results[4]["receipt"]);
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn atomic_transfers_happen_together_or_not_at_all() {
    let world = World::new().await;
    let (alice, bob, _, from, to) = two(&world).await;
    let batch = |last: &str| {
        atomic([
            member("a", &from, &to, "60"),
            member("b", &from, &to, "30"),
            member("c", &from, &to, last),
        ])
    };
    let refused = alice.post(PATH, batch("10.01")).await;
    let problem = refused.is_problem(422, "insufficient_funds", &["transfers[2]"]);
    assert_eq!(problem["errors"][0]["message"], problem["detail"]);
    assert_eq!(
        (alice.balance(&from).await, bob.balance(&to).await),
        ("100.00".into(), "0.00".into())
    );
    let before = world.state().await;
    let again = alice.post(PATH, batch("10.01")).await;
    assert_eq!((again.status, &again.text), (refused.status, &refused.text));
    // The offender's refusal stays under its key; nothing stays under the others'.
    let alone = alice.transfer("c", &from, &to, "10.01").await;
    alone.is_problem(422, "insufficient_funds", &[]);
    alice.post(PATH, batch("10")).await.is_problem(
        422,
        "idempotency_key_reused",
        &["transfers[2]"],
    );
    assert_eq!(world.state().await, before);

    let good = atomic([
        member("a", &from, &to, "60"),
        member("b", &from, &to, "30"),
        member("d", &from, &to, "10"),
    ]);
    let done = alice.post(PATH, good.clone()).await;
    assert_eq!(done.is(200)["results"].as_array().unwrap().len(), 3);
    let again = alice.post(PATH, good).await;
    assert_eq!((again.status, &again.text), (done.status, &done.text));
    assert_eq!(
        (alice.balance(&from).await, bob.balance(&to).await),
        ("0.00".into(), "100.00".into())
    );
    // What has happened before does not happen with others that can't.
    let mixed = atomic([member("a", &from, &to, "60"), member("e", &from, &to, "1")]);
    alice.post(PATH, mixed).await.is_problem(422, "insufficient_funds", &["transfers[1]"]);
    world.state().await;
}

#[tokio::test]
async fn a_key_twice_in_a_batch_has_one_effect_and_both_are_told() {
    let world = World::new().await;
    let (alice, bob, _, from, to) = two(&world).await;
    for mode in [independent::<Vec<Value>>, atomic::<Vec<Value>>] {
        let same = mode(vec![member("k", &from, &to, "10"), member("k", &from, &to, "10.00")]);
        let results = alice.post(PATH, same).await.is(200)["results"].clone();
        assert_eq!(results[0], results[1]);
        assert_eq!(results[0]["receipt"]["transfer"]["amount"], "10.00");
    }
    let other = vec![member("o", &from, &to, "1"), member("o", &from, &to, "2")];
    let refused = alice.post(PATH, atomic(other.clone())).await;
    refused.is_problem(422, "idempotency_key_reused", &["transfers[1]"]);
    let results = alice.post(PATH, independent(other)).await.is(200)["results"].clone();
    assert_eq!(results[0]["receipt"]["transfer"]["amount"], "1.00");
    assert_eq!(results[1]["problem"]["code"], "idempotency_key_reused");
    assert_eq!(bob.balance(&to).await, "11.00");
}

#[tokio::test]
async fn a_batch_sent_many_times_at_once_has_one_effect() {
    let world = World::new().await;
    let (alice, bob, _, from, to) = two(&world).await;
    let modes: [(&str, Shape); 2] = [("i", independent), ("a", atomic)];
    for (name, mode) in modes {
        let members: Vec<Value> =
            (0..50).map(|number| member(&format!("{name}{number}"), &from, &to, "0.10")).collect();
        let batch = mode(members);
        let requests: Vec<_> = (0..8)
            .map(|_| tokio::spawn(send(alice.request(Method::POST, PATH).json(&batch))))
            .collect();
        let mut answers: Vec<Answer> = Vec::new();
        for request in requests {
            answers.push(request.await.unwrap());
        }
        answers[0].is(200);
        assert!(answers.iter().all(|answer| answer.text == answers[0].text), "{name}");
    }
    assert_eq!(bob.balance(&to).await, "10.00");
    world.state().await;
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_does_nothing_and_names_the_member() {
    let world = World::new().await;
    let (alice, _, _, from, to) = two(&world).await;
    let before = world.state().await;
    let good = || member("good", &from, &to, "1");
    let bad = |field: &str, value: Value| {
        let mut bad = member("bad", &from, &to, "1");
        bad[field] = value;
        independent([good(), bad])
    };
    let mut without_key = good();
    without_key.as_object_mut().unwrap().remove("key");
    let many = independent((0..1001).map(|number| member(&number.to_string(), &from, &to, "0.01")));
    for (body, status, code, fields) in [
        (json!({}), 400, "malformed_request", vec!["transfers"]),
        (json!({"transfers": {}}), 400, "malformed_request", vec!["transfers"]),
        (json!({"transfers": "[]"}), 400, "malformed_request", vec!["transfers"]),
        (json!({"transfers": null}), 400, "malformed_request", vec!["transfers"]),
        (json!([]), 400, "malformed_request", vec![]),
        (json!({"transfers": []}), 422, "invalid_input", vec!["transfers"]),
        (many, 422, "invalid_input", vec!["transfers"]),
        (json!({"mode": "all", "transfers": [good()]}), 422, "invalid_input", vec!["mode"]),
        (json!({"mode": 1, "transfers": [good()]}), 400, "malformed_request", vec!["mode"]),
        (
            json!({"dry_run": true, "transfers": [good()]}),
            400,
            "malformed_request",
            vec!["dry_run"],
        ),
        (json!({"transfers": [good(), 1]}), 400, "malformed_request", vec!["transfers[1]"]),
        (json!({"transfers": [without_key]}), 400, "malformed_request", vec!["transfers[0].key"]),
        (bad("amount", json!("0")), 422, "invalid_input", vec!["transfers[1].amount"]),
        (bad("amount", json!(1)), 400, "malformed_request", vec!["transfers[1].amount"]),
        (bad("currency", json!("euro")), 422, "invalid_input", vec!["transfers[1].currency"]),
        (bad("key", json!("a b")), 422, "invalid_input", vec!["transfers[1].key"]),
        (bad("key", json!("")), 422, "invalid_input", vec!["transfers[1].key"]),
        (
            bad("from_account_id", json!("1")),
            422,
            "invalid_input",
            vec!["transfers[1].from_account_id"],
        ),
        (bad("description", json!("")), 422, "invalid_input", vec!["transfers[1].description"]),
        (bad("reference", json!("a b")), 422, "invalid_input", vec!["transfers[1].reference"]),
        (bad("note", json!("x")), 400, "malformed_request", vec!["transfers[1].note"]),
    ] {
        let answer = alice.post(PATH, body).await;
        answer.is_problem(status, code, &fields);
    }
    let named = alice.pay("key", PATH, independent([good()])).await;
    named.is_problem(400, "idempotency_key_invalid", &["Idempotency-Key"]);
    let anyone = world.anyone().post(PATH, independent([good()])).await;
    anyone.is_problem(401, "unauthenticated", &[]);
    assert_eq!(alice.get(PATH).await.status, 405);
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn a_thousand_of_the_longest_members_fit_and_no_more_bytes() {
    let world = World::new().await;
    let (alice, bob, _, from, to) = two(&world).await;
    let longest = |number: usize| {
        let mut member = member(&format!("{number:0>255}"), &from, &to, "0.01");
        member["description"] = json!("\u{1f3e0}".repeat(200));
        member["reference"] = json!("r".repeat(64));
        member
    };
    let text = independent((0..1000).map(longest)).to_string();
    assert!(text.len() > 1_000_000 && text.len() < BATCH_BYTES_MAX, "{}", text.len());
    let post = |text: String| {
        let request = alice.request(Method::POST, PATH).header("Content-Type", "application/json");
        send(request.body(text))
    };
    let padded = |length: usize| format!("{text}{}", " ".repeat(length - text.len()));
    let refused = post(padded(BATCH_BYTES_MAX + 1)).await;
    let problem = refused.is_problem(413, "payload_too_large", &[]);
    assert_eq!(problem["detail"], "the body is longer than 2048 KiB");
    assert_eq!(bob.balance(&to).await, "0.00");
    let done = post(padded(BATCH_BYTES_MAX)).await.is(200);
    assert_eq!(done["results"].as_array().unwrap().len(), 1000);
    assert_eq!(bob.balance(&to).await, "10.00");
    // Other routes keep their limit.
    let other = alice.request(Method::POST, "/v1/transfers").header("Idempotency-Key", "k");
    let other = other.header("Content-Type", "application/json").body(padded(BATCH_BYTES_MAX));
    send(other).await.is_problem(413, "payload_too_large", &[]);
}

#[tokio::test]
async fn batches_that_never_arrive_take_no_room_from_others_for_good() {
    let world = World::new().await;
    let (alice, bob, _, from, to) = two(&world).await;
    let address = world.base.strip_prefix("http://").unwrap();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: bank\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{",
        alice.token.as_deref().unwrap()
    );
    // More than there is room for, since some may be refused while the bank looks up who asks.
    let mut stalled = Vec::new();
    for _ in 0..64 {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        stalled.push(connection);
    }
    let good = independent([member("k", &from, &to, "1")]);
    let mut refused = None;
    for _ in 0..200 {
        let answer = alice.post(PATH, good.clone()).await;
        if answer.status == 503 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("there is room for a limited number of batches");
    refused.is_problem(503, "overloaded", &[]);
    assert_eq!(refused.header("retry-after"), "3");
    // A single transfer needs no such room.
    alice.transfer("single", &from, &to, "1").await.is(201);
    drop(stalled);
    while alice.post(PATH, good.clone()).await.status == 503 {}
    assert_eq!(bob.balance(&to).await, "2.00");
}
