//! Who may do what: every route of the document, by nobody, by a depositor and by a banker, on what belongs to others.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{PASSWORD, User, World, nobodys_account, send, transfer_body};

/// What there is in the bank, and belongs to neither of those who ask.
struct Theirs {
    account: String,
    transfer: String,
    hold: String,
    session: String,
}

/// A route, what is sent there, and the statuses that somebody without a token, a depositor and a banker are answered with.
struct Row(&'static str, Value, [u16; 3]);

/// Where a banker is told 404 or 422, they had the right, and something else was in the way.
fn table(theirs: &Theirs) -> Vec<Row> {
    let (theirs, nobodys) = (&*theirs.account, &*nobodys_account());
    let money = || json!({"amount": "1", "currency": "EUR"});
    let pay = || transfer_body(theirs, nobodys, "1");
    let batch = json!({"transfers": [], "mode": "atomic"});
    let member = json!({"amount": "1", "currency": "EUR"});
    let register =
        json!({"username": "x", "password": PASSWORD, "full_name": "X", "email": "x@example.org"});
    let code = json!({"code": "ABCD-EFGH-JKMN-PQRS"});
    let of = |row: &'static str, body: Value, statuses| Row(row, body, statuses);
    vec![
        of("get /health/live", Value::Null, [200, 200, 200]),
        of("get /health/ready", Value::Null, [200, 200, 200]),
        of("get /v1/accounts", Value::Null, [401, 200, 200]),
        of("post /v1/accounts", json!({"currency": "JPY"}), [401, 201, 201]),
        of("get /v1/accounts/{id}", Value::Null, [401, 404, 200]),
        of("get /v1/accounts/{id}/balance?at=2026-06-01", Value::Null, [401, 404, 200]),
        of("post /v1/accounts/{id}/close", Value::Null, [401, 404, 422]),
        of("post /v1/accounts/{id}/deposits", money(), [401, 403, 201]),
        of("get /v1/accounts/{id}/entries", Value::Null, [401, 404, 200]),
        of("post /v1/accounts/{id}/freeze", Value::Null, [401, 403, 200]),
        of("patch /v1/accounts/{id}/limits", json!({"daily_limit": "100"}), [401, 403, 200]),
        of("put /v1/accounts/{id}/notice", json!({"notice_from": "10"}), [401, 404, 404]),
        of("get /v1/accounts/{id}/statement", Value::Null, [401, 404, 200]),
        of("post /v1/accounts/{id}/unfreeze", Value::Null, [401, 403, 200]),
        of("post /v1/accounts/{id}/withdrawals", money(), [401, 403, 201]),
        of("get /v1/audit", Value::Null, [401, 403, 200]),
        of("get /v1/holds?account_id={id}", Value::Null, [401, 404, 200]),
        of("post /v1/holds", pay(), [401, 404, 404]),
        of("get /v1/holds/{hold}", Value::Null, [401, 404, 200]),
        of("post /v1/holds/{hold}/capture", money(), [401, 404, 201]),
        of("post /v1/holds/{hold}/void", Value::Null, [401, 404, 422]),
        of("get /v1/sessions", Value::Null, [401, 200, 200]),
        of("delete /v1/sessions/{session}", Value::Null, [401, 404, 404]),
        of("post /v1/tokens/renew_access", json!({"refresh_token": "x"}), [401, 401, 401]),
        of("get /v1/transfers?account_id={id}", Value::Null, [401, 404, 200]),
        of("post /v1/transfers", pay(), [401, 404, 404]),
        of("post /v1/transfers/batch", batch, [401, 422, 422]),
        of("get /v1/transfers/{transfer}", Value::Null, [401, 404, 200]),
        of("post /v1/transfers/{transfer}/reversals", member, [401, 404, 201]),
        of("post /v1/users", register, [422, 422, 422]),
        of("post /v1/users/login", json!({"username": "x", "password": "x"}), [401, 401, 401]),
        of("post /v1/users/logout", Value::Null, [401, 204, 204]),
        of("get /v1/users/me", Value::Null, [401, 200, 200]),
        of(
            "put /v1/users/me/email",
            json!({"email": "x@example.org", "current_password": "x"}),
            [401, 401, 401],
        ),
        of(
            "post /v1/users/me/password",
            json!({"current_password": "x", "new_password": "a horse of another colour"}),
            [401, 422, 422],
        ),
        of("post /v1/users/me/verification_codes", Value::Null, [401, 202, 202]),
        of("post /v1/users/me/verify_email", code, [401, 422, 422]),
        of("post /v1/users/{username}/freeze", Value::Null, [401, 403, 200]),
        of("post /v1/users/{username}/unfreeze", Value::Null, [401, 403, 200]),
        of("get /v1/verify-email", Value::Null, [400, 400, 400]),
        of("post /v1/verify-email", json!({}), [415, 415, 415]),
        // The last: nobody is logged in after it.
        of("delete /v1/sessions", Value::Null, [401, 204, 204]),
    ]
}

async fn ask(user: &User<'_>, row: &Row, theirs: &Theirs, key: &str) -> StatusCode {
    let (method, path) = row.0.split_once(' ').unwrap();
    let path = path
        .replace("{id}", &theirs.account)
        .replace("{hold}", &theirs.hold)
        .replace("{session}", &theirs.session)
        .replace("{transfer}", &theirs.transfer)
        .replace("{username}", "carol");
    let method: Method = method.to_uppercase().parse().unwrap();
    let mut request = user.request(method, &path);
    if !path.ends_with("/batch") {
        request = request.header("Idempotency-Key", key);
    }
    if !row.1.is_null() {
        request = request.json(&row.1);
    }
    send(request).await.status
}

/// A route as the document writes it.
fn in_document(row: &Row) -> String {
    let route = row.0.split('?').next().unwrap();
    route.replace("{hold}", "{id}").replace("{session}", "{id}").replace("{transfer}", "{id}")
}

#[tokio::test]
async fn every_route_answers_each_role_as_the_table_says() {
    let world = World::new().await;
    let (carol, dave) = (world.user("carol").await, world.user("dave").await);
    let (depositor, banker) = (world.user("alice").await, world.banker("banker").await);
    let (hers, his) = (carol.account("EUR").await, dave.account("EUR").await);
    banker.deposit("start", &hers, "100").await.is(201);
    let receipt = carol.transfer("pay", &hers, &his, "5").await.is(201);
    let transfer = receipt["transfer"]["id"].as_str().unwrap().to_owned();
    let hold = carol.pay("hold", "/v1/holds", transfer_body(&hers, &his, "5")).await.is(201);
    let hold = hold["id"].as_str().unwrap().to_owned();
    let sessions = carol.get("/v1/sessions").await.is(200);
    let session = sessions["items"][0]["id"].as_str().unwrap().to_owned();
    let theirs = Theirs { account: hers, transfer, hold, session };
    let table = table(&theirs);

    let document = world.anyone().get("/openapi.json").await.is(200);
    let mut documented: Vec<String> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        documented
            .extend(methods.as_object().unwrap().keys().map(|method| format!("{method} {path}")));
    }
    let mut drawn: Vec<String> = table.iter().map(in_document).collect();
    documented.sort();
    drawn.sort();
    assert_eq!(drawn, documented, "a route that the table lacks, or the other way round");

    let nobody = world.anyone();
    let mut wrong = Vec::new();
    for (number, row) in table.iter().enumerate() {
        let (leaving, gone);
        let [depositor, banker] = if row.0.ends_with("/logout") {
            leaving = world.log_in("alice", depositor.id.clone()).await;
            gone = world.log_in("banker", banker.id.clone()).await;
            [&leaving, &gone]
        } else {
            [&depositor, &banker]
        };
        for (user, expected) in [&nobody, depositor, banker].into_iter().zip(row.2) {
            let status = ask(user, row, &theirs, &format!("key-{number}")).await;
            if status != expected {
                wrong.push(format!("{}: {status} instead of {:?}", row.0, row.2));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// A role that is taken away is gone with the next request, and so is the right; the token itself lives.
#[tokio::test]
async fn who_is_no_banker_any_more_is_none_at_once() {
    use simplebank::core::{Principal, Role, UserId};
    let world = World::new().await;
    let (alice, banker) = (world.user("alice").await, world.banker("banker").await);
    let account = alice.account("EUR").await;
    banker.get(&format!("/v1/accounts/{account}")).await.is(200);
    let id = UserId::from_uuid(banker.id.parse().unwrap());
    world.bank.set_role(&Principal::Operator, id, Role::Depositor).await.unwrap();
    banker.get(&format!("/v1/accounts/{account}")).await.is_problem(404, "account_not_found", &[]);
    banker.get("/v1/audit").await.is_problem(403, "forbidden", &[]);
    assert_eq!(banker.get("/v1/users/me").await.is(200)["role"], "depositor");
}
