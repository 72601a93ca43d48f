//! What `simplebank.post_one` refuses: the same as `simplebank.post`, and it writes the same.

use sqlx::AssertSqlSafe;

use crate::{
    schema::{id, ledger, refusal},
    schema_post::{self, Arguments, altered, call, check_refused_by, rows},
};

/// Alice pays 30 of her 100 to bob, who has nothing, under the key `fresh`.
fn payment() -> Arguments {
    let null = || "null".to_owned();
    let text = |value: &str| format!("'{value}'");
    let number = |value: &str| value.to_owned();
    vec![
        ("at", "now()".to_owned()),
        ("new_revision", number("7")),
        ("transfer_id", id("d2")),
        ("kind", text("transfer")),
        ("currency", text("EUR")),
        ("created_by", id("0a")),
        ("description", null()),
        ("ref", null()),
        ("hold_id", null()),
        ("reverses_id", null()),
        ("first_amount", number("-30")),
        ("first_id", id("a1")),
        ("first_revision", number("0")),
        ("first_balance", number("70")),
        ("first_version", number("2")),
        ("first_held", number("0")),
        ("first_spent_day", null()),
        ("first_spent", null()),
        ("first_spent_allowed", null()),
        ("second_id", id("b1")),
        ("second_revision", number("0")),
        ("second_balance", number("30")),
        ("second_version", number("1")),
        ("second_held", number("0")),
        ("second_spent_day", null()),
        ("second_spent", null()),
        ("second_spent_allowed", null()),
        ("owner_id", id("0a")),
        ("key", text("fresh")),
        ("content_hash", format!(r"'\x{}'", "00".repeat(32))),
    ]
}

/// The payment, with other arguments.
fn with(changes: &[(&'static str, &str)]) -> Arguments {
    let changes: Vec<_> =
        changes.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    altered(&payment(), &changes)
}

async fn check_refused(cases: Vec<(&str, Arguments)>) {
    check_refused_by("post_one", cases, &payment()).await;
}

#[tokio::test]
async fn it_writes_what_lists_of_one_would() {
    let (_database, owner) = ledger().await;
    let mut connection = owner.acquire().await.unwrap();
    let before = rows(&mut *connection).await;
    let at = [("at", "'2026-11-27 12:00:00+00'".to_owned())];
    let lists = call("post", &altered(&schema_post::payment(), &at));
    let one = call("post_one", &altered(&payment(), &at));
    let mut written = Vec::new();
    for sql in [lists, one] {
        let sql = AssertSqlSafe(format!("begin; {sql}"));
        sqlx::raw_sql(sql).execute(&mut *connection).await.unwrap();
        written.push(rows(&mut *connection).await);
        sqlx::raw_sql("rollback").execute(&mut *connection).await.unwrap();
    }
    assert_eq!(written[0], written[1]);
    assert_ne!(written[0], before);
}

#[tokio::test]
async fn what_is_not_double_entry_is_refused() {
    let bad = "23000";
    let (alice, bob, cash, dollars, nobody) = (id("a1"), id("b1"), id("c0"), id("b2"), id("ff"));
    check_refused(vec![
        // Accounts that are not there, are the same, or in the wrong order.
        (bad, with(&[("second_id", &nobody)])),
        (bad, with(&[("first_id", &id("00"))])),
        (bad, with(&[("second_id", &alice)])),
        (bad, with(&[("first_id", &bob)])),
        (
            bad,
            with(&[
                ("first_amount", "30"),
                ("first_id", &bob),
                ("first_balance", "30"),
                ("first_version", "1"),
                ("second_id", &alice),
                ("second_balance", "70"),
                ("second_version", "2"),
            ]),
        ),
        // Another account than the balances are of, and another currency than the accounts'.
        (bad, with(&[("second_id", &cash)])),
        (bad, with(&[("currency", "'USD'")])),
        (bad, with(&[("second_id", &dollars)])),
        (bad, with(&[("second_id", &dollars), ("currency", "'USD'")])),
        // Balances that don't follow from the amount.
        (bad, with(&[("first_balance", "71")])),
        (bad, with(&[("second_balance", "31")])),
        (bad, with(&[("first_balance", "69"), ("second_balance", "31")])),
        (bad, with(&[("first_amount", "-31")])),
        (bad, with(&[("first_amount", "30")])),
        (bad, with(&[("first_amount", "30"), ("first_balance", "130")])),
        (bad, with(&[("first_amount", "-9223372036854775807")])),
        // A gap in the versions, and one that is taken.
        (bad, with(&[("first_version", "3")])),
        (bad, with(&[("first_version", "1")])),
        (bad, with(&[("second_version", "2")])),
        (bad, with(&[("second_version", "0")])),
    ])
    .await;
}

#[tokio::test]
async fn what_no_row_can_hold_is_refused() {
    let of = |amount: &'static str, first: &'static str, second: &'static str| {
        with(&[("first_amount", amount), ("first_balance", first), ("second_balance", second)])
    };
    check_refused(vec![
        ("23514", of("0", "100", "0")),
        ("23514", of("-101", "-1", "101")),
        ("23514", of("1", "101", "-1")),
        ("22003", with(&[("first_amount", "-9223372036854775808")])),
        ("23514", with(&[("kind", "'gift'")])),
        ("23514", with(&[("kind", "'capture'")])),
        ("23514", with(&[("hold_id", &id("e1"))])),
        ("23514", with(&[("kind", "'reversal'")])),
        ("23514", with(&[("reverses_id", &id("d1"))])),
        ("23514", with(&[("description", "''")])),
        ("23514", with(&[("ref", "''")])),
        ("23514", with(&[("first_held", "71")])),
        ("23514", with(&[("second_held", "-1")])),
        ("23514", with(&[("first_spent", "30")])),
        (
            "23514",
            with(&[
                ("first_spent_day", "'2026-01-01'"),
                ("first_spent", "30"),
                ("first_spent_allowed", "29"),
            ]),
        ),
        ("23514", with(&[("key", "''")])),
        ("23514", with(&[("content_hash", r"'\x00'")])),
        ("23505", with(&[("transfer_id", &id("d1"))])),
        // The operator's key `k` has been answered.
        ("23505", with(&[("owner_id", &id("01")), ("key", "'k'")])),
    ])
    .await;
}

/// A comparison with nothing is neither true nor false.
#[tokio::test]
async fn a_call_without_one_of_its_arguments_writes_nothing() {
    let may_be_missing = |name: &str| {
        ["description", "ref", "hold_id", "reverses_id"].contains(&name) || name.contains("spent")
    };
    let cases: Vec<_> = payment()
        .into_iter()
        .filter(|(name, _)| !may_be_missing(name))
        .map(|(name, _)| {
            let is_compared = name == "currency"
                || ["_id", "_revision", "_amount", "_balance", "_version"].iter().any(|end| {
                    name.ends_with(end) && (name.starts_with("first") || name.starts_with("second"))
                });
            (if is_compared { "23000" } else { "23502" }, with(&[(name, "null")]))
        })
        .collect();
    assert_eq!(cases.len(), 20);
    check_refused(cases).await;
}

#[tokio::test]
async fn what_was_decided_on_something_else_writes_nothing_and_says_so() {
    let changed = "40001";
    check_refused(vec![
        (changed, with(&[("first_revision", "1")])),
        (changed, with(&[("second_revision", "1")])),
        (changed, with(&[("first_revision", "1"), ("second_revision", "1")])),
    ])
    .await;
    let (database, owner) = ledger().await;
    let application = database.db().pool();
    // The neighbour: somebody else's key of the same name.
    let first = call("post_one", &with(&[("key", "'k'")]));
    assert_eq!(refusal(application, &first).await, None);
    let again = with(&[("new_revision", "8"), ("key", "'k2'"), ("transfer_id", &id("d3"))]);
    let refused = refusal(application, &call("post_one", &again)).await;
    assert_eq!(refused.map(|(code, _)| code).as_deref(), Some(changed));
    let revisions = "select revision from simplebank.accounts where revision <> 0";
    assert_eq!(sqlx::query_scalar::<_, i64>(revisions).fetch_all(&owner).await.unwrap(), [7, 7]);
}

/// Who waits for an account has locked those before it and none after it, whoever pays.
#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_locked_in_ascending_order() {
    let (database, owner) = ledger().await;
    // Either may pay. The revision that this gives it is taken back, since the arguments name it.
    let overdraft = format!(
        "update simplebank.accounts set overdraft_limit = 100 where id = {0};
         update simplebank.accounts set revision = 0 where id = {0}",
        id("b1")
    );
    assert_eq!(refusal(&owner, &overdraft).await, None);
    let pays = with(&[]);
    let is_paid =
        with(&[("first_amount", "30"), ("first_balance", "130"), ("second_balance", "-30")]);
    for (locked, other, is_other_locked) in [("a1", "b1", false), ("b1", "a1", true)] {
        for arguments in [&pays, &is_paid] {
            let mut locking = owner.acquire().await.unwrap();
            let lock = format!(
                "begin; select from simplebank.accounts where id = {} for update",
                id(locked)
            );
            sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *locking).await.unwrap();
            let (application, sql) = (database.db().pool().clone(), call("post_one", arguments));
            let posting = tokio::spawn(async move {
                let mut connection = application.acquire().await.unwrap();
                let sql = AssertSqlSafe(format!("begin; {sql}"));
                // Whether it succeeds is of no interest here.
                let _ = sqlx::raw_sql(sql).execute(&mut *connection).await;
                sqlx::raw_sql("rollback").execute(&mut *connection).await.unwrap();
            });
            let is_waiting = "select exists (select from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock')";
            while !sqlx::query_scalar::<_, bool>(is_waiting).fetch_one(&owner).await.unwrap() {
                assert!(!posting.is_finished(), "it waits for nobody: {locked}");
            }
            let free = format!(
                "select count(*) from (select from simplebank.accounts where id = {} for update skip locked) a",
                id(other)
            );
            let free: i64 =
                sqlx::query_scalar(AssertSqlSafe(free)).fetch_one(&owner).await.unwrap();
            assert_eq!(free == 0, is_other_locked, "{locked}");
            sqlx::raw_sql("rollback").execute(&mut *locking).await.unwrap();
            posting.await.unwrap();
        }
    }
}
