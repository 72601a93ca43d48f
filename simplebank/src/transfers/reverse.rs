//! Giving back what a transfer moved.

use simplebank_core::{Amount, IdempotencyKey, Memo, Principal, TransferId, transfer::Action};
use simplebank_db::Tx;

use crate::{Bank, Error, Receipt, ports::new_id, road::Wish};

/// What to give back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reverse {
    /// The transfer that moved it.
    pub transfer_id: TransferId,
    /// How much of it; all that is left, if nothing is said.
    pub amount: Option<Amount>,
    /// What the reversal says about itself.
    pub memo: Memo,
}

impl Bank {
    /// Gives back what a transfer moved, in full or in part, by a new transfer that points at it; exactly once for each of the
    /// caller's keys, and never more than it moved. That is for who was paid, and for the bank. The receipt shows the account
    /// that gives back.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with [`TransferNotFound`](simplebank_core::Rejection::TransferNotFound),
    /// [`NotReversible`](simplebank_core::Rejection::NotReversible),
    /// [`ReversalExceedsTransfer`](simplebank_core::Rejection::ReversalExceedsTransfer), or because an account does not take
    /// part or has not the money; otherwise as [`transfer`](Self::transfer).
    pub async fn reverse(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: Reverse,
    ) -> Result<Receipt, Error> {
        Ok(self.post_one(self.reverse_wish(by, key, command)?).await?.receipt())
    }

    /// [`reverse`](Self::reverse) inside a transaction of the caller's: it happens if that commits.
    ///
    /// # Errors
    ///
    /// As [`reverse`](Self::reverse) and [`transfer_in`](Self::transfer_in).
    pub async fn reverse_in(
        &self,
        tx: &mut Tx<'_>,
        by: &Principal,
        key: IdempotencyKey,
        command: Reverse,
    ) -> Result<Receipt, Error> {
        Ok(self.post_in(tx, self.reverse_wish(by, key, command)?).await?.receipt())
    }

    fn reverse_wish(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: Reverse,
    ) -> Result<Wish, Error> {
        let Reverse { transfer_id: transfer, amount, memo } = command;
        let id = new_id(self.now())?;
        Ok(self.wish(by, key, Action::Reverse { id, transfer, amount, memo }))
    }
}
