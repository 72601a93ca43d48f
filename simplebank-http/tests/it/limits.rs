//! Accounts as they are now, and what is decided about them: limits, freezing, closing.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    endpoints::ACCOUNT_DETAILS,
    support::{Answer, User, World, names, nobodys_account, send},
};

async fn limit(user: &User<'_>, account: &str, body: Value) -> Answer {
    send(user.request(Method::PATCH, &format!("/v1/accounts/{account}/limits")).json(&body)).await
}

async fn call(user: &User<'_>, account: &str, verb: &str) -> Answer {
    send(user.request(Method::POST, &format!("/v1/accounts/{account}/{verb}"))).await
}

/// Members of an account, in this order.
fn members<const N: usize>(account: &Value, wanted: [&str; N]) -> [Value; N] {
    assert_eq!(names(account), ACCOUNT_DETAILS);
    wanted.map(|name| account[name].clone())
}

const LIMITS: [&str; 3] = ["overdraft_limit", "transfer_limit", "daily_limit"];

#[tokio::test]
async fn an_account_shows_what_is_held_what_is_left_and_its_limits() {
    let world = World::new().await;
    let (alice, bob, banker) =
        (world.user("alice").await, world.user("bob").await, world.banker("banker").await);
    let (hers, his) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("1", &hers, "100").await.is(201);
    let body = json!({"overdraft_limit": "20", "daily_limit": "50.5"});
    limit(&banker, &hers, body).await.is(200);
    alice.transfer("2", &hers, &his, "10").await.is(201);
    let hold = json!({
        "from_account_id": hers, "to_account_id": his, "amount": "5", "currency": "EUR", "expires_in_seconds": 60,
    });
    alice.pay("3", "/v1/holds", hold).await.is(201);
    let path = format!("/v1/accounts/{hers}");
    let wanted = ["balance", "held", "available", "spent_today"];
    let account = alice.get(&path).await.is(200);
    assert_eq!(members(&account, wanted), ["90.00", "5.00", "105.00", "15.00"].map(Value::from));
    assert_eq!(members(&account, LIMITS), [json!("20.00"), json!(null), json!("50.50")]);
    assert_eq!(alice.get("/v1/accounts").await.is(200)["items"], json!([account]));
    // The hold is over, though nobody has written that down.
    world.clock.advance(time::Duration::minutes(1));
    let account = alice.get(&path).await.is(200);
    assert_eq!(members(&account, wanted), ["90.00", "0.00", "110.00", "10.00"].map(Value::from));
    assert_eq!(alice.get("/v1/accounts").await.is(200)["items"], json!([account]));

    let page = banker.get(&format!("/v1/transfers?account_id={hers}")).await.is(200);
    let cash = page["items"][1]["from_account_id"].as_str().unwrap();
    let cash = banker.get(&format!("/v1/accounts/{cash}")).await.is(200);
    let of_cash = [json!("-100.00"), json!("0.00"), json!(null), json!("0.00")];
    assert_eq!(members(&cash, wanted), of_cash);
    assert_eq!(members(&cash, LIMITS), [json!(null), json!(null), json!(null)]);
    world.state().await;
}

#[tokio::test]
async fn limits_are_set_left_and_removed_one_by_one() {
    let world = World::new().await;
    let (alice, banker) = (world.user("alice").await, world.banker("banker").await);
    let hers = alice.account("EUR").await;
    for (body, limits) in [
        (json!({}), [json!("0.00"), json!(null), json!(null)]),
        (json!({"transfer_limit": "1.5"}), [json!("0.00"), json!("1.50"), json!(null)]),
        (
            json!({"overdraft_limit": "7", "daily_limit": "3"}),
            [json!("7.00"), json!("1.50"), json!("3.00")],
        ),
        (
            json!({"overdraft_limit": null, "transfer_limit": "none"}),
            [json!("7.00"), json!(null), json!("3.00")],
        ),
        (
            json!({"overdraft_limit": "none", "daily_limit": "none"}),
            [json!("0.00"), json!(null), json!(null)],
        ),
        (json!({"overdraft_limit": "0"}), [json!("0.00"), json!(null), json!(null)]),
    ] {
        let account = limit(&banker, &hers, body.clone()).await.is(200);
        assert_eq!(members(&account, LIMITS), limits, "{body}");
        assert_eq!(alice.get(&format!("/v1/accounts/{hers}")).await.is(200), account);
    }
    world.state().await;
}

#[tokio::test]
async fn limits_that_are_none_are_told_field_by_field_and_change_nothing() {
    let world = World::new().await;
    let (alice, banker) = (world.user("alice").await, world.banker("banker").await);
    let hers = alice.account("EUR").await;
    let before = world.state().await;
    for (body, fields) in [
        (json!({"overdraft_limit": "-1"}), vec!["overdraft_limit"]),
        (json!({"overdraft_limit": "1.234"}), vec!["overdraft_limit"]),
        (json!({"overdraft_limit": "9".repeat(30)}), vec!["overdraft_limit"]),
        (json!({"transfer_limit": "0"}), vec!["transfer_limit"]),
        (
            json!({"transfer_limit": "", "daily_limit": "None"}),
            vec!["transfer_limit", "daily_limit"],
        ),
        (
            json!({"overdraft_limit": "x", "transfer_limit": "1e3", "daily_limit": "0.001"}),
            vec!["overdraft_limit", "transfer_limit", "daily_limit"],
        ),
    ] {
        limit(&banker, &hers, body.clone()).await.is_problem(422, "invalid_input", &fields);
    }
    for (body, fields) in [
        (json!({"overdraft_limit": 1}), vec!["overdraft_limit"]),
        (json!({"daily_limit": ["1"]}), vec!["daily_limit"]),
        (json!({"limit": "1"}), vec!["limit"]),
    ] {
        limit(&banker, &hers, body).await.is_problem(400, "malformed_request", &fields);
    }
    limit(&banker, "x", json!({})).await.is_problem(400, "malformed_request", &["id"]);
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn what_is_used_is_no_limit_and_limits_refuse_with_their_codes() {
    let world = World::new().await;
    let (alice, bob, banker) =
        (world.user("alice").await, world.user("bob").await, world.banker("banker").await);
    let (hers, his) = (alice.account("EUR").await, bob.account("EUR").await);
    limit(&banker, &hers, json!({"overdraft_limit": "10", "transfer_limit": "6"})).await.is(200);
    let refused = alice.transfer("1", &hers, &his, "6.01").await;
    refused.is_problem(422, "transfer_limit_exceeded", &[]);
    alice.transfer("2", &hers, &his, "6").await.is(201);
    for lower in ["5.99", "0", "none"] {
        let refused = limit(&banker, &hers, json!({"overdraft_limit": lower})).await;
        refused.is_problem(422, "limit_below_use", &[]);
    }
    limit(&banker, &hers, json!({"overdraft_limit": "6", "daily_limit": "6"})).await.is(200);
    banker.deposit("3", &hers, "10").await.is(201);
    let refused = alice.transfer("4", &hers, &his, "0.01").await;
    refused.is_problem(422, "daily_limit_exceeded", &[]);
    world.clock.advance(time::Duration::hours(12));
    let alice = world.log_in("alice", alice.id.clone()).await;
    alice.transfer("5", &hers, &his, "6").await.is(201);
    world.state().await;
}

#[tokio::test]
async fn bankers_freeze_unfreeze_and_limit_and_nobody_else() {
    let world = World::new().await;
    let (alice, banker) = (world.user("alice").await, world.banker("banker").await);
    let hers = alice.account("EUR").await;
    let before = world.state().await;
    for account in [&hers, &nobodys_account()] {
        for verb in ["freeze", "unfreeze"] {
            call(&alice, account, verb).await.is_problem(403, "forbidden", &[]);
        }
        let refused = limit(&alice, account, json!({"daily_limit": "x"})).await;
        refused.is_problem(403, "forbidden", &[]);
    }
    assert_eq!(world.state().await, before);
    for (verb, status) in [("freeze", "frozen"), ("unfreeze", "open")] {
        for _ in 0..2 {
            let account = call(&banker, &hers, verb).await.is(200);
            assert_eq!(members(&account, ["status"]), [json!(status)]);
        }
        call(&banker, &nobodys_account(), verb).await.is_problem(404, "account_not_found", &[]);
        call(&banker, "x", verb).await.is_problem(400, "malformed_request", &["id"]);
    }
    let refused = limit(&banker, &nobodys_account(), json!({})).await;
    refused.is_problem(404, "account_not_found", &[]);
}

#[tokio::test]
async fn an_empty_account_is_closed_by_its_owner_or_the_bank() {
    let world = World::new().await;
    let (alice, bob, banker) =
        (world.user("alice").await, world.user("bob").await, world.banker("banker").await);
    let (hers, his) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("1", &hers, "10").await.is(201);
    call(&alice, &hers, "close").await.is_problem(422, "account_not_empty", &[]);
    let strangers = call(&bob, &hers, "close").await;
    let nobodys = call(&bob, &nobodys_account(), "close").await;
    strangers.is_problem(404, "account_not_found", &[]);
    assert_eq!(strangers.text.replace(&hers, ""), nobodys.text.replace(&nobodys_account(), ""));
    let hold =
        json!({"from_account_id": hers, "to_account_id": his, "amount": "1", "currency": "EUR"});
    alice.pay("2", "/v1/holds", hold).await.is(201);
    call(&bob, &his, "close").await.is_problem(422, "account_has_holds", &[]);
    world.clock.advance(time::Duration::days(7));
    let (alice, bob, banker) = (
        world.log_in("alice", alice.id.clone()).await,
        world.log_in("bob", bob.id.clone()).await,
        world.log_in("banker", banker.id.clone()).await,
    );
    for _ in 0..2 {
        let account = call(&bob, &his, "close").await.is(200);
        assert_eq!(members(&account, ["status", "available"]), [json!("closed"), json!("0.00")]);
    }
    alice.transfer("3", &hers, &his, "1").await.is_problem(422, "account_closed", &[]);
    assert_ne!(bob.account("EUR").await, his, "there is room for another");
    let path = format!("/v1/accounts/{hers}/withdrawals");
    banker.pay("4", &path, json!({"amount": "10", "currency": "EUR"})).await.is(201);
    call(&banker, &hers, "freeze").await.is(200);
    call(&alice, &hers, "close").await.is_problem(422, "account_frozen", &[]);
    assert_eq!(call(&banker, &hers, "close").await.is(200)["status"], "closed");
    call(&banker, &hers, "unfreeze").await.is_problem(422, "account_closed", &[]);
    limit(&banker, &hers, json!({})).await.is_problem(422, "account_closed", &[]);
    call(&alice, "x", "close").await.is_problem(400, "malformed_request", &["id"]);
    world.state().await;
}
