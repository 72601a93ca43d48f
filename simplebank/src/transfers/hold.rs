//! A promise of money from one customer to another.

use simplebank_core::{Hold, IdempotencyKey, Principal, hold::Lasting, transfer::Action};
use simplebank_db::Tx;

use super::Transfer;
use crate::{Bank, Error, ports::new_id, road::Wish};

/// What to promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceHold {
    /// How much from where to where.
    pub transfer: Transfer,
    /// For how long.
    pub lasting: Lasting,
}

impl Bank {
    /// Promises money, exactly once for each of the caller's keys: from now on it is not available to who pays, and it has
    /// not gone.
    ///
    /// # Errors
    ///
    /// As [`transfer`](Self::transfer).
    pub async fn place_hold(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: PlaceHold,
    ) -> Result<Hold, Error> {
        Ok(self.post_one(self.hold_wish(by, key, command)?).await?.hold())
    }

    /// [`place_hold`](Self::place_hold) inside a transaction of the caller's: it happens if that commits.
    ///
    /// # Errors
    ///
    /// As [`transfer_in`](Self::transfer_in).
    pub async fn place_hold_in(
        &self,
        tx: &mut Tx<'_>,
        by: &Principal,
        key: IdempotencyKey,
        command: PlaceHold,
    ) -> Result<Hold, Error> {
        Ok(self.post_in(tx, self.hold_wish(by, key, command)?).await?.hold())
    }

    fn hold_wish(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: PlaceHold,
    ) -> Result<Wish, Error> {
        let PlaceHold { transfer, lasting } = command;
        let action = Action::Hold { id: new_id(self.now())?, terms: transfer.terms(), lasting };
        Ok(self.wish(by, key, action))
    }
}
