//! Reversals (I12).

use super::{Invariant, Row, Violation, violation};
use crate::{
    Balance, TransferId,
    transfer::{Kind, Transfer},
};

/// A row of `reversals`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReversalRow {
    /// What is given back.
    pub transfer_id: TransferId,
    /// Which of its reversals: 1, 2, 3, …
    pub number: i64,
    /// The transfer that gives it back.
    pub reversal_id: TransferId,
    /// How much has been given back with it.
    pub reversed: Balance,
    /// What the transfer had moved.
    pub whole: Balance,
}

/// Walks the reversals of one transfer in the order of their numbers (I12).
#[derive(Clone, Debug)]
pub struct GivenBack {
    transfer_id: TransferId,
    number: i64,
    reversed: Balance,
}

impl GivenBack {
    /// Begins before the first reversal.
    #[must_use]
    pub const fn new(transfer_id: TransferId) -> Self {
        Self { transfer_id, number: 0, reversed: Balance::ZERO }
    }

    /// The transfer that is given back.
    #[must_use]
    pub const fn transfer_id(&self) -> TransferId {
        self.transfer_id
    }

    /// Takes the next row, with the two transfers that it names, if they exist.
    ///
    /// # Errors
    ///
    /// The [`Violation`].
    pub fn take(
        &mut self,
        row: &ReversalRow,
        transfer: Option<&Transfer>,
        reversal: Option<&Transfer>,
    ) -> Result<(), Violation> {
        let wrong = |what: String| {
            violation(Invariant::GivenBack, Row::Reversal(row.transfer_id, row.number), what)
        };
        let (Some(transfer), Some(reversal)) = (transfer, reversal) else {
            return wrong("one of its transfers does not exist".to_owned());
        };
        if row.transfer_id != self.transfer_id || self.number.checked_add(1) != Some(row.number) {
            return wrong(format!("follows number {}", self.number));
        }
        let gives_back = reversal.kind == Kind::Reversal
            && reversal.reverses_id == Some(transfer.id)
            && reversal.from_account_id == transfer.to_account_id
            && reversal.to_account_id == transfer.from_account_id
            && reversal.currency == transfer.currency;
        if transfer.kind == Kind::Reversal || !gives_back {
            return wrong(format!("transfer {} does not give it back", reversal.id));
        }
        if self.reversed.checked_add(Balance::credit(reversal.amount)) != Some(row.reversed) {
            return wrong(format!(
                "counts {} after {} and an amount of {}, in minor units",
                row.reversed.minor(),
                self.reversed.minor(),
                reversal.amount.minor()
            ));
        }
        let moved = Balance::credit(transfer.amount);
        if row.whole != moved || row.reversed > moved {
            return wrong(format!(
                "gives back {} of {}, where {} were moved, in minor units",
                row.reversed.minor(),
                row.whole.minor(),
                moved.minor()
            ));
        }
        (self.number, self.reversed) = (row.number, row.reversed);
        Ok(())
    }
}
