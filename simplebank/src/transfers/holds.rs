//! Looking holds up.

use simplebank_core::{AccountId, Hold, HoldId, Principal, Rejection, audit::Object};
use simplebank_db::{TxSpec, holds};

use crate::{
    Bank, Error, Listing, Page,
    accounts::find::{sees_either, visible},
};

const FIND_HOLD: TxSpec = TxSpec::read_committed("find_hold").read_only();

impl Bank {
    /// A hold on or for an account that the caller may look at, as it is now: one whose time is over has expired.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with [`HoldNotFound`](Rejection::HoldNotFound).
    pub async fn hold_by_id(&self, by: &Principal, id: HoldId) -> Result<Hold, Error> {
        let hold = self
            .db()
            .transact(FIND_HOLD, async |tx| {
                let Some(hold) = holds::find_all(tx, &[id]).await?.pop() else { return Ok(None) };
                let is_seen =
                    sees_either(tx, by, [hold.from_account_id, hold.to_account_id]).await?;
                Ok::<_, Error>(is_seen.then_some(hold))
            })
            .await?;
        let found = hold.ok_or(Error::Rejected(Rejection::HoldNotFound { id }));
        Ok(self.seen(by, Object::Hold(id), found).await?.at(self.now()))
    }

    /// The holds on an account and those for it, as they are now, newest first. A cursor is the id of a hold.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with [`AccountNotFound`](Rejection::AccountNotFound).
    pub async fn holds(
        &self,
        by: &Principal,
        account: AccountId,
        page: Page<HoldId>,
    ) -> Result<Listing<Hold, HoldId>, Error> {
        let now = self.now();
        let found = self
            .db()
            .transact(FIND_HOLD, async |tx| {
                let account = visible(tx, by, account, now).await?;
                Ok::<_, Error>(holds::list(tx, account.id, page.cursor, page.rows()).await?)
            })
            .await;
        let found = self.seen(by, Object::Account(account), found).await?;
        let now = self.now();
        let Listing { items, next } = page.listing(found, |hold| hold.id);
        Ok(Listing { items: items.into_iter().map(|hold| hold.at(now)).collect(), next })
    }
}
