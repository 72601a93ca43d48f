//! Arithmetic of its own, against which answers are held.

use std::collections::HashMap;

use simplebank::{
    Receipt,
    core::{AccountId, Rejection},
};

use super::{
    operation::{Operation, Order, Pay},
    side::Answer,
};

/// How sums are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    /// With room to spare.
    Exact,
    /// As an `i64` does that nobody checks.
    Wrapping,
}

/// What it remembers of a history.
#[derive(Debug)]
pub(super) struct Oracle {
    arithmetic: Arithmetic,
    /// Balance and version.
    accounts: HashMap<AccountId, (i128, i64)>,
    /// What was answered, by who asked under which key for what.
    answers: HashMap<(usize, String, String), String>,
}

impl Oracle {
    pub(super) fn new(arithmetic: Arithmetic) -> Self {
        Self { arithmetic, accounts: HashMap::new(), answers: HashMap::new() }
    }

    /// What speaks against an answer.
    pub(super) fn see(&mut self, operation: &Operation, answer: &Answer) -> Option<String> {
        let is_known = match (operation, &answer.asked) {
            (Operation::Order { by, key, .. }, Some(asked)) => {
                let asked = (*by, key.clone(), asked.clone());
                match self.answers.get(&asked) {
                    Some(before) if *before != answer.text => {
                        return Some(format!("answered {before} before"));
                    }
                    Some(_) => true,
                    None => {
                        self.answers.insert(asked, answer.text.clone());
                        false
                    }
                }
            }
            (_, _) => false,
        };
        if is_known {
            return None;
        }
        let moved = answer.receipts.iter().find_map(|receipt| self.take(receipt));
        moved.or_else(|| self.doubt(operation, answer))
    }

    /// Counts a receipt in, unless it tells of an entry that was told of before.
    fn take(&mut self, receipt: &Receipt) -> Option<String> {
        for entry in receipt.posting.entries() {
            let (balance, version) = self.accounts.entry(entry.account_id).or_default();
            if entry.version <= *version {
                continue;
            }
            *version += 1;
            *balance = match self.arithmetic {
                Arithmetic::Exact => *balance + i128::from(entry.amount.minor()),
                Arithmetic::Wrapping => {
                    let before = i64::try_from(*balance).unwrap_or_default();
                    i128::from(before.wrapping_add(entry.amount.minor()))
                }
            };
            let told = (i128::from(entry.balance_after.minor()), entry.version);
            if told != (*balance, *version) {
                return Some(format!("{entry:?} should leave {balance} at version {version}"));
            }
        }
        None
    }

    /// Doubts a refusal because of a sum that can be told.
    fn doubt(&self, operation: &Operation, answer: &Answer) -> Option<String> {
        let Some(Rejection::BalanceOutOfRange { id }) = answer.rejection else { return None };
        let (Pay { amount, .. }, is_payer) = match operation {
            Operation::Order { order: Order::Transfer(pay) | Order::Withdraw(pay), .. } => {
                (pay, answer.payer == Some(id))
            }
            Operation::Order { order: Order::Deposit(pay), .. } => (pay, answer.payer == Some(id)),
            Operation::Order { .. }
            | Operation::Batch { .. }
            | Operation::Open { .. }
            | Operation::Freeze { .. }
            | Operation::Unfreeze { .. }
            | Operation::Limit { .. }
            | Operation::Close { .. }
            | Operation::Look { .. }
            | Operation::Wait(_) => return None,
        };
        let (balance, _) = self.accounts.get(&id).copied().unwrap_or_default();
        let change = i128::from(amount.minor()) * if is_payer { -1 } else { 1 };
        let is_out_of_range = match self.arithmetic {
            Arithmetic::Exact => i64::try_from(balance + change).is_err(),
            Arithmetic::Wrapping => false,
        };
        (!is_out_of_range).then(|| format!("{balance} and {change} have a sum"))
    }
}
