//! Moving what a hold has promised.

use simplebank_core::{Amount, HoldId, IdempotencyKey, Principal, transfer::Action};
use simplebank_db::Tx;

use crate::{Bank, Error, Receipt, ports::new_id, road::Wish};

impl Bank {
    /// Moves what a hold has promised, or `amount` of it, and lets go of the rest; exactly once for each of the caller's keys.
    /// Either side may do that, and the bank. The receipt shows the caller's account.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with [`HoldNotFound`](simplebank_core::Rejection::HoldNotFound),
    /// [`HoldResolved`](simplebank_core::Rejection::HoldResolved),
    /// [`HoldExpired`](simplebank_core::Rejection::HoldExpired),
    /// [`CaptureExceedsHold`](simplebank_core::Rejection::CaptureExceedsHold), or because an account does not take part;
    /// otherwise as [`transfer`](Self::transfer).
    pub async fn capture(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        hold: HoldId,
        amount: Option<Amount>,
    ) -> Result<Receipt, Error> {
        Ok(self.post_one(self.capture_wish(by, key, hold, amount)?).await?.receipt())
    }

    /// [`capture`](Self::capture) inside a transaction of the caller's: it happens if that commits.
    ///
    /// # Errors
    ///
    /// As [`capture`](Self::capture) and [`transfer_in`](Self::transfer_in).
    pub async fn capture_in(
        &self,
        tx: &mut Tx<'_>,
        by: &Principal,
        key: IdempotencyKey,
        hold: HoldId,
        amount: Option<Amount>,
    ) -> Result<Receipt, Error> {
        Ok(self.post_in(tx, self.capture_wish(by, key, hold, amount)?).await?.receipt())
    }

    fn capture_wish(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        hold: HoldId,
        amount: Option<Amount>,
    ) -> Result<Wish, Error> {
        Ok(self.wish(by, key, Action::Capture { id: new_id(self.now())?, hold, amount }))
    }
}
