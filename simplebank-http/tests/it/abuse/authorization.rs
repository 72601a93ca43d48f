//! Who tries what is not theirs to do.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use simplebank::core::Principal;

use super::routes::Route;
use crate::support::{PASSWORD, User, World, nobodys_account, send, transfer_body};

/// What somebody may do with an object, told by the status for each who asks: its owner, a stranger, a banker.
///
/// To a stranger it is missing, unless the power itself is one of bankers.
const MATRIX: [(&str, [u16; 3]); 18] = [
    ("GET /v1/accounts/{id}", [200, 404, 200]),
    ("GET /v1/accounts/{id}/balance", [200, 404, 200]),
    ("GET /v1/accounts/{id}/entries", [200, 404, 200]),
    ("GET /v1/accounts/{id}/statement", [200, 404, 200]),
    ("PATCH /v1/accounts/{id}/limits", [403, 403, 200]),
    ("POST /v1/accounts/{id}/freeze", [403, 403, 200]),
    ("POST /v1/accounts/{id}/unfreeze", [403, 403, 200]),
    ("POST /v1/accounts/{id}/close", [422, 404, 422]),
    ("POST /v1/accounts/{id}/deposits", [403, 403, 201]),
    ("POST /v1/accounts/{id}/withdrawals", [403, 403, 201]),
    ("GET /v1/transfers", [200, 404, 200]),
    ("GET /v1/transfers/{id}", [200, 404, 200]),
    ("POST /v1/transfers", [201, 404, 404]),
    ("POST /v1/transfers/{id}/reversals", [422, 404, 201]),
    ("GET /v1/holds", [200, 404, 200]),
    ("GET /v1/holds/{id}", [200, 404, 200]),
    ("POST /v1/holds", [201, 404, 404]),
    ("POST /v1/holds/{id}/capture", [201, 404, 201]),
];

/// Routes that are about nobody but who asks, or answer each member by itself: other tests have them.
const OWN: [&str; 10] = [
    "GET /v1/sessions",
    "DELETE /v1/sessions",
    "DELETE /v1/sessions/{id}",
    "GET /v1/accounts",
    "POST /v1/accounts",
    "POST /v1/holds/{id}/void",
    "POST /v1/transfers/batch",
    "POST /v1/users/logout",
    "GET /v1/users/me",
    "POST /v1/users/me/verification_codes",
];

/// What somebody's object is made of.
struct Things {
    account: String,
    payee: String,
    transfer: String,
    hold: String,
}

impl Things {
    /// Alice has paid Bob, and promised him more; under keys of their own.
    async fn new(alice: &User<'_>, accounts: &[String; 2], keys: &str) -> Self {
        let [account, payee] = accounts.clone();
        let paid = alice.transfer(&format!("{keys}_paid"), &account, &payee, "10").await.is(201);
        let body = promise(&account, &payee);
        let hold = alice.pay(&format!("{keys}_hold"), "/v1/holds", body).await.is(201);
        let id = |object: &Value| object["id"].as_str().unwrap().to_owned();
        Self { transfer: id(&paid["transfer"]), hold: id(&hold), account, payee }
    }

    /// What somebody sends who wants to use a route on these things.
    fn request(&self, user: &User<'_>, name: &str, key: &str) -> RequestBuilder {
        let Self { account, payee, transfer, hold } = self;
        let (method, path) = name.split_once(' ').unwrap();
        let id = match path {
            path if path.starts_with("/v1/transfers/") => transfer,
            path if path.starts_with("/v1/holds/") => hold,
            _ => account,
        };
        let mut path = path.replace("{id}", id);
        if ["GET /v1/transfers", "GET /v1/holds"].contains(&name) {
            path = format!("{path}?account_id={account}");
        }
        if path.ends_with("/balance") {
            path.push_str("?at=2026-01-02");
        }
        let request = user.request(method.parse().unwrap(), &path).header("Idempotency-Key", key);
        let body = match name {
            "POST /v1/transfers" => transfer_body(account, payee, "1"),
            "POST /v1/holds" => promise(account, payee),
            "PATCH /v1/accounts/{id}/limits" => json!({"daily_limit": "1000000"}),
            name if name.ends_with("deposits") || name.ends_with("withdrawals") => {
                json!({"amount": "1", "currency": "EUR"})
            }
            _ => return request,
        };
        request.json(&body)
    }
}

fn promise(from: &str, to: &str) -> Value {
    let mut body = transfer_body(from, to, "5");
    body["expires_in_seconds"] = json!(3600);
    body
}

#[tokio::test]
async fn everybody_may_do_exactly_what_the_matrix_says() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (mallory, banker) = (world.user("mallory").await, world.banker("banker").await);
    let accounts = [alice.account("EUR").await, bob.account("EUR").await];
    banker.deposit("start", &accounts[0], "98765").await.is(201);
    let mut wrong = Vec::new();
    for (name, expected) in MATRIX {
        let asking = [(&alice, "owner"), (&mallory, "stranger"), (&banker, "banker")];
        for ((user, who), status) in asking.into_iter().zip(expected) {
            let keys = format!("{name}_{who}").replace(' ', "_");
            let things = Things::new(&alice, &accounts, &keys).await;
            let before = seen(&alice, &things).await;
            let answer = send(things.request(user, name, &keys)).await;
            if answer.status != status {
                wrong.push(format!("{name} by the {who}: {} {}", answer.status, answer.text));
            }
            if !answer.status.is_success() {
                assert_eq!(seen(&alice, &things).await, before, "{name} by the {who}");
            }
            // What is frozen would keep the next one from being made.
            world.bank.unfreeze(&Principal::Operator, accounts[0].parse().unwrap()).await.unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    world.state().await;
}

/// What the owner sees of her things.
async fn seen(owner: &User<'_>, things: &Things) -> [String; 4] {
    let Things { account, transfer, hold, .. } = things;
    [
        owner.get(&format!("/v1/accounts/{account}")).await.text,
        owner.get(&format!("/v1/accounts/{account}/entries?limit=3")).await.text,
        owner.get(&format!("/v1/transfers/{transfer}")).await.text,
        owner.get(&format!("/v1/holds/{hold}")).await.text,
    ]
}

#[tokio::test]
async fn the_matrix_has_every_private_route() {
    let world = World::new().await;
    let listed: Vec<&str> = MATRIX.iter().map(|(name, _)| *name).chain(OWN).collect();
    for route in Route::all(&world).await {
        let name = format!("{} {}", route.method, route.path);
        // What is about `me` can't be about anybody else.
        let is_own = route.path.starts_with("/v1/users/me");
        assert!(!route.is_private || is_own || listed.contains(&&*name), "{name}");
    }
}

#[tokio::test]
async fn nobody_sets_what_is_not_theirs_to_say() {
    let world = World::new().await;
    let banker = world.banker("banker").await;
    let before = world.state().await;
    for route in Route::all(&world).await {
        let Some(fields) = &route.fields else { continue };
        for forbidden in [
            "role",
            "balance",
            "balance_after",
            "email_verified_at",
            "is_email_verified",
            "owner",
            "owner_id",
            "user_id",
            "status",
            "kind",
            "created_at",
            "__proto__",
            "Amount",
            "amount ",
            "",
        ] {
            if fields.iter().any(|field| field == forbidden) {
                continue;
            }
            let body = json!({forbidden: "banker"});
            let answer = send(route.request(&banker).json(&body)).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{route:?} {forbidden}: {answer:?}");
            let problem = answer.json();
            assert_eq!(problem["code"], "malformed_request", "{answer:?}");
            let told = problem["errors"].as_array().unwrap();
            // A name that is none is not repeated.
            let is_told = told
                .iter()
                .any(|error| [forbidden, "(another)"].map(Value::from).contains(&error["field"]));
            assert!(is_told, "{route:?} {forbidden}: {answer:?}");
        }
    }
    assert_eq!(world.state().await, before);
}

/// Whoever was paid learns who paid, and nothing of what they have.
#[tokio::test]
async fn a_counterparty_sees_its_own_side_only() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (hers, his) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("start", &hers, "98765.43").await.is(201);
    let receipt = alice.transfer("1", &hers, &his, "10").await;
    let transfer = receipt.is(201)["transfer"]["id"].as_str().unwrap().to_owned();
    let hold = alice.pay("2", "/v1/holds", promise(&hers, &his)).await.is(201);
    let hold = hold["id"].as_str().unwrap().to_owned();
    let back = json!({"amount": "1", "currency": "EUR"});
    let answers = [
        bob.get(&format!("/v1/transfers/{transfer}")).await,
        bob.get(&format!("/v1/transfers?account_id={his}")).await,
        bob.get(&format!("/v1/accounts/{his}")).await,
        bob.get(&format!("/v1/accounts/{his}/entries")).await,
        bob.get(&format!("/v1/accounts/{his}/statement")).await,
        bob.get(&format!("/v1/holds/{hold}")).await,
        bob.pay("3", &format!("/v1/holds/{hold}/capture"), json!({})).await,
        bob.pay("4", &format!("/v1/transfers/{transfer}/reversals"), back).await,
    ];
    for answer in answers {
        assert!(answer.status.is_success(), "{answer:?}");
        // What she has after each step.
        for balance in ["98765.43", "98755.43", "98750.43", "98751.43", "98756.43"] {
            assert!(!answer.text.contains(balance), "{answer:?}");
        }
        assert!(!answer.text.contains("alice"), "{answer:?}");
    }
    world.state().await;
}

/// A role is what the bank has written down, whatever a body says at any other place.
#[tokio::test]
async fn nobody_registers_as_a_banker() {
    let world = World::new().await;
    for extra in
        [json!({"role": "banker"}), json!({"user": {"role": "banker"}}), json!({"Role": 1})]
    {
        let mut body = json!({
            "username": "mallory", "password": PASSWORD, "full_name": "M", "email": "m@example.org",
        });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let answer = world.anyone().post("/v1/users", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    }
    let mallory = world.user("mallory").await;
    assert_eq!(mallory.get("/v1/users/me").await.is(200)["role"], "depositor");
    let power = mallory.request(Method::POST, "/v1/accounts/x/freeze").header("X-Role", "banker");
    send(power).await.is_problem(400, "malformed_request", &["id"]);
    let path = format!("/v1/accounts/{}/freeze", nobodys_account());
    for header in
        ["X-Role", "X-User-Id", "X-Forwarded-User", "X-Original-URL", "X-HTTP-Method-Override"]
    {
        let request = mallory.request(Method::POST, &path).header(header, "banker");
        send(request).await.is_problem(403, "forbidden", &[]);
    }
}
