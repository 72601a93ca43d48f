//! A transfer between two customers.

use simplebank_core::{AccountId, Amount, Currency, IdempotencyKey, Principal};
use simplebank_db::Tx;

use crate::{
    Bank, Error, Receipt,
    road::{Movement, Wish},
};

/// What to move from one customer's account to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Who pays: an account of the caller's.
    pub from_account_id: AccountId,
    /// Who is paid.
    pub to_account_id: AccountId,
    /// How much.
    pub amount: Amount,
    /// In which currency; both accounts must be kept in it.
    pub currency: Currency,
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
        self.post(self.transfer_wish(by, key, command)?).await
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
        self.transfer_wish(by, key, command)?.post_in(tx).await
    }

    fn transfer_wish(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: Transfer,
    ) -> Result<Wish, Error> {
        let Transfer { from_account_id, to_account_id, amount, currency } = command;
        let movement = Movement::Transfer { from_account_id, to_account_id };
        Wish::new(self.now(), by, key, movement, amount, currency)
    }
}
