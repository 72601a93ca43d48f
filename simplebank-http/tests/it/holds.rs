//! Holds: placed, seen, captured, voided, expired; each once.

use reqwest::Method;
use serde_json::{Value, json};
use simplebank::core::{HoldId, Principal};
use time::Duration;

use crate::support::{Answer, User, World, names, nobodys_account, send, transfer_body};

const HOLD: [&str; 13] = [
    "amount",
    "captured_amount",
    "created_at",
    "currency",
    "description",
    "expires_at",
    "from_account_id",
    "id",
    "reference",
    "resolved_at",
    "state",
    "to_account_id",
    "transfer_id",
];

/// Alice with 100 euros and Bob with none, who are to have dealings; and their accounts.
async fn two(world: &World) -> (User<'_>, User<'_>, User<'_>, String, String) {
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("start", &from, "100").await.is(201);
    (alice, bob, banker, from, to)
}

async fn place(user: &User<'_>, key: &str, from: &str, to: &str, amount: &str) -> Answer {
    user.pay(key, "/v1/holds", transfer_body(from, to, amount)).await
}

fn id(hold: &Value) -> String {
    hold["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_hold_is_placed_and_captured_in_part() {
    let world = World::new().await;
    let (alice, bob, _, from, to) = two(&world).await;
    let mut body = transfer_body(&from, &to, "60");
    body["description"] = json!("Hotel Miete 🏠");
    body["reference"] = json!("BOOKING-7");
    body["expires_in_seconds"] = json!(3600);
    let placed = alice.pay("h", "/v1/holds", body).await;
    let hold = placed.is(201);
    assert_eq!(names(&hold), HOLD);
    assert_eq!((&hold["state"], &hold["amount"]), (&json!("open"), &json!("60.00")));
    assert_eq!(hold["description"], "Hotel Miete 🏠");
    assert_eq!(hold["reference"], "BOOKING-7");
    assert_eq!(hold["expires_at"], "2026-01-01T13:00:00Z");
    assert_eq!(placed.header("location"), format!("/v1/holds/{}", id(&hold)));
    assert_eq!(bob.get(placed.header("location")).await.is(200), hold);

    // Not gone, and not available.
    assert_eq!(alice.balance(&from).await, "100.00");
    alice.transfer("t", &from, &to, "40.01").await.is_problem(422, "insufficient_funds", &[]);

    let path = format!("/v1/holds/{}/capture", id(&hold));
    let captured = bob.pay("c", &path, json!({"amount": "25", "currency": "EUR"})).await;
    let receipt = captured.is(201);
    assert_eq!(names(&receipt), ["account", "entry", "transfer"]);
    let transfer = &receipt["transfer"];
    assert_eq!((&transfer["kind"], &transfer["amount"]), (&json!("capture"), &json!("25.00")));
    assert_eq!((&transfer["hold_id"], &transfer["reverses_id"]), (&hold["id"], &Value::Null));
    assert_eq!(
        (&transfer["description"], &transfer["reference"]),
        (&hold["description"], &hold["reference"])
    );
    assert_eq!(receipt["account"]["id"], to, "Bob's, who captured");
    assert_eq!(alice.get(captured.header("location")).await.is(200), *transfer);

    let now = alice.get(placed.header("location")).await.is(200);
    assert_eq!((&now["state"], &now["captured_amount"]), (&json!("captured"), &json!("25.00")));
    assert_eq!(now["transfer_id"], transfer["id"]);
    assert_eq!(now["resolved_at"], "2026-01-01T12:00:00Z");
    assert_eq!(
        (alice.balance(&from).await, bob.balance(&to).await),
        ("75.00".into(), "25.00".into())
    );
    alice.transfer("t2", &from, &to, "75").await.is(201);
    world.state().await;
}

#[tokio::test]
async fn a_body_that_says_nothing_may_be_left_out() {
    let world = World::new().await;
    let (alice, bob, _, from, to) = two(&world).await;
    let first = place(&alice, "1", &from, &to, "10").await.is(201);
    let second = place(&alice, "2", &from, &to, "20").await.is(201);
    let bare = |path: String, key: &'static str| {
        send(bob.request(Method::POST, &path).header("Idempotency-Key", key))
    };
    bare(format!("/v1/holds/{}/capture", id(&first)), "c").await.is(201);
    let voided = bare(format!("/v1/holds/{}/void", id(&second)), "v").await.is(200);
    assert_eq!(names(&voided), HOLD);
    assert_eq!((&voided["state"], &voided["transfer_id"]), (&json!("voided"), &Value::Null));
    assert_eq!(bob.balance(&to).await, "10.00");
    // Neither is "{}" another wish than nothing.
    bob.pay("v", &format!("/v1/holds/{}/void", id(&second)), json!({})).await.is(200);
}

#[tokio::test]
async fn each_call_sent_again_gets_the_same_bytes_whatever_has_happened_since() {
    let world = World::new().await;
    let (alice, bob, _, from, to) = two(&world).await;
    let placed = place(&alice, "h", &from, &to, "10").await;
    let other = place(&alice, "h2", &from, &to, "20").await;
    let capture = format!("/v1/holds/{}/capture", id(&placed.is(201)));
    let void = format!("/v1/holds/{}/void", id(&other.is(201)));
    let part = json!({"amount": "4", "currency": "EUR"});
    let captured = bob.pay("c", &capture, part.clone()).await;
    let voided = bob.pay("v", &void, json!({})).await;
    captured.is(201);
    voided.is(200);
    let refused = bob.pay("late", &capture, json!({})).await;
    refused.is_problem(422, "hold_resolved", &[]);

    alice.transfer("more", &from, &to, "5").await.is(201);
    world.clock.advance(Duration::days(40));
    world.bank.freeze(&Principal::Operator, from.parse().unwrap()).await.unwrap();
    let (alice, bob) =
        (world.log_in("alice", String::new()).await, world.log_in("bob", String::new()).await);
    let before = world.state().await;
    for (again, first) in [
        (place(&alice, "h", &from, &to, "10.00").await, &placed),
        (place(&alice, "h2", &from, &to, "20").await, &other),
        (bob.pay("c", &capture, json!({"currency": "EUR", "amount": "4.00"})).await, &captured),
        (bob.pay("v", &void, json!({})).await, &voided),
        (bob.pay("late", &capture, json!({})).await, &refused),
    ] {
        assert_eq!((again.status, &again.text), (first.status, &first.text));
        assert_eq!(again.header("location"), first.header("location"));
    }
    // Other content under the same keys.
    for other in [
        place(&alice, "h", &from, &to, "11").await,
        alice.pay("h", "/v1/transfers", transfer_body(&from, &to, "10")).await,
        bob.pay("c", &capture, json!({})).await,
        bob.pay("c", &capture, json!({"amount": "5", "currency": "EUR"})).await,
        bob.pay("c", &void, json!({})).await,
        bob.pay("v", &capture, json!({})).await,
    ] {
        other.is_problem(422, "idempotency_key_reused", &[]);
    }
    assert_eq!(world.state().await, before);
}

/// Sends the same request so many times at once; returns the distinct answers.
async fn at_once(user: &User<'_>, path: &str, keys: [&str; 8], body: &Value) -> Vec<Answer> {
    let requests = keys.map(|key| {
        let request = user.request(Method::POST, path).header("Idempotency-Key", key);
        tokio::spawn(send(request.json(body)))
    });
    let mut answers = Vec::new();
    for request in requests {
        answers.push(request.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn a_key_used_many_times_at_once_has_one_effect() {
    let world = World::new().await;
    let (alice, bob, _, from, to) = two(&world).await;
    let body = transfer_body(&from, &to, "10");
    let placed = at_once(&alice, "/v1/holds", ["h"; 8], &body).await;
    let hold = placed[0].is(201);
    assert!(placed.iter().all(|answer| answer.text == placed[0].text), "{placed:?}");
    let capture = format!("/v1/holds/{}/capture", id(&hold));
    let captured = at_once(&bob, &capture, ["c"; 8], &json!({})).await;
    captured[0].is(201);
    assert!(captured.iter().all(|answer| answer.text == captured[0].text), "{captured:?}");
    let holds = alice.get(&format!("/v1/holds?account_id={from}")).await.is(200);
    assert_eq!(holds["items"].as_array().unwrap().len(), 1);
    assert_eq!(bob.balance(&to).await, "10.00");
}

#[tokio::test]
async fn a_hold_ends_once_in_any_race() {
    let world = World::new().await;
    let (alice, bob, _, from, to) = two(&world).await;
    let hold = place(&alice, "h", &from, &to, "10").await.is(201);
    let keys = ["1", "2", "3", "4", "5", "6", "7", "8"];
    let (capture, void) =
        (format!("/v1/holds/{}/capture", id(&hold)), format!("/v1/holds/{}/void", id(&hold)));
    let nothing = json!({});
    let (captures, voids) = tokio::join!(
        at_once(&alice, &capture, keys, &nothing),
        at_once(&bob, &void, keys, &nothing)
    );
    let done: Vec<&Answer> =
        captures.iter().chain(&voids).filter(|answer| answer.status.is_success()).collect();
    assert_eq!(done.len(), 1, "{captures:?} {voids:?}");
    for answer in captures.iter().chain(&voids).filter(|answer| !answer.status.is_success()) {
        answer.is_problem(422, "hold_resolved", &[]);
    }
    world.state().await;
}

#[tokio::test]
async fn a_hold_whose_time_is_over_shows_as_expired_and_holds_nothing() {
    let world = World::new().await;
    let (alice, bob, _, from, to) = two(&world).await;
    let mut body = transfer_body(&from, &to, "100");
    body["expires_in_seconds"] = json!(60);
    let hold = alice.pay("h", "/v1/holds", body.clone()).await.is(201);
    world.clock.advance(Duration::seconds(60));
    let path = format!("/v1/holds/{}", id(&hold));
    let shown = bob.get(&path).await.is(200);
    assert_eq!((&shown["state"], &shown["resolved_at"]), (&json!("expired"), &Value::Null));
    let listed = bob.get(&format!("/v1/holds?account_id={to}")).await.is(200);
    assert_eq!(listed["items"], json!([shown]));
    let late = bob.pay("c", &format!("{path}/capture"), json!({})).await;
    late.is_problem(422, "hold_expired", &[]);
    bob.pay("v", &format!("{path}/void"), json!({})).await.is_problem(422, "hold_expired", &[]);
    alice.transfer("t", &from, &to, "100").await.is(201);
    world.state().await;
}

#[tokio::test]
async fn holds_are_walked_newest_first_by_either_side() {
    let world = World::new().await;
    let (alice, bob, banker, from, to) = two(&world).await;
    alice.transfer("some", &from, &to, "50").await.is(201);
    let mut ids = Vec::new();
    for number in 0..7 {
        world.clock.advance(Duration::milliseconds(1));
        // Both ways, so that a page is made of both sides.
        let hold = match number % 3 {
            0 => place(&bob, &number.to_string(), &to, &from, "1").await,
            _ => place(&alice, &number.to_string(), &from, &to, "1").await,
        };
        ids.insert(0, id(&hold.is(201)));
    }
    for (user, account) in [(&alice, &from), (&bob, &to), (&banker, &to)] {
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/holds?account_id={account}&limit=3{cursor}");
            let page = user.get(&path).await.is(200);
            let items = page["items"].as_array().unwrap();
            walked.extend(items.iter().map(id));
            let Some(next) = page["next_cursor"].as_str() else { break };
            assert_eq!(items.len(), 3);
            cursor = format!("&cursor={next}");
        }
        assert_eq!(walked, ids);
    }
    let cursor = alice.get(&format!("/v1/holds?account_id={from}&limit=1")).await.is(200);
    let cursor = cursor["next_cursor"].as_str().unwrap().to_owned();
    for path in [
        format!("/v1/transfers?account_id={from}&cursor={cursor}"),
        format!("/v1/holds?account_id={from}&cursor=x"),
    ] {
        alice.get(&path).await.is_problem(400, "invalid_cursor", &["cursor"]);
    }
    let foreign = format!("/v1/holds?account_id={to}&cursor={cursor}");
    bob.get(&foreign).await.is_problem(400, "invalid_cursor", &["cursor"]);
}

#[tokio::test]
async fn who_has_nothing_to_do_with_a_hold_learns_nothing_of_it() {
    let world = World::new().await;
    let (alice, bob, banker, from, to) = two(&world).await;
    let carol = world.user("carol").await;
    let hold = place(&alice, "h", &from, &to, "10").await.is(201);
    let nobodys = HoldId::from_parts(1, [7; 10]).to_string();
    let part = json!({"amount": "1", "currency": "EUR"});
    for (key, hold) in [("theirs", id(&hold)), ("nobody's", nobodys)] {
        let path = format!("/v1/holds/{hold}");
        carol.get(&path).await.is_problem(404, "hold_not_found", &[]);
        for (call, body) in [("capture", json!({})), ("capture", part.clone()), ("void", json!({}))]
        {
            let key = format!("{key}{call}{}", body["amount"]).replace('"', "");
            let refused = carol.pay(&key, &format!("{path}/{call}"), body).await;
            refused.is_problem(404, "hold_not_found", &[]);
        }
    }
    let list = format!("/v1/holds?account_id={from}");
    carol.get(&list).await.is_problem(404, "account_not_found", &[]);
    bob.get(&list).await.is_problem(404, "account_not_found", &[]);
    // Who pays is bound by it; the bank may do everything.
    let path = format!("/v1/holds/{}", id(&hold));
    for (key, call, body) in [("v", "void", json!({})), ("c", "capture", part.clone())] {
        let refused = alice.pay(key, &format!("{path}/{call}"), body).await;
        refused.is_problem(422, "hold_binds_payer", &[]);
    }
    banker.get(&path).await.is(200);
    banker.pay("c", &format!("{path}/capture"), part).await.is(201);
    assert_eq!(bob.balance(&to).await, "1.00");
}

#[tokio::test]
async fn bad_holds_and_captures_are_refused_by_field_and_change_nothing() {
    let world = World::new().await;
    let (alice, bob, _, from, to) = two(&world).await;
    let hold = place(&alice, "h", &from, &to, "10").await.is(201);
    let before = world.state().await;
    let with = |field: &str, value: Value| {
        let mut body = transfer_body(&from, &to, "1");
        body[field] = value;
        body
    };
    for (field, value, status) in [
        ("expires_in_seconds", json!(0), 422),
        ("expires_in_seconds", json!(2_678_401), 422),
        ("expires_in_seconds", json!(-1), 400),
        ("expires_in_seconds", json!(1.5), 400),
        ("expires_in_seconds", json!("60"), 400),
        ("description", json!(""), 422),
        ("description", json!(" x"), 422),
        ("description", json!("x".repeat(201)), 422),
        ("description", json!(7), 400),
        ("description", json!("a\nb"), 400),
        ("reference", json!("a b"), 422),
        ("reference", json!("x".repeat(65)), 422),
        ("reference", json!("é"), 422),
        ("amount", json!("0"), 422),
        ("amount", json!("92233720368547758.08"), 422),
        ("to_account_id", json!(""), 422),
        ("lasting", json!("1"), 400),
    ] {
        let code = if status == 400 { "malformed_request" } else { "invalid_input" };
        let refused = alice.pay("bad", "/v1/holds", with(field, value.clone())).await;
        refused.is_problem(status, code, &[field]);
    }
    let capture = format!("/v1/holds/{}/capture", id(&hold));
    for (body, status, code, fields) in [
        (json!({"amount": "10"}), 422, "invalid_input", vec!["currency"]),
        (json!({"currency": "EUR"}), 422, "invalid_input", vec!["amount"]),
        (json!({"amount": "0", "currency": "EUR"}), 422, "invalid_input", vec!["amount"]),
        (json!({"amount": "10", "currency": "USD"}), 422, "invalid_input", vec!["currency"]),
        (json!({"amount": "10", "currency": "JPY"}), 422, "invalid_input", vec!["currency"]),
        (json!({"amount": 10, "currency": "EUR"}), 400, "malformed_request", vec!["amount"]),
        (json!({"reference": "x"}), 400, "malformed_request", vec!["reference"]),
        (json!([]), 400, "malformed_request", vec![]),
    ] {
        bob.pay("bad", &capture, body).await.is_problem(status, code, &fields);
    }
    assert_eq!(world.state().await, before);
    // What can be judged is refused under its key.
    let above = json!({"amount": "10.01", "currency": "EUR"});
    bob.pay("above", &capture, above).await.is_problem(422, "capture_exceeds_hold", &[]);
    let nobody = nobodys_account();
    let refused = alice.pay("nobody", "/v1/holds", with("to_account_id", json!(nobody))).await;
    refused.is_problem(404, "account_not_found", &[]);
    for path in ["/v1/holds/1", "/v1/holds", "/v1/holds?account_id=1"] {
        let field = if path == "/v1/holds/1" { "id" } else { "account_id" };
        alice.get(path).await.is_problem(400, "malformed_request", &[field]);
    }
    for path in ["/v1/holds".to_owned(), capture, format!("/v1/holds/{}/void", id(&hold))] {
        let unnamed = send(bob.request(Method::POST, &path).json(&json!({}))).await;
        unnamed.is_problem(400, "idempotency_key_missing", &["Idempotency-Key"]);
    }
    assert_eq!(bob.get(&format!("/v1/holds/{}", id(&hold))).await.is(200), hold);
    assert_eq!(
        (alice.balance(&from).await, bob.balance(&to).await),
        ("100.00".into(), "0.00".into())
    );
    world.state().await;
}
