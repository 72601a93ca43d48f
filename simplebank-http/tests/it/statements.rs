//! Statements and balances over the wire: JSON in pages, CSV in pages and whole, and what bad questions get.

use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use crate::support::{Answer, User, World, names, nobodys_account, send, transfer_body};

const STATEMENT: [&str; 8] = [
    "account_id",
    "closing_balance",
    "currency",
    "from",
    "items",
    "next_cursor",
    "opening_balance",
    "to",
];
const LINE: [&str; 11] = [
    "amount",
    "balance_after",
    "counterparty_account_id",
    "created_at",
    "description",
    "hold_id",
    "kind",
    "reference",
    "reverses_id",
    "transfer_id",
    "version",
];

/// Alice's account with a deposit of `first` and then others of 1, half a minute apart, from 2026-01-01 12:00 on.
async fn with_deposits<'a>(world: &'a World, first: &str, others: usize) -> (User<'a>, String) {
    let alice = world.user("alice").await;
    let banker = world.banker("banker").await;
    let account = alice.account("EUR").await;
    banker.deposit("first", &account, first).await.is(201);
    for number in 0..others {
        world.clock.advance(Duration::seconds(30)); // tokens live for a quarter of an hour
        banker.deposit(&format!("d{number}"), &account, "1").await.is(201);
    }
    (alice, account)
}

async fn get_as(user: &User<'_>, path: &str, accept: &str) -> Answer {
    send(user.request(Method::GET, path).header("Accept", accept)).await
}

#[tokio::test]
async fn a_statement_answers_as_documented() {
    let world = World::new().await;
    let (alice, account) = with_deposits(&world, "100", 0).await;
    let bob = world.user("bob").await.account("EUR").await;
    world.clock.advance(Duration::minutes(5));
    let mut body = transfer_body(&account, &bob, "12.5");
    body["description"] = json!("rent");
    body["reference"] = json!("R-1");
    let paid = alice.pay("rent", "/v1/transfers", body).await.is(201);

    let path = format!("/v1/accounts/{account}/statement");
    let all = alice.get(&path).await.is(200);
    assert_eq!(names(&all), STATEMENT);
    assert_eq!(
        (&all["opening_balance"], &all["closing_balance"]),
        (&json!("0.00"), &json!("87.50"))
    );
    assert_eq!(
        (&all["from"], &all["to"], &all["currency"]),
        (&Value::Null, &Value::Null, &json!("EUR"))
    );

    let query = "?from=2026-01-01T13:05:00%2B01:00&to=2026-01-02";
    let day = alice.get(&format!("{path}{query}")).await.is(200);
    assert_eq!(
        (&day["from"], &day["to"]),
        (&json!("2026-01-01T12:05:00Z"), &json!("2026-01-02T00:00:00Z"))
    );
    assert_eq!(
        (&day["opening_balance"], &day["closing_balance"]),
        (&json!("100.00"), &json!("87.50"))
    );
    let [line] = day["items"].as_array().unwrap().as_slice() else { panic!("{day}") };
    assert_eq!(names(line), LINE);
    assert_eq!((&line["version"], &line["kind"]), (&json!(2), &json!("transfer")));
    assert_eq!((&line["amount"], &line["balance_after"]), (&json!("-12.50"), &json!("87.50")));
    assert_eq!(line["counterparty_account_id"], bob);
    assert_eq!(line["transfer_id"], paid["transfer"]["id"]);
    assert_eq!((&line["description"], &line["reference"]), (&json!("rent"), &json!("R-1")));
    assert_eq!((&line["hold_id"], &line["reverses_id"]), (&Value::Null, &Value::Null));
    world.state().await;
}

#[tokio::test]
async fn a_balance_answers_as_documented() {
    let world = World::new().await;
    let (alice, account) = with_deposits(&world, "100", 2).await;
    let path = format!("/v1/accounts/{account}/balance");
    let found = alice.get(&format!("{path}?at=2026-01-01T12:00:30.5Z")).await.is(200);
    let expected = json!({
        "account_id": account, "at": "2026-01-01T12:00:30.5Z", "balance": "101.00", "currency": "EUR", "version": 2,
    });
    assert_eq!(found, expected);
    for (at, balance) in [("2026-01-01T12:00:00Z", "100.00"), ("9999-12-31", "102.00")] {
        assert_eq!(alice.get(&format!("{path}?at={at}")).await.is(200)["balance"], balance);
    }
    let early = alice.get(&format!("{path}?at=2026-01-01")).await;
    let problem = early.is_problem(422, "invalid_input", &["at"]);
    let message = problem["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("opened, at 2026-01-01T12:00:00Z"), "{message}");
}

#[tokio::test]
async fn pages_make_the_whole_and_belong_to_their_period() {
    let world = World::new().await;
    let (alice, account) = with_deposits(&world, "100", 24).await;
    let path = format!("/v1/accounts/{account}/statement");
    let period = format!("{path}?from=2026-01-01T12:00:05Z");
    let whole = alice.get(&format!("{period}&limit=100")).await.is(200);
    assert_eq!(whole["items"].as_array().unwrap().len(), 24);
    assert_eq!(
        (&whole["opening_balance"], &whole["closing_balance"]),
        (&json!("100.00"), &json!("124.00"))
    );
    let (mut items, mut next) = (Vec::new(), format!("{period}&limit=7"));
    loop {
        let page = alice.get(&next).await.is(200);
        assert_eq!(page["closing_balance"], "124.00");
        items.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("{period}&limit=7&cursor={cursor}");
    }
    assert_eq!(Value::Array(items), whole["items"]);

    let first = alice.get(&format!("{period}&limit=7")).await.is(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    for other in [
        format!("{path}?cursor={cursor}"),
        format!("{path}?from=2026-01-01T12:06:00Z&cursor={cursor}"),
        format!("{period}&to=2026-02-01&cursor={cursor}"),
        format!("/v1/accounts/{account}/entries?cursor={cursor}"),
        format!("{period}&cursor={cursor}A"),
        format!("{period}&format=csv&cursor=x"),
    ] {
        alice.get(&other).await.is_problem(400, "invalid_cursor", &["cursor"]);
    }
}

#[tokio::test]
async fn csv_is_sent_whole_or_in_pages_and_to_who_accepts_it() {
    let world = World::new().await;
    let (alice, account) = with_deposits(&world, "100", 0).await;
    let bob = world.user("bob").await.account("EUR").await;
    // More than a page of the longest kind.
    for number in 0..230 {
        let mut body = transfer_body(&account, &bob, "0.01");
        body["description"] = json!(format!("=HYPERLINK(\"http://x\",{number})"));
        alice.pay(&format!("k{number}"), "/v1/transfers", body).await.is(201);
    }
    let path = format!("/v1/accounts/{account}/statement");
    let whole = alice.get(&format!("{path}?format=csv")).await;
    assert_eq!((whole.status.as_u16(), whole.header("vary")), (200, "Accept"));
    assert_eq!(whole.header("content-type"), "text/csv; charset=utf-8; header=present");
    let name = format!("attachment; filename=\"statement-{account}.csv\"");
    assert_eq!(whole.header("content-disposition"), name);
    let lines: Vec<&str> = whole.text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 1 + 1 + 231 + 1);
    assert!(lines[0].starts_with("version,created_at,kind,amount,balance_after,"), "{}", lines[0]);
    assert_eq!(lines[1], ",,opening_balance,,0.00,EUR,,,,");
    assert_eq!(lines[233], ",,closing_balance,,97.70,EUR,,,,");
    assert!(lines[3].contains(",-0.01,99.99,EUR,"), "{}", lines[3]);
    assert!(lines[3].ends_with(",\"'=HYPERLINK(\"\"http://x\"\",0)\","), "{}", lines[3]);
    assert!(!whole.text.contains(",=") && !whole.text.contains(",\"="));

    // The same in pages, each of which tells the next.
    let (mut pages, mut next) = (String::new(), format!("{path}?format=csv&limit=100"));
    let mut count = 0;
    loop {
        let page = alice.get(&next).await;
        assert_eq!(page.status, 200, "{page:?}");
        pages += &page.text;
        count += 1;
        let Some(link) = page.header("link").strip_prefix('<') else { break };
        next = link.strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
    assert_eq!((count, pages), (3, whole.text.clone()));

    let answer = get_as(&alice, &path, "text/csv").await;
    assert_eq!(answer.text, whole.text);
    assert_eq!(get_as(&alice, &path, "application/json").await.is(200)["opening_balance"], "0.00");
    let named = get_as(&alice, &format!("{path}?format=json"), "text/csv").await;
    assert_eq!((named.is(200)["currency"].as_str(), named.header("vary")), (Some("EUR"), "Accept"));
    // A refusal is a problem document in either form.
    let refused = get_as(&alice, &format!("{path}?to=2020-01-01"), "text/csv").await;
    refused.is_problem(422, "invalid_input", &["to"]);
    world.state().await;
}

#[tokio::test]
async fn a_statement_that_cannot_be_read_to_its_end_is_no_whole_answer() {
    let world = World::new().await;
    let (alice, account) = with_deposits(&world, "100", 0).await;
    // A history so long that the server can't have sent it all before anybody reads.
    let owner = world.database.owner().await;
    let sql = format!(
        "with moved as (
             insert into simplebank.transfers
                 (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at, from_version, to_version)
             select gen_random_uuid(), kind, from_account_id, to_account_id, 1, currency, created_by, created_at, v, v
             from simplebank.transfers, generate_series(2, 150000) v
             returning *
         )
         insert into simplebank.entries (account_id, version, transfer_id, amount, balance_after, created_at)
         select to_account_id, to_version, id, amount, 9999 + to_version, created_at from moved;
         update simplebank.accounts set version = 150000, balance = 159999 where id = '{account}'"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&owner).await.unwrap();
    let path = format!("/v1/accounts/{account}/statement?format=csv");
    let mut response = alice.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let first = response.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"version,"));
    world.bank.db().close().await;
    let broken = loop {
        match response.chunk().await {
            Ok(Some(part)) => assert!(!String::from_utf8_lossy(&part).contains("closing_balance")),
            Ok(None) => panic!("the answer ended as if it were whole"),
            Err(error) => break error,
        }
    };
    assert!(broken.is_body() || broken.is_decode(), "{broken:?}");
}

#[tokio::test]
async fn bad_questions_name_their_field() {
    let world = World::new().await;
    let (alice, account) = with_deposits(&world, "100", 0).await;
    let before = world.state().await;
    let path = format!("/v1/accounts/{account}");
    for (query, field) in [
        ("statement?from=x", "from"),
        ("statement?from=", "from"),
        ("statement?to=2026-02-30", "to"),
        // A plus sign in a query is a space.
        ("statement?to=2026-01-01T00:00:00+01:00", "to"),
        ("statement?from=2026-01-01T00:00:00", "from"),
        ("statement?from=2026-01-01&from=2026-01-01", "from"),
        ("statement?format=xml", "format"),
        ("statement?format=", "format"),
        ("statement?limit=0", "limit"),
        ("statement?limit=101&format=csv", "limit"),
        ("statement?until=2026-01-01", "query"),
        ("statement?at=2026-01-01", "query"),
        ("balance", "at"),
        ("balance?at=", "at"),
        ("balance?at=yesterday", "at"),
        ("balance?at=99999-01-01", "at"),
        ("balance?at=2026-01-01T00:00:00Z%00", "at"),
        ("balance?at=2026-01-01&at=2026-01-02", "at"),
        ("balance?from=2026-01-01", "query"),
    ] {
        alice.get(&format!("{path}/{query}")).await.is_problem(400, "malformed_request", &[field]);
    }
    for query in [
        "from=2026-01-02&to=2026-01-01",
        "from=2026-01-02&to=2026-01-02",
        "from=2026-01-02T00:00:00.0000001Z&to=2026-01-02T00:00:00.0000009Z",
        "from=9999-12-31&to=0001-01-01",
        "to=2026-01-01T12:00:00Z",
        "to=0001-01-01",
    ] {
        for form in ["", "&format=csv", "&format=csv&limit=5"] {
            let answer = alice.get(&format!("{path}/statement?{query}{form}")).await;
            answer.is_problem(422, "invalid_input", &["to"]);
        }
    }
    let none = nobodys_account();
    for query in
        ["statement", "statement?format=csv", "balance?at=2026-01-02", "balance?at=2000-01-01"]
    {
        let answer = alice.get(&format!("/v1/accounts/{none}/{query}")).await;
        answer.is_problem(404, "account_not_found", &[]);
        let bob = world.log_in("alice", String::new()).await;
        assert_eq!(bob.get(&format!("/v1/accounts/x/{query}")).await.status, 400);
        world.anyone().get(&format!("{path}/{query}")).await.is_problem(
            401,
            "unauthenticated",
            &[],
        );
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn others_are_told_nothing_of_an_account() {
    let world = World::new().await;
    let (_alice, account) = with_deposits(&world, "100", 0).await;
    let bob = world.user("bob").await;
    let banker = world.log_in("banker", String::new()).await;
    for query in
        ["statement", "statement?format=csv", "balance?at=2026-01-02", "balance?at=2000-01-01"]
    {
        let answer = bob.get(&format!("/v1/accounts/{account}/{query}")).await;
        let hers = answer.is_problem(404, "account_not_found", &[]);
        let none = nobodys_account();
        let nobodys = bob.get(&format!("/v1/accounts/{none}/{query}")).await;
        assert_eq!(hers["title"], nobodys.is_problem(404, "account_not_found", &[])["title"]);
    }
    assert_eq!(banker.get(&format!("/v1/accounts/{account}/statement")).await.status, 200);
}

#[tokio::test]
async fn transfers_are_found_by_their_reference() {
    let world = World::new().await;
    let (alice, account) = with_deposits(&world, "100", 0).await;
    let bob = world.user("bob").await;
    let his = bob.account("EUR").await;
    for (number, reference) in ["INV-1", "INV-2", "INV-1", "INV-1"].into_iter().enumerate() {
        let mut body = transfer_body(&account, &his, &format!("{}", number + 1));
        body["reference"] = json!(reference);
        alice.pay(&format!("k{number}"), "/v1/transfers", body).await.is(201);
    }
    let list = |account: &str, reference: &str| {
        format!("/v1/transfers?account_id={account}&reference={reference}")
    };
    for (user, account) in [(&alice, &account), (&bob, &his)] {
        let page = user.get(&format!("{}&limit=2", list(account, "INV-1"))).await.is(200);
        let cursor = page["next_cursor"].as_str().unwrap();
        let rest =
            user.get(&format!("{}&limit=2&cursor={cursor}", list(account, "INV-1"))).await.is(200);
        assert_eq!(rest["next_cursor"], Value::Null);
        let items = [&page, &rest].map(|page| page["items"].as_array().unwrap().clone()).concat();
        let amounts: Vec<_> = items.iter().map(|item| item["amount"].as_str().unwrap()).collect();
        assert_eq!(amounts, ["4.00", "3.00", "1.00"]);
        assert!(items.iter().all(|item| item["reference"] == "INV-1"));
        for other in [list(account, "INV-2"), format!("/v1/transfers?account_id={account}")] {
            let answer = user.get(&format!("{other}&cursor={cursor}")).await;
            answer.is_problem(400, "invalid_cursor", &["cursor"]);
        }
        assert_eq!(user.get(&list(account, "inv-1")).await.is(200)["items"], json!([]));
    }
    for bad in ["", "a%20b", "%00", &"x".repeat(65), "%C3%A9"] {
        let answer = alice.get(&list(&account, bad)).await;
        answer.is_problem(400, "malformed_request", &["reference"]);
    }
    alice.get(&list(&his, "INV-1")).await.is_problem(404, "account_not_found", &[]);
}
