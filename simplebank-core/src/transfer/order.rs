//! Orders: what somebody wants done.

use crate::{
    AccountId, Amount, Currency, HoldId, Memo, Principal, TransferId, hold::Lasting, transfer::Kind,
};

/// What somebody wants done, and who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Who asks.
    pub ordered_by: Principal,
    /// What is to be done.
    pub action: Action,
}

/// How much from where to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Who pays.
    pub from_account_id: AccountId,
    /// Who is paid.
    pub to_account_id: AccountId,
    /// How much.
    pub amount: Amount,
    /// In which currency; both accounts must be kept in it.
    pub currency: Currency,
    /// What it says about itself.
    pub memo: Memo,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// To move money from a customer's account to another customer's.
    Transfer {
        /// Names the transfer, if the order is accepted.
        id: TransferId,
        /// How much from where to where.
        terms: Terms,
    },
    /// To take cash in: from the cash account to a customer's.
    Deposit {
        /// Names the transfer, if the order is accepted.
        id: TransferId,
        /// How much from where to where.
        terms: Terms,
    },
    /// To pay cash out: from a customer's account to the cash account.
    Withdraw {
        /// Names the transfer, if the order is accepted.
        id: TransferId,
        /// How much from where to where.
        terms: Terms,
    },
    /// To promise money from a customer's account to another customer's.
    Hold {
        /// Names the hold, if the order is accepted.
        id: HoldId,
        /// How much from where to where.
        terms: Terms,
        /// For how long.
        lasting: Lasting,
    },
    /// To move what a hold holds, and to let go of the rest.
    Capture {
        /// Names the transfer, if the order is accepted.
        id: TransferId,
        /// The hold.
        hold: HoldId,
        /// How much of it; all, if nothing is said.
        amount: Option<Amount>,
    },
    /// To let go of a hold.
    Void {
        /// The hold.
        hold: HoldId,
    },
    /// To give back what a transfer moved.
    Reverse {
        /// Names the new transfer, if the order is accepted.
        id: TransferId,
        /// The transfer that is to be reversed.
        transfer: TransferId,
        /// How much of it; all that is left, if nothing is said.
        amount: Option<Amount>,
        /// What the reversal says about itself.
        memo: Memo,
    },
}

impl Order {
    /// The content of the order as text, equal for equal wishes: two orders under one idempotency key must agree on it.
    ///
    /// It has no id and no time, which differ between two attempts at the same thing, and no line break.
    #[must_use]
    pub fn content(&self) -> String {
        match &self.action {
            Action::Transfer { terms, .. } => terms.content(Kind::Transfer.as_str()),
            Action::Deposit { terms, .. } => terms.content(Kind::Deposit.as_str()),
            Action::Withdraw { terms, .. } => terms.content(Kind::Withdrawal.as_str()),
            Action::Hold { terms, lasting, .. } => {
                format!("{}|{}s", terms.content("hold"), lasting.seconds())
            }
            Action::Capture { hold, amount, .. } => capture_content(*hold, *amount),
            Action::Void { hold } => void_content(*hold),
            Action::Reverse { transfer, amount, memo, .. } => {
                reversal_content(*transfer, *amount, memo)
            }
        }
    }

    /// The accounts that the order names itself. Those of a hold or of a transfer that is to be reversed come on top.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> {
        let terms = match &self.action {
            Action::Transfer { terms, .. }
            | Action::Deposit { terms, .. }
            | Action::Withdraw { terms, .. }
            | Action::Hold { terms, .. } => Some(terms),
            Action::Capture { .. } | Action::Void { .. } | Action::Reverse { .. } => None,
        };
        terms.into_iter().flat_map(|terms| [terms.from_account_id, terms.to_account_id])
    }

    /// The hold that the order is about, if it captures or voids one.
    #[must_use]
    pub const fn hold(&self) -> Option<HoldId> {
        match &self.action {
            Action::Capture { hold, .. } | Action::Void { hold } => Some(*hold),
            Action::Transfer { .. }
            | Action::Deposit { .. }
            | Action::Withdraw { .. }
            | Action::Hold { .. }
            | Action::Reverse { .. } => None,
        }
    }

    /// The transfer that the order reverses, if it reverses one.
    #[must_use]
    pub const fn reversed_transfer(&self) -> Option<TransferId> {
        match &self.action {
            Action::Reverse { transfer, .. } => Some(*transfer),
            Action::Transfer { .. }
            | Action::Deposit { .. }
            | Action::Withdraw { .. }
            | Action::Hold { .. }
            | Action::Capture { .. }
            | Action::Void { .. } => None,
        }
    }
}

impl Terms {
    pub(super) fn content(&self, what: &str) -> String {
        let Self { from_account_id, to_account_id, amount, currency, memo } = self;
        let memo = memo.content();
        format!("{what}|{from_account_id}|{to_account_id}|{}|{currency}{memo}", amount.minor())
    }
}

fn amount_content(amount: Option<Amount>) -> String {
    amount.map_or("all".to_owned(), |amount| amount.minor().to_string())
}

pub(super) fn capture_content(hold: HoldId, amount: Option<Amount>) -> String {
    format!("capture|{hold}|{}", amount_content(amount))
}

pub(super) fn void_content(hold: HoldId) -> String {
    format!("void|{hold}")
}

pub(super) fn reversal_content(
    transfer: TransferId,
    amount: Option<Amount>,
    memo: &Memo,
) -> String {
    format!("reversal|{transfer}|{}{}", amount_content(amount), memo.content())
}
