//! Being told what goes out of an account.

use simplebank_core::{Account, AccountId, Amount, Principal, Rejection, audit::Object};
use simplebank_db::{TxSpec, accounts};

use super::current;
use crate::{Bank, Error, ports::random_bytes};

const SET_NOTICE: TxSpec = TxSpec::read_committed("set_notice");

impl Bank {
    /// Tells the owner of an account by mail whenever so much or more goes out of it by one transfer, or never; returns the account.
    /// That is for its owner alone. The mail is a job that commits with the transfer, and goes to an address that was verified.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with [`Rejection::AccountNotFound`].
    pub async fn set_notice(
        &self,
        by: &Principal,
        id: AccountId,
        notice_from: Option<Amount>,
    ) -> Result<Account, Error> {
        let (now, new_revision) = (self.now(), i64::from_ne_bytes(random_bytes()?));
        let set = self.db().transact(SET_NOTICE, async |tx| {
            let account = current::lock(tx, id, now, new_revision).await?;
            let account = account.filter(|account| account.is_owned_by(by.id()));
            let account = account.ok_or(Rejection::AccountNotFound { id })?;
            accounts::set_notice_from(tx, id, notice_from).await?;
            Ok::<_, Error>(accounts::find(tx, id).await?.unwrap_or(account))
        });
        self.seen(by, Object::Account(id), set.await).await
    }
}
