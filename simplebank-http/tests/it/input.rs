//! Input that is refused: syntax with 400, meaning with 422, and nothing changes.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, User, World, nobodys_account, send, transfer_body};

/// A registration with one field replaced.
fn registration(field: &str, value: Value) -> Value {
    let mut body = json!({
        "username": "carol", "password": PASSWORD, "full_name": "Carol", "email": "carol@example.org",
    });
    body[field] = value;
    body
}

fn raw(user: &User<'_>, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    user.request(Method::POST, path)
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", "raw")
        .body(body)
}

#[tokio::test]
async fn bad_syntax_is_refused_and_the_field_named() {
    let world = World::new().await;
    let anyone = world.anyone();
    let before = world.state().await;
    let deep = format!("{{\"username\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let others =
        "\"password\":\"correct horse battery\",\"full_name\":\"C\",\"email\":\"c@example.org\"";
    let missing = ["password", "full_name", "email"];
    let one = |field| vec![field];
    for (body, fields) in [
        (String::new(), vec![]),
        ("{".to_owned(), vec![]),
        ("null".to_owned(), vec![]),
        ("\"carol\"".to_owned(), vec![]),
        ("[\"carol\",\"correct horse battery\",\"C\",\"c@example.org\"]".to_owned(), vec![]),
        (format!("{{\"username\":\"carol\",{others}}} {{}}"), vec![]),
        (format!("{{\"username\":\"carol\",{others},}}"), vec![]),
        (format!("{{\"username\":\"carol\",{others},\"role\":\"banker\"}}"), one("role")),
        (format!("{{\"username\":\"carol\",{others},\"username\":\"dave\"}}"), one("username")),
        (format!("{{{others}}}"), one("username")),
        (format!("{{\"username\":7,{others}}}"), one("username")),
        (format!("{{\"username\":null,{others}}}"), one("username")),
        (format!("{{\"username\":[\"carol\"],{others}}}"), one("username")),
        (format!("{{\"username\":\"ca\\u0000rol\",{others}}}"), one("username")),
        (format!("{{\"username\":\"ca\\nrol\",{others}}}"), one("username")),
        (format!("{{\"username\":\"ca\\u009brol\",{others}}}"), one("username")),
        (format!("{{\"username\":\"\\ud800\",{others}}}"), one("username")),
        (deep, [vec!["username"], missing.to_vec()].concat()),
        ("{}".to_owned(), [vec!["username"], missing.to_vec()].concat()),
    ] {
        let answer = send(raw(&anyone, "/v1/users", body.clone())).await;
        answer.is_problem(400, "malformed_request", &fields);
        check_tells_no_internals(&answer);
    }
    let invalid = send(raw(&anyone, "/v1/users", b"{\"username\":\"\xff\"}".to_vec())).await;
    invalid.is_problem(400, "malformed_request", &[]);
    assert_eq!(world.state().await, before);
}

fn check_tells_no_internals(answer: &Answer) {
    for word in
        ["serde", "struct", "RegisterRequest", "expected", "line ", "column", "carol", "horse"]
    {
        assert!(!answer.text.contains(word), "{word}: {answer:?}");
    }
}

#[tokio::test]
async fn bad_meaning_is_refused_with_all_wrong_fields() {
    let world = World::new().await;
    let before = world.state().await;
    for (field, value) in [
        ("username", json!("")),
        ("username", json!("Carol")),
        ("username", json!("c'; drop table users; --")),
        ("username", json!("c".repeat(33))),
        ("password", json!("fourteen chars")),
        ("password", json!("x".repeat(129))),
        ("full_name", json!("")),
        ("full_name", json!("Carol\u{202e}")),
        ("full_name", json!("x".repeat(101))),
        ("email", json!("carol")),
        ("email", json!("carol@example")),
    ] {
        let answer = world.anyone().post("/v1/users", registration(field, value)).await;
        answer.is_problem(422, "invalid_input", &[field]);
    }
    let all = json!({"username": "", "password": "", "full_name": "", "email": ""});
    let answer = world.anyone().post("/v1/users", all).await;
    answer.is_problem(422, "invalid_input", &["username", "password", "full_name", "email"]);
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn bodies_that_are_not_plain_json_are_refused() {
    let world = World::new().await;
    let before = world.state().await;
    let anyone = world.anyone();
    let body = registration("username", json!("carol")).to_string();
    let post = || anyone.request(Method::POST, "/v1/users").body(body.clone());
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/problem+json",
        "multipart/form-data; boundary=application/json",
        "",
    ] {
        let answer = send(post().header("Content-Type", content_type)).await;
        answer.is_problem(415, "unsupported_media_type", &[]);
    }
    send(post()).await.is_problem(415, "unsupported_media_type", &[]);
    let twice =
        post().header("Content-Type", "application/json").header("Content-Type", "text/plain");
    send(twice).await.is_problem(415, "unsupported_media_type", &[]);
    for coding in ["gzip", "br", "identity, gzip", "x"] {
        let answer =
            post().header("Content-Type", "application/json").header("Content-Encoding", coding);
        send(answer).await.is_problem(415, "unsupported_media_type", &[]);
    }
    assert_eq!(world.state().await, before);

    let parameters = post().header("Content-Type", "Application/JSON; charset=utf-8");
    send(parameters.header("Content-Encoding", "identity")).await.is(201);
}

#[tokio::test]
async fn long_bodies_are_refused() {
    let world = World::new().await;
    let before = world.state().await;
    let body = registration("full_name", json!("x".repeat(simplebank_http::BODY_BYTES_MAX)));
    let answer = send(raw(&world.anyone(), "/v1/users", body.to_string())).await;
    answer.is_problem(413, "payload_too_large", &[]);
    // White space counts as well, up to the last byte.
    let short = registration("username", json!("carol")).to_string();
    let padded = |length: usize| format!("{short}{}", " ".repeat(length - short.len()));
    let too_long = padded(simplebank_http::BODY_BYTES_MAX + 1);
    send(raw(&world.anyone(), "/v1/users", too_long)).await.is_problem(
        413,
        "payload_too_large",
        &[],
    );
    assert_eq!(world.state().await, before);
    send(raw(&world.anyone(), "/v1/users", padded(simplebank_http::BODY_BYTES_MAX))).await.is(201);
}

#[tokio::test]
async fn amounts_are_decimal_strings() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("start", &from, "100").await.is(201);
    let before = world.state().await;
    for (number, amount) in [json!(12.5), json!(12), json!(-1), json!(1e300)].iter().enumerate() {
        let mut body = transfer_body(&from, &to, "1");
        body["amount"] = amount.clone();
        let answer = alice.pay(&format!("n{number}"), "/v1/transfers", body).await;
        let problem = answer.is_problem(400, "malformed_request", &["amount"]);
        let message = problem["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains("decimal string such as \"12.50\""), "{answer:?}");
    }
    for amount in [
        "",
        "0",
        "0.00",
        "-1",
        "+1",
        "1e2",
        "1,50",
        "1_000",
        " 1",
        "1 ",
        ".5",
        "5.",
        "0x10",
        "NaN",
        "Infinity",
        "1.001",
        "٣",
        "92233720368547758.08",
        "9999999999999999999999999999999999999",
    ] {
        let answer = alice
            .transfer(
                &format!("a{amount:?}").replace(' ', "_").replace('٣', "3"),
                &from,
                &to,
                amount,
            )
            .await;
        answer.is_problem(422, "invalid_input", &["amount"]);
        let answer = banker.deposit("d", &from, amount).await;
        answer.is_problem(422, "invalid_input", &["amount"]);
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn all_wrong_fields_of_a_transfer_are_told_at_once() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let body = json!({
        "from_account_id": "1", "to_account_id": "{}", "amount": "-1", "currency": "Euro",
    });
    let answer = alice.pay("k", "/v1/transfers", body).await;
    answer.is_problem(
        422,
        "invalid_input",
        &["from_account_id", "to_account_id", "amount", "currency"],
    );
    for currency in ["", "eur", "XAU", "XXX", "EURO", "€"] {
        let answer = alice.post("/v1/accounts", json!({"currency": currency})).await;
        answer.is_problem(422, "invalid_input", &["currency"]);
    }
}

#[tokio::test]
async fn addresses_that_cannot_be_read_are_refused() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let account = alice.account("EUR").await;
    let simple = account.replace('-', "");
    for (path, field) in [
        ("/v1/accounts/1", "id"),
        ("/v1/accounts/%00", "id"),
        ("/v1/accounts/%ff", "id"),
        ("/v1/accounts/..%2f..%2fetc", "id"),
        (&format!("/v1/accounts/{simple}"), "id"),
        ("/v1/accounts/1/entries", "id"),
        ("/v1/transfers/'%20or%20true", "id"),
        ("/v1/transfers", "account_id"),
        ("/v1/transfers?account_id=1", "account_id"),
        (&format!("/v1/transfers?account_id={account}&account_id={account}"), "account_id"),
        ("/v1/accounts?limit=0", "limit"),
        ("/v1/accounts?limit=101", "limit"),
        ("/v1/accounts?limit=-1", "limit"),
        ("/v1/accounts?limit=1.5", "limit"),
        ("/v1/accounts?limit=", "limit"),
        ("/v1/accounts?limit=%2b5", "limit"),
        ("/v1/accounts?limit=18446744073709551617", "limit"),
        ("/v1/accounts?limit=5&limit=5", "limit"),
        ("/v1/accounts?owner=bob", "query"),
        ("/v1/accounts?Limit=5", "query"),
        ("/v1/users/me?x", "query"),
        (&format!("/v1/accounts/{account}?limit=5"), "query"),
    ] {
        let answer = alice.get(path).await;
        answer.is_problem(400, "malformed_request", &[field]);
    }
    let answer = alice.post("/v1/accounts?currency=USD", json!({"currency": "USD"})).await;
    answer.is_problem(400, "malformed_request", &["query"]);
}

#[tokio::test]
async fn whoever_moves_money_names_the_wish_once() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, nobodys_account());
    banker.deposit("start", &from, "5").await.is(201);
    let before = world.state().await;
    let cash = json!({"amount": "1", "currency": "EUR"});
    for (user, path, body) in [
        (&alice, "/v1/transfers".to_owned(), transfer_body(&from, &to, "1")),
        (&banker, format!("/v1/accounts/{from}/deposits"), cash.clone()),
        (&banker, format!("/v1/accounts/{from}/withdrawals"), cash),
    ] {
        let request = || user.request(Method::POST, &path).json(&body);
        let key = "Idempotency-Key";
        send(request()).await.is_problem(400, "idempotency_key_missing", &[key]);
        for bad in ["", "a b", "\u{e9}", &"k".repeat(256)] {
            let answer = send(request().header(key, bad)).await;
            answer.is_problem(400, "idempotency_key_invalid", &[key]);
        }
        let answer = send(request().header(key, "a").header(key, "a")).await;
        answer.is_problem(400, "idempotency_key_invalid", &[key]);
    }
    assert_eq!(world.state().await, before);
}
