//! What `simplebank.post` refuses, which alone writes the ledger for the application: each kind of nonsense, beside a neighbour
//! that is fine.

use simplebank_db::testing::TestDatabase;
use sqlx::{AssertSqlSafe, PgPool};

use crate::schema::{id, ledger, refusal};

/// The arguments of a call.
type Arguments = Vec<(&'static str, String)>;

/// `{…}` of ids that end so.
fn ids(tails: &[&str]) -> String {
    let ids: Vec<String> = tails.iter().map(|tail| id(tail).replace('\'', "")).collect();
    format!("'{{{}}}'", ids.join(","))
}

fn list(values: &str) -> String {
    format!("'{{{values}}}'")
}

/// Alice pays 30 of her 100 to bob, who has nothing, under the key `fresh`.
fn payment() -> Arguments {
    let hash = format!(r#"\\x{}"#, "00".repeat(32));
    vec![
        ("at", "now()".to_owned()),
        ("new_revision", "7".to_owned()),
        ("seen_ids", ids(&["a1", "b1"])),
        ("seen_revisions", list("0,0")),
        ("changed_ids", ids(&["a1", "b1"])),
        ("balances", list("70,30")),
        ("versions", list("2,1")),
        ("helds", list("0,0")),
        ("spent_days", list("null,null")),
        ("spents", list("null,null")),
        ("spents_allowed", list("null,null")),
        ("transfer_ids", ids(&["d2"])),
        ("kinds", list("transfer")),
        ("from_account_ids", ids(&["a1"])),
        ("to_account_ids", ids(&["b1"])),
        ("amounts", list("30")),
        ("currencies", list("EUR")),
        ("created_bys", ids(&["0a"])),
        ("from_versions", list("2")),
        ("from_balances", list("70")),
        ("to_versions", list("1")),
        ("to_balances", list("30")),
        ("descriptions", list("null")),
        ("refs", list("null")),
        ("hold_ids", list("null")),
        ("reverses_ids", list("null")),
        ("owner_ids", ids(&["0a"])),
        ("keys", list("fresh")),
        ("content_hashes", list(&format!("\"{hash}\""))),
        ("answer_transfer_ids", ids(&["d2"])),
        ("answer_hold_ids", list("null")),
        ("rejection_codes", list("null")),
        ("rejection_subject_ids", list("null")),
    ]
}

/// The payment, with other arguments.
fn with(changes: &[(&'static str, String)]) -> Arguments {
    let mut arguments = payment();
    for (name, value) in changes {
        let argument = arguments.iter_mut().find(|(other, _)| other == name);
        argument.unwrap_or_else(|| panic!("no argument {name}")).1.clone_from(value);
    }
    arguments
}

/// Nothing is moved and nobody answered: only what else an account says changes.
fn nothing_moves(changes: &[(&'static str, String)]) -> Arguments {
    let empty = |name: &'static str| (name, list(""));
    let none: Vec<_> = [
        "transfer_ids",
        "kinds",
        "from_account_ids",
        "to_account_ids",
        "amounts",
        "currencies",
        "created_bys",
        "from_versions",
        "from_balances",
        "to_versions",
        "to_balances",
        "descriptions",
        "refs",
        "hold_ids",
        "reverses_ids",
        "owner_ids",
        "keys",
        "content_hashes",
        "answer_transfer_ids",
        "answer_hold_ids",
        "rejection_codes",
        "rejection_subject_ids",
    ]
    .map(empty)
    .into();
    with(&[none.as_slice(), changes].concat())
}

fn call(arguments: &Arguments) -> String {
    let arguments: Vec<String> =
        arguments.iter().map(|(name, value)| format!("{name} => {value}")).collect();
    format!("select simplebank.post({})", arguments.join(", "))
}

/// Every row that a call could have written, as text.
async fn rows(owner: &PgPool) -> Vec<String> {
    let sql = "select t::text from simplebank.accounts t union all select t::text from simplebank.transfers t
        union all select t::text from simplebank.entries t union all select t::text from simplebank.idempotency t order by 1";
    sqlx::query_scalar(sql).fetch_all(owner).await.unwrap()
}

/// What the application is answered, if it is not refused.
async fn post(database: &TestDatabase, arguments: &Arguments) -> bool {
    sqlx::query_scalar(AssertSqlSafe(call(arguments)))
        .fetch_one(database.db().pool())
        .await
        .unwrap()
}

/// Each of these is refused with the SQLSTATE and changes nothing; the payment itself passes afterwards.
async fn check_refused(cases: Vec<(&str, Arguments)>) {
    let (database, owner) = ledger().await;
    let before = rows(&owner).await;
    for (code, arguments) in cases {
        let sql = call(&arguments);
        let found = refusal(database.db().pool(), &sql).await.map(|(code, _)| code);
        assert_eq!(found.as_deref(), Some(code), "{sql}");
        assert_eq!(rows(&owner).await, before, "{sql}");
    }
    assert!(post(&database, &payment()).await);
    assert_ne!(rows(&owner).await, before);
}

#[tokio::test]
async fn the_application_writes_the_ledger_in_no_other_way() {
    let (database, owner) = ledger().await;
    let tables = [
        format!(
            "insert into simplebank.transfers (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at,
                from_version, to_version)
             values ({}, 'transfer', {}, {}, 1, 'EUR', {}, now(), 2, 1)",
            id("d2"), id("a1"), id("b1"), id("0a")
        ),
        format!(
            "insert into simplebank.entries (account_id, version, transfer_id, amount, balance_after, created_at)
             values ({}, 2, {}, -1, 99, now())",
            id("a1"), id("d1")
        ),
        format!(
            "insert into simplebank.idempotency (owner_id, key, content_hash, transfer_id, created_at)
             values ({}, 'x', decode(repeat('00', 32), 'hex'), {}, now())",
            id("0a"), id("d1")
        ),
        format!(
            "insert into simplebank.accounts (id, kind, owner_id, currency, balance, created_at)
             values (gen_random_uuid(), 'customer', {}, 'CHF', 5, now())",
            id("0a")
        ),
        format!("update simplebank.accounts set balance = 5 where id = {}", id("b1")),
    ];
    for sql in &tables {
        let code = refusal(database.db().pool(), sql).await.map(|(code, _)| code);
        assert_eq!(code.as_deref(), Some("42501"), "{sql}");
    }
    // The control: it is the role that is kept from it, and an account that begins with nothing may be opened.
    for sql in &tables {
        assert_eq!(refusal(&owner, sql).await, None, "{sql}");
    }
    let empty = format!(
        "insert into simplebank.accounts (id, kind, owner_id, currency, created_at)
         values (gen_random_uuid(), 'customer', {}, 'JPY', now())",
        id("0a")
    );
    assert_eq!(refusal(database.db().pool(), &empty).await, None);
}

#[tokio::test]
async fn a_transfer_between_accounts_that_are_not_there_is_refused() {
    let unknown = "ff";
    check_refused(vec![
        ("23000", with(&[("to_account_ids", ids(&[unknown]))])),
        ("23000", with(&[("from_account_ids", ids(&[unknown]))])),
        (
            "23000",
            with(&[("changed_ids", ids(&["a1", unknown])), ("to_account_ids", ids(&[unknown]))]),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_transfer_in_another_currency_than_its_accounts_is_refused() {
    check_refused(vec![
        ("23000", with(&[("currencies", list("USD"))])),
        // Bob's account in dollars is paid in euros, and the other way round.
        (
            "23000",
            with(&[
                ("to_account_ids", ids(&["b2"])),
                ("changed_ids", ids(&["a1", "b2"])),
                ("seen_ids", ids(&["a1", "b2"])),
            ]),
        ),
        (
            "23000",
            with(&[
                ("to_account_ids", ids(&["b2"])),
                ("changed_ids", ids(&["a1", "b2"])),
                ("seen_ids", ids(&["a1", "b2"])),
                ("currencies", list("USD")),
            ]),
        ),
    ])
    .await;
}

#[tokio::test]
async fn balances_that_are_not_the_sum_of_the_entries_are_refused() {
    check_refused(vec![
        ("23000", with(&[("balances", list("71,30"))])),
        ("23000", with(&[("balances", list("70,31"))])),
        ("23000", with(&[("balances", list("69,31"))])),
        ("23000", with(&[("amounts", list("31"))])),
        // Who pays and who is paid, the wrong way round.
        ("23000", with(&[("from_account_ids", ids(&["b1"])), ("to_account_ids", ids(&["a1"]))])),
    ])
    .await;
}

#[tokio::test]
async fn a_gap_in_the_versions_is_refused() {
    check_refused(vec![
        ("23000", with(&[("from_versions", list("3")), ("versions", list("3,1"))])),
        ("23000", with(&[("from_versions", list("3"))])),
        ("23000", with(&[("versions", list("3,1"))])),
        ("23000", with(&[("to_versions", list("2")), ("versions", list("2,2"))])),
        ("23000", with(&[("to_versions", list("0")), ("versions", list("2,0"))])),
        // A version that is taken.
        ("23000", with(&[("from_versions", list("1")), ("versions", list("1,1"))])),
    ])
    .await;
}

#[tokio::test]
async fn a_transfer_whose_accounts_do_not_change_is_refused() {
    let one = |tail: &str, balance: &str, version: &str| {
        let null = || list("null");
        with(&[
            ("changed_ids", ids(&[tail])),
            ("balances", list(balance)),
            ("versions", list(version)),
            ("helds", list("0")),
            ("spent_days", null()),
            ("spents", null()),
            ("spents_allowed", null()),
        ])
    };
    let none =
        ["changed_ids", "balances", "versions", "helds", "spent_days", "spents", "spents_allowed"];
    let none: Vec<_> = none.map(|name| (name, list(""))).into();
    check_refused(vec![
        ("23000", one("a1", "70", "2")),
        ("23000", one("b1", "30", "1")),
        ("23000", with(&none)),
    ])
    .await;
}

#[tokio::test]
async fn an_account_that_changes_without_having_been_seen_or_without_a_transfer_is_refused() {
    check_refused(vec![
        ("23000", with(&[("seen_ids", ids(&["a1"])), ("seen_revisions", list("0"))])),
        ("23000", with(&[("changed_ids", ids(&["a1", "ff"]))])),
        ("23000", with(&[("changed_ids", ids(&["a1", "c0"])), ("seen_ids", ids(&["a1", "c0"]))])),
        // Money out of nowhere.
        ("23000", nothing_moves(&[])),
        ("23000", nothing_moves(&[("balances", list("100,1")), ("versions", list("1,0"))])),
        ("23000", nothing_moves(&[("balances", list("100,0")), ("versions", list("1,1"))])),
    ])
    .await;
    // The neighbour: what is held may change alone.
    let (database, owner) = ledger().await;
    let held = nothing_moves(&[
        ("balances", list("100,0")),
        ("versions", list("1,0")),
        ("helds", list("10,0")),
    ]);
    assert!(post(&database, &held).await);
    let sql = "select sum(held)::bigint from simplebank.accounts";
    assert_eq!(sqlx::query_scalar::<_, i64>(sql).fetch_one(&owner).await.unwrap(), 10);
}

#[tokio::test]
async fn what_no_row_can_hold_is_refused_here_too() {
    check_refused(vec![
        ("23514", with(&[("kinds", list("gift"))])),
        ("23514", with(&[("kinds", list("capture"))])),
        ("23514", with(&[("helds", list("71,0"))])),
        ("23514", with(&[("helds", list("-1,0"))])),
        (
            "23514",
            with(&[
                ("spent_days", list("2026-01-01,null")),
                ("spents", list("30,null")),
                ("spents_allowed", list("29,null")),
            ]),
        ),
        (
            "23514",
            with(&[
                ("amounts", list("-30")),
                ("balances", list("130,-30")),
                ("from_balances", list("130")),
                ("to_balances", list("-30")),
            ]),
        ),
        (
            "23514",
            with(&[
                ("amounts", list("101")),
                ("balances", list("-1,101")),
                ("from_balances", list("-1")),
                ("to_balances", list("101")),
            ]),
        ),
        ("23514", with(&[("keys", list("\"\""))])),
        ("23514", with(&[("answer_hold_ids", ids(&["e1"]))])),
        ("23514", with(&[("rejection_codes", list("x"))])),
        ("23514", with(&[("answer_transfer_ids", list("null"))])),
        ("23505", with(&[("transfer_ids", ids(&["d1"]))])),
        // An array that is too short.
        ("23502", with(&[("created_bys", list(""))])),
        ("23000", with(&[("from_balances", list(""))])),
        // A running balance that does not follow from the one before it.
        ("23000", with(&[("from_balances", list("71"))])),
        ("23000", with(&[("to_balances", list("-5"))])),
    ])
    .await;
}

#[tokio::test]
async fn what_was_decided_on_something_else_writes_nothing_and_says_so() {
    let (database, owner) = ledger().await;
    let before = rows(&owner).await;
    for arguments in [
        with(&[("seen_revisions", list("1,0"))]),
        with(&[("seen_revisions", list("0,1"))]),
        with(&[("seen_ids", ids(&["a1", "ff"]))]),
        // The operator's key `k` has been answered.
        with(&[("owner_ids", ids(&["01"])), ("keys", list("k"))]),
    ] {
        assert!(!post(&database, &arguments).await, "{arguments:?}");
        assert_eq!(rows(&owner).await, before, "{arguments:?}");
    }
    // The neighbour: somebody else's key of the same name.
    assert!(post(&database, &with(&[("keys", list("k"))])).await);
    // Now the accounts are no longer what was seen, and the key is answered.
    assert!(!post(&database, &with(&[("keys", list("k2")), ("transfer_ids", ids(&["d3"]))])).await);
    let revisions = "select revision from simplebank.accounts where revision <> 0";
    assert_eq!(sqlx::query_scalar::<_, i64>(revisions).fetch_all(&owner).await.unwrap(), [7, 7]);
}

#[tokio::test]
async fn nobody_else_calls_it() {
    let (_database, owner) = ledger().await;
    let sql = "select count(*) from pg_catalog.pg_proc p, aclexplode(p.proacl) a
        where p.pronamespace = 'simplebank'::regnamespace and p.proname = 'post'
          and a.grantee not in (p.proowner, 'simplebank_app'::regrole)";
    assert_eq!(sqlx::query_scalar::<_, i64>(sql).fetch_one(&owner).await.unwrap(), 0);
}

/// A comparison with a missing list is neither true nor false, so each would have let something through.
#[tokio::test]
async fn a_call_without_one_of_its_lists_writes_nothing() {
    let (database, owner) = ledger().await;
    let before = rows(&owner).await;
    for (name, _) in payment() {
        let sql = call(&with(&[(name, "null".to_owned())]));
        let answer: Option<bool> = sqlx::query_scalar(AssertSqlSafe(sql.clone()))
            .fetch_one(database.db().pool())
            .await
            .unwrap();
        assert_eq!(answer, None, "{sql}");
        assert_eq!(rows(&owner).await, before, "{sql}");
    }
    assert!(post(&database, &payment()).await);
}
