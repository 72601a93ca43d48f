//! Each endpoint once, as its documentation describes it: status, members, headers.

use serde_json::{Value, json};
use simplebank::db::Migrations;

use crate::support::{PASSWORD, World, names, transfer_body};

const USER: [&str; 8] = [
    "created_at",
    "email",
    "email_verified_at",
    "full_name",
    "id",
    "password_changed_at",
    "role",
    "username",
];
/// An account inside a receipt, which never changes.
const ACCOUNT: [&str; 6] = ["balance", "created_at", "currency", "id", "owner", "status"];
/// An account as it is now.
pub(crate) const ACCOUNT_DETAILS: [&str; 12] = [
    "available",
    "balance",
    "created_at",
    "currency",
    "daily_limit",
    "held",
    "id",
    "overdraft_limit",
    "owner",
    "spent_today",
    "status",
    "transfer_limit",
];
const ENTRY: [&str; 6] =
    ["account_id", "amount", "balance_after", "created_at", "transfer_id", "version"];
const TRANSFER: [&str; 11] = [
    "amount",
    "created_at",
    "currency",
    "description",
    "from_account_id",
    "hold_id",
    "id",
    "kind",
    "reference",
    "reverses_id",
    "to_account_id",
];

#[tokio::test]
async fn registering_answers_with_the_user() {
    let world = World::new().await;
    let body = json!({
        "username": "alice", "password": PASSWORD, "full_name": "Alice Doe", "email": "alice@example.org",
    });
    let answer = world.anyone().post("/v1/users", body.clone()).await;
    let user = answer.is(201);
    assert_eq!(names(&user), USER);
    assert_eq!(user["role"], "depositor");
    assert_eq!(user["created_at"], "2026-01-01T12:00:00Z");
    assert!(!answer.text.contains("correct"), "{answer:?}");

    let before = world.state().await;
    world.anyone().post("/v1/users", body).await.is_problem(409, "username_taken", &[]);
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn logging_in_answers_with_a_session_and_its_tokens() {
    let world = World::new().await;
    world.user("alice").await;
    let body = json!({"username": "alice", "password": PASSWORD});
    let login = world.anyone().post("/v1/users/login", body).await.is(200);
    assert_eq!(
        names(&login),
        [
            "access_token",
            "access_token_expires_at",
            "refresh_token",
            "refresh_token_expires_at",
            "session_id",
            "user"
        ]
    );
    assert_eq!(names(&login["user"]), USER);
    assert_eq!(login["access_token_expires_at"], "2026-01-01T12:15:00Z");
    assert_eq!(login["refresh_token_expires_at"], "2026-01-15T12:00:00Z");
}

#[tokio::test]
async fn renewing_answers_with_an_access_token_that_works() {
    let world = World::new().await;
    let mut alice = world.user("alice").await;
    let body = json!({"refresh_token": alice.refresh_token});
    let renewed = world.anyone().post("/v1/tokens/renew_access", body).await.is(200);
    assert_eq!(
        names(&renewed),
        ["access_token", "access_token_expires_at", "refresh_token", "refresh_token_expires_at"]
    );
    alice.token = renewed["access_token"].as_str().map(str::to_owned);
    assert_eq!(names(&alice.get("/v1/users/me").await.is(200)), USER);
}

#[tokio::test]
async fn opening_an_account_answers_with_it_and_where_it_is() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let answer = alice.post("/v1/accounts", json!({"currency": "KWD"})).await;
    let account = answer.is(201);
    assert_eq!(names(&account), ACCOUNT_DETAILS);
    assert_eq!((&account["owner"], &account["balance"]), (&json!("alice"), &json!("0.000")));
    assert_eq!((&account["currency"], &account["status"]), (&json!("KWD"), &json!("open")));
    assert_eq!(alice.get(answer.header("location")).await.is(200), account);

    let list = alice.get("/v1/accounts").await.is(200);
    assert_eq!(list, json!({"items": [account], "next_cursor": null}));
    let again = alice.post("/v1/accounts", json!({"currency": "KWD"})).await;
    again.is_problem(409, "account_exists", &[]);
}

#[tokio::test]
async fn money_comes_in_moves_and_goes_out_with_receipts() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);

    let body =
        json!({"amount": "100", "currency": "EUR", "description": "Cash", "reference": "TILL-4"});
    let deposit = banker.pay("d", &format!("/v1/accounts/{from}/deposits"), body).await;
    let transfer = &deposit.is(201)["transfer"];
    assert_eq!(
        (&transfer["description"], &transfer["reference"]),
        (&json!("Cash"), &json!("TILL-4"))
    );
    check_cash(&deposit.is(201), "deposit", "100.00", "100.00");
    check_location(&banker, &deposit, "transfer").await;

    let mut body = transfer_body(&from, &to, "12.5");
    body["description"] = json!("Lunch 🍜");
    let transfer = alice.pay("t", "/v1/transfers", body).await;
    let told = &transfer.is(201)["transfer"];
    assert_eq!((&told["description"], &told["reference"]), (&json!("Lunch 🍜"), &Value::Null));
    assert_eq!((&told["hold_id"], &told["reverses_id"]), (&Value::Null, &Value::Null));
    let receipt = transfer.is(201);
    assert_eq!(names(&receipt), ["from_account", "from_entry", "transfer"]);
    assert_eq!(names(&receipt["from_account"]), ACCOUNT);
    assert_eq!(names(&receipt["from_entry"]), ENTRY);
    assert_eq!(receipt["transfer"]["kind"], "transfer");
    assert_eq!(receipt["transfer"]["amount"], "12.50");
    assert_eq!(receipt["from_account"]["balance"], "87.50");
    assert_eq!(receipt["from_entry"]["amount"], "-12.50");
    assert_eq!(receipt["from_entry"]["version"], 2);
    check_location(&bob, &transfer, "transfer").await;

    let path = format!("/v1/accounts/{to}/withdrawals");
    let withdrawal = banker.pay("w", &path, json!({"amount": "2.50", "currency": "EUR"})).await;
    check_cash(&withdrawal.is(201), "withdrawal", "-2.50", "10.00");
    check_location(&bob, &withdrawal, "transfer").await;

    let entries = bob.get(&format!("/v1/accounts/{to}/entries")).await.is(200);
    let amounts: Vec<_> = items(&entries).iter().map(|entry| entry["amount"].clone()).collect();
    assert_eq!(amounts, ["-2.50", "12.50"]);
    assert!(items(&entries).iter().all(|entry| names(entry) == ENTRY));
    let transfers = bob.get(&format!("/v1/transfers?account_id={to}")).await.is(200);
    let kinds: Vec<_> = items(&transfers).iter().map(|item| item["kind"].clone()).collect();
    assert_eq!(kinds, ["withdrawal", "transfer"]);
    assert!(items(&transfers).iter().all(|transfer| names(transfer) == TRANSFER));
    world.state().await;
}

fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap()
}

fn check_cash(receipt: &Value, kind: &str, amount: &str, balance: &str) {
    assert_eq!(names(receipt), ["account", "entry", "transfer"]);
    assert_eq!(names(&receipt["account"]), ACCOUNT);
    assert_eq!(names(&receipt["entry"]), ENTRY);
    assert_eq!(names(&receipt["transfer"]), TRANSFER);
    assert_eq!(receipt["transfer"]["kind"], kind);
    assert_eq!(receipt["entry"]["amount"], amount);
    assert_eq!(receipt["entry"]["balance_after"], balance);
    assert_eq!(receipt["account"]["balance"], balance);
}

async fn check_location(
    user: &crate::support::User<'_>,
    answer: &crate::support::Answer,
    name: &str,
) {
    assert_eq!(user.get(answer.header("location")).await.is(200), answer.json()[name]);
}

#[tokio::test]
async fn logging_out_answers_with_nothing_and_ends_both_tokens_at_once() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let answer =
        crate::support::send(alice.request(reqwest::Method::POST, "/v1/users/logout")).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    alice.get("/v1/users/me").await.is_problem(401, "unauthenticated", &[]);
    let body = json!({"refresh_token": alice.refresh_token});
    let renewed = world.anyone().post("/v1/tokens/renew_access", body).await;
    renewed.is_problem(401, "unauthenticated", &[]);
}

#[tokio::test]
async fn health_tells_life_from_readiness() {
    let world = World::new().await;
    assert_eq!(world.anyone().get("/health/live").await.is(200), json!({"status": "live"}));
    assert_eq!(world.anyone().get("/health/ready").await.is(200), json!({"status": "ready"}));
    world.bank.db().close().await;
    assert_eq!(world.anyone().get("/health/live").await.is(200), json!({"status": "live"}));
    let answer = world.anyone().get("/health/ready").await;
    answer.is_problem(503, "unavailable", &[]);
    assert_eq!(answer.header("retry-after"), "3");
}

#[tokio::test]
async fn a_database_that_is_away_is_told_without_its_words() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    world.bank.db().close().await;
    let answer = alice.get("/v1/accounts").await;
    answer.is_problem(503, "unavailable", &[]);
    assert_eq!(answer.header("retry-after"), "3");
    for word in ["pool", "sql", "postgres"] {
        assert!(!answer.text.to_lowercase().contains(word), "{answer:?}");
    }
}

#[tokio::test]
async fn a_defect_is_told_without_its_words() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let mut migrations = Migrations::connect(&world.database.url()).await.unwrap();
    migrations.down(0).await.unwrap();
    for path in ["/v1/accounts", "/v1/users/me"] {
        let answer = alice.get(path).await;
        answer.is_problem(500, "internal", &[]);
        for word in ["simplebank", "relation", "sql", "migrat"] {
            assert!(!answer.text.to_lowercase().contains(word), "{answer:?}");
        }
    }
    world.anyone().get("/health/ready").await.is_problem(503, "unavailable", &[]);
}
