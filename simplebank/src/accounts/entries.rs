//! An account's entries.

use simplebank_core::{Account, AccountId, Principal, audit::Object, transfer::Entry};
use simplebank_db::{TxSpec, entries};

use super::find::visible;
use crate::{Bank, Error, Listing, Page};

const ENTRIES: TxSpec = TxSpec::snapshot("entries");

impl Bank {
    /// An account and its entries, newest first, as they were at one moment. A cursor is the version of an entry.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with [`AccountNotFound`](simplebank_core::Rejection::AccountNotFound).
    pub async fn entries(
        &self,
        by: &Principal,
        account: AccountId,
        page: Page<i64>,
    ) -> Result<(Account, Listing<Entry, i64>), Error> {
        let now = self.now();
        let found = self
            .db()
            .transact(ENTRIES, async |tx| {
                let account = visible(tx, by, account, now).await?;
                let entries = entries::list(tx, account.id, page.cursor, page.rows()).await?;
                Ok::<_, Error>((account, entries))
            })
            .await;
        let (account, entries) = self.seen(by, Object::Account(account), found).await?;
        Ok((account, page.listing(entries, |entry| entry.version)))
    }
}
