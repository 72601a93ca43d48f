//! Who may ask for what: tokens, roles, and things that are none of the caller's business.

use reqwest::Method;
use serde_json::json;
use simplebank::core::{Principal, Role, UserId};

use crate::support::{PASSWORD, User, World, nobodys_account, send, transfer_body};

const PRIVATE: [(Method, &str); 21] = [
    (Method::GET, "/v1/users/me"),
    (Method::POST, "/v1/users/me/password"),
    (Method::POST, "/v1/users/me/verify_email"),
    (Method::POST, "/v1/users/me/verification_codes"),
    (Method::POST, "/v1/users/logout"),
    (Method::GET, "/v1/sessions"),
    (Method::DELETE, "/v1/sessions"),
    (Method::DELETE, "/v1/sessions/x"),
    (Method::GET, "/v1/accounts"),
    (Method::POST, "/v1/accounts"),
    (Method::GET, "/v1/accounts/x"),
    (Method::GET, "/v1/accounts/x/entries"),
    (Method::POST, "/v1/accounts/x/deposits"),
    (Method::POST, "/v1/accounts/x/withdrawals"),
    (Method::PATCH, "/v1/accounts/x/limits"),
    (Method::POST, "/v1/accounts/x/freeze"),
    (Method::POST, "/v1/accounts/x/unfreeze"),
    (Method::POST, "/v1/accounts/x/close"),
    (Method::GET, "/v1/transfers?y"),
    (Method::POST, "/v1/transfers"),
    (Method::GET, "/v1/transfers/x"),
];

#[tokio::test]
async fn without_a_token_nobody_learns_anything_else() {
    let world = World::new().await;
    let mut texts = Vec::new();
    for (method, path) in PRIVATE {
        let answer = send(world.anyone().request(method, path).body("{")).await;
        answer.is_problem(401, "unauthenticated", &[]);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        texts.push(answer.text);
    }
    texts.dedup();
    assert_eq!(texts.len(), 1);
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_the_answer_is_the_same() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let token = alice.token.clone().unwrap();
    let good = world.anyone().get("/v1/users/me").await;
    let altered =
        format!("{}{}", &token[..token.len() - 1], if token.ends_with('A') { 'B' } else { 'A' });
    let values = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Basic {token}"),
        format!("Bearer  {token}"),
        format!("Bearer {token} x"),
        format!("Bearer {token}."),
        format!("Bearer {token}="),
        format!("Bearer {altered}"),
        format!("Bearer {}", token.replace("v4.local.", "v4.public.")),
        format!("Bearer {}", alice.refresh_token),
        format!("Bearer {}", "a".repeat(5000)),
        "Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.".to_owned(),
        token.clone(),
    ];
    for value in values {
        let request = world.anyone().request(Method::GET, "/v1/users/me");
        let answer = send(request.header("Authorization", &value)).await;
        answer.is_problem(401, "unauthenticated", &[]);
        assert_eq!(answer.text, good.text, "{value}");
    }
    let twice = alice.request(Method::GET, "/v1/users/me").header("Authorization", "Bearer x");
    assert_eq!(send(twice).await.text, good.text);
    let lower = world.anyone().request(Method::GET, "/v1/users/me");
    send(lower.header("Authorization", format!("bearer {token}"))).await.is(200);
}

#[tokio::test]
async fn tokens_end_when_they_say() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    world.clock.advance(time::Duration::seconds(15 * 60 - 1));
    alice.get("/v1/users/me").await.is(200);
    world.clock.advance(time::Duration::seconds(1));
    alice.get("/v1/users/me").await.is_problem(401, "unauthenticated", &[]);
}

#[tokio::test]
async fn access_and_refresh_tokens_are_different_things() {
    let world = World::new().await;
    let mut alice = world.user("alice").await;
    let body = json!({"refresh_token": alice.token});
    let answer = world.anyone().post("/v1/tokens/renew_access", body).await;
    answer.is_problem(401, "unauthenticated", &[]);
    for other in ["", "x", &"v4.local.".repeat(1000)] {
        let answer =
            world.anyone().post("/v1/tokens/renew_access", json!({"refresh_token": other})).await;
        answer.is_problem(401, "unauthenticated", &[]);
    }
    alice.token = Some(alice.refresh_token.clone());
    alice.get("/v1/users/me").await.is_problem(401, "unauthenticated", &[]);
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_look_the_same() {
    let world = World::new().await;
    world.user("alice").await;
    let mut texts = Vec::new();
    for (username, password) in [
        ("alice", "wrong horse battery"),
        ("bob", PASSWORD),
        ("Alice", PASSWORD),
        ("' or 1=1 --", PASSWORD),
        ("alice", ""),
        ("alice", &format!("{PASSWORD}x")),
        ("alice", &"x".repeat(10_000)),
    ] {
        let body = json!({"username": username, "password": password});
        let answer = world.anyone().post("/v1/users/login", body).await;
        answer.is_problem(401, "wrong_credentials", &[]);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        texts.push(answer.text);
    }
    texts.dedup();
    assert_eq!(texts.len(), 1);
}

/// What was answered about `id`, without the id itself: the client has sent it, and may get it back.
async fn about(user: &User<'_>, path: &str, id: &str) -> (u16, String) {
    let answer = user.get(&path.replace("{id}", id)).await;
    assert!(answer.status == 404, "{answer:?}");
    (answer.status.as_u16(), answer.text.replace(id, "{id}"))
}

#[tokio::test]
async fn other_peoples_things_look_like_missing_ones() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (carol, banker) = (world.user("carol").await, world.banker("banker").await);
    let (hers, his) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("start", &hers, "10").await.is(201);
    let receipt = alice.transfer("key", &hers, &his, "1").await.is(201);
    let transfer = receipt["transfer"]["id"].as_str().unwrap();
    let missing = nobodys_account();
    for path in ["/v1/accounts/{id}", "/v1/accounts/{id}/entries", "/v1/transfers?account_id={id}"]
    {
        assert_eq!(about(&carol, path, &hers).await, about(&carol, path, &missing).await, "{path}");
    }
    let path = "/v1/transfers/{id}";
    assert_eq!(about(&carol, path, transfer).await, about(&carol, path, &missing).await);

    // Paying from somebody else's account looks like paying from none.
    let theft = carol.transfer("1", &hers, &his, "1").await;
    let nothing = carol.transfer("2", &missing, &his, "1").await;
    theft.is_problem(404, "account_not_found", &[]);
    assert_eq!(theft.text.replace(&hers, ""), nothing.text.replace(&missing, ""));
    assert_eq!(alice.balance(&hers).await, "9.00");

    // Both sides see the transfer, and each its own account only.
    alice.get(&format!("/v1/transfers/{transfer}")).await.is(200);
    bob.get(&format!("/v1/transfers/{transfer}")).await.is(200);
    about(&bob, "/v1/accounts/{id}/entries", &hers).await;
    // A banker sees everything, the bank's own account included; nobody else sees that.
    banker.get(&format!("/v1/accounts/{hers}/entries")).await.is(200);
    let deposits = banker.get(&format!("/v1/transfers?account_id={hers}")).await.is(200);
    let cash = deposits["items"][1]["from_account_id"].as_str().unwrap();
    let account = banker.get(&format!("/v1/accounts/{cash}")).await.is(200);
    assert_eq!((&account["owner"], &account["balance"]), (&json!(null), &json!("-10.00")));
    about(&alice, "/v1/accounts/{id}", cash).await;
    let own = banker.get("/v1/accounts").await.is(200);
    assert_eq!(own["items"], json!([]));
}

#[tokio::test]
async fn only_bankers_handle_cash_and_only_as_long_as_they_are_some() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let banker = world.banker("banker").await;
    let account = alice.account("EUR").await;
    let before = world.state().await;
    for verb in ["deposits", "withdrawals"] {
        let path = format!("/v1/accounts/{account}/{verb}");
        let answer = alice.pay("k", &path, json!({"amount": "1", "currency": "EUR"})).await;
        answer.is_problem(403, "forbidden", &[]);
    }
    assert_eq!(world.state().await, before);
    banker.deposit("1", &account, "1").await.is(201);
    // Not even a banker pays from somebody else's account.
    let theft =
        banker.pay("2", "/v1/transfers", transfer_body(&account, &nobodys_account(), "1")).await;
    theft.is_problem(404, "account_not_found", &[]);

    let id = UserId::from_uuid(banker.id.parse().unwrap());
    world.bank.set_role(&Principal::Operator, id, Role::Depositor).await.unwrap();
    banker.deposit("3", &account, "1").await.is_problem(403, "forbidden", &[]);
    assert_eq!(alice.balance(&account).await, "1.00");
}

#[tokio::test]
async fn nobody_handles_the_banks_own_account() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let banker = world.banker("banker").await;
    let account = alice.account("EUR").await;
    let receipt = banker.deposit("1", &account, "10").await.is(201);
    let cash = receipt["transfer"]["from_account_id"].as_str().unwrap();
    banker.deposit("2", cash, "1").await.is_problem(404, "account_not_found", &[]);
    let out = alice.transfer("3", &account, cash, "1").await;
    out.is_problem(404, "account_not_found", &[]);
    let back = banker.transfer("4", cash, &account, "1").await;
    back.is_problem(404, "account_not_found", &[]);
    assert_eq!(alice.balance(&account).await, "10.00");
}
