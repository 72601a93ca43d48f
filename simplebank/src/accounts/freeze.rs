//! Freezing an account, and opening it again.

use simplebank_core::{
    Account, AccountId, Principal, Rejection,
    access::Power,
    account::Owner,
    audit::{Action, Object},
};
use simplebank_db::{TxSpec, accounts, audit};

use super::current;
use crate::{Bank, Error, ports::random_bytes};

const SET_STATUS: TxSpec = TxSpec::read_committed("set_status");

impl Bank {
    /// Freezes a customer's account, so that it neither pays nor receives; returns the account. Doing it twice changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`]; [`Error::Rejected`] with [`Rejection::AccountNotFound`] or [`Rejection::AccountClosed`].
    pub async fn freeze(&self, by: &Principal, id: AccountId) -> Result<Account, Error> {
        self.set_status(by, id, Action::AccountFrozen, Account::freeze).await
    }

    /// Unfreezes an account; returns it. Doing it twice changes nothing.
    ///
    /// # Errors
    ///
    /// As [`freeze`](Self::freeze).
    pub async fn unfreeze(&self, by: &Principal, id: AccountId) -> Result<Account, Error> {
        self.set_status(by, id, Action::AccountUnfrozen, Account::unfreeze).await
    }

    async fn set_status(
        &self,
        by: &Principal,
        id: AccountId,
        action: Action,
        decide: fn(Account) -> Result<Account, Rejection>,
    ) -> Result<Account, Error> {
        let object = Object::Account(id);
        self.require(by, Power::Freeze, Some(object)).await?;
        let line = self.line(by.id(), action, object);
        let (now, new_revision) = (self.now(), i64::from_ne_bytes(random_bytes()?));
        self.db()
            .transact(SET_STATUS, async |tx| {
                let account = current::lock(tx, id, now, new_revision).await?;
                let account = account.filter(|account| account.owner != Owner::Cash);
                let before = account.ok_or(Rejection::AccountNotFound { id })?;
                let account = decide(before.clone())?;
                if account != before {
                    accounts::set_status(tx, id, account.status).await?;
                    audit::insert(tx, &line).await?;
                }
                Ok(accounts::find(tx, id).await?.unwrap_or(account))
            })
            .await
    }
}
