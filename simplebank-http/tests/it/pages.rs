//! Lists, page by page.

use serde_json::{Value, json};

use crate::support::{User, World};

/// Walks a list to its end; returns its items and the sizes of its pages.
async fn walk(user: &User<'_>, path: &str) -> (Vec<Value>, Vec<usize>) {
    let (mut items, mut sizes, mut next) = (Vec::new(), Vec::new(), path.to_owned());
    loop {
        let page = user.get(&next).await.is(200);
        let found = page["items"].as_array().unwrap();
        sizes.push(found.len());
        items.extend(found.iter().cloned());
        let Some(cursor) = page["next_cursor"].as_str() else { return (items, sizes) };
        next = format!("{path}{}cursor={cursor}", if path.contains('?') { '&' } else { '?' });
    }
}

#[tokio::test]
async fn forty_five_entries_make_three_pages_without_gap_or_repetition() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let banker = world.banker("banker").await;
    let account = alice.account("EUR").await;
    for number in 1..=45 {
        banker.deposit(&format!("d{number}"), &account, &format!("{number}")).await.is(201);
    }
    let (entries, sizes) = walk(&alice, &format!("/v1/accounts/{account}/entries?limit=20")).await;
    assert_eq!(sizes, [20, 20, 5]);
    let versions: Vec<_> = entries.iter().map(|entry| entry["version"].as_i64().unwrap()).collect();
    assert_eq!(versions, (1..=45).rev().collect::<Vec<_>>());

    let (transfers, sizes) = walk(&alice, &format!("/v1/transfers?account_id={account}")).await;
    assert_eq!(sizes, [20, 20, 5]);
    let of_entries: Vec<_> = entries.iter().map(|entry| entry["transfer_id"].clone()).collect();
    let ids: Vec<_> = transfers.iter().map(|transfer| transfer["id"].clone()).collect();
    assert_eq!(ids, of_entries);
    assert_eq!(transfers[0]["amount"], "45.00");

    let all = alice.get(&format!("/v1/accounts/{account}/entries?limit=45")).await.is(200);
    assert_eq!((&all["items"], &all["next_cursor"]), (&json!(entries), &Value::Null));
}

#[tokio::test]
async fn accounts_are_walked_in_the_order_in_which_they_were_opened() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let currencies = ["EUR", "USD", "JPY", "KWD", "CHF"];
    for currency in currencies {
        alice.account(currency).await;
        // The order within a millisecond is a matter of chance.
        world.clock.advance(time::Duration::milliseconds(1));
    }
    let (accounts, sizes) = walk(&alice, "/v1/accounts?limit=2").await;
    assert_eq!(sizes, [2, 2, 1]);
    let walked: Vec<_> = accounts.iter().map(|account| account["currency"].clone()).collect();
    assert_eq!(walked, currencies);
}

#[tokio::test]
async fn cursors_of_another_list_are_refused() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (hers, his) = (alice.account("EUR").await, bob.account("EUR").await);
    alice.account("USD").await;
    for number in 1..=2 {
        banker.deposit(&format!("a{number}"), &hers, "1").await.is(201);
        banker.deposit(&format!("b{number}"), &his, "1").await.is(201);
    }
    let cursor = async |path: &str| {
        let page = alice.get(path).await.is(200);
        page["next_cursor"].as_str().unwrap().to_owned()
    };
    let entries = format!("/v1/accounts/{hers}/entries?limit=1");
    let transfers = format!("/v1/transfers?account_id={hers}&limit=1");
    let accounts = "/v1/accounts?limit=1".to_owned();
    let lists = [entries, transfers, accounts];
    for (number, list) in lists.iter().enumerate() {
        for (other_number, other) in lists.iter().enumerate() {
            let answer = alice.get(&format!("{other}&cursor={}", cursor(list).await)).await;
            if number == other_number {
                answer.is(200);
            } else {
                answer.is_problem(400, "invalid_cursor", &["cursor"]);
            }
        }
        for bad in
            ["", "x", "AAAA", "%00", "e%27", &"A".repeat(5000), &format!("{}=", cursor(list).await)]
        {
            let answer = alice.get(&format!("{list}&cursor={bad}")).await;
            answer.is_problem(400, "invalid_cursor", &["cursor"]);
        }
    }
    // The same kind of list, but somebody else's: to its owner it is as foreign as to its thief.
    for path in [
        format!("/v1/accounts/{his}/entries?cursor={}", cursor(&lists[0]).await),
        format!("/v1/transfers?account_id={his}&cursor={}", cursor(&lists[1]).await),
        format!("/v1/accounts?cursor={}", cursor(&lists[2]).await),
    ] {
        bob.get(&path).await.is_problem(400, "invalid_cursor", &["cursor"]);
    }
}
