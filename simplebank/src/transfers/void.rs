//! Letting go of a hold.

use simplebank_core::{Hold, HoldId, IdempotencyKey, Principal, transfer::Action};
use simplebank_db::Tx;

use crate::{Bank, Error};

impl Bank {
    /// Lets go of a hold, exactly once for each of the caller's keys. That is for who was to be paid, and for the bank.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with [`HoldNotFound`](simplebank_core::Rejection::HoldNotFound),
    /// [`HoldBindsPayer`](simplebank_core::Rejection::HoldBindsPayer),
    /// [`HoldResolved`](simplebank_core::Rejection::HoldResolved) or
    /// [`HoldExpired`](simplebank_core::Rejection::HoldExpired); otherwise as [`transfer`](Self::transfer).
    pub async fn void(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        hold: HoldId,
    ) -> Result<Hold, Error> {
        Ok(self.post_one(self.wish(by, key, Action::Void { hold })).await?.hold())
    }

    /// [`void`](Self::void) inside a transaction of the caller's: it happens if that commits.
    ///
    /// # Errors
    ///
    /// As [`void`](Self::void) and [`transfer_in`](Self::transfer_in).
    pub async fn void_in(
        &self,
        tx: &mut Tx<'_>,
        by: &Principal,
        key: IdempotencyKey,
        hold: HoldId,
    ) -> Result<Hold, Error> {
        Ok(self.post_in(tx, self.wish(by, key, Action::Void { hold })).await?.hold())
    }
}
