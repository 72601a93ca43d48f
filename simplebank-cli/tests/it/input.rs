//! What is wrong with an argument is told by its name, before anything happens.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

use crate::{Bank, answer, assert_has};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn a_bad_amount_is_refused_by_its_name() {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    bank.json(&["deposit", &alice, "10", "EUR"]);
    let before = bank.everything().await;
    let endless = "9".repeat(400);
    for (amount, currency, reason) in [
        ("0", "EUR", "must be greater than zero"),
        ("0.00", "EUR", "must be greater than zero"),
        ("-5", "EUR", "must be greater than zero"),
        ("-0.01", "EUR", "must be greater than zero"),
        ("1.001", "EUR", "at most 2 decimal places in EUR"),
        ("1.5", "JPY", "at most 0 decimal places in JPY"),
        ("92233720368547758.08", "EUR", "at most 92233720368547758.07 in EUR"),
        (&endless, "EUR", "must be at most"),
        ("1e3", "EUR", "must be a decimal number"),
        ("1,50", "EUR", "must be a decimal number"),
        ("", "EUR", "must be a decimal number"),
        (" 1", "EUR", "must be a decimal number"),
        ("NaN", "EUR", "must be a decimal number"),
        ("\u{1b}[2J", "EUR", "must be a decimal number"),
    ] {
        for command in [
            vec!["deposit", &alice, amount, currency],
            vec!["withdraw", &alice, amount, currency],
            vec!["transfer", "--from", &alice, "--to", &bob, amount, currency],
        ] {
            let refused = bank.run(&command);
            assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{command:?} {refused:?}");
            assert_has(&refused.stderr, &["error: invalid value", "<AMOUNT>", reason]);
            assert!(!refused.stderr.contains('\u{1b}'), "control characters are not repeated");
            assert!(!refused.stderr.contains("idempotency key:"), "nothing was tried");
            let refused = bank.run(&[command.as_slice(), &["--json"]].concat());
            assert_eq!((refused.code, refused.stderr.lines().count()), (2, 1), "{refused:?}");
            assert_eq!(refused.error()["code"], "invalid_input");
            assert_has(refused.error()["message"].as_str().unwrap(), &["<AMOUNT>", reason]);
        }
    }
    assert_eq!(bank.everything().await, before);
}

#[tokio::test]
async fn every_other_bad_argument_is_refused_by_its_name() {
    let bank = Bank::new().await;
    bank.user("alice");
    let before = bank.everything().await;
    let long_key = "k".repeat(256);
    let long_name = "x".repeat(101);
    let user = |username, full_name, email| {
        let names = ["--username", username, "--full-name", full_name, "--email", email];
        [["user", "create", "--password-stdin"].as_slice(), &names].concat()
    };
    for (command, argument) in [
        (vec!["deposit", "xyz", "1", "EUR"], "<ACCOUNT>"),
        (vec!["deposit", "", "1", "EUR"], "<ACCOUNT>"),
        (vec!["withdraw", "01890a5dac96774bbcceb302099a8057", "1", "EUR"], "<ACCOUNT>"),
        (vec!["deposit", ID, "1", "eur"], "<CURRENCY>"),
        (vec!["deposit", ID, "1", "XAU"], "<CURRENCY>"),
        (vec!["withdraw", ID, "1", ""], "<CURRENCY>"),
        (vec!["deposit", ID, "1", "EUR", "--key", ""], "--key <KEY>"),
        (vec!["deposit", ID, "1", "EUR", "--key", "a b"], "--key <KEY>"),
        (vec!["deposit", ID, "1", "EUR", "--key", &long_key], "--key <KEY>"),
        (vec!["transfer", "--from", "x", "--to", ID, "1", "EUR"], "--from <ACCOUNT>"),
        (vec!["transfer", "--from", ID, "--to", "x", "1", "EUR"], "--to <ACCOUNT>"),
        (vec!["transfer", "--to", ID, "1", "EUR"], "--from <ACCOUNT>"),
        (vec!["deposit", ID, "1"], "<CURRENCY>"),
        (vec!["account", "open", "--owner", "Alice", "--currency", "EUR"], "--owner <USERNAME>"),
        (
            vec!["account", "open", "--owner", "alice", "--currency", "euro"],
            "--currency <CURRENCY>",
        ),
        (vec!["account", "list", "--owner", "a"], "--owner <USERNAME>"),
        (vec!["account", "show", "x"], "<ACCOUNT>"),
        (vec!["account", "freeze", "x"], "<ACCOUNT>"),
        (vec!["account", "unfreeze", "x"], "<ACCOUNT>"),
        (vec!["user", "set-role", "alice", "admin"], "<ROLE>"),
        (vec!["user", "set-role", "alice"], "<ROLE>"),
        (vec!["user", "set-role", "al ice", "banker"], "<USERNAME>"),
        (user("Bob", "Bob", "bob@example.org"), "--username <USERNAME>"),
        (user("bob", " Bob", "bob@example.org"), "--full-name <NAME>"),
        (user("bob", &long_name, "bob@example.org"), "--full-name <NAME>"),
        (user("bob", "Bob", "bob"), "--email <ADDRESS>"),
        (vec!["entries", "x"], "<ACCOUNT>"),
        (vec!["entries", ID, "--limit", "0"], "--limit <NUMBER>"),
        (vec!["entries", ID, "--limit", "101"], "--limit <NUMBER>"),
        (vec!["entries", ID, "--limit", "x"], "--limit <NUMBER>"),
        (vec!["entries", ID, "--before", "0"], "--before <VERSION>"),
        (vec!["transfers", ID, "--before", "-1"], "--before <VERSION>"),
        (vec!["transfers", ID, "--all", "--limit", "1"], "--limit <NUMBER>"),
        (vec!["migrate", "down"], "--to <VERSION>"),
        (vec!["migrate", "down", "--to", "-1", "--yes"], "--to <VERSION>"),
        (vec!["migrate", "down", "--to", "99", "--yes"], "--to <VERSION>"),
        (vec!["completions", "cobol"], "<SHELL>"),
        (vec!["nonsense"], "nonsense"),
        (vec!["user", "list", "--nonsense"], "--nonsense"),
    ] {
        let refused = bank.run(&command);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{command:?} {refused:?}");
        assert!(refused.stderr.starts_with("error: "), "{command:?} {refused:?}");
        assert_has(&refused.stderr, &[argument]);
        let refused = bank.run(&[["--json"].as_slice(), &command].concat());
        assert_eq!((refused.code, refused.stderr.lines().count()), (2, 1), "{refused:?}");
        assert_eq!(refused.error()["code"], "invalid_input", "{command:?}");
        assert_has(refused.error()["message"].as_str().unwrap(), &[argument]);
    }
    assert_eq!(bank.everything().await, before);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused() {
    let bank = Bank::new().await;
    let mut command = bank.command(&["deposit", ID]);
    let refused = answer(command.arg(OsStr::from_bytes(b"\xff")).arg("EUR"));
    assert_eq!(refused.code, 2, "{refused:?}");
    assert_has(&refused.stderr, &["error: ", "UTF-8"]);
}
