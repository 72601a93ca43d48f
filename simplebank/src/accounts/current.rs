//! Accounts as they are right now: without what was held by holds whose time is over, whether or not that has been written
//! down.

use simplebank_core::{Account, AccountId, Balance, Hold, transfer::Book};
use simplebank_db::{
    self as db, Tx, accounts, holds,
    postings::{self, Batch, Change},
};
use time::OffsetDateTime;

/// The accounts as they are at `now`; nothing is written.
pub(super) async fn as_of(
    tx: &mut Tx<'_>,
    accounts: Vec<Account>,
    now: OffsetDateTime,
) -> Result<Vec<Account>, db::Error> {
    let ids: Vec<AccountId> = accounts.iter().map(|account| account.id).collect();
    let (book, _) = without_due(tx, accounts.into_iter().collect(), now).await?;
    Ok(ids.into_iter().filter_map(|id| book.account(id).cloned()).collect())
}

/// Locks an account, and writes down which holds on it have ended; `new_revision` marks it then. Returns the account as it is
/// at `now`, or `None` if there is none.
pub(super) async fn lock(
    tx: &mut Tx<'_>,
    id: AccountId,
    now: OffsetDateTime,
    new_revision: i64,
) -> Result<Option<Account>, db::Error> {
    let Some(seen) = accounts::lock(tx, id).await? else { return Ok(None) };
    let (book, expired) = without_due(tx, Book::from_iter([seen.clone()]), now).await?;
    let current = book.account(id).cloned();
    if !expired.is_empty() {
        let changes = current.iter().map(|current| Change { seen: &seen, current }).collect();
        postings::write(tx, &Batch { changes, new_revision, ..Batch::default() }, now).await?;
        holds::resolve_all(tx, &expired.iter().collect::<Vec<_>>()).await?;
    }
    Ok(current)
}

async fn without_due(
    tx: &mut Tx<'_>,
    mut book: Book,
    now: OffsetDateTime,
) -> Result<(Book, Vec<Hold>), db::Error> {
    let holding = book.accounts().filter(|account| account.held != Balance::ZERO);
    let holding: Vec<AccountId> = holding.map(|account| account.id).collect();
    if holding.is_empty() {
        return Ok((book, Vec::new()));
    }
    for hold in holds::due(tx, &holding, now).await? {
        book.put_hold(hold);
    }
    let expired = book.expire_due(now);
    Ok((book, expired))
}
