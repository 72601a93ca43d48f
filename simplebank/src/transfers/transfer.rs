//! A transfer between two customers.

use simplebank_core::{
    AccountId, Amount, Currency, IdempotencyKey, Memo, Principal,
    transfer::{Action, Terms},
};
use simplebank_db::Tx;

use crate::{Bank, Error, Receipt, ports::new_id, road::Wish};

/// What to move from one customer's account to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Who pays: an account of the caller's.
    pub from_account_id: AccountId,
    /// Who is paid.
    pub to_account_id: AccountId,
    /// How much.
    pub amount: Amount,
    /// In which currency; both accounts must be kept in it.
    pub currency: Currency,
    /// What it says about itself.
    pub memo: Memo,
}

impl Transfer {
    pub(crate) fn terms(self) -> Terms {
        let Self { from_account_id, to_account_id, amount, currency, memo } = self;
        Terms { from_account_id, to_account_id, amount, currency, memo }
    }
}

impl Bank {
    /// Transfers money, exactly once for each of the caller's keys; the receipt shows the account that paid.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`], the same one for ever under the same key; [`Error::KeyReused`] when the key was used for
    /// something else; what befalls the database, after which the same key can be sent again.
    pub async fn transfer(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: Transfer,
    ) -> Result<Receipt, Error> {
        Ok(self.post_one(self.transfer_wish(by, key, command)?).await?.receipt())
    }

    /// [`transfer`](Self::transfer) inside a transaction of the caller's: it happens if that commits.
    ///
    /// # Errors
    ///
    /// As [`transfer`](Self::transfer). A refusal is recorded under the key only if the caller's transaction commits.
    /// [`Error::Db`] of any kind has broken the transaction.
    pub async fn transfer_in(
        &self,
        tx: &mut Tx<'_>,
        by: &Principal,
        key: IdempotencyKey,
        command: Transfer,
    ) -> Result<Receipt, Error> {
        Ok(self.post_in(tx, self.transfer_wish(by, key, command)?).await?.receipt())
    }

    pub(super) fn transfer_wish(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: Transfer,
    ) -> Result<Wish, Error> {
        let action = Action::Transfer { id: new_id(self.now())?, terms: command.terms() };
        Ok(self.wish(by, key, action))
    }
}
