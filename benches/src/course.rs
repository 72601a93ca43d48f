//! The Go course "simple bank": its schema, its transaction statement for statement, and the best single statement that does the
//! same.

use crate::{
    Failure,
    cluster::Cluster,
    number::thousands,
    workload::{Workload, ZIPF_EXPONENT},
};

const SCHEMA: &str = include_str!("course/schema.sql");
const TRANSACTION: &str = include_str!("course/transaction.sql");
const SINGLE: &str = include_str!("course/single.sql");
/// What each account has to begin with.
const OPENING_BALANCE: i64 = 1_000_000;

/// How the transfer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As the course does: eight statements.
    Transaction,
    /// As one statement. Its update walks the primary key through a sorted array of two, so that it locks in ascending order;
    /// a deadlock would be told by pgbench as a failed transaction, and by the tables as refused.
    Single,
}

/// Makes the database `name` with so many accounts.
pub(crate) async fn create(cluster: &Cluster, name: &str, accounts: u32) -> Result<(), Failure> {
    cluster.execute("postgres", &format!("create database {name}")).await?;
    cluster.execute(name, SCHEMA).await?;
    let rows = format!(
        "insert into accounts (owner, balance, currency)
         select 'owner' || n, {OPENING_BALANCE}, 'EUR' from generate_series(1, {accounts}) n"
    );
    cluster.execute(name, &rows).await?;
    cluster.execute(name, "vacuum analyze").await
}

/// The script for pgbench, which has the number of accounts in its variable `accounts`.
pub(crate) fn script(form: Form, workload: Workload) -> String {
    let choice = match workload {
        Workload::Uniform => {
            "\\set from random(1, :accounts)\n\\set to random(1, :accounts)\n".to_owned()
        }
        Workload::Zipf => format!(
            "\\set from random_zipfian(1, :accounts, {ZIPF_EXPONENT})\n\
             \\set to random_zipfian(1, :accounts, {ZIPF_EXPONENT})\n"
        ),
        Workload::Hot => "\\set from random(2, :accounts)\n\\set to 1\n".to_owned(),
    };
    let statements = match form {
        Form::Transaction => TRANSACTION,
        Form::Single => SINGLE,
    };
    format!(
        "{choice}\\set to case when :to = :from then 1 + :from % :accounts else :to end\n\
         \\set amount random(1, 999)\n{statements}"
    )
}

/// Checks that the ledger has all of `acknowledged` and nothing else, and that nothing was lost or made.
pub(crate) async fn check(
    cluster: &Cluster,
    name: &str,
    accounts: u32,
    acknowledged: u64,
) -> Result<(), Failure> {
    let broken = "select count(*) from (
            select a.id from accounts a left join entries e on e.account_id = a.id
            group by a.id having a.balance <> $1 + coalesce(sum(e.amount), 0)
        ) as broken"
        .replace("$1", &OPENING_BALANCE.to_string());
    let acknowledged = i64::try_from(acknowledged)?;
    let expected = [
        ("transfers", "select count(*) from transfers", acknowledged),
        ("entries", "select count(*) from entries", 2 * acknowledged),
        ("the sum of all entries", "select coalesce(sum(amount), 0)::bigint from entries", 0),
        (
            "the sum of all balances",
            "select sum(balance)::bigint from accounts",
            i64::from(accounts) * OPENING_BALANCE,
        ),
        ("balances that are not the sum of their entries", &broken, 0),
    ];
    for (what, question, expected) in expected {
        let found = cluster.count(name, question).await?;
        if found != expected {
            return Err(
                format!("the course's ledger is wrong: {what}: {found}, not {expected}").into()
            );
        }
    }
    println!(
        "  the course's ledger is right: {} transfers",
        thousands(acknowledged.unsigned_abs())
    );
    Ok(())
}
