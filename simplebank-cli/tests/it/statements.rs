//! `simplebank statement`, `account balance --at` and `transfers --reference`.

use std::{io::Read as _, process::Stdio};

use serde_json::Value;

use crate::{Bank, assert_has, fields};

/// Moves a deposit's and everything else's time; the command line has no clock of its own to set.
async fn set_times(bank: &Bank) {
    bank.tamper(
        "update simplebank.accounts set created_at = '2026-01-01';
         update simplebank.entries set created_at = '2026-01-01Z'::timestamptz + version * interval '1 day';
         update simplebank.transfers t set created_at = e.created_at from simplebank.entries e where e.transfer_id = t.id",
    )
    .await;
}

/// Alice has got 10 and 20, and paid 4 to bob with a description that a spreadsheet would calculate.
async fn with_history() -> (Bank, String, String) {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    bank.json(&["deposit", &alice, "10", "EUR"]);
    bank.json(&["deposit", &alice, "20", "EUR"]);
    let memo = ["--description", "=1+1", "--reference", "R-1"];
    let transfer = ["transfer", "--from", &alice, "--to", &bob, "4", "EUR"];
    bank.json(&[transfer.as_slice(), &memo].concat());
    set_times(&bank).await;
    (bank, alice, bob)
}

#[tokio::test]
async fn a_statement_is_written_in_three_forms() {
    let (bank, alice, bob) = with_history().await;
    let period = ["statement", &alice, "--from", "2026-01-03", "--to", "2026-01-04T12:00:00Z"];
    let json = bank.json(&period);
    let names = [
        "account_id",
        "closing_balance",
        "currency",
        "from",
        "items",
        "next_cursor",
        "opening_balance",
        "to",
    ];
    assert_eq!(fields(&json), names);
    assert_eq!([&json["opening_balance"], &json["closing_balance"]], ["10.00", "26.00"]);
    assert_eq!([&json["from"], &json["to"]], ["2026-01-03T00:00:00Z", "2026-01-04T12:00:00Z"]);
    let [second, third] = json["items"].as_array().unwrap().as_slice() else { panic!("{json}") };
    assert_eq!([&second["kind"], &second["balance_after"]], ["deposit", "30.00"]);
    assert_eq!([&third["amount"], &third["counterparty_account_id"]], ["-4.00", bob.as_str()]);
    assert_eq!([&third["description"], &third["reference"]], ["=1+1", "R-1"]);
    let named = bank.run(&[period.as_slice(), &["--format", "json"]].concat()).ok();
    assert_eq!(named.json(), json);

    let table = bank.run(&period).ok();
    assert_eq!(table.stderr, "");
    let parts = [
        "opening balance",
        "10.00 EUR",
        "26.00 EUR",
        "balance_after",
        "deposit",
        "-4.00",
        "=1+1",
        "R-1",
        &bob,
    ];
    assert_has(&table.stdout, &parts);

    // The form that is named for the answer wins; --json is for errors too.
    for form in [["--format", "csv"].as_slice(), &["--format", "csv", "--json"]] {
        let csv = bank.run(&[period.as_slice(), form].concat()).ok().stdout;
        let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 5, "{csv}");
        assert_eq!(lines[1], ",2026-01-03T00:00:00Z,opening_balance,,10.00,EUR,,,,");
        assert!(lines[3].starts_with("3,2026-01-04T00:00:00Z,transfer,-4.00,26.00,EUR,"), "{csv}");
        assert!(lines[3].ends_with(",'=1+1,R-1"), "{csv}");
        assert_eq!(lines[4], ",2026-01-04T12:00:00Z,closing_balance,,26.00,EUR,,,,");
    }
}

#[tokio::test]
async fn a_statement_of_nothing_is_whole_too() {
    let (bank, _, bob) = Bank::with_two_accounts().await;
    let json = bank.json(&["statement", &bob]);
    assert_eq!((&json["items"], &json["from"]), (&Value::Array(Vec::new()), &Value::Null));
    assert_has(&bank.run(&["statement", &bob]).ok().stdout, &["0.00 EUR", "(the first entry)"]);
    let csv = bank.run(&["statement", &bob, "--format", "csv"]).ok().stdout;
    assert_eq!(csv.split_terminator("\r\n").count(), 3);
}

/// The most memory that a process has had, if it still runs.
fn peak_kb(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix(" kB")?.parse().ok()
}

#[tokio::test]
async fn a_long_statement_is_written_whole_in_little_memory() {
    let (bank, alice, _) = Bank::with_two_accounts().await;
    bank.json(&["deposit", &alice, "100", "EUR"]);
    let entries = 20_000;
    bank.tamper(&format!(
        "with moved as (
             insert into simplebank.transfers
                 (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at, from_version, to_version)
             select gen_random_uuid(), kind, from_account_id, to_account_id, 1, currency, created_by, created_at, v, v
             from simplebank.transfers, generate_series(2, {entries}) v
             returning *
         )
         insert into simplebank.entries (account_id, version, transfer_id, amount, balance_after, created_at)
         select to_account_id, to_version, id, amount, 9999 + to_version, created_at from moved;
         update simplebank.accounts set version = {entries}, balance = 9999 + {entries} where id = '{alice}'"
    ))
    .await;
    for format in ["csv", "json", "table"] {
        let mut command = bank.command(&["statement", &alice, "--format", format]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (mut output, mut text, mut peaks_kb) =
            (child.stdout.take().unwrap(), Vec::new(), Vec::new());
        let mut part = vec![0; 64 * 1024];
        loop {
            let length = output.read(&mut part).unwrap();
            if length == 0 {
                break;
            }
            text.extend(&part[..length]);
            // It waits for its reader, so it is no further than we are.
            peaks_kb.extend(peak_kb(child.id()));
        }
        assert!(child.wait().unwrap().success());
        let text = String::from_utf8(text).unwrap();
        let (first, last) = (peaks_kb[2], peaks_kb[peaks_kb.len() - 1]);
        eprintln!(
            "{format}: {} bytes, {first} kB of memory at first, {last} kB at last",
            text.len()
        );
        assert!(text.len() > 2_500_000 && last < first + 1_000, "{first} kB, {last} kB");
        match format {
            "csv" => {
                assert_eq!(text.split_terminator("\r\n").count(), entries + 3);
                assert!(text.ends_with(",closing_balance,,299.99,EUR,,,,\r\n"));
            }
            "json" => {
                let document: Value = serde_json::from_str(&text).unwrap();
                let items = document["items"].as_array().unwrap();
                let versions = items.iter().map(|item| item["version"].as_u64().unwrap());
                assert!(versions.eq(1..=u64::try_from(entries).unwrap()));
                assert_eq!(document["closing_balance"], "299.99");
            }
            _ => assert_eq!(text.lines().count(), 5 + 1 + 1 + entries),
        }
    }
}

#[tokio::test]
async fn a_balance_of_another_day_is_shown() {
    let (bank, alice, _) = with_history().await;
    for (at, balance, version) in [
        ("2026-01-01", "0.00", 0),
        ("2026-01-02", "10.00", 1),
        ("2026-01-03T23:59:59Z", "30.00", 2),
        ("2030-01-01", "26.00", 3),
    ] {
        let found = bank.json(&["account", "balance", &alice, "--at", at]);
        assert_eq!(fields(&found), ["account_id", "at", "balance", "currency", "version"]);
        assert_eq!(
            (found["balance"].as_str(), found["version"].as_i64()),
            (Some(balance), Some(version))
        );
    }
    let table = bank.run(&["account", "balance", &alice, "--at", "2026-01-02"]).ok().stdout;
    assert_has(&table, &["2026-01-02T00:00:00Z", "10.00", "EUR"]);
}

#[tokio::test]
async fn bad_questions_about_the_past_name_their_argument() {
    let (bank, alice, _) = with_history().await;
    for arguments in [
        vec!["statement", &alice, "--from", "yesterday"],
        vec!["statement", &alice, "--to", ""],
        vec!["statement", &alice, "--format", "xml"],
        vec!["statement", "x"],
        vec!["account", "balance", &alice],
        vec!["account", "balance", &alice, "--at", "2026-02-30"],
        vec!["transfers", &alice, "--reference", "a b"],
    ] {
        let answer = bank.run(&[arguments.as_slice(), &["--json"]].concat());
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{answer:?}");
        assert_eq!(answer.error()["code"], "invalid_input", "{answer:?}");
    }
    for (arguments, field) in [
        (vec!["statement", &alice, "--from", "2026-01-03", "--to", "2026-01-02"], "to "),
        (vec!["statement", &alice, "--to", "2025-01-02"], "to "),
        (vec!["account", "balance", &alice, "--at", "2025-12-31"], "at "),
    ] {
        let answer = bank.run(&[arguments.as_slice(), &["--json"]].concat());
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{answer:?}");
        let error = answer.error();
        assert_eq!(error["code"], "invalid_input");
        assert!(error["message"].as_str().unwrap().contains(field), "{error}");
    }
    let nobodys = "01890a5d-ac96-774b-bcce-b302099a8057";
    for arguments in
        [vec!["statement", nobodys], vec!["account", "balance", nobodys, "--at", "2026-01-01"]]
    {
        let answer = bank.run(&[arguments.as_slice(), &["--json"]].concat());
        assert_eq!((answer.code, answer.error()["code"].as_str()), (1, Some("account_not_found")));
    }
}

#[tokio::test]
async fn transfers_are_found_by_their_reference() {
    let (bank, alice, bob) = with_history().await;
    for account in [&alice, &bob] {
        let found = bank.json(&["transfers", account, "--reference", "R-1"]);
        let [transfer] = found["items"].as_array().unwrap().as_slice() else { panic!("{found}") };
        assert_eq!([&transfer["reference"], &transfer["description"]], ["R-1", "=1+1"]);
        let none = bank.json(&["transfers", account, "--reference", "R", "--all"]);
        assert_eq!(none["items"], Value::Array(Vec::new()));
    }
}
