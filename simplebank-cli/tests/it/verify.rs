//! `simplebank verify`: a whole ledger passes, and whoever tampers with it is found out. Each case first runs on the ledger
//! as it is, so that what is found is what was tampered with.

use serde_json::Value;

use crate::{Bank, assert_has};

/// A ledger with a deposit ("in"), a transfer ("move") and a withdrawal ("out"), and a whole one as verified; also the
/// accounts of alice, who has 70.00 at version 2, and bob, who has 20.00 at version 2.
async fn whole_ledger() -> (Bank, String, String) {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    bank.json(&["deposit", &alice, "100", "EUR", "--key", "in"]);
    bank.json(&["transfer", "--from", &alice, "--to", &bob, "30", "EUR", "--key", "move"]);
    bank.json(&["withdraw", &bob, "10", "EUR", "--key", "out"]);
    let report = bank.json(&["verify"]);
    assert_eq!(report["ok"], true);
    (bank, alice, bob)
}

/// Tampers, and demands that `verify` names the invariant and the row in both forms.
#[track_caller]
fn assert_found(bank: &Bank, invariant: &str, row: &str) {
    let table = bank.run(&["verify"]);
    assert_eq!(table.code, 1, "{table:?}");
    assert_has(&table.stdout, &[&format!("the first bad row: {invariant}: {row}: ")]);
    assert!(
        table.stdout.lines().any(|line| line.starts_with(invariant) && line.contains("BROKEN")),
        "{table:?}"
    );
    assert_eq!((table.stdout.matches("BROKEN").count(), table.stderr.as_str()), (1, ""));

    let report = bank.run(&["verify", "--json"]);
    assert_eq!((report.code, report.stderr.as_str()), (1, ""));
    let report = report.json();
    assert_eq!(report["ok"], false);
    assert_eq!(report["rows"], Value::Null);
    assert_eq!(report["violation"]["invariant"], invariant, "{report}");
    assert_eq!(report["violation"]["row"], row);
}

fn transfer_of(bank: &Bank, account: &str, number: usize) -> String {
    let transfers = bank.json(&["transfers", account]);
    transfers["items"][number]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_whole_ledger_passes() {
    let (bank, ..) = whole_ledger().await;
    let table = bank.run(&["verify"]).ok();
    for (code, promise) in [
        ("I1", "balances sum to zero in each currency"),
        ("I2", "every acknowledged transfer exists"),
        ("I3", "each transfer has two entries that sum to zero"),
        ("I4", "an unbroken chain of entries"),
        ("I5", "no account was ever below its limit"),
        ("I11", "what is held is the sum of the open holds"),
        ("I12", "no more is given back of a transfer than it moved"),
    ] {
        let line = table.stdout.lines().find(|line| line.split(' ').next() == Some(code)).unwrap();
        assert_has(line, &["ok", promise]);
    }
    // 3 accounts, 3 transfers, 6 entries, 3 records.
    assert_has(&table.stdout, &["15 rows checked"]);
    assert_eq!(table.stderr, "", "no progress without a terminal");
    let report = bank.json(&["verify"]);
    assert_eq!([&report["rows"], &report["violation"]], [&Value::from(15), &Value::Null]);
    assert_eq!(report["invariants"].as_array().unwrap().len(), 7);
}

#[tokio::test]
async fn an_empty_ledger_passes() {
    let bank = Bank::new().await;
    assert_eq!(bank.json(&["verify"])["rows"], 0);
}

#[tokio::test]
async fn money_out_of_nothing_breaks_i1() {
    let (bank, alice, _) = whole_ledger().await;
    bank.tamper(&format!(
        "update simplebank.accounts set balance = balance + 1 where id = '{alice}';
         update simplebank.entries set balance_after = balance_after + 1 where account_id = '{alice}' and version = 2"
    ))
    .await;
    assert_found(&bank, "I1", "currency EUR");
}

#[tokio::test]
async fn a_lost_answer_breaks_i2() {
    let (bank, _, bob) = whole_ledger().await;
    let transfer = transfer_of(&bank, &bob, 1);
    bank.tamper("delete from simplebank.idempotency where key = 'move'").await;
    assert_found(&bank, "I2", &format!("transfer {transfer}"));
}

#[tokio::test]
async fn an_answer_to_another_question_breaks_i2() {
    let (bank, ..) = whole_ledger().await;
    bank.tamper("update simplebank.idempotency set content_hash = sha256('x') where key = 'out'")
        .await;
    let operator = "00000000-0000-7000-8000-000000000001";
    assert_found(&bank, "I2", &format!("idempotency key out of user {operator}"));
}

#[tokio::test]
async fn a_changed_transfer_breaks_i3() {
    let (bank, _, bob) = whole_ledger().await;
    let transfer = transfer_of(&bank, &bob, 1);
    bank.tamper(&format!("update simplebank.transfers set amount = 1 where id = '{transfer}'"))
        .await;
    assert_found(&bank, "I3", &format!("transfer {transfer}"));
}

#[tokio::test]
async fn an_orphan_breaks_i3() {
    let (bank, _, bob) = whole_ledger().await;
    let transfer = transfer_of(&bank, &bob, 1);
    // Bob's and alice's entries stand alone; the one of the smaller account id is met first.
    bank.tamper(&format!("delete from simplebank.transfers where id = '{transfer}'")).await;
    let report = bank.run(&["verify", "--json"]).json();
    let row = report["violation"]["row"].as_str().unwrap().to_owned();
    assert!(row.starts_with("entry "), "{row}");
    assert_found(&bank, "I3", &row);
}

#[tokio::test]
async fn a_changed_balance_breaks_i4() {
    let (bank, alice, _) = whole_ledger().await;
    bank.tamper(&format!("update simplebank.accounts set balance = 1 where id = '{alice}'")).await;
    assert_found(&bank, "I4", &format!("account {alice}"));
}

#[tokio::test]
async fn a_changed_entry_breaks_i4() {
    let (bank, alice, _) = whole_ledger().await;
    bank.tamper(&format!(
        "update simplebank.entries set balance_after = 1 where account_id = '{alice}' and version = 1"
    ))
    .await;
    assert_found(&bank, "I4", &format!("entry 1 of account {alice}"));
}

#[tokio::test]
async fn a_removed_entry_breaks_i4() {
    let (bank, alice, _) = whole_ledger().await;
    bank.tamper(&format!(
        "delete from simplebank.entries where account_id = '{alice}' and version = 1"
    ))
    .await;
    assert_found(&bank, "I4", &format!("entry 2 of account {alice}"));
}

#[tokio::test]
async fn a_limit_that_was_not_kept_breaks_i5() {
    let (bank, _, bob) = whole_ledger().await;
    let set_limit = |minor: i64| {
        format!("update simplebank.accounts set overdraft_limit = {minor} where id = '{bob}'")
    };
    bank.tamper(&set_limit(10_000)).await;
    bank.json(&["withdraw", &bob, "50", "EUR"]);
    bank.run(&["verify"]).ok();
    bank.tamper(&format!(
        "alter domain simplebank.sound_account drop constraint accounts_balance_check; {}",
        set_limit(0)
    ))
    .await;
    assert_found(&bank, "I5", &format!("entry 3 of account {bob}"));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_a_finding_too() {
    let (bank, alice, _) = whole_ledger().await;
    bank.tamper(&format!(
        "alter domain simplebank.account_currency drop constraint accounts_currency_check;
         update simplebank.accounts set currency = 'shells' where id = '{alice}'"
    ))
    .await;
    let table = bank.run(&["verify"]);
    assert_eq!(table.code, 1, "{table:?}");
    assert_has(
        &table.stdout,
        &["the first bad row: a row that cannot be read", "accounts.currency", &alice],
    );
    let report = bank.run(&["verify", "--json"]).json();
    assert_eq!(
        [&report["ok"], &report["violation"]["invariant"]],
        [&Value::from(false), &Value::Null]
    );
}
