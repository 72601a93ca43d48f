//! `simplebank deposit`, `withdraw` and `transfer`.

use crate::{Bank, assert_has, fields};

#[tokio::test]
async fn money_comes_in_moves_and_goes_out() {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    let deposit = bank.run(&["deposit", &alice, "100", "EUR"]).ok();
    assert_has(&deposit.stdout, &["deposit", "100.00 EUR", &alice, "idempotency key"]);
    let transfer = bank.run(&["transfer", "--from", &alice, "--to", &bob, "12.5", "EUR"]).ok();
    assert_has(&transfer.stdout, &["transfer", "12.50 EUR", "87.50 EUR", &alice, &bob]);
    let withdrawal = bank.run(&["withdraw", &bob, "2.50", "EUR"]).ok();
    assert_has(&withdrawal.stdout, &["withdrawal", "2.50 EUR", "10.00 EUR", &bob]);
    assert_eq!([bank.balance(&alice), bank.balance(&bob)], ["87.50", "10.00"]);
}

#[tokio::test]
async fn a_receipt_for_programs_has_the_transfer_the_account_the_entry_and_the_key() {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    bank.json(&["deposit", &alice, "10", "EUR"]);
    let receipt =
        bank.json(&["transfer", "--from", &alice, "--to", &bob, "3", "EUR", "--key", "k"]);
    assert_eq!(fields(&receipt), ["account", "entry", "idempotency_key", "transfer"]);
    assert_eq!(receipt["idempotency_key"], "k");
    let transfer = &receipt["transfer"];
    assert_eq!(
        fields(transfer),
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
    assert_eq!([&transfer["kind"], &transfer["amount"]], ["transfer", "3.00"]);
    assert_eq!([&transfer["from_account_id"], &transfer["to_account_id"]], [&alice, &bob]);
    let entry = &receipt["entry"];
    assert_eq!(
        fields(entry),
        ["account_id", "amount", "balance_after", "created_at", "transfer_id", "version"]
    );
    assert_eq!([&entry["amount"], &entry["balance_after"]], ["-3.00", "7.00"]);
    assert_eq!(entry["version"], 2);
    assert_eq!(entry["transfer_id"], transfer["id"]);
    assert_eq!([&receipt["account"]["id"], &receipt["account"]["balance"]], [&alice, "7.00"]);
}

#[tokio::test]
async fn the_same_key_twice_gives_the_same_answer_and_moves_money_once() {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    for command in [
        vec!["deposit", &alice, "10", "EUR", "--key", "in"],
        vec!["transfer", "--from", &alice, "--to", &bob, "4", "EUR", "--key", "move"],
        vec!["withdraw", &alice, "1", "EUR", "--key", "out"],
    ] {
        for form in [[].as_slice(), &["--json"]] {
            let command = [command.as_slice(), form].concat();
            let first = bank.run(&command).ok();
            let before = bank.everything().await;
            let second = bank.run(&command).ok();
            assert_eq!(first.stdout, second.stdout, "byte for byte");
            assert_eq!(second.stderr, "", "a given key is not told again");
            assert_eq!(bank.everything().await, before);
        }
    }
    assert_eq!([bank.balance(&alice), bank.balance(&bob)], ["5.00", "4.00"]);
}

#[tokio::test]
async fn a_refusal_stays_under_its_key() {
    let (bank, alice, _) = Bank::with_two_accounts().await;
    let withdraw = ["withdraw", &alice, "1", "EUR", "--key", "out", "--json"];
    let first = bank.run(&withdraw);
    assert_eq!((first.code, first.stdout.as_str()), (1, ""));
    assert_eq!(first.error()["code"], "insufficient_funds");
    assert_eq!(first.error()["idempotency_key"], "out");
    bank.json(&["deposit", &alice, "10", "EUR"]);
    let second = bank.run(&withdraw);
    assert_eq!((second.code, second.stderr), (1, first.stderr));
    assert_eq!(bank.balance(&alice), "10.00");
}

#[tokio::test]
async fn a_key_that_named_something_else_is_refused() {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    bank.json(&["deposit", &alice, "10", "EUR", "--key", "k"]);
    let before = bank.everything().await;
    for other in [
        vec!["deposit", &alice, "11", "EUR", "--key", "k"],
        vec!["deposit", &bob, "10", "EUR", "--key", "k"],
        vec!["withdraw", &alice, "10", "EUR", "--key", "k"],
        vec!["transfer", "--from", &alice, "--to", &bob, "10", "EUR", "--key", "k"],
    ] {
        let refused = bank.run(&other);
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{refused:?}");
        assert_has(&refused.stderr, &["key was used for another request", "hint: "]);
        let refused = bank.run(&[other.as_slice(), &["--json"]].concat());
        assert_eq!(refused.error()["code"], "idempotency_key_reused");
    }
    assert_eq!(bank.everything().await, before);
}

#[tokio::test]
async fn without_a_key_each_command_makes_a_fresh_one_tells_it_and_it_can_be_sent_again() {
    let (bank, alice, _) = Bank::with_two_accounts().await;
    let first = bank.run(&["deposit", &alice, "1", "EUR"]).ok();
    let key = first.stderr.strip_prefix("idempotency key: ").unwrap().trim_end();
    assert_has(&first.stdout, &[key]);
    let second = bank.run(&["deposit", &alice, "1", "EUR", "--json"]).ok();
    let told: serde_json::Value = serde_json::from_str(&second.stderr).unwrap();
    assert_eq!(told["idempotency_key"], second.json()["idempotency_key"]);
    assert_ne!(told["idempotency_key"], key);
    assert_eq!(bank.balance(&alice), "2.00", "two keys, two deposits");

    let again = bank.run(&["deposit", &alice, "1", "EUR", "--key", key]).ok();
    assert_eq!(again.stdout, first.stdout);
    assert_eq!(bank.balance(&alice), "2.00");
}

#[tokio::test]
async fn what_the_bank_refuses_moves_nothing() {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    let yen = bank.account("alice", "JPY");
    let cash = bank.json(&["deposit", &alice, "5", "EUR"])["transfer"]["from_account_id"].clone();
    let cash = cash.as_str().unwrap();
    let nobodys = "01890a5d-ac96-774b-bcce-b302099a8057";
    let largest = "92233720368547758.07";
    for (command, code) in [
        (vec!["withdraw", &alice, "5.01", "EUR"], "insufficient_funds"),
        (vec!["deposit", &alice, largest, "EUR"], "balance_out_of_range"),
        (vec!["deposit", &alice, "1", "USD"], "currency_mismatch"),
        (vec!["deposit", nobodys, "1", "EUR"], "account_not_found"),
        (vec!["transfer", "--from", &alice, "--to", &alice, "1", "EUR"], "same_account"),
        (vec!["transfer", "--from", &alice, "--to", &yen, "1", "EUR"], "currency_mismatch"),
        (vec!["transfer", "--from", &alice, "--to", nobodys, "1", "EUR"], "account_not_found"),
        (vec!["transfer", "--from", cash, "--to", &bob, "1", "EUR"], "account_not_found"),
    ] {
        let refused = bank.run(&[command.as_slice(), &["--json"]].concat());
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{command:?}: {refused:?}");
        assert_eq!(refused.error()["code"], code, "{command:?}");
    }
    assert_eq!([bank.balance(&alice), bank.balance(&bob)], ["5.00", "0.00"]);
    assert_eq!(bank.json(&["entries", &alice])["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_account_that_stays_locked_exits_with_3_and_the_key_that_can_be_sent_again() {
    let (bank, alice, _) = Bank::with_two_accounts().await;
    let owner = bank.owner().await;
    let mut holder = owner.acquire().await.unwrap();
    sqlx::raw_sql("begin; select from simplebank.accounts for update")
        .execute(&mut *holder)
        .await
        .unwrap();
    let busy = bank.run(&["deposit", &alice, "1", "EUR", "--json"]);
    assert_eq!((busy.code, busy.stdout.as_str()), (3, ""), "{busy:?}");
    let error = busy.error();
    assert_eq!(error["code"], "overloaded");
    let key = error["idempotency_key"].as_str().unwrap();
    assert_has(error["hint"].as_str().unwrap(), &["repeat the command with --key", key]);

    sqlx::raw_sql("rollback").execute(&mut *holder).await.unwrap();
    bank.json(&["deposit", &alice, "1", "EUR", "--key", key]);
    bank.json(&["deposit", &alice, "1", "EUR", "--key", key]);
    assert_eq!(bank.balance(&alice), "1.00");
}
