//! Freezing an account, and opening it again.

use simplebank_core::{Account, AccountId, Principal, Rejection, access::Power, account::Owner};
use simplebank_db::{TxSpec, accounts};

use super::current;
use crate::{Bank, Error, access::require, ports::random_bytes};

const SET_STATUS: TxSpec = TxSpec::read_committed("set_status");

impl Bank {
    /// Freezes a customer's account, so that it neither pays nor receives; returns the account. Doing it twice changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`]; [`Error::Rejected`] with [`Rejection::AccountNotFound`] or [`Rejection::AccountClosed`].
    pub async fn freeze(&self, by: &Principal, id: AccountId) -> Result<Account, Error> {
        self.set_status(by, id, Account::freeze).await
    }

    /// Unfreezes an account; returns it. Doing it twice changes nothing.
    ///
    /// # Errors
    ///
    /// As [`freeze`](Self::freeze).
    pub async fn unfreeze(&self, by: &Principal, id: AccountId) -> Result<Account, Error> {
        self.set_status(by, id, Account::unfreeze).await
    }

    async fn set_status(
        &self,
        by: &Principal,
        id: AccountId,
        decide: fn(Account) -> Result<Account, Rejection>,
    ) -> Result<Account, Error> {
        require(by, Power::Freeze)?;
        let (now, new_revision) = (self.now(), i64::from_ne_bytes(random_bytes()?));
        self.db()
            .transact(SET_STATUS, async |tx| {
                let account = current::lock(tx, id, now, new_revision).await?;
                let account = account.filter(|account| account.owner != Owner::Cash);
                let account = decide(account.ok_or(Rejection::AccountNotFound { id })?)?;
                accounts::set_status(tx, id, account.status).await?;
                Ok(accounts::find(tx, id).await?.unwrap_or(account))
            })
            .await
    }
}
