//! Money that is not there, is too much, or goes where it can't.

use reqwest::Method;
use serde_json::{Value, json};
use simplebank::core::Principal;

use crate::support::{Answer, User, World, nobodys_account, send, transfer_body};

/// The ways to move or promise money from one account to another.
const ORDERS: [&str; 3] = ["/v1/transfers", "/v1/holds", "/v1/transfers/batch"];

/// Sends an order by one of these ways; returns the refusal's code, or nothing.
async fn order(user: &User<'_>, path: &str, key: &str, mut body: Value) -> (Answer, String) {
    let answer = match path {
        "/v1/transfers/batch" => {
            body["key"] = json!(key);
            user.post(path, json!({"transfers": [body]})).await
        }
        "/v1/holds" => {
            body["expires_in_seconds"] = json!(60);
            user.pay(key, path, body).await
        }
        _ => user.pay(key, path, body).await,
    };
    let told = answer.json();
    let problem = if answer.status == 200 { &told["results"][0]["problem"] } else { &told };
    let code = problem["code"].as_str().unwrap_or_default().to_owned();
    (answer, code)
}

/// What is in each account, what is held of it, and whether it is open; and the ledger is whole.
async fn ledger(world: &World) -> Vec<String> {
    let report = world.bank.verify(|_| {}).await.unwrap();
    assert_eq!(report.violation, None);
    let page = simplebank::Page { cursor: None, limit: simplebank::PageLimit::MAX };
    let accounts = world.bank.accounts(&Principal::Operator, None, page).await.unwrap().items;
    let told = accounts.iter().map(|account| {
        format!("{} {:?} {:?} {:?}", account.id, account.balance, account.held, account.status)
    });
    told.collect()
}

/// Texts that are no amount of euros.
const NO_AMOUNTS: [&str; 31] = [
    "0",
    "0.00",
    "-0",
    "-1",
    "-0.01",
    "+1",
    "0.001",
    "1.005",
    "1e2",
    "1E2",
    "0x1",
    "1_0",
    "1,00",
    "1 000",
    " 1",
    "1\u{a0}",
    "1.",
    ".1",
    "--1",
    "1.0.0",
    "NaN",
    "inf",
    "-inf",
    "null",
    "92233720368547758.08",
    "184467440737095516.16",
    "-92233720368547758.08",
    "1\u{2009}0",
    "\u{ff11}",
    "\u{661}",
    "9007199254740993.5555",
];

#[tokio::test]
async fn no_way_to_pay_takes_an_amount_that_is_none() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("start", &from, "100").await.is(201);
    let paid = alice.transfer("paid", &from, &to, "50").await.is(201);
    let paid = paid["transfer"]["id"].as_str().unwrap();
    let mut promise = transfer_body(&from, &to, "5");
    promise["expires_in_seconds"] = json!(60);
    let hold = alice.pay("hold", "/v1/holds", promise).await.is(201);
    let hold = hold["id"].as_str().unwrap();
    let before = ledger(&world).await;
    let cash = json!({"currency": "EUR"});
    let endless = "9".repeat(1000);
    let amounts = NO_AMOUNTS.into_iter().chain([&*endless]);
    for (number, amount) in amounts.enumerate() {
        let transfer = transfer_body(&from, &to, "1");
        for (user, path, body) in [
            (&alice, "/v1/transfers".to_owned(), transfer.clone()),
            (&alice, "/v1/holds".to_owned(), {
                let mut body = transfer.clone();
                body["expires_in_seconds"] = json!(60);
                body
            }),
            (&bob, format!("/v1/holds/{hold}/capture"), cash.clone()),
            (&bob, format!("/v1/transfers/{paid}/reversals"), cash.clone()),
            (&banker, format!("/v1/accounts/{from}/deposits"), cash.clone()),
            (&banker, format!("/v1/accounts/{from}/withdrawals"), cash.clone()),
        ] {
            let mut body = body;
            body["amount"] = json!(amount);
            let answer = user.pay(&format!("bad{number}"), &path, body).await;
            answer.is_problem(422, "invalid_input", &["amount"]);
        }
        let mut member = transfer;
        member["amount"] = json!(amount);
        member["key"] = json!("member");
        let answer = alice.post("/v1/transfers/batch", json!({"transfers": [member]})).await;
        answer.is_problem(422, "invalid_input", &["transfers[0].amount"]);
    }
    assert_eq!(ledger(&world).await, before);
}

#[tokio::test]
async fn no_way_to_pay_goes_where_money_can_not_go() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    let (dollars, full) = (bob.account("USD").await, banker.account("EUR").await);
    let (frozen, closed) = (bob.account("CHF").await, bob.account("GBP").await);
    let (yen, pounds) = (alice.account("CHF").await, alice.account("GBP").await);
    let receipt = banker.deposit("start", &from, "100").await.is(201);
    let cash = receipt["transfer"]["from_account_id"].as_str().unwrap();
    banker.deposit("full", &full, "92233720368547657.07").await.is(201);
    for (number, (account, currency)) in [(&yen, "CHF"), (&pounds, "GBP")].into_iter().enumerate() {
        let body = json!({"amount": "10", "currency": currency});
        banker
            .pay(&format!("d{number}"), &format!("/v1/accounts/{account}/deposits"), body)
            .await
            .is(201);
    }
    world.bank.freeze(&Principal::Operator, frozen.parse().unwrap()).await.unwrap();
    send(bob.request(Method::POST, &format!("/v1/accounts/{closed}/close"))).await.is(200);
    let before = ledger(&world).await;

    let of = |currency: &str, from: &str, to: &str, amount: &str| {
        let mut body = transfer_body(from, to, amount);
        body["currency"] = json!(currency);
        body
    };
    let cases = [
        ("itself", of("EUR", &from, &from, "1"), "same_account"),
        ("itself, and too much", of("EUR", &from, &from, "1000"), "same_account"),
        ("another currency", of("EUR", &from, &dollars, "1"), "currency_mismatch"),
        ("both another currency", of("USD", &from, &to, "1"), "currency_mismatch"),
        ("frozen", of("CHF", &yen, &frozen, "1"), "account_frozen"),
        ("closed", of("GBP", &pounds, &closed, "1"), "account_closed"),
        ("nobody", of("EUR", &from, &nobodys_account(), "1"), "account_not_found"),
        ("the bank's own", of("EUR", &from, cash, "1"), "account_not_found"),
        ("from the bank's own", of("EUR", cash, &from, "1"), "account_not_found"),
        ("from somebody else's", of("EUR", &to, &from, "1"), "account_not_found"),
        ("a cent too much", of("EUR", &from, &to, "100.01"), "insufficient_funds"),
        ("all there is", of("EUR", &from, &to, "92233720368547758.07"), "insufficient_funds"),
    ];
    for path in ORDERS {
        for (number, (what, body, code)) in cases.iter().enumerate() {
            let key = format!("{number}{}", path.replace('/', "_"));
            let (first, told) = order(&alice, path, &key, body.clone()).await;
            assert_eq!(told, *code, "{path} {what}: {first:?}");
            // The same refusal, though the same key now could mean something else.
            let (second, _) = order(&alice, path, &key, body.clone()).await;
            assert_eq!((first.status, first.text), (second.status, second.text), "{path} {what}");
        }
    }
    for currency in ["EURO", "eur", "XXX", "XAU", "", "E\u{200b}R"] {
        let (answer, code) =
            order(&alice, "/v1/transfers", "c", of(currency, &from, &to, "1")).await;
        assert_eq!((answer.status.as_u16(), &*code), (422, "invalid_input"), "{currency}");
    }
    assert_eq!(ledger(&world).await, before);
}

#[tokio::test]
async fn no_balance_passes_the_end_of_its_range_on_either_side() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    // The bank's own account owes what all the others have: it can owe a cent more than anybody can have.
    banker.deposit("most", &to, "92233720368547757.07").await.is(201);
    banker.deposit("rest", &from, "1.01").await.is(201);
    let before = ledger(&world).await;
    let more = banker.deposit("more", &from, "0.01").await;
    more.is_problem(422, "balance_out_of_range", &[]);
    for path in ORDERS {
        let body = transfer_body(&from, &to, "1.01");
        let (answer, code) = order(&alice, path, &path.replace('/', "_"), body).await;
        // Nothing is moved by promising it.
        let expected = if path == "/v1/holds" { "" } else { "balance_out_of_range" };
        assert_eq!(code, expected, "{answer:?}");
        if path == "/v1/holds" {
            let hold = answer.is(201)["id"].as_str().unwrap().to_owned();
            let path = format!("/v1/holds/{hold}/capture");
            let captured = bob.pay("capture", &path, json!({})).await;
            captured.is_problem(422, "balance_out_of_range", &[]);
            bob.pay("void", &format!("/v1/holds/{hold}/void"), json!({})).await.is(200);
        }
    }
    assert_eq!(ledger(&world).await, before);
    alice.transfer("all", &from, &to, "1").await.is(201);
    assert_eq!(bob.balance(&to).await, "92233720368547758.07");
    // And it all can be had again.
    bob.transfer("back", &to, &from, "92233720368547758.06").await.is(201);
    assert_eq!(alice.balance(&from).await, "92233720368547758.07");
    world.state().await;
}

/// Many ways at once to spend the same ten euros.
#[tokio::test]
async fn a_crowd_of_every_kind_of_order_spends_no_more_than_there_is() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("start", &from, "10").await.is(201);
    let withdrawals = format!("/v1/accounts/{from}/withdrawals");
    let mut promise = transfer_body(&from, &to, "1");
    promise["expires_in_seconds"] = json!(60);
    let mut requests = Vec::new();
    for number in 0..12 {
        let key = |name: &str| format!("{name}{number}");
        let pay = |user: &User<'_>, path: &str, name: &str, body: &Value| {
            let request = user.request(Method::POST, path).header("Idempotency-Key", key(name));
            tokio::spawn(send(request.json(body)))
        };
        requests.push(pay(&alice, "/v1/transfers", "t", &transfer_body(&from, &to, "1")));
        requests.push(pay(&alice, "/v1/holds", "h", &promise));
        let cash = json!({"amount": "1", "currency": "EUR"});
        requests.push(pay(&banker, &withdrawals, "w", &cash));
        let mut member = transfer_body(&from, &to, "1");
        member["key"] = json!(key("b"));
        let batch = json!({"mode": "atomic", "transfers": [member]});
        let request = alice.request(Method::POST, "/v1/transfers/batch").json(&batch);
        requests.push(tokio::spawn(send(request)));
    }
    let mut done = 0;
    for request in requests {
        let answer = request.await.unwrap();
        match answer.status.as_u16() {
            200 | 201 => done += 1,
            422 => assert!(answer.text.contains("insufficient_funds"), "{answer:?}"),
            _ => panic!("{answer:?}"),
        }
    }
    assert_eq!(done, 10);
    let account = alice.get(&format!("/v1/accounts/{from}")).await.is(200);
    assert_eq!(account["available"], "0.00");
    world.state().await;
}
