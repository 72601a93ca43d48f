//! Verifying: a whole ledger is found whole, and each kind of tampering is found with its row.

use simplebank::core::{Principal, ledger::Invariant};
use sqlx::AssertSqlSafe;

use crate::{TestBank, deposit, key};

/// A ledger with a deposit, a transfer and a refusal.
async fn ledger() -> TestBank {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 1_000).await, bank.customer("bob", 0).await);
    bank.transfer(&alice.principal, "k1", alice.account, bob.account, 400).await.unwrap();
    bank.transfer(&bob.principal, "k2", bob.account, alice.account, 100).await.unwrap();
    bank.transfer(&bob.principal, "k3", bob.account, alice.account, 5_000).await.unwrap_err();
    bank.bank.deposit(&Principal::Operator, key("k4"), deposit(bob.account, 1)).await.unwrap();
    bank
}

#[tokio::test]
async fn a_whole_ledger_is_found_whole_and_every_row_is_counted() {
    let bank = ledger().await;
    let told = std::sync::Mutex::new(Vec::new());
    let report = bank.bank.verify(|progress| told.lock().unwrap().push(progress)).await.unwrap();
    // Three accounts, four transfers, eight entries, five records.
    assert_eq!((report.rows, report.violation), (20, None));
    let last = *told.lock().unwrap().last().unwrap();
    assert_eq!((last.done, last.total), (20, 20));
}

#[tokio::test]
async fn an_empty_ledger_is_whole() {
    let bank = TestBank::new().await;
    bank.is_whole().await;
}

#[tokio::test]
async fn each_kind_of_tampering_is_found() {
    use Invariant::{Acknowledged, Balanced, Chained, Conserved, WithinLimit};
    let bob = "(select a.id from simplebank.accounts a join simplebank.users u on u.id = a.owner_id where username = 'bob')";
    let newest = "(select max(id::text)::uuid from simplebank.transfers)";
    let nil = "'00000000-0000-0000-0000-000000000000'";
    let cases = [
        // Rows with the least of all ids are read, too.
        (Conserved, format!("insert into simplebank.accounts (id, kind, currency, balance, created_at) values ({nil}, 'cash', 'USD', 5, now());
            insert into simplebank.entries (account_id, version, transfer_id, amount, balance_after, created_at) values ({nil}, 1, {newest}, 5, 5, now());
            update simplebank.accounts set version = 1 where id = {nil}")),
        (Balanced, format!("insert into simplebank.transfers (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at, from_version, to_version)
            select {nil}, kind, from_account_id, to_account_id, amount, currency, created_by, now(), from_version, to_version from simplebank.transfers limit 1")),
        (Balanced, format!("update simplebank.transfers set created_at = created_at + interval '1 second' where id = {newest}")),
        // A balance changed together with its newest entry, so that the account agrees with it.
        (Conserved, format!("update simplebank.accounts set balance = balance + 5, version = version where id = {bob};
            update simplebank.entries set balance_after = balance_after + 5, amount = amount + 5 where account_id = {bob} and version = 3")),
        (Chained, format!("update simplebank.accounts set balance = balance + 5 where id = {bob}")),
        (Chained, format!("update simplebank.accounts set version = version + 1 where id = {bob}")),
        (Chained, format!("update simplebank.entries set balance_after = balance_after + 1 where account_id = {bob} and version = 1")),
        (Chained, format!("update simplebank.entries set version = 9 where account_id = {bob} and version = 2")),
        (Chained, format!("delete from simplebank.entries where account_id = {bob} and version = 2")),
        (Balanced, format!("update simplebank.transfers set amount = amount + 1 where id = {newest}")),
        (Balanced, format!("delete from simplebank.transfers where id = {newest}")),
        (Balanced, format!("update simplebank.transfers set currency = 'USD' where id = {newest}")),
        (Balanced, format!("alter domain simplebank.sound_transfer drop constraint transfers_two_accounts_check;
            update simplebank.transfers set to_account_id = from_account_id where id = {newest}")),
        (Acknowledged, "delete from simplebank.idempotency where key = 'k1'".to_owned()),
        (Acknowledged, "update simplebank.idempotency set content_hash = decode(repeat('00', 32), 'hex') where key = 'k1'".to_owned()),
        (Acknowledged, "update simplebank.idempotency set owner_id = (select id from simplebank.users where username = 'bob') where key = 'k1'".to_owned()),
        (Acknowledged, "update simplebank.idempotency set key = 'k9' where key = 'k1'".to_owned()),
        // Bob pays 500 where he had 400, and everything else agrees with it.
        (WithinLimit, format!("update simplebank.entries set amount = -500, balance_after = -100 where account_id = {bob} and version = 2;
            update simplebank.entries set amount = 402, balance_after = 302 where account_id = {bob} and version = 3;
            update simplebank.accounts set balance = 302 where id = {bob};
            update simplebank.accounts set balance = balance - 1 where kind = 'cash';
            update simplebank.entries set balance_after = balance_after - 1, amount = amount - 1
                where version = 2 and account_id = (select id from simplebank.accounts where kind = 'cash')")),
    ];
    for (invariant, tampering) in cases {
        let bank = ledger().await;
        bank.is_whole().await;
        let sql = format!(
            "alter table simplebank.accounts disable trigger all; alter table simplebank.transfers disable trigger all;
             alter table simplebank.entries disable trigger all; alter table simplebank.idempotency disable trigger all;
             {tampering}"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&bank.owner().await).await.unwrap();
        let found = bank.bank.verify(|_| ()).await.unwrap().violation;
        assert_eq!(
            found.as_ref().map(|found| found.invariant),
            Some(invariant),
            "{tampering}: {found:?}"
        );
    }
}

#[tokio::test]
async fn a_refusal_that_can_not_be_read_is_found() {
    let bank = ledger().await;
    bank.is_whole().await;
    let sql = "alter table simplebank.idempotency disable trigger all;
        update simplebank.idempotency set rejection_code = 'nonsense' where key = 'k3'";
    sqlx::raw_sql(sql).execute(&bank.owner().await).await.unwrap();
    let error = bank.bank.verify(|_| ()).await.unwrap_err();
    assert!(
        matches!(error, simplebank::Error::Db(simplebank::db::Error::Inconsistent { .. })),
        "{error:?}"
    );
}
