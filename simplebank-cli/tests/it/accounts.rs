//! `simplebank account`.

use crate::{Bank, assert_has, fields};

#[tokio::test]
async fn an_account_is_opened_shown_and_listed() {
    let bank = Bank::new().await;
    bank.user("alice");
    bank.user("bob");
    let opened = bank.json(&["account", "open", "--owner", "alice", "--currency", "KWD"]);
    assert_eq!(
        fields(&opened),
        [
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
            "transfer_limit"
        ]
    );
    assert_eq!(opened["owner"], "alice");
    assert_eq!(opened["balance"], "0.000", "a dinar has three places");
    assert_eq!(opened["status"], "open");
    let id = opened["id"].as_str().unwrap();
    bank.account("bob", "JPY");

    assert_eq!(bank.json(&["account", "show", id]), opened);
    let all = bank.json(&["account", "list"]);
    assert_eq!(all["items"].as_array().unwrap().len(), 2, "without the bank's cash");
    let alices = bank.json(&["account", "list", "--owner", "alice"]);
    assert_eq!(alices["items"].as_array().unwrap(), std::slice::from_ref(&opened));

    let table = bank.run(&["account", "list"]).ok().stdout;
    assert_has(&table, &["owner", "balance", id, "alice", "0.000", "bob", "JPY"]);
    let ends: Vec<_> = ["balance", " 0.000", "     0 "]
        .map(|cell| {
            let line = table.lines().find(|line| line.contains(cell)).unwrap();
            line.find(cell).unwrap() + cell.trim_end().len()
        })
        .into();
    assert_eq!([ends[0], ends[0]], [ends[1], ends[2]], "money is right-aligned:\n{table}");
}

#[tokio::test]
async fn the_cash_account_can_be_shown_though_nobody_owns_it() {
    let (bank, alice, _) = Bank::with_two_accounts().await;
    let deposit = bank.json(&["deposit", &alice, "5", "EUR"]);
    let cash = deposit["transfer"]["from_account_id"].as_str().unwrap();
    let shown = bank.json(&["account", "show", cash]);
    assert_eq!(shown["owner"], serde_json::Value::Null);
    assert_eq!(shown["balance"], "-5.00");
    assert_has(&bank.run(&["account", "show", cash]).ok().stdout, &["(cash)", "-5.00"]);
}

#[tokio::test]
async fn a_frozen_account_neither_pays_nor_receives_until_it_is_unfrozen() {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    bank.json(&["deposit", &alice, "5", "EUR"]);
    assert_eq!(bank.json(&["account", "freeze", &alice])["status"], "frozen");
    assert_has(&bank.run(&["account", "freeze", &alice]).ok().stdout, &["frozen"]);

    for refused in [
        bank.run(&["deposit", &alice, "1", "EUR"]),
        bank.run(&["withdraw", &alice, "1", "EUR"]),
        bank.run(&["transfer", "--from", &alice, "--to", &bob, "1", "EUR"]),
        bank.run(&["transfer", "--from", &bob, "--to", &alice, "1", "EUR"]),
    ] {
        assert_eq!(refused.code, 1, "{refused:?}");
        assert_has(&refused.stderr, &[&alice, "is frozen", "hint: `simplebank account unfreeze"]);
    }
    assert_eq!(bank.balance(&alice), "5.00");

    assert_eq!(bank.json(&["account", "unfreeze", &alice])["status"], "open");
    assert_has(&bank.run(&["account", "unfreeze", &alice]).ok().stdout, &["open"]);
    bank.json(&["withdraw", &alice, "5", "EUR"]);
    assert_eq!(bank.balance(&alice), "0.00");
}

#[tokio::test]
async fn limits_are_set_left_and_removed_and_hold() {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    bank.json(&["deposit", &alice, "100", "EUR"]);
    let set = ["account", "limits", &alice, "--overdraft-limit", "20", "--daily-limit", "50.5"];
    let account = bank.json(&set);
    assert_eq!(bank.json(&["account", "show", &alice]), account);
    let limits = |account: &serde_json::Value| {
        ["overdraft_limit", "transfer_limit", "daily_limit", "available"]
            .map(|name| account[name].as_str().unwrap_or("none").to_owned())
    };
    assert_eq!(limits(&account), ["20.00", "none", "50.50", "120.00"]);
    bank.json(&["transfer", "--from", &alice, "--to", &bob, "50", "EUR"]);
    let refused = bank.run(&["transfer", "--from", &alice, "--to", &bob, "1", "EUR"]);
    assert_eq!(refused.code, 1);
    assert_has(&refused.stderr, &[&alice, "hint: ", "today", "account limits", "--daily-limit"]);
    let shown = bank.run(&["account", "show", &alice]).ok().stdout;
    assert_has(
        &shown,
        &["alice", "70.00 EUR", "overdraft limit", "50.50 EUR", "50.00 EUR", "none"],
    );

    let set = ["account", "limits", &alice, "--transfer-limit", "3", "--daily-limit", "none"];
    assert_eq!(limits(&bank.json(&set)), ["20.00", "3.00", "none", "70.00"]);
    let refused = bank.run(&["transfer", "--from", &alice, "--to", &bob, "3.01", "EUR"]);
    assert_has(&refused.stderr, &["at a time", "--transfer-limit"]);
    let set =
        ["account", "limits", &alice, "--transfer-limit", "none", "--overdraft-limit", "none"];
    assert_eq!(limits(&bank.json(&set)), ["0.00", "none", "none", "50.00"]);
    bank.json(&["transfer", "--from", &alice, "--to", &bob, "50", "EUR"]);

    bank.json(&["account", "limits", &alice, "--overdraft-limit", "5"]);
    bank.json(&["transfer", "--from", &alice, "--to", &bob, "5", "EUR"]);
    let refused = bank.run(&["account", "limits", &alice, "--overdraft-limit", "4.99"]);
    assert_eq!(refused.code, 1);
    assert_has(&refused.stderr, &["owes or holds more", "hint: `simplebank account show"]);
}

#[tokio::test]
async fn limits_that_are_none_are_wrong_usage() {
    let (bank, alice, _) = Bank::with_two_accounts().await;
    let before = bank.everything().await;
    for (arguments, parts) in [
        (vec!["--overdraft-limit", "-1"], "--overdraft-limit"),
        (vec!["--overdraft-limit", "1.234"], "--overdraft-limit"),
        (vec!["--daily-limit", "0"], "--daily-limit"),
        (vec!["--daily-limit", "None"], "none"),
        (vec!["--daily-limit", "5", "--transfer-limit", ""], "--transfer-limit"),
        (vec![], "--overdraft-limit"),
    ] {
        let refused = bank.run(&[&["account", "limits", &alice], arguments.as_slice()].concat());
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
        assert_has(&refused.stderr, &[parts]);
    }
    assert_eq!(bank.everything().await, before);
}

#[tokio::test]
async fn an_account_is_closed_when_it_is_empty_and_makes_room_for_another() {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    bank.json(&["deposit", &alice, "5", "EUR"]);
    let refused = bank.run(&["account", "close", &alice]);
    assert_eq!(refused.code, 1);
    assert_has(&refused.stderr, &[&alice, "still has a balance", "hint: `simplebank account show"]);
    bank.json(&["hold", "place", "--from", &alice, "--to", &bob, "5", "EUR"]);
    let refused = bank.run(&["account", "close", &bob]);
    assert_has(&refused.stderr, &[&bob, "open holds", "hint: `simplebank hold list"]);
    let hold = bank.json(&["hold", "list", &bob])["items"][0]["id"].as_str().unwrap().to_owned();
    bank.json(&["hold", "void", &hold]);
    bank.json(&["withdraw", &alice, "5", "EUR"]);
    for account in [&alice, &bob, &alice] {
        assert_eq!(bank.json(&["account", "close", account])["status"], "closed");
    }
    let refused = bank.run(&["deposit", &alice, "5", "EUR"]);
    assert_has(&refused.stderr, &[&alice, "is closed", "hint: `simplebank account list"]);
    assert_ne!(bank.account("alice", "EUR"), alice);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_an_internal_error() {
    let (bank, alice, _) = Bank::with_two_accounts().await;
    bank.tamper(&format!(
        "alter domain simplebank.account_currency drop constraint accounts_currency_check;
         update simplebank.accounts set currency = 'shells' where id = '{alice}'"
    ))
    .await;
    let failed = bank.run(&["account", "show", &alice]);
    assert_eq!((failed.code, failed.stdout.as_str()), (70, ""), "{failed:?}");
    assert_has(&failed.stderr, &["error: ", "accounts.currency", &alice]);
    let failed = bank.run(&["account", "show", &alice, "--json"]);
    assert_eq!((failed.code, &failed.error()["code"]), (70, &"internal".into()));
}

#[tokio::test]
async fn what_the_bank_refuses_exits_with_1_and_changes_nothing() {
    let (bank, alice, _) = Bank::with_two_accounts().await;
    let nobodys = "01890a5d-ac96-774b-bcce-b302099a8057";
    let before = bank.everything().await;
    for (arguments, code, parts) in [
        (
            vec!["account", "open", "--owner", "alice", "--currency", "EUR"],
            "account_exists",
            ["EUR"],
        ),
        (
            vec!["account", "open", "--owner", "nobody", "--currency", "EUR"],
            "not_found",
            ["--owner"],
        ),
        (
            vec!["account", "open", "--owner", "operator", "--currency", "EUR"],
            "not_found",
            ["user"],
        ),
        (vec!["account", "list", "--owner", "nobody"], "not_found", ["--owner"]),
        (vec!["account", "show", nobodys], "account_not_found", [nobodys]),
        (vec!["account", "freeze", nobodys], "account_not_found", [nobodys]),
        (vec!["account", "unfreeze", nobodys], "account_not_found", [nobodys]),
        (vec!["account", "close", nobodys], "account_not_found", [nobodys]),
        (vec!["account", "limits", nobodys, "--daily-limit", "5"], "account_not_found", [nobodys]),
        (vec!["entries", nobodys], "account_not_found", [nobodys]),
        (vec!["transfers", nobodys, "--all"], "account_not_found", [nobodys]),
    ] {
        let refused = bank.run(&[arguments.as_slice(), &["--json"]].concat());
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{arguments:?}: {refused:?}");
        assert_eq!(refused.error()["code"], code, "{arguments:?}");
        assert_has(refused.error()["message"].as_str().unwrap(), &parts);
        let said = bank.run(&arguments);
        assert_eq!(said.code, 1);
        assert!(said.stderr.starts_with("error: "), "{said:?}");
    }
    assert_eq!(bank.everything().await, before);
    assert_eq!(bank.balance(&alice), "0.00");
}
