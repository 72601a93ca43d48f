//! Cash that a banker takes in.

use simplebank_core::{
    AccountId, Amount, Currency, IdempotencyKey, Memo, Principal,
    access::Power,
    audit::Object,
    transfer::{Action, Terms},
};
use simplebank_db::Tx;

use crate::{Bank, Error, Receipt, ports::new_id, road::Wish};

/// Cash to take in, to a customer's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// The customer's account.
    pub account_id: AccountId,
    /// How much.
    pub amount: Amount,
    /// In which currency; the account must be kept in it.
    pub currency: Currency,
    /// What it says about itself.
    pub memo: Memo,
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
        self.require(by, Power::Deposit, Some(Object::Account(command.account_id))).await?;
        let cash = self.cash(command.currency).await?;
        Ok(self.post_one(self.deposit_wish(by, key, command, cash)?).await?.receipt())
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
        self.require(by, Power::Deposit, Some(Object::Account(command.account_id))).await?;
        let cash = self.cash_in(tx, command.currency).await?;
        Ok(self.post_in(tx, self.deposit_wish(by, key, command, cash)?).await?.receipt())
    }

    fn deposit_wish(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: Deposit,
        cash: AccountId,
    ) -> Result<Wish, Error> {
        let Deposit { account_id, amount, currency, memo } = command;
        let terms =
            Terms { from_account_id: cash, to_account_id: account_id, amount, currency, memo };
        Ok(self.wish(by, key, Action::Deposit { id: new_id(self.now())?, terms }))
    }
}
