//! Looking transfers up.

use simplebank_core::{
    AccountId, Principal, TransferId, audit::Object, memo::Reference, transfer::Transfer,
};
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
        let found = transfer.ok_or(Error::NotFound { what: "transfer" });
        self.seen(by, Object::Transfer(id), found).await
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
        let now = self.now();
        let found = self
            .db()
            .transact(FIND_TRANSFER, async |tx| {
                let account = visible(tx, by, account, now).await?;
                Ok::<_, Error>(transfers::list(tx, account.id, page.cursor, page.rows()).await?)
            })
            .await;
        let found = self.seen(by, Object::Account(account), found).await?;
        Ok(without_versions(page.listing(found, |(version, _)| *version)))
    }

    /// The transfers of an account that bear a reference, newest first, with cursors as in [`transfers`](Self::transfers).
    /// The comparison is exact. A page costs the same however many there are.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with [`AccountNotFound`](simplebank_core::Rejection::AccountNotFound).
    pub async fn transfers_by_reference(
        &self,
        by: &Principal,
        account: AccountId,
        reference: &Reference,
        page: Page<i64>,
    ) -> Result<Listing<Transfer, i64>, Error> {
        let now = self.now();
        let found = self
            .db()
            .transact(FIND_TRANSFER, async |tx| {
                let id = visible(tx, by, account, now).await?.id;
                let (before, rows) = (page.cursor, page.rows());
                Ok::<_, Error>(transfers::list_by_reference(tx, id, reference, before, rows).await?)
            })
            .await;
        let found = self.seen(by, Object::Account(account), found).await?;
        Ok(without_versions(page.listing(found, |(version, _)| *version)))
    }
}

fn without_versions(listing: Listing<(i64, Transfer), i64>) -> Listing<Transfer, i64> {
    let items = listing.items.into_iter().map(|(_, transfer)| transfer).collect();
    Listing { items, next: listing.next }
}
