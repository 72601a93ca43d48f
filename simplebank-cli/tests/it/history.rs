//! `simplebank entries` and `simplebank transfers`.

use simplebank::{
    Deposit,
    core::{Amount, Memo, Principal},
};

use crate::{Bank, assert_has, fields};

#[tokio::test]
async fn entries_are_listed_newest_first_in_both_forms() {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    bank.json(&["deposit", &alice, "10", "EUR"]);
    bank.json(&["transfer", "--from", &alice, "--to", &bob, "4", "EUR"]);
    let entries = bank.json(&["entries", &alice]);
    let items = entries["items"].as_array().unwrap();
    assert_eq!(
        fields(&items[0]),
        ["account_id", "amount", "balance_after", "created_at", "transfer_id", "version"]
    );
    let seen: Vec<_> =
        items.iter().map(|entry| [&entry["amount"], &entry["balance_after"]]).collect();
    assert_eq!(seen, [["-4.00", "6.00"], ["10.00", "10.00"]]);
    let table = bank.run(&["entries", &alice]).ok();
    assert_has(&table.stdout, &["version", "balance_after", "-4.00", "6.00", "EUR"]);
    assert_eq!((table.stdout.lines().count(), table.stderr.as_str()), (3, ""));

    let transfers = bank.json(&["transfers", &bob]);
    let items = transfers["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "without what didn't touch the account");
    assert_eq!(
        fields(&items[0]),
        [
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
            "to_account_id"
        ]
    );
    assert_has(&bank.run(&["transfers", &bob]).ok().stdout, &["kind", "transfer", "4.00", &alice]);
}

#[tokio::test]
async fn an_empty_history_is_an_empty_list() {
    let (bank, alice, _) = Bank::with_two_accounts().await;
    for list in ["entries", "transfers"] {
        for form in [[].as_slice(), &["--all"]] {
            let answer = bank.run(&[[list, &alice, "--json"].as_slice(), form].concat()).ok();
            assert_eq!(answer.stdout, "{\"items\":[],\"next_cursor\":null}\n");
        }
        assert_eq!(bank.run(&[list, &alice]).ok().stdout.lines().count(), 1, "the header");
    }
}

#[tokio::test]
async fn a_page_tells_where_the_next_begins_and_all_needs_no_pages() {
    let (bank, alice, _) = Bank::with_two_accounts().await;
    let real = simplebank::Bank::new(bank.database.db().clone()).unwrap();
    let euro = "EUR".parse().unwrap();
    for number in 1..=205 {
        let amount = Amount::from_minor(number).unwrap();
        let deposit = Deposit {
            account_id: alice.parse().unwrap(),
            amount,
            currency: euro,
            memo: Memo::NONE,
        };
        let key = number.to_string().parse().unwrap();
        real.deposit(&Principal::Operator, key, deposit).await.unwrap();
    }
    for list in ["entries", "transfers"] {
        let all = bank.json(&[list, &alice, "--all"]);
        let all = all["items"].as_array().unwrap();
        assert_eq!(all.len(), 205);
        assert_eq!([&all[0]["amount"], &all[204]["amount"]], ["2.05", "0.01"]);

        let (mut walked, mut before) = (Vec::new(), None::<String>);
        loop {
            let mut page = vec![list, &alice, "--limit", "100"];
            if let Some(version) = &before {
                page.extend(["--before", version]);
            }
            let page = bank.json(&page);
            walked.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["next_cursor"].as_str() else { break };
            before = Some(next.to_owned());
        }
        assert_eq!(&walked, all, "pages leave nothing out and repeat nothing");

        let first = bank.run(&[list, &alice]).ok();
        assert_eq!(first.stdout.lines().count(), 21, "a header and 20 rows by default");
        assert_has(&first.stderr, &["hint: ", "--before 186", "--all"]);
        assert_eq!(bank.run(&[list, &alice, "--all"]).ok().stdout.lines().count(), 206);
        let tail = bank.json(&[list, &alice, "--all", "--before", "3"]);
        assert_eq!(tail["items"].as_array().unwrap().len(), 2);
    }
}
