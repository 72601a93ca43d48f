//! What `simplebank.post` refuses, which alone writes the ledger for the application: each kind of nonsense, beside a neighbour
//! that is fine.

use simplebank_db::testing::TestDatabase;
use sqlx::{AssertSqlSafe, PgExecutor};

use crate::schema::{id, ledger, refusal};

/// The arguments of a call.
pub(crate) type Arguments = Vec<(&'static str, String)>;

/// `{…}` of ids that end so.
fn ids(tails: &[&str]) -> String {
    let ids: Vec<String> = tails.iter().map(|tail| id(tail).replace('\'', "")).collect();
    format!("'{{{}}}'", ids.join(","))
}

fn list(values: &str) -> String {
    format!("'{{{values}}}'")
}

/// Alice pays 30 of her 100 to bob, who has nothing, under the key `fresh`.
pub(crate) fn payment() -> Arguments {
    let hash = format!(r#"\\x{}"#, "00".repeat(32));
    vec![
        ("at", "now()".to_owned()),
        ("new_revision", "7".to_owned()),
        ("still_ids", list("")),
        ("still_revisions", list("")),
        ("account_ids", ids(&["a1", "b1"])),
        ("revisions", list("0,0")),
        ("balances", list("70,30")),
        ("versions", list("2,1")),
        ("helds", list("0,0")),
        ("spent_days", list("null,null")),
        ("spents", list("null,null")),
        ("spents_allowed", list("null,null")),
        ("first_entries", list("1,2")),
        ("transfer_ids", ids(&["d2"])),
        ("kinds", list("transfer")),
        ("amounts", list("30")),
        ("currencies", list("EUR")),
        ("created_bys", ids(&["0a"])),
        ("from_entries", list("1")),
        ("to_entries", list("2")),
        ("descriptions", list("null")),
        ("refs", list("null")),
        ("hold_ids", list("null")),
        ("reverses_ids", list("null")),
        ("entry_account_ids", ids(&["a1", "b1"])),
        ("entry_versions", list("2,1")),
        ("entry_transfers", list("1,1")),
        ("entry_amounts", list("-30,30")),
        ("entry_balances", list("70,30")),
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
    altered(&payment(), changes)
}

/// Nothing is moved and nobody answered: only what else an account says changes.
fn nothing_moves(changes: &[(&'static str, String)]) -> Arguments {
    let empty = |name: &'static str| (name, list(""));
    let none: Vec<_> = [
        "transfer_ids",
        "kinds",
        "amounts",
        "currencies",
        "created_bys",
        "from_entries",
        "to_entries",
        "descriptions",
        "refs",
        "hold_ids",
        "reverses_ids",
        "entry_account_ids",
        "entry_versions",
        "entry_transfers",
        "entry_amounts",
        "entry_balances",
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
    let firsts = [("first_entries", list("null,null"))];
    with(&[none.as_slice(), &firsts, changes].concat())
}

/// A call of the function.
pub(crate) fn call(function: &str, arguments: &Arguments) -> String {
    let arguments: Vec<String> =
        arguments.iter().map(|(name, value)| format!("{name} => {value}")).collect();
    format!("select simplebank.{function}({})", arguments.join(", "))
}

/// Every row that a call could have written, as text.
pub(crate) async fn rows(owner: impl PgExecutor<'_>) -> Vec<String> {
    let sql = "select t::text from simplebank.accounts t union all select t::text from simplebank.transfers t
        union all select t::text from simplebank.entries t union all select t::text from simplebank.idempotency t order by 1";
    sqlx::query_scalar(sql).fetch_all(owner).await.unwrap()
}

/// What the application is answered, if it is not refused.
async fn post(database: &TestDatabase, arguments: &Arguments) -> bool {
    sqlx::query_scalar(AssertSqlSafe(call("post", arguments)))
        .fetch_one(database.db().pool())
        .await
        .unwrap()
}

async fn check_refused(cases: Vec<(&str, Arguments)>) {
    check_refused_by("post", cases, &payment()).await;
}

/// Each of these calls is refused with the SQLSTATE and changes nothing; the payment itself passes afterwards.
pub(crate) async fn check_refused_by(
    function: &str,
    cases: Vec<(&str, Arguments)>,
    payment: &Arguments,
) {
    let (database, owner) = ledger().await;
    let before = rows(&owner).await;
    for (code, arguments) in cases {
        let sql = call(function, &arguments);
        let found = refusal(database.db().pool(), &sql).await.map(|(code, _)| code);
        assert_eq!(found.as_deref(), Some(code), "{sql}");
        assert_eq!(rows(&owner).await, before, "{sql}");
    }
    let sql = call(function, payment);
    assert_eq!(refusal(database.db().pool(), &sql).await, None, "{sql}");
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

/// Two payments of alice's to bob, of 30 and then 20.
fn two_payments() -> Arguments {
    let twice = |name: &'static str, value: &str| (name, list(&format!("{value},{value}")));
    let hash = format!(r#""\\x{}""#, "00".repeat(32));
    with(&[
        ("balances", list("50,50")),
        ("versions", list("3,2")),
        ("first_entries", list("1,3")),
        ("transfer_ids", ids(&["d2", "d3"])),
        twice("kinds", "transfer"),
        ("amounts", list("30,20")),
        twice("currencies", "EUR"),
        ("created_bys", ids(&["0a", "0a"])),
        ("from_entries", list("1,2")),
        ("to_entries", list("3,4")),
        twice("descriptions", "null"),
        twice("refs", "null"),
        twice("hold_ids", "null"),
        twice("reverses_ids", "null"),
        ("entry_account_ids", ids(&["a1", "a1", "b1", "b1"])),
        ("entry_versions", list("2,3,1,2")),
        ("entry_transfers", list("1,2,1,2")),
        ("entry_amounts", list("-30,-20,30,20")),
        ("entry_balances", list("70,50,30,50")),
        ("owner_ids", ids(&["0a", "0a"])),
        ("keys", list("fresh,fresher")),
        ("content_hashes", list(&format!("{hash},{hash}"))),
        ("answer_transfer_ids", ids(&["d2", "d3"])),
        twice("answer_hold_ids", "null"),
        twice("rejection_codes", "null"),
        twice("rejection_subject_ids", "null"),
    ])
}

/// The arguments, with others in the place of some of them.
pub(crate) fn altered(arguments: &Arguments, changes: &[(&'static str, String)]) -> Arguments {
    let mut arguments = arguments.clone();
    for (name, value) in changes {
        let argument = arguments.iter_mut().find(|(other, _)| other == name);
        argument.unwrap_or_else(|| panic!("no argument {name}")).1.clone_from(value);
    }
    arguments
}

#[tokio::test]
async fn a_transfer_between_accounts_that_are_not_there_is_refused() {
    let unknown = "ff";
    check_refused(vec![
        ("23000", with(&[("entry_account_ids", ids(&["a1", unknown]))])),
        ("23000", with(&[("entry_account_ids", ids(&["00", "b1"]))])),
        (
            "23000",
            with(&[
                ("account_ids", ids(&["a1", unknown])),
                ("entry_account_ids", ids(&["a1", unknown])),
            ]),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_transfer_in_another_currency_than_its_accounts_is_refused() {
    let to_dollars =
        [("account_ids", ids(&["a1", "b2"])), ("entry_account_ids", ids(&["a1", "b2"]))];
    let in_dollars = [to_dollars.as_slice(), &[("currencies", list("USD"))]].concat();
    check_refused(vec![
        ("23000", with(&[("currencies", list("USD"))])),
        // Bob's account in dollars is paid in euros, and the other way round.
        ("23000", with(&to_dollars)),
        ("23000", with(&in_dollars)),
        // The first payment is in the accounts' currency, and the second is not.
        ("23000", altered(&two_payments(), &[("currencies", list("EUR,USD"))])),
        ("23502", altered(&two_payments(), &[("currencies", list("EUR,null"))])),
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
        // The entries say something else than the transfer, though they sum to zero.
        (
            "23000",
            with(&[
                ("entry_amounts", list("-31,31")),
                ("entry_balances", list("69,31")),
                ("balances", list("69,31")),
            ]),
        ),
        // Who pays and who is paid, the wrong way round.
        ("23000", with(&[("from_entries", list("2")), ("to_entries", list("1"))])),
        // Both entries pay, or both are paid.
        (
            "23514",
            with(&[
                ("entry_amounts", list("-30,-30")),
                ("entry_balances", list("70,-30")),
                ("balances", list("70,-30")),
            ]),
        ),
        (
            "23000",
            with(&[
                ("entry_amounts", list("30,30")),
                ("entry_balances", list("130,30")),
                ("balances", list("130,30")),
            ]),
        ),
        // In the middle of a chain.
        ("23000", altered(&two_payments(), &[("entry_balances", list("71,50,30,50"))])),
        (
            "23000",
            altered(
                &two_payments(),
                &[
                    ("entry_amounts", list("-30,-20,30,20")),
                    ("entry_balances", list("70,51,30,50")),
                    ("balances", list("51,50")),
                ],
            ),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_gap_in_the_versions_is_refused() {
    check_refused(vec![
        ("23000", with(&[("entry_versions", list("3,1")), ("versions", list("3,1"))])),
        ("23000", with(&[("entry_versions", list("3,1"))])),
        ("23000", with(&[("versions", list("3,1"))])),
        ("23000", with(&[("entry_versions", list("2,2")), ("versions", list("2,2"))])),
        ("23000", with(&[("entry_versions", list("2,0")), ("versions", list("2,0"))])),
        // A version that is taken.
        ("23000", with(&[("entry_versions", list("1,1")), ("versions", list("1,1"))])),
        // In the middle of a chain.
        ("23000", altered(&two_payments(), &[("entry_versions", list("2,4,1,2"))])),
        (
            "23000",
            altered(
                &two_payments(),
                &[("entry_versions", list("2,4,1,2")), ("versions", list("4,2"))],
            ),
        ),
    ])
    .await;
}

#[tokio::test]
async fn entries_that_are_not_two_for_each_transfer_are_refused() {
    let two = two_payments();
    check_refused(vec![
        // One place for two entries, so that an entry has none.
        ("23514", with(&[("to_entries", list("1"))])),
        ("23514", with(&[("from_entries", list("2"))])),
        ("23000", altered(&two, &[("to_entries", list("3,3"))])),
        // An entry of another transfer's, or of none.
        ("23000", with(&[("entry_transfers", list("1,2"))])),
        ("23000", with(&[("entry_transfers", list("1,null"))])),
        ("23000", altered(&two, &[("entry_transfers", list("2,1,1,2"))])),
        ("23000", altered(&two, &[("entry_transfers", list("1,1,1,2"))])),
        // A place that is not there.
        ("23502", with(&[("to_entries", list("3"))])),
        ("23000", with(&[("first_entries", list("1,3"))])),
        ("23000", with(&[("first_entries", list("1,0"))])),
        // A list that counts from somewhere else, so that what is compared is not what is written.
        ("23000", with(&[("entry_versions", "'[0:2]={9,2,1}'".to_owned())])),
        ("23000", with(&[("entry_balances", "'[0:2]={9,70,30}'".to_owned())])),
        ("23000", with(&[("amounts", "'[0:1]={29,30}'".to_owned())])),
        // Entries that belong to no account that changes, or to one twice.
        ("23000", with(&[("first_entries", list("1,null"))])),
        ("23000", with(&[("first_entries", list("1,1"))])),
        (
            "23000",
            altered(&two, &[("first_entries", list("1,2")), ("account_ids", ids(&["a1", "a1"]))]),
        ),
        // The same, in another order.
        (
            "23000",
            with(&[
                ("account_ids", ids(&["b1", "a1"])),
                ("balances", list("30,70")),
                ("versions", list("1,2")),
                ("first_entries", list("1,2")),
                ("from_entries", list("2")),
                ("to_entries", list("1")),
                ("entry_account_ids", ids(&["b1", "a1"])),
                ("entry_versions", list("1,2")),
                ("entry_amounts", list("30,-30")),
                ("entry_balances", list("30,70")),
            ]),
        ),
        // A transfer without entries, and entries without a transfer.
        (
            "23000",
            nothing_moves(&[
                ("account_ids", list("")),
                ("revisions", list("")),
                ("balances", list("")),
                ("versions", list("")),
                ("helds", list("")),
                ("spent_days", list("")),
                ("spents", list("")),
                ("spents_allowed", list("")),
                ("first_entries", list("")),
                ("transfer_ids", ids(&["d2"])),
            ]),
        ),
        ("23000", with(&[("transfer_ids", list(""))])),
    ])
    .await;
    let (database, owner) = ledger().await;
    assert!(post(&database, &two).await);
    let sql = "select array_agg(balance_after order by account_id, version) from simplebank.entries where transfer_id in
        (select id from simplebank.transfers where kind = 'transfer')";
    let balances: Vec<i64> = sqlx::query_scalar(sql).fetch_one(&owner).await.unwrap();
    assert!(balances.ends_with(&[50]) && balances.len() >= 4, "{balances:?}");
}

#[tokio::test]
async fn an_account_that_changes_without_a_transfer_is_refused() {
    check_refused(vec![
        ("23000", with(&[("account_ids", ids(&["a1", "ff"]))])),
        ("23000", with(&[("account_ids", ids(&["a1", "c0"]))])),
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
                ("entry_amounts", list("30,-30")),
                ("entry_balances", list("130,-30")),
            ]),
        ),
        (
            "23514",
            with(&[
                ("amounts", list("101")),
                ("balances", list("-1,101")),
                ("entry_amounts", list("-101,101")),
                ("entry_balances", list("-1,101")),
            ]),
        ),
        ("23514", with(&[("keys", list("\"\""))])),
        ("23514", with(&[("answer_hold_ids", ids(&["e1"]))])),
        ("23514", with(&[("rejection_codes", list("x"))])),
        ("23514", with(&[("answer_transfer_ids", list("null"))])),
        ("23505", with(&[("transfer_ids", ids(&["d1"]))])),
        // An array that is too short.
        ("23502", with(&[("created_bys", list(""))])),
        ("23000", with(&[("entry_balances", list(""))])),
        // A running balance that does not follow from the one before it.
        ("23000", with(&[("entry_balances", list("71,30"))])),
        ("23000", with(&[("entry_balances", list("70,-5"))])),
    ])
    .await;
}

#[tokio::test]
async fn what_was_decided_on_something_else_writes_nothing_and_says_so() {
    let changed = "40001";
    check_refused(vec![
        (changed, with(&[("revisions", list("1,0"))])),
        (changed, with(&[("revisions", list("0,1"))])),
        (changed, with(&[("still_ids", ids(&["b2"])), ("still_revisions", list("1"))])),
        (changed, with(&[("still_ids", ids(&["ff"])), ("still_revisions", list("0"))])),
        (changed, with(&[("still_ids", ids(&["b2"])), ("still_revisions", list("null"))])),
        (changed, with(&[("still_ids", ids(&["b2"]))])),
        // The operator's key `k` has been answered.
        ("23505", with(&[("owner_ids", ids(&["01"])), ("keys", list("k"))])),
    ])
    .await;
    let (database, owner) = ledger().await;
    // The neighbours: somebody else's key of the same name, and an account that is still what it was.
    let still = [("still_ids", ids(&["b2"])), ("still_revisions", list("0"))];
    assert!(post(&database, &with(&[&still[..], &[("keys", list("k"))]].concat())).await);
    // Now the accounts are no longer what was seen, and the key is answered.
    let again = with(&[
        ("new_revision", "8".to_owned()),
        ("keys", list("k2")),
        ("transfer_ids", ids(&["d3"])),
    ]);
    let again = call("post", &again);
    let (code, _) = refusal(database.db().pool(), &again).await.unwrap();
    assert_eq!(code, changed);
    let revisions = "select revision from simplebank.accounts where revision <> 0";
    assert_eq!(sqlx::query_scalar::<_, i64>(revisions).fetch_all(&owner).await.unwrap(), [7, 7]);
}

#[tokio::test]
async fn nobody_else_calls_it() {
    let (_database, owner) = ledger().await;
    let sql = "select count(*) from pg_catalog.pg_proc p, aclexplode(p.proacl) a
        where p.pronamespace = 'simplebank'::regnamespace and p.proname in ('post', 'post_one')
          and a.grantee not in (p.proowner, 'simplebank_app'::regrole)";
    assert_eq!(sqlx::query_scalar::<_, i64>(sql).fetch_one(&owner).await.unwrap(), 0);
}

/// A comparison with a missing list is neither true nor false, so each would have let something through.
#[tokio::test]
async fn a_call_without_one_of_its_lists_writes_nothing() {
    let (database, owner) = ledger().await;
    let before = rows(&owner).await;
    for (name, _) in payment() {
        let sql = call("post", &with(&[(name, "null".to_owned())]));
        let answer: Option<bool> = sqlx::query_scalar(AssertSqlSafe(sql.clone()))
            .fetch_one(database.db().pool())
            .await
            .unwrap();
        assert_eq!(answer, None, "{sql}");
        assert_eq!(rows(&owner).await, before, "{sql}");
    }
    assert!(post(&database, &payment()).await);
}
