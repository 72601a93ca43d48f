//! The audit record over the wire.

use reqwest::Method;
use serde_json::{Value, json};
use simplebank_http::{Edge, ForwardedHeader, Proxies};

use crate::support::{World, names, send};

const ENTRY: [&str; 9] = [
    "action",
    "actor",
    "address",
    "at",
    "detail",
    "object_id",
    "object_kind",
    "request_id",
    "times",
];

#[tokio::test]
async fn a_banker_reads_who_did_what_from_where_and_in_which_request() {
    let trusted = vec!["127.0.0.1".parse().unwrap()];
    let proxies = Proxies { trusted, header: ForwardedHeader::XForwardedFor };
    let world = World::with_edge(Edge { proxies, ..Edge::default() }).await;
    let (alice, banker) = (world.user("alice").await, world.banker("banker").await);
    let account = alice.account("EUR").await;
    let request = banker.request(Method::POST, &format!("/v1/accounts/{account}/freeze"));
    let request = request.header("X-Forwarded-For", "1.1.1.1, 2001:db8::7");
    send(request.header("X-Request-Id", "frozen-1")).await.is(200);

    let page = banker.get("/v1/audit?action=account_frozen").await.is(200);
    let entry = &page["items"][0];
    assert_eq!(names(entry), ENTRY);
    let expected = json!({
        "at": "2026-01-01T12:00:00Z", "actor": "banker", "action": "account_frozen", "object_kind": "account",
        "object_id": account, "detail": null, "address": "2001:db8::7", "request_id": "frozen-1", "times": 1,
    });
    assert_eq!(*entry, expected);
}

#[tokio::test]
async fn it_is_filtered_and_paged_and_shown_to_nobody_else() {
    let world = World::new().await;
    let (alice, banker) = (world.user("alice").await, world.banker("banker").await);
    let actions = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["action"].as_str().unwrap().to_owned()).collect()
    };
    let all = banker.get("/v1/audit").await.is(200);
    assert_eq!(actions(&all), ["role_set", "logged_in", "logged_in"]);
    let hers = banker.get("/v1/audit?user=alice").await.is(200);
    assert_eq!(
        (actions(&hers), &hers["items"][0]["actor"]),
        (vec!["logged_in".to_owned()], &json!("alice"))
    );
    let first = banker.get("/v1/audit?limit=2").await.is(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = banker.get(&format!("/v1/audit?limit=2&cursor={cursor}")).await.is(200);
    assert_eq!((actions(&second).len(), &second["next_cursor"]), (1, &Value::Null));
    assert_eq!(actions(&banker.get("/v1/audit?since=2026-01-02").await.is(200)).len(), 0);
    assert_eq!(actions(&banker.get("/v1/audit?until=2026-01-02").await.is(200)).len(), 3);
    for (query, field) in [
        ("action=x", "action"),
        ("since=yesterday", "since"),
        ("until=", "until"),
        ("user=A", "user"),
        ("who=alice", "query"),
    ] {
        let answer = banker.get(&format!("/v1/audit?{query}")).await;
        answer.is_problem(400, "malformed_request", &[field]);
    }
    banker.get("/v1/audit?user=nobody").await.is_problem(404, "not_found", &[]);
    // A cursor belongs to whom it was given.
    let other = world.banker("other").await;
    let stolen = other.get(&format!("/v1/audit?limit=2&cursor={cursor}")).await;
    stolen.is_problem(400, "invalid_cursor", &["cursor"]);
    alice.get("/v1/audit").await.is_problem(403, "forbidden", &[]);
    // And that is told.
    let refused = banker.get("/v1/audit?user=alice&action=refused").await.is(200);
    assert_eq!(refused["items"][0]["detail"], "view_audit");
}

#[tokio::test]
async fn a_frozen_user_is_told_so_only_with_the_right_password() {
    let world = World::new().await;
    let (alice, banker) = (world.user("alice").await, world.banker("banker").await);
    let frozen = banker.post("/v1/users/alice/freeze", json!(null)).await.is(200);
    assert_eq!(frozen["frozen_at"], "2026-01-01T12:00:00Z");
    alice.get("/v1/users/me").await.is_problem(401, "unauthenticated", &[]);
    let log_in = async |password: &str| {
        let credentials = json!({"username": "alice", "password": password});
        world.anyone().post("/v1/users/login", credentials).await
    };
    log_in(crate::support::PASSWORD).await.is_problem(403, "user_frozen", &[]);
    log_in("a wrong passphrase").await.is_problem(401, "wrong_credentials", &[]);
    banker.post("/v1/users/banker/freeze", json!(null)).await.is_problem(403, "forbidden", &[]);
    banker.post("/v1/users/nobody/freeze", json!(null)).await.is_problem(404, "not_found", &[]);
    banker.post("/v1/users/alice/unfreeze", json!(null)).await.is(200);
    log_in(crate::support::PASSWORD).await.is(200);
    alice.get("/v1/users/me").await.is_problem(401, "unauthenticated", &[]);
}
