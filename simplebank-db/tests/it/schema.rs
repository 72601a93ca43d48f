//! What the database itself refuses, whoever asks.

use simplebank_db::testing::TestDatabase;
use sqlx::{AssertSqlSafe, PgPool};

use crate::state;

/// Two users with an account each in EUR, the second one in USD, too; the cash account in EUR; one deposit of 100 to the first.
pub(crate) const ROWS: &str = "
    insert into simplebank.users (id, username, password_hash, full_name, email, role, password_changed_at, created_at)
    values ('00000000-0000-7000-8000-00000000000a', 'alice', '!', 'A', 'a@b.cd', 'depositor', now(), now()),
           ('00000000-0000-7000-8000-00000000000b', 'bob', '!', 'B', 'b@b.cd', 'depositor', now(), now());
    insert into simplebank.accounts (id, kind, owner_id, currency, balance, version, created_at)
    values ('00000000-0000-7000-8000-0000000000c0', 'cash', null, 'EUR', -100, 1, now()),
           ('00000000-0000-7000-8000-0000000000a1', 'customer', '00000000-0000-7000-8000-00000000000a', 'EUR', 100, 1, now()),
           ('00000000-0000-7000-8000-0000000000b1', 'customer', '00000000-0000-7000-8000-00000000000b', 'EUR', 0, 0, now()),
           ('00000000-0000-7000-8000-0000000000b2', 'customer', '00000000-0000-7000-8000-00000000000b', 'USD', 0, 0, now());
    insert into simplebank.transfers
        (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at, from_version, to_version)
    values ('00000000-0000-7000-8000-0000000000d1', 'deposit', '00000000-0000-7000-8000-0000000000c0',
            '00000000-0000-7000-8000-0000000000a1', 100, 'EUR', '00000000-0000-7000-8000-000000000001', now(), 1, 1);
    insert into simplebank.entries (account_id, version, transfer_id, amount, balance_after, created_at)
    values ('00000000-0000-7000-8000-0000000000c0', 1, '00000000-0000-7000-8000-0000000000d1', -100, -100, now()),
           ('00000000-0000-7000-8000-0000000000a1', 1, '00000000-0000-7000-8000-0000000000d1', 100, 100, now());
    insert into simplebank.idempotency (owner_id, key, content_hash, transfer_id, created_at)
    values ('00000000-0000-7000-8000-000000000001', 'k', decode(repeat('00', 32), 'hex'), '00000000-0000-7000-8000-0000000000d1', now())";

pub(crate) async fn ledger() -> (TestDatabase, PgPool) {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    sqlx::raw_sql(ROWS).execute(&owner).await.unwrap();
    (database, owner)
}

/// The SQLSTATE and the constraint with which a statement is refused, or `None` if it succeeds.
pub(crate) async fn refusal(pool: &PgPool, sql: &str) -> Option<(String, Option<String>)> {
    let error = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(pool).await.err()?;
    let constraint =
        error.as_database_error().and_then(|error| error.constraint()).map(str::to_owned);
    Some((state(&error)?, constraint))
}

/// The name of a row whose id ends so.
pub(crate) fn id(tail: &str) -> String {
    format!("'00000000-0000-7000-8000-0000000000{tail}'")
}

/// What a reversal, a change of limits and a hold of a1 leave behind.
fn more_rows() -> String {
    let (alice, a1, b1, d1) = (id("0a"), id("a1"), id("b1"), id("d1"));
    format!(
        "insert into simplebank.reversals (transfer_id, number, reversal_id, reversed, whole) values ({d1}, 1, {d1}, 100, 100);
         insert into simplebank.account_limits (account_id, number, after_version, overdraft_limit, set_by, set_at)
         values ({a1}, 1, 1, 0, {alice}, now());
         insert into simplebank.audit (at, actor_id, action, times) values (now(), {alice}, 'logged_in', 1);
         insert into simplebank.holds (id, from_account_id, to_account_id, amount, currency, created_by, created_at, expires_at)
         values ({}, {a1}, {b1}, 10, 'EUR', {alice}, now(), now() + interval '1 hour')",
        id("e1")
    )
}

#[tokio::test]
async fn nobody_rewrites_the_ledger() {
    let (database, owner) = ledger().await;
    sqlx::raw_sql(AssertSqlSafe(more_rows())).execute(&owner).await.unwrap();
    for (table, column) in [
        ("entries", "created_at"),
        ("transfers", "created_at"),
        ("idempotency", "created_at"),
        ("reversals", "number"),
        ("account_limits", "set_at"),
        ("audit", "at"),
    ] {
        for sql in [
            format!("update simplebank.{table} set {column} = {column}"),
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
            "alter table simplebank.{table} disable trigger {table}_append_only; update simplebank.{table} set {column} = {column}"
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
async fn a_hold_ends_once_and_nothing_else_of_it_changes() {
    let (database, owner) = ledger().await;
    sqlx::raw_sql(AssertSqlSafe(more_rows())).execute(&owner).await.unwrap();
    let application = database.db().pool();
    for sql in [
        "update simplebank.holds set amount = 9",
        "update simplebank.holds set amount = 9, state = 'expired'",
        "update simplebank.holds set to_account_id = from_account_id, state = 'expired'",
        "update simplebank.holds set created_by = from_account_id, state = 'expired'",
        "update simplebank.holds set expires_at = expires_at + interval '1 hour'",
        "update simplebank.holds set description = 'x', state = 'expired'",
        "update simplebank.holds set state = 'open'",
        "delete from simplebank.holds",
        "truncate simplebank.holds",
    ] {
        for (who, pool) in [("application", application), ("owner", &owner)] {
            let code = refusal(pool, sql).await.map(|(code, _)| code);
            assert_eq!(code.as_deref(), Some("42501"), "{who}: {sql}");
        }
    }
    let captured = format!("state = 'captured', captured_by = {}, captured_amount", id("d1"));
    let check = Some(("23514".to_owned(), Some("holds_capture_check".to_owned())));
    for sql in [
        format!("update simplebank.holds set {captured} = 11, resolved_at = now()"),
        format!("update simplebank.holds set {captured} = 0, resolved_at = now()"),
        "update simplebank.holds set state = 'captured', resolved_at = now()".to_owned(),
        "update simplebank.holds set state = 'voided', captured_amount = 1, resolved_at = now()"
            .to_owned(),
    ] {
        assert_eq!(refusal(application, &sql).await, check, "{sql}");
    }
    let once = format!("update simplebank.holds set {captured} = 10, resolved_at = now()");
    assert_eq!(refusal(application, &once).await, None);
    for sql in [
        &once,
        "update simplebank.holds set state = 'voided', captured_by = null, captured_amount = null",
        "update simplebank.holds set state = 'open', captured_by = null, captured_amount = null, resolved_at = null",
        "update simplebank.holds set captured_amount = 5",
    ] {
        for (who, pool) in [("application", application), ("owner", &owner)] {
            let code = refusal(pool, sql).await.map(|(code, _)| code);
            assert_eq!(code.as_deref(), Some("42501"), "{who}: {sql}");
        }
    }
    // The control: without its trigger a hold ends twice.
    let sql = format!("alter table simplebank.holds disable trigger holds_end_once; {once}");
    assert_eq!(refusal(&owner, &sql).await, None);
}

#[tokio::test]
async fn a_second_capture_of_one_hold_is_not_stored() {
    let (_database, owner) = ledger().await;
    let capture = |tail: &str| {
        format!(
            "insert into simplebank.transfers (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at,
                from_version, to_version, hold_id)
             values ({}, 'capture', {}, {}, 1, 'EUR', {}, now(), 2, 1, {})",
            id(tail), id("a1"), id("b1"), id("0a"), id("e1")
        )
    };
    assert_eq!(refusal(&owner, &capture("d2")).await, None);
    let second = Some(("23505".to_owned(), Some("transfers_hold_key".to_owned())));
    assert_eq!(refusal(&owner, &capture("d3")).await, second);
}

#[tokio::test]
async fn accounts_and_users_stay_and_are_who_they_are() {
    let (_database, owner) = ledger().await;
    for sql in [
        "delete from simplebank.accounts",
        "truncate simplebank.accounts cascade",
        "delete from simplebank.users",
        "truncate simplebank.users cascade",
        "update simplebank.accounts set id = gen_random_uuid()",
        "update simplebank.accounts set currency = 'USD'",
        "update simplebank.accounts set owner_id = null, kind = 'cash'",
        "update simplebank.accounts set created_at = now()",
    ] {
        let code = refusal(&owner, sql).await.map(|(code, _)| code);
        assert_eq!(code.as_deref(), Some("42501"), "{sql}");
    }
    // The control: without their triggers they don't.
    let sql = format!(
        "alter table simplebank.accounts disable trigger accounts_stay;
         alter table simplebank.accounts disable trigger accounts_identity;
         update simplebank.accounts set currency = 'CHF' where id = {};
         delete from simplebank.accounts where id = {}",
        id("b1"),
        id("b2")
    );
    assert_eq!(refusal(&owner, &sql).await, None);
}

#[tokio::test]
async fn a_closed_account_is_empty_and_stays_closed() {
    let (database, owner) = ledger().await;
    let application = database.db().pool();
    let set = |tail: &str, status: &str| {
        format!("update simplebank.accounts set status = '{status}' where id = {}", id(tail))
    };
    let not_empty = Some(("23514".to_owned(), Some("accounts_closed_check".to_owned())));
    assert_eq!(refusal(application, &set("a1", "closed")).await, not_empty);
    assert_eq!(refusal(application, &set("b1", "closed")).await, None);
    assert_eq!(refusal(application, &set("b1", "closed")).await, None);
    for status in ["open", "frozen"] {
        for pool in [application, &owner] {
            let code = refusal(pool, &set("b1", status)).await.map(|(code, _)| code);
            assert_eq!(code.as_deref(), Some("42501"), "{status}");
        }
    }
    // There is room for one that is not closed.
    let open = format!(
        "insert into simplebank.accounts (id, kind, owner_id, currency, created_at)
         values (gen_random_uuid(), 'customer', {}, 'EUR', now())",
        id("0b")
    );
    assert_eq!(refusal(application, &open).await, None);
    let second = Some(("23505".to_owned(), Some("accounts_owner_currency_key".to_owned())));
    assert_eq!(refusal(application, &open).await, second);
    // The control: without the trigger a closed one is opened again.
    let sql = format!(
        "alter table simplebank.accounts disable trigger accounts_stay_closed; {}",
        set("b1", "frozen")
    );
    assert_eq!(refusal(&owner, &sql).await, second, "two have no room, so it was let through");
}

#[tokio::test]
async fn the_application_can_not_change_whose_an_account_is_or_its_currency() {
    let (database, _owner) = ledger().await;
    for sql in [
        "update simplebank.accounts set balance = balance",
        "update simplebank.accounts set version = version",
        "update simplebank.accounts set held = 0",
        "update simplebank.accounts set revision = 0",
        "update simplebank.accounts set spent_day = null, spent = null",
        "update simplebank.accounts set spent_allowed = null",
        "update simplebank.accounts set currency = 'USD'",
        "update simplebank.accounts set owner_id = null, kind = 'cash'",
        "update simplebank.accounts set id = gen_random_uuid()",
        "delete from simplebank.accounts",
        "delete from simplebank.users",
        "update simplebank.users set username = 'eve'",
        "drop table simplebank.entries",
        "alter table simplebank.entries disable trigger all",
        "update simplebank.migrations set success = false",
    ] {
        let code = refusal(database.db().pool(), sql).await.map(|(code, _)| code);
        assert_eq!(code.as_deref(), Some("42501"), "{sql}");
    }
}

/// Who has seen an account before is told by its revision, whoever has changed it and whatever of it.
#[tokio::test]
async fn whoever_changes_an_account_gives_it_another_revision() {
    let (database, owner) = ledger().await;
    let application = database.db().pool();
    let revisions = async || {
        let sql = "select revision from simplebank.accounts order by id";
        sqlx::query_scalar::<_, i64>(sql).fetch_all(&owner).await.unwrap()
    };
    let mut seen = revisions().await;
    for (pool, change) in [
        (application, "status = 'frozen'"),
        (application, "transfer_limit = 5, daily_limit = 10, overdraft_limit = 0"),
        (application, "notice_from = 1"),
        (&owner, "balance = balance"),
        (&owner, "held = 0, spent_day = now(), spent = 1"),
    ] {
        let sql = format!("update simplebank.accounts set {change}");
        assert_eq!(refusal(pool, &sql).await, None, "{change}");
        let now = revisions().await;
        assert!(now.iter().zip(&seen).all(|(now, seen)| now != seen), "{change}: {seen:?} {now:?}");
        seen = now;
    }
    // Whoever gives it one, as a posting does, is left alone.
    assert_eq!(refusal(&owner, "update simplebank.accounts set revision = 7").await, None);
    assert_eq!(revisions().await, [7; 4]);
    // The control: without the trigger nobody would notice.
    let sql = "alter table simplebank.accounts disable trigger accounts_revision;
               update simplebank.accounts set status = 'open'";
    assert_eq!(refusal(&owner, sql).await, None);
    assert_eq!(revisions().await, [7; 4]);
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
#[tokio::test]
async fn what_must_not_be_is_not_stored() {
    let (_database, owner) = ledger().await;
    let transfer = |from: &str, to: &str, amount: i64, currency: &str| {
        format!(
            "insert into simplebank.transfers (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at,
                from_version, to_version)
             values ({}, 'transfer', {}, {}, {amount}, '{currency}', {}, now(), 2, 1)",
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
    let odd = |kind: &str, hold: &str, reverses: &str| {
        format!(
            "insert into simplebank.transfers (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at,
                from_version, to_version, hold_id, reverses_id)
             values ({}, '{kind}', {}, {}, 1, 'EUR', {}, now(), 2, 1, {hold}, {reverses})",
            id("d3"), id("a1"), id("b1"), id("0a")
        )
    };
    let answer = |transfer: &str, rejection: &str, subject: &str| {
        format!(
            "insert into simplebank.idempotency
                (owner_id, key, content_hash, transfer_id, rejection_code, rejection_subject_id, created_at)
             values ({}, 'l', decode(repeat('00', 32), 'hex'), {transfer}, {rejection}, {subject}, now())",
            id("0a")
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
        (transfer("a1", "b1", 0, "EUR"), "23514", "transfers_amount_check"),
        (transfer("a1", "b1", -1, "EUR"), "23514", "transfers_amount_check"),
        (transfer("a1", "a1", 1, "EUR"), "23514", "transfers_two_accounts_check"),
        (odd("capture", "null", "null"), "23514", "transfers_hold_check"),
        (odd("transfer", &id("e1"), "null"), "23514", "transfers_hold_check"),
        (odd("reversal", "null", "null"), "23514", "transfers_reverses_check"),
        (odd("transfer", "null", &id("d1")), "23514", "transfers_reverses_check"),
        (answer("null", "null", "null"), "23514", "idempotency_outcome_check"),
        (answer(&id("d1"), "'refused'", "null"), "23514", "idempotency_outcome_check"),
        (answer(&id("d1"), "null", &id("a1")), "23514", "idempotency_rejection_check"),
        (entry("a1", 1, "d1", 1), "23505", "entries_pk"),
        (entry("a1", 0, "d1", 1), "23514", "entries_version_check"),
        (entry("b1", 1, "d1", 0), "23514", "entries_amount_check"),
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
            format!("update simplebank.accounts set held = 101 where id = {}", id("a1")),
            "23514",
            "accounts_balance_check",
        ),
        (
            format!("update simplebank.accounts set held = -1 where id = {}", id("a1")),
            "23514",
            "accounts_held_check",
        ),
        (
            "update simplebank.accounts set spent_day = now(), spent = 2, spent_allowed = 1"
                .to_owned(),
            "23514",
            "accounts_spent_allowed_check",
        ),
        (
            "update simplebank.accounts set spent = 2".to_owned(),
            "23514",
            "accounts_spent_day_check",
        ),
        ("update simplebank.accounts set spent = -1".to_owned(), "23514", "accounts_spent_check"),
        (
            "update simplebank.accounts set transfer_limit = 0".to_owned(),
            "23514",
            "accounts_transfer_limit_check",
        ),
        (
            "update simplebank.accounts set daily_limit = 0".to_owned(),
            "23514",
            "accounts_daily_limit_check",
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
        format!("update simplebank.accounts set held = 100 where id = {}", id("a1")),
        "update simplebank.accounts set spent_day = now(), spent = 1, spent_allowed = 1".to_owned(),
        "update simplebank.accounts set transfer_limit = 1, daily_limit = 1".to_owned(),
        transfer("a1", "b1", 1, "EUR"),
        entry("b1", 1, "d2", 1),
        account(&alice, "customer", "CHF"),
        odd("reversal", "null", &id("d1")),
        answer("null", "'refused'", &id("a1")),
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
          and conname !~ '^(audit|users|sessions|accounts|account_limits|transfers|reversals|holds|entries|idempotency|jobs|email_verifications|email_codes)_([a-z_]+_)?(pk|fk|key|check)$'";
    let unnamed: Vec<String> = sqlx::query_scalar(sql).fetch_all(&owner).await.unwrap();
    assert_eq!(unnamed, Vec::<String>::new());
}
