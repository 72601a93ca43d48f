//! Cash that a banker takes in.

use simplebank_core::{AccountId, Amount, Currency, IdempotencyKey, Principal, access::Power};
use simplebank_db::Tx;

use crate::{
    Bank, Error, Receipt,
    access::require,
    road::{Movement, Wish},
};

/// Cash to take in, to a customer's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// The customer's account.
    pub account_id: AccountId,
    /// How much.
    pub amount: Amount,
    /// In which currency; the account must be kept in it.
    pub currency: Currency,
}

impl Bank {
    /// Takes cash in, exactly once for each of the caller's keys; the receipt shows the customer's account.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for who has not the power; otherwise as [`transfer`](Self::transfer).
    pub async fn deposit(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: Deposit,
    ) -> Result<Receipt, Error> {
        self.post(self.deposit_wish(by, key, command)?).await
    }

    /// [`deposit`](Self::deposit) inside a transaction of the caller's: it happens if that commits.
    ///
    /// # Errors
    ///
    /// As [`deposit`](Self::deposit) and [`transfer_in`](Self::transfer_in).
    pub async fn deposit_in(
        &self,
        tx: &mut Tx<'_>,
        by: &Principal,
        key: IdempotencyKey,
        command: Deposit,
    ) -> Result<Receipt, Error> {
        self.deposit_wish(by, key, command)?.post_in(tx).await
    }

    fn deposit_wish(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: Deposit,
    ) -> Result<Wish, Error> {
        require(by, Power::Deposit)?;
        let Deposit { account_id, amount, currency } = command;
        Wish::new(self.now(), by, key, Movement::Deposit { account_id }, amount, currency)
    }
}
