//! Cash that a banker pays out.

use simplebank_core::{AccountId, Amount, Currency, IdempotencyKey, Principal, access::Power};
use simplebank_db::Tx;

use crate::{
    Bank, Error, Receipt,
    access::require,
    road::{Movement, Wish},
};

/// Cash to pay out, from a customer's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// The customer's account.
    pub account_id: AccountId,
    /// How much.
    pub amount: Amount,
    /// In which currency; the account must be kept in it.
    pub currency: Currency,
}

impl Bank {
    /// Pays cash out, exactly once for each of the caller's keys; the receipt shows the customer's account.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for who has not the power; otherwise as [`transfer`](Self::transfer).
    pub async fn withdraw(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: Withdrawal,
    ) -> Result<Receipt, Error> {
        self.post(self.withdrawal_wish(by, key, command)?).await
    }

    /// [`withdraw`](Self::withdraw) inside a transaction of the caller's: it happens if that commits.
    ///
    /// # Errors
    ///
    /// As [`withdraw`](Self::withdraw) and [`transfer_in`](Self::transfer_in).
    pub async fn withdraw_in(
        &self,
        tx: &mut Tx<'_>,
        by: &Principal,
        key: IdempotencyKey,
        command: Withdrawal,
    ) -> Result<Receipt, Error> {
        self.withdrawal_wish(by, key, command)?.post_in(tx).await
    }

    fn withdrawal_wish(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: Withdrawal,
    ) -> Result<Wish, Error> {
        require(by, Power::Withdraw)?;
        let Withdrawal { account_id, amount, currency } = command;
        Wish::new(self.now(), by, key, Movement::Withdrawal { account_id }, amount, currency)
    }
}
