//! Statements, from the tables `entries` and `transfers`.
//!
//! | | statements | what it reads |
//! |---|---|---|
//! | [`standing`] | 1 | one entry for each binary digit of the account's version: 24 of ten million |
//! | [`lines`](lines()) | 1 | the entries of the page, in the order of their key, and their transfers |
//!
//! Neither needs an index besides the primary keys. One over accounts and times would find a balance in one look-up rather
//! than in 24; but it would cost every transfer a third more of the server's CPU, and where times don't rise with the versions
//! it would find an entry that isn't the newest (docs/adr/0008-a-balance-at-an-instant.md).

use simplebank_core::{
    Account, AccountId, Balance,
    statement::{Line, Standing},
    transfer::{Entry, Transfer},
};
use time::OffsetDateTime;

use crate::{
    Error, Tx,
    row::{EntryRow, TransferRow},
};

/// The statement behind [`standing`]. Takes the account's id, the time, and the first step.
pub const STANDING_SQL: &str = include_str!("newest_entry.sql");
/// The statement behind [`lines`](lines()). Takes the account's id, two versions, and how many.
pub const LINES_SQL: &str = include_str!("statement.sql");

/// The first step of the search for an entry of an account whose newest entry has a version: the greatest power of two that
/// is no greater, or 0.
#[must_use]
pub fn first_step(newest_version: i64) -> i64 {
    newest_version.checked_ilog2().and_then(|log| 1_i64.checked_shl(log)).unwrap_or(0)
}

/// Where an account, as it was read in this transaction, stood at `time`: after the newest entry decided then or before.
///
/// Where times don't rise with the versions, it is after an entry of `time` or before that is followed by a later one or by
/// none; never after one that was found for an earlier time and the same rows.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn standing(
    tx: &mut Tx<'_>,
    account: &Account,
    time: OffsetDateTime,
) -> Result<Standing, Error> {
    let (id, step) = (account.id.as_uuid(), first_step(account.version));
    let row = sqlx::query_file!("src/newest_entry.sql", id, time, step)
        .fetch_one(tx.connection())
        .await?;
    Ok(Standing { version: row.version, balance: Balance::from_minor(row.balance) })
}

/// The balance after an entry of an account, or `None` if there is none of that version.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn standing_after(
    tx: &mut Tx<'_>,
    account: AccountId,
    version: i64,
) -> Result<Option<Standing>, Error> {
    let balance = sqlx::query_scalar!(
        "select balance_after from simplebank.entries where account_id = $1 and version = $2",
        account.as_uuid(),
        version,
    );
    let balance = balance.fetch_optional(tx.connection()).await?;
    Ok(balance.map(|minor| Standing { version, balance: Balance::from_minor(minor) }))
}

/// Up to `limit` entries of an account above the version `after` and up to `through`, oldest first, with their transfers.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn lines(
    tx: &mut Tx<'_>,
    account: AccountId,
    after: i64,
    through: i64,
    limit: i64,
) -> Result<Vec<Line>, Error> {
    let id = account.as_uuid();
    // Versions have no gap, so whatever the planner believes, a page reads no more than itself.
    let through = through.min(after.saturating_add(limit));
    let rows = sqlx::query_file!("src/statement.sql", id, after, through, limit)
        .fetch_all(tx.connection())
        .await?;
    rows.into_iter()
        .map(|row| {
            let entry = Entry::from(EntryRow {
                account_id: id,
                version: row.version,
                transfer_id: row.id,
                amount: row.entry_amount,
                balance_after: row.balance_after,
                created_at: row.created_at,
            });
            let transfer = Transfer::try_from(TransferRow {
                id: row.id,
                kind: row.kind,
                from_account_id: row.from_account_id,
                to_account_id: row.to_account_id,
                amount: row.amount,
                currency: row.currency,
                description: row.description,
                reference: row.reference,
                hold_id: row.hold_id,
                reverses_id: row.reverses_id,
                created_by: row.created_by,
                created_at: row.created_at,
            })?;
            Ok(Line { entry, transfer })
        })
        .collect()
}
