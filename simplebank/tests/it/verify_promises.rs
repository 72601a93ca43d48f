//! Verifying holds, reversals and limits: each kind of tampering is found with its row.

use simplebank::{
    PlaceHold, Reverse, SetLimits,
    core::{
        Memo, Principal, TransferId,
        account::{Change, LimitChanges, OverdraftLimit},
        hold::Lasting,
        ledger::Invariant,
    },
};
use sqlx::{AssertSqlSafe, PgPool};
use time::Duration;

use crate::{Customer, TestBank, amount, key, transfer};

/// A ledger with a hold of each kind, a transfer that was given back in two parts, and bob, who has been overdrawn while he
/// might, and has spent 60 of 500 today.
async fn ledger() -> TestBank {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 1_000).await, bank.customer("bob", 0).await);
    let overdraft = |minor| LimitChanges {
        overdraft: Change::Set(OverdraftLimit::from_minor(minor).unwrap()),
        per_day: Change::Set(amount(500)),
        ..LimitChanges::default()
    };
    let limit = async |minor| {
        let command = SetLimits { account_id: bob.account, changes: overdraft(minor) };
        bank.bank.set_limits(&Principal::Operator, command).await.unwrap();
    };
    limit(100).await;
    bank.transfer(&bob.principal, "overdrawn", bob.account, alice.account, 60).await.unwrap();
    let paid = bank.transfer(&alice.principal, "paid", alice.account, bob.account, 400).await;
    limit(0).await;
    for (text, minor) in [("back-1", 100), ("back-2", 50)] {
        give_back(&bank, &bob, text, paid.as_ref().unwrap().posting.transfer().id, minor).await;
    }
    let expired = place(&bank, &alice, &bob, "expired", 1).await;
    bank.clock.advance(Duration::minutes(2));
    // A hold that is let go of by another on the same account.
    let voided = place(&bank, &alice, &bob, "voided", 2).await;
    let captured = place(&bank, &alice, &bob, "captured", 30).await;
    place(&bank, &alice, &bob, "open", 40).await;
    bank.bank.void(&bob.principal, key("void"), voided).await.unwrap();
    bank.bank.capture(&bob.principal, key("capture"), captured, Some(amount(20))).await.unwrap();
    assert_ne!(expired, captured);
    bank.is_whole().await;
    bank
}

async fn give_back(
    bank: &TestBank,
    by: &Customer,
    text: &str,
    transfer_id: TransferId,
    minor: i64,
) {
    let command = Reverse { transfer_id, amount: Some(amount(minor)), memo: Memo::NONE };
    bank.bank.reverse(&by.principal, key(text), command).await.unwrap();
}

async fn place(
    bank: &TestBank,
    from: &Customer,
    to: &Customer,
    text: &str,
    minor: i64,
) -> simplebank::core::HoldId {
    let lasting = Lasting::from_seconds(60).unwrap();
    let command = PlaceHold { transfer: transfer(from.account, to.account, minor), lasting };
    bank.bank.place_hold(&from.principal, key(text), command).await.unwrap().id
}

#[tokio::test]
async fn holds_reversals_and_limits_are_found_whole_and_counted() {
    let bank = ledger().await;
    let report = bank.bank.verify(|_| ()).await.unwrap();
    let sql = "select (select count(*) from simplebank.holds), (select count(*) from simplebank.reversals),
        (select count(*) from simplebank.account_limits), (select count(*) from simplebank.accounts)";
    let rows: (i64, i64, i64, i64) =
        sqlx::query_as(sql).fetch_one(&bank.owner().await).await.unwrap();
    assert_eq!(rows, (4, 2, 2, 3));
    let (transfers, entries, records) = bank.rows().await;
    let all = transfers + entries + records + rows.0 + rows.1 + rows.2 + rows.3;
    assert_eq!((i64::try_from(report.rows), report.violation), (Ok(all), None));
}

const TABLES: [&str; 7] =
    ["accounts", "account_limits", "transfers", "entries", "holds", "reversals", "idempotency"];

/// One statement for each table, as a superuser whom no trigger stops.
async fn on_tables(owner: &PgPool, statement: fn(&str) -> String) {
    let statements: Vec<String> = TABLES.iter().map(|table| statement(table)).collect();
    let sql = format!("set session_replication_role = replica; {}", statements.join(";"));
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(owner).await.unwrap();
}

/// Tampers with a ledger and puts it right again, case by case; each time the promise is found broken in a row of that kind.
async fn check(cases: Vec<(Invariant, &str, String)>) {
    let bank = ledger().await;
    let owner = bank.owner().await;
    on_tables(&owner, |table| format!("create table saved_{table} as table simplebank.{table}"))
        .await;
    for (invariant, row, tampering) in cases {
        let sql = format!("set session_replication_role = replica; {tampering}");
        let changed = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&owner).await.unwrap();
        assert!(changed.rows_affected() > 0, "{tampering}");
        let found = bank.bank.verify(|_| ()).await.unwrap().violation;
        let found = found.unwrap_or_else(|| panic!("not found: {tampering}"));
        let is_right = found.invariant == invariant && found.row.to_string().starts_with(row);
        assert!(is_right, "{tampering}: {found}");
        on_tables(&owner, |table| {
            format!(
                "delete from simplebank.{table}; insert into simplebank.{table} table saved_{table}"
            )
        })
        .await;
        bank.is_whole().await;
    }
}

const NIL: &str = "'00000000-0000-0000-0000-000000000000'";

/// The account of a user.
fn account(name: &str) -> String {
    format!(
        "(select a.id from simplebank.accounts a join simplebank.users u on u.id = a.owner_id where username = '{name}')"
    )
}

/// The hold that was placed under a key.
fn hold(text: &str) -> String {
    format!("(select hold_id from simplebank.idempotency where key = '{text}')")
}

#[tokio::test]
async fn tampering_with_holds_is_found() {
    use Invariant::{Acknowledged, Promised, WithinLimit};
    let alice = account("alice");
    let [open, captured, voided, expired] = ["open", "captured", "voided", "expired"].map(hold);
    check(vec![
        (Promised, "account", format!("update simplebank.accounts set held = held + 1 where id = {alice}")),
        (Promised, "account", format!("update simplebank.accounts set held = 0 where id = {alice}")),
        (Promised, "account", format!("update simplebank.holds set amount = 41 where id = {open}")),
        (Promised, "account", format!("delete from simplebank.holds where id = {open}")),
        (Promised, "account", format!("update simplebank.holds set state = 'expired' where id = {open}")),
        (Promised, "account", format!("update simplebank.holds set state = 'open' where id = {expired}")),
        (WithinLimit, "account", format!("alter domain simplebank.sound_account drop constraint accounts_balance_check;
            update simplebank.holds set amount = 100000 where id = {open};
            update simplebank.accounts set held = 100000 where id = {alice}")),
        (Promised, "transfer", format!("update simplebank.holds set captured_by = {NIL} where id = {captured}")),
        (Promised, "transfer", format!("delete from simplebank.holds where id = {captured}")),
        (Promised, "transfer", format!("update simplebank.holds set state = 'voided', captured_by = null, captured_amount = null where id = {captured}")),
        (Promised, "hold", format!("update simplebank.holds set captured_amount = 21 where id = {captured}")),
        (Promised, "hold", format!("update simplebank.holds set resolved_at = resolved_at + interval '1 second' where id = {captured}")),
        (Promised, "hold", format!("update simplebank.holds set currency = 'USD' where id = {expired}")),
        (Promised, "hold", format!("update simplebank.holds set to_account_id = (select id from simplebank.accounts where kind = 'cash') where id = {captured}")),
        (Promised, "hold", format!("update simplebank.holds set state = 'captured', captured_by = {NIL}, captured_amount = 1 where id = {voided}")),
        // Two transfers that say to have captured one hold.
        (Promised, "transfer", format!("drop index simplebank.transfers_hold_key;
            update simplebank.transfers set kind = 'capture', hold_id = {captured} where id = (select transfer_id from simplebank.idempotency where key = 'paid')")),
        (Acknowledged, "hold", "delete from simplebank.idempotency where key = 'open'".to_owned()),
        (Acknowledged, "hold", format!("update simplebank.holds set state = 'expired', resolved_at = null where id = {voided}")),
        (Acknowledged, "hold", format!("update simplebank.holds set state = 'voided', resolved_at = now() where id = {expired}")),
        (Acknowledged, "idempotency key", format!("insert into simplebank.idempotency (owner_id, key, content_hash, hold_id, created_at)
            values ({NIL}, 'invented', decode(repeat('00', 32), 'hex'), {NIL}, now())")),
        (Acknowledged, "idempotency key", format!("update simplebank.holds set expires_at = expires_at + interval '1 second' where id = {open}")),
        (Acknowledged, "idempotency key", format!("update simplebank.holds set amount = amount + 1 where id = {expired}")),
        (Acknowledged, "idempotency key", format!("update simplebank.holds set description = 'x' where id = {voided}")),
        (Acknowledged, "idempotency key", format!("update simplebank.holds set created_by = (select id from simplebank.users where username = 'bob') where id = {open}")),
        (Acknowledged, "idempotency key", "update simplebank.idempotency set content_hash = decode(repeat('00', 32), 'hex') where key = 'void'".to_owned()),
    ])
    .await;
}

#[tokio::test]
async fn tampering_with_reversals_is_found() {
    use Invariant::GivenBack;
    let transfer =
        |text| format!("(select transfer_id from simplebank.idempotency where key = '{text}')");
    let (other, second) = (transfer("overdrawn"), transfer("back-2"));
    check(vec![
        (GivenBack, "transfer", "delete from simplebank.reversals where number = 2".to_owned()),
        (GivenBack, "transfer", format!("update simplebank.reversals set transfer_id = {other}, number = 1 where number = 2")),
        (GivenBack, "transfer", format!("update simplebank.reversals set reversal_id = {other} where number = 2")),
        (GivenBack, "transfer", format!("update simplebank.transfers set reverses_id = {other} where id = {second}")),
        (GivenBack, "reversal 3", "update simplebank.reversals set number = 3 where number = 2".to_owned()),
        (GivenBack, "reversal 1", "update simplebank.reversals set reversed = reversed + 1 where number = 1".to_owned()),
        (GivenBack, "reversal 2", "update simplebank.reversals set reversed = reversed - 1 where number = 2".to_owned()),
        (GivenBack, "reversal 1", "update simplebank.reversals set whole = whole + 1 where number = 1".to_owned()),
        (GivenBack, "reversal 1", format!("insert into simplebank.reversals (transfer_id, number, reversal_id, reversed, whole)
            values ({other}, 1, {NIL}, 60, 60)")),
    ])
    .await;
}

#[tokio::test]
async fn tampering_with_limits_is_found() {
    use Invariant::WithinLimit;
    let bob = account("bob");
    check(vec![
        // What he might do once is judged by what he may do now, if nothing tells the difference.
        (WithinLimit, "entry 1", "delete from simplebank.account_limits".to_owned()),
        (WithinLimit, "entry 1", "update simplebank.account_limits set overdraft_limit = 59 where number = 1".to_owned()),
        (WithinLimit, "entry 1", "update simplebank.account_limits set after_version = 1 where number = 1".to_owned()),
        (WithinLimit, "limits 2", "delete from simplebank.account_limits where number = 1".to_owned()),
        (WithinLimit, "limits 3", "update simplebank.account_limits set number = 3 where number = 2".to_owned()),
        (WithinLimit, "limits 2", "update simplebank.account_limits set after_version = 99 where number = 2".to_owned()),
        (WithinLimit, "limits 2", "update simplebank.account_limits set after_version = 2 where number = 1;
            update simplebank.account_limits set after_version = 1 where number = 2".to_owned()),
        (WithinLimit, "limits 1", format!("insert into simplebank.account_limits (account_id, number, after_version, overdraft_limit, set_by, set_at)
            values ({NIL}, 1, 0, 0, {NIL}, now())")),
        (WithinLimit, "account", "delete from simplebank.account_limits where number = 2".to_owned()),
        (WithinLimit, "account", format!("update simplebank.accounts set overdraft_limit = 1000 where id = {bob}")),
        (WithinLimit, "account", format!("update simplebank.accounts set daily_limit = null where id = {bob}")),
        (WithinLimit, "account", format!("update simplebank.accounts set transfer_limit = 7 where id = {bob}")),
        (WithinLimit, "account", format!("alter domain simplebank.sound_account drop constraint accounts_spent_allowed_check;
            update simplebank.accounts set spent = 501 where id = {bob}")),
    ])
    .await;
}
