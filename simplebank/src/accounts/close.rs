//! Closing an account.

use simplebank_core::{
    Account, AccountId, Principal, Rejection,
    audit::{Action, Object},
};
use simplebank_db::{TxSpec, accounts, audit, holds};

use super::current;
use crate::{Bank, Error, ports::random_bytes};

const CLOSE_ACCOUNT: TxSpec = TxSpec::read_committed("close_account");

impl Bank {
    /// Closes an account for good, so that it neither pays nor receives: one of the caller's own, or a customer's for who may
    /// close any. Returns the account; closing it twice is the same as once. Its owner can then open another in its currency.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with [`Rejection::AccountNotFound`]; with [`Rejection::AccountFrozen`] where its owner closes it;
    /// with [`Rejection::AccountNotEmpty`] unless its balance is zero, or [`Rejection::AccountHasHolds`] while anything is
    /// promised, by it or to it.
    pub async fn close_account(&self, by: &Principal, id: AccountId) -> Result<Account, Error> {
        let (now, new_revision) = (self.now(), i64::from_ne_bytes(random_bytes()?));
        let object = Object::Account(id);
        let line = self.line(by.id(), Action::AccountClosed, object);
        let closed = self
            .db()
            .transact(CLOSE_ACCOUNT, async |tx| {
                // Whoever places a hold locks both of its accounts, so none comes after this.
                let account = current::lock(tx, id, now, new_revision).await?;
                let before = account.ok_or(Rejection::AccountNotFound { id })?;
                let hold = holds::first_open(tx, id, now).await?;
                let after = before.clone().close(by, hold.as_ref(), now)?;
                if after != before {
                    accounts::set_status(tx, id, after.status).await?;
                    if !after.is_owned_by(by.id()) {
                        audit::insert(tx, &line).await?;
                    }
                }
                Ok(accounts::find(tx, id).await?.unwrap_or(after))
            })
            .await;
        self.seen(by, object, closed).await
    }
}
