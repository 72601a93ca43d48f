//! Tried out: the same answer, and nothing is written.

use serde_json::{Value, json};

use crate::support::{Answer, User, World, nobodys_account, transfer_body};

/// An answer without what is new in each attempt: ids and where they lead.
fn gist(answer: &Answer) -> Value {
    fn forget(value: &mut Value) {
        match value {
            Value::Object(members) => {
                for name in ["id", "transfer_id"] {
                    members.remove(name);
                }
                members.values_mut().for_each(forget);
            }
            Value::Array(items) => items.iter_mut().for_each(forget),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut body = answer.json();
    forget(&mut body);
    body
}

async fn try_out(user: &User<'_>, key: &str, path: &str, body: Value) -> Answer {
    let path = format!("{path}?dry_run=true");
    if key.is_empty() { user.post(&path, body).await } else { user.pay(key, &path, body).await }
}

#[tokio::test]
async fn whatever_moves_money_can_be_tried_out_and_answers_the_same() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("start", &from, "100").await.is(201);
    let paid = alice.transfer("paid", &from, &to, "20").await.is(201);
    let body = transfer_body(&from, &to, "5");
    let open = alice.pay("h1", "/v1/holds", body.clone()).await.is(201);
    let other = alice.pay("h2", "/v1/holds", body.clone()).await.is(201);
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    let cash = json!({"amount": "3", "currency": "EUR"});
    let mut member = body.clone();
    member["key"] = json!("m");
    let calls = [
        (&banker, "d", format!("/v1/accounts/{from}/deposits"), cash.clone()),
        (&banker, "w", format!("/v1/accounts/{from}/withdrawals"), cash.clone()),
        (&alice, "t", "/v1/transfers".to_owned(), body.clone()),
        (&alice, "h", "/v1/holds".to_owned(), body),
        (&bob, "c", format!("/v1/holds/{}/capture", id(&open)), cash.clone()),
        (&bob, "v", format!("/v1/holds/{}/void", id(&other)), json!({})),
        (&bob, "r", format!("/v1/transfers/{}/reversals", id(&paid["transfer"])), cash),
        (&alice, "", "/v1/transfers/batch".to_owned(), json!({"transfers": [member]})),
    ];
    for (user, key, path, body) in calls {
        let before = world.state().await;
        let tried = try_out(user, key, &path, body.clone()).await;
        tried.is(200);
        assert_eq!(tried.header("location"), "", "{path}");
        assert_eq!(world.state().await, before, "{path}");
        // The key is as unused as before; and what then happens is what was told.
        let done = if key.is_empty() {
            user.post(&path, body).await
        } else {
            user.pay(key, &path, body).await
        };
        assert!(done.status.is_success(), "{done:?}");
        assert_eq!(gist(&tried), gist(&done), "{path}");
        assert_ne!(world.state().await, before, "{path}");
    }
}

#[tokio::test]
async fn a_refusal_tried_out_is_the_same_and_does_not_stay() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    let path = "/v1/transfers";
    let refused = try_out(&alice, "k", path, transfer_body(&from, &to, "1")).await;
    refused.is_problem(422, "insufficient_funds", &[]);
    let nobody = try_out(&alice, "n", path, transfer_body(&from, &nobodys_account(), "1")).await;
    nobody.is_problem(404, "account_not_found", &[]);
    banker.deposit("d", &from, "1").await.is(201);
    let first = alice.transfer("k", &from, &to, "1").await;
    first.is(201);
    // A key that has been answered keeps its answer, and another content is told too.
    let again = try_out(&alice, "k", path, transfer_body(&from, &to, "1")).await;
    again.is(200);
    assert_eq!(again.text, first.text);
    let other = try_out(&alice, "k", path, transfer_body(&from, &to, "2")).await;
    other.is_problem(422, "idempotency_key_reused", &[]);
    let mut members = [transfer_body(&to, &from, "1"), transfer_body(&to, &from, "1")];
    (members[0]["key"], members[1]["key"]) = (json!("1"), json!("2"));
    let batch = json!({"mode": "atomic", "transfers": members});
    let refused = try_out(&bob, "", "/v1/transfers/batch", batch).await;
    refused.is_problem(422, "insufficient_funds", &["transfers[1]"]);
    assert_eq!(bob.balance(&to).await, "1.00");
}

#[tokio::test]
async fn only_true_is_a_dry_run_and_no_other_parameter_is_known() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("start", &from, "10").await.is(201);
    let before = world.state().await;
    let (nothing, body) = (json!({}), transfer_body(&from, &to, "1"));
    for path in [
        "/v1/transfers".to_owned(),
        "/v1/holds".to_owned(),
        format!("/v1/holds/{from}/capture"),
        format!("/v1/holds/{from}/void"),
        format!("/v1/transfers/{from}/reversals"),
        "/v1/transfers/batch".to_owned(),
        format!("/v1/accounts/{from}/deposits"),
        format!("/v1/accounts/{from}/withdrawals"),
    ] {
        let body = if path.ends_with("s") { &body } else { &nothing };
        for (query, field) in [
            ("dry_run=false", "dry_run"),
            ("dry_run=", "dry_run"),
            ("dry_run", "dry_run"),
            ("dry_run=TRUE", "dry_run"),
            ("dry_run=1", "dry_run"),
            ("dry_run=true&dry_run=true", "dry_run"),
            ("dryrun=true", "query"),
            ("dry_run=true&x=1", "query"),
        ] {
            let answer = banker.pay("k", &format!("{path}?{query}"), body.clone()).await;
            answer.is_problem(400, "malformed_request", &[field]);
        }
    }
    assert_eq!(world.state().await, before);
}
