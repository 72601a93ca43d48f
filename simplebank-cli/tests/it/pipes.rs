//! Outputs that are closed or full.

use std::{
    fs::OpenOptions,
    process::{Command, Stdio},
};

use crate::{Bank, answer, assert_has};

/// Runs a command whose reader leaves before it has read anything; returns its exit code.
fn code_without_reader(command: &mut Command) -> (i32, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn a_reader_that_leaves_is_no_failure() {
    let (bank, alice, _) = Bank::with_two_accounts().await;
    for command in [
        vec!["--help"],
        vec!["completions", "bash"],
        vec!["user", "list"],
        vec!["account", "list", "--json"],
        vec!["account", "show", &alice],
        vec!["entries", &alice, "--all", "--json"],
        vec!["statement", &alice, "--format", "csv"],
        vec!["verify"],
        vec!["migrate", "status"],
        vec!["deposit", &alice, "1", "EUR", "--key", "k"],
    ] {
        let ended = code_without_reader(&mut bank.command(&command));
        assert_eq!(ended, (0, String::new()), "{command:?}");
    }
    assert_eq!(bank.balance(&alice), "1.00", "the money moved all the same");
}

#[tokio::test]
async fn what_was_found_is_told_by_the_exit_code_even_without_a_reader() {
    let (bank, alice, _) = Bank::with_two_accounts().await;
    bank.tamper(&format!("update simplebank.accounts set balance = 1 where id = '{alice}'")).await;
    assert_eq!(code_without_reader(&mut bank.command(&["verify"])), (1, String::new()));
}

#[tokio::test]
async fn an_answer_that_cannot_be_written_is_a_failure() {
    let (bank, alice, _) = Bank::with_two_accounts().await;
    for command in [
        vec!["user", "list"],
        vec!["deposit", &alice, "1", "EUR", "--key", "k"],
        vec!["completions", "zsh"],
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let child = bank.command(&command).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{command:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_has(&stderr, &["error: cannot write the answer", "hint: repeat the command"]);
    }
    // Repeated with its key, the deposit says what it said to nobody.
    bank.json(&["deposit", &alice, "1", "EUR", "--key", "k"]);
    assert_eq!(bank.balance(&alice), "1.00");
}

#[tokio::test]
async fn a_closed_standard_error_harms_nothing() {
    let (bank, alice, _) = Bank::with_two_accounts().await;
    let mut command = bank.command(&["deposit", &alice, "1", "EUR"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(bank.balance(&alice), "1.00");
    assert_eq!(answer(&mut bank.command(&["verify"])).code, 0);
}
