//! Verifying limits.

use simplebank_core::{
    AccountId,
    ledger::{LimitHistory, check_newest as compare},
};
use simplebank_db::{
    Tx, account_limits,
    accounts::{self, Audited},
};

use super::{Counter, ROWS, Stop};

/// Walks the history of each account's limits.
pub(super) async fn verify(tx: &mut Tx<'_>, counter: &mut Counter<'_>) -> Result<(), Stop> {
    let mut history: Option<LimitHistory> = None;
    let mut after = None;
    loop {
        let page = account_limits::audit(tx, after, ROWS).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.account_id, last.number));
        let mut ids: Vec<AccountId> = page.iter().map(|row| row.account_id).collect();
        ids.dedup();
        let accounts = accounts::find_all(tx.connection(), &ids).await?;
        for row in &page {
            let found = accounts.binary_search_by_key(&row.account_id, |account| account.id);
            let mut next = match history.take() {
                Some(history) if history.account_id() == row.account_id => history,
                Some(_) | None => LimitHistory::new(row.account_id),
            };
            next.take(row, found.ok().and_then(|index| accounts.get(index)))?;
            history = Some(next);
        }
        counter.add(page.len());
    }
}

/// Compares accounts with the newest limits in their histories.
pub(super) async fn check_newest(tx: &mut Tx<'_>, page: &[Audited]) -> Result<(), Stop> {
    let ids: Vec<AccountId> = page.iter().map(|audited| audited.account.id).collect();
    let newest = account_limits::newest(tx, &ids).await?;
    for audited in page {
        let found = newest.binary_search_by_key(&audited.account.id, |row| row.account_id);
        compare(&audited.account, found.ok().and_then(|index| newest.get(index)))?;
    }
    Ok(())
}
