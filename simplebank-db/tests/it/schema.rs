//! What the database itself refuses, whoever asks.

use simplebank_db::testing::TestDatabase;
use sqlx::{AssertSqlSafe, PgPool};

use crate::state;

/// Two users with an account each in EUR, the second one in USD, too; the cash account in EUR; one deposit of 100 to the first.
const ROWS: &str = "
    insert into simplebank.users (id, username, password_hash, full_name, email, role, password_changed_at, created_at)
    values ('00000000-0000-7000-8000-00000000000a', 'alice', '!', 'A', 'a@b.cd', 'depositor', now(), now()),
           ('00000000-0000-7000-8000-00000000000b', 'bob', '!', 'B', 'b@b.cd', 'depositor', now(), now());
    insert into simplebank.accounts (id, kind, owner_id, currency, balance, version, created_at)
    values ('00000000-0000-7000-8000-0000000000c0', 'cash', null, 'EUR', -100, 1, now()),
           ('00000000-0000-7000-8000-0000000000a1', 'customer', '00000000-0000-7000-8000-00000000000a', 'EUR', 100, 1, now()),
           ('00000000-0000-7000-8000-0000000000b1', 'customer', '00000000-0000-7000-8000-00000000000b', 'EUR', 0, 0, now()),
           ('00000000-0000-7000-8000-0000000000b2', 'customer', '00000000-0000-7000-8000-00000000000b', 'USD', 0, 0, now());
    insert into simplebank.transfers (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at)
    values ('00000000-0000-7000-8000-0000000000d1', 'deposit', '00000000-0000-7000-8000-0000000000c0',
            '00000000-0000-7000-8000-0000000000a1', 100, 'EUR', '00000000-0000-7000-8000-000000000001', now());
    insert into simplebank.entries (account_id, version, transfer_id, amount, balance_after, created_at)
    values ('00000000-0000-7000-8000-0000000000c0', 1, '00000000-0000-7000-8000-0000000000d1', -100, -100, now()),
           ('00000000-0000-7000-8000-0000000000a1', 1, '00000000-0000-7000-8000-0000000000d1', 100, 100, now());
    insert into simplebank.idempotency (owner_id, key, content_hash, transfer_id, created_at)
    values ('00000000-0000-7000-8000-000000000001', 'k', decode(repeat('00', 32), 'hex'), '00000000-0000-7000-8000-0000000000d1', now())";

async fn ledger() -> (TestDatabase, PgPool) {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    sqlx::raw_sql(ROWS).execute(&owner).await.unwrap();
    (database, owner)
}

/// The SQLSTATE and the constraint with which a statement is refused, or `None` if it succeeds.
async fn refusal(pool: &PgPool, sql: &str) -> Option<(String, Option<String>)> {
    let error = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(pool).await.err()?;
    let constraint =
        error.as_database_error().and_then(|error| error.constraint()).map(str::to_owned);
    Some((state(&error)?, constraint))
}

#[tokio::test]
async fn nobody_rewrites_the_ledger() {
    let (database, owner) = ledger().await;
    for table in ["entries", "transfers", "idempotency"] {
        for sql in [
            format!("update simplebank.{table} set created_at = now()"),
            format!("delete from simplebank.{table}"),
            format!("truncate simplebank.{table} cascade"),
        ] {
            for (who, pool) in [("application", database.db().pool()), ("owner", &owner)] {
                let code = refusal(pool, &sql).await.map(|(code, _)| code);
                assert_eq!(code.as_deref(), Some("42501"), "{who}: {sql}");
            }
        }
        // The control: without its trigger the owner can.
        let sql = format!(
            "alter table simplebank.{table} disable trigger {table}_append_only; update simplebank.{table} set created_at = now()"
        );
        assert_eq!(refusal(&owner, &sql).await, None, "{sql}");
    }
    let server = database.db().server().await.unwrap();
    assert_eq!(
        (&*server.role, server.is_superuser, server.rewritable),
        ("simplebank_app", false, vec![])
    );
}

#[tokio::test]
async fn the_application_can_not_change_whose_an_account_is_or_its_currency() {
    let (database, _owner) = ledger().await;
    for sql in [
        "update simplebank.accounts set currency = 'USD'",
        "update simplebank.accounts set owner_id = null, kind = 'cash'",
        "update simplebank.accounts set id = gen_random_uuid()",
        "delete from simplebank.accounts",
        "delete from simplebank.users",
        "update simplebank.users set username = 'eve'",
        "delete from simplebank.sessions",
        "drop table simplebank.entries",
        "alter table simplebank.entries disable trigger all",
        "update simplebank.migrations set success = false",
    ] {
        let code = refusal(database.db().pool(), sql).await.map(|(code, _)| code);
        assert_eq!(code.as_deref(), Some("42501"), "{sql}");
    }
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
#[tokio::test]
async fn what_must_not_be_is_not_stored() {
    let (_database, owner) = ledger().await;
    let id = |tail: &str| format!("'00000000-0000-7000-8000-0000000000{tail}'");
    let transfer = |from: &str, to: &str, amount: i64, currency: &str| {
        format!(
            "insert into simplebank.transfers (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at)
             values ({}, 'transfer', {}, {}, {amount}, '{currency}', {}, now())",
            id("d2"), id(from), id(to), id("0a")
        )
    };
    let entry = |account: &str, version: i64, transfer: &str, amount: i64| {
        format!(
            "insert into simplebank.entries (account_id, version, transfer_id, amount, balance_after, created_at)
             values ({}, {version}, {}, {amount}, 0, now())",
            id(account), id(transfer)
        )
    };
    let account = |owner: &str, kind: &str, currency: &str| {
        format!(
            "insert into simplebank.accounts (id, kind, owner_id, currency, created_at)
             values (gen_random_uuid(), '{kind}', {owner}, '{currency}', now())"
        )
    };
    let (alice, nobody) = (id("0a"), "null".to_owned());
    for (sql, code, constraint) in [
        (transfer("a1", "b2", 1, "EUR"), "23503", "transfers_to_account_fk"),
        (transfer("a1", "b2", 1, "USD"), "23503", "transfers_from_account_fk"),
        (transfer("b2", "a1", 1, "EUR"), "23503", "transfers_from_account_fk"),
        (transfer("a1", "b1", 0, "EUR"), "23514", "transfers_amount_check"),
        (transfer("a1", "b1", -1, "EUR"), "23514", "transfers_amount_check"),
        (transfer("a1", "a1", 1, "EUR"), "23514", "transfers_two_accounts_check"),
        (entry("a1", 1, "d1", 1), "23505", "entries_pk"),
        (entry("a1", 2, "d1", 1), "23505", "entries_transfer_account_key"),
        (entry("a1", 0, "d1", 1), "23514", "entries_version_check"),
        (entry("b1", 1, "d1", 0), "23514", "entries_amount_check"),
        (entry("b1", 1, "d9", 1), "23503", "entries_transfer_fk"),
        (account(&alice, "customer", "EUR"), "23505", "accounts_owner_currency_key"),
        (account(&nobody, "cash", "EUR"), "23505", "accounts_cash_currency_key"),
        (account(&nobody, "customer", "CHF"), "23514", "accounts_kind_owner_check"),
        (account(&alice, "cash", "CHF"), "23514", "accounts_kind_owner_check"),
        (account(&alice, "customer", "eur"), "23514", "accounts_currency_check"),
        (
            format!("update simplebank.accounts set balance = -1 where id = {}", id("a1")),
            "23514",
            "accounts_balance_check",
        ),
        (
            format!("update simplebank.accounts set currency = 'USD' where id = {}", id("a1")),
            "23503",
            "transfers_to_account_fk",
        ),
        (
            "update simplebank.accounts set overdraft_limit = -1".to_owned(),
            "23514",
            "accounts_overdraft_limit_check",
        ),
        (
            "update simplebank.accounts set status = 'gone'".to_owned(),
            "23514",
            "accounts_status_check",
        ),
        ("update simplebank.users set role = 'owner'".to_owned(), "23514", "users_role_check"),
        (
            "update simplebank.users set username = 'Alice' where username = 'alice'".to_owned(),
            "23514",
            "users_username_check",
        ),
        (
            "update simplebank.users set username = 'bob' where username = 'alice'".to_owned(),
            "23505",
            "users_username_key",
        ),
    ] {
        let found = refusal(&owner, &sql).await;
        assert_eq!(found, Some((code.to_owned(), Some(constraint.to_owned()))), "{sql}");
    }
    // The control: neighbours of the above that are fine.
    for sql in [
        transfer("a1", "b1", 1, "EUR"),
        entry("b1", 1, "d2", 1),
        account(&alice, "customer", "CHF"),
    ] {
        assert_eq!(refusal(&owner, &sql).await, None, "{sql}");
    }
}

#[tokio::test]
async fn every_constraint_has_a_name_of_ours() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    let sql = r"select conname::text from pg_constraint c join pg_namespace n on n.oid = c.connamespace
        where n.nspname = 'simplebank' and conrelid <> 'simplebank.migrations'::regclass
          and conname !~ '^(users|sessions|accounts|transfers|entries|idempotency)_([a-z_]+_)?(pk|fk|key|check)$'";
    let unnamed: Vec<String> = sqlx::query_scalar(sql).fetch_all(&owner).await.unwrap();
    assert_eq!(unnamed, Vec::<String>::new());
}
