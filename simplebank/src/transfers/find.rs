//! Looking transfers up.

use simplebank_core::{AccountId, Principal, TransferId, transfer::Transfer};
use simplebank_db::{TxSpec, transfers};

use crate::{
    Bank, Error, Listing, Page,
    accounts::find::{sees_either, visible},
};

const FIND_TRANSFER: TxSpec = TxSpec::read_committed("find_transfer").read_only();

impl Bank {
    /// A transfer from or to an account that the caller may look at.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn transfer_by_id(&self, by: &Principal, id: TransferId) -> Result<Transfer, Error> {
        let transfer = self
            .db()
            .transact(FIND_TRANSFER, async |tx| {
                let Some(transfer) = transfers::find(tx, id).await? else { return Ok(None) };
                let sides = [transfer.from_account_id, transfer.to_account_id];
                let is_seen = sees_either(tx, by, sides).await?;
                Ok::<_, Error>(is_seen.then_some(transfer))
            })
            .await?;
        transfer.ok_or(Error::NotFound { what: "transfer" })
    }

    /// The transfers of an account, newest first. A cursor is the version of the entry that a transfer made there.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with [`AccountNotFound`](simplebank_core::Rejection::AccountNotFound).
    pub async fn transfers(
        &self,
        by: &Principal,
        account: AccountId,
        page: Page<i64>,
    ) -> Result<Listing<Transfer, i64>, Error> {
        let found = self
            .db()
            .transact(FIND_TRANSFER, async |tx| {
                let account = visible(tx, by, account).await?;
                Ok::<_, Error>(transfers::list(tx, account.id, page.cursor, page.rows()).await?)
            })
            .await?;
        let Listing { items, next } = page.listing(found, |(version, _)| *version);
        Ok(Listing { items: items.into_iter().map(|(_, transfer)| transfer).collect(), next })
    }
}
