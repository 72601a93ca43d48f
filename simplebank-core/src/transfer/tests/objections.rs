//! The rules told again, naively: all that speaks against an order. The decision must refuse it for one of these, or accept
//! it if there is none.
//!
//! Sums are `i128`, and what is held, spent and given back is what the witness has counted.

use super::{witness::Witness, *};

pub(super) fn objections(
    witness: &Witness,
    book: &Book,
    order: &Order,
    now: OffsetDateTime,
) -> Vec<Rejection> {
    let mut case = Case { witness, book, by: &order.ordered_by, now, found: Vec::new() };
    match &order.action {
        Action::Transfer { terms, .. } => case.payment(Kind::Transfer, terms),
        Action::Deposit { terms, .. } => case.payment(Kind::Deposit, terms),
        Action::Withdraw { terms, .. } => case.payment(Kind::Withdrawal, terms),
        Action::Hold { terms, .. } => case.hold(terms),
        Action::Capture { hold, amount, .. } => case.capture(*hold, *amount),
        Action::Void { hold } => case.void(*hold),
        Action::Reverse { transfer, amount, .. } => case.reversal(*transfer, *amount),
    }
    case.found
}

/// Those that tell a stranger nothing; one of them goes before all others.
pub(super) fn hides(rejection: &Rejection) -> bool {
    matches!(rejection.code(), "account_not_found" | "hold_not_found" | "transfer_not_found")
}

struct Case<'a> {
    witness: &'a Witness,
    book: &'a Book,
    by: &'a Principal,
    now: OffsetDateTime,
    found: Vec<Rejection>,
}

impl Case<'_> {
    fn object(&mut self, applies: bool, rejection: Rejection) {
        if applies {
            self.found.push(rejection);
        }
    }

    fn is_bank(&self) -> bool {
        matches!(self.by, Principal::Operator | Principal::User { role: Role::Banker, .. })
    }

    fn is_owner(&self, id: AccountId) -> bool {
        match (self.book.account(id).map(|account| &account.owner), self.by) {
            (Some(Owner::Customer { id, .. }), Principal::User { id: by, .. }) => id == by,
            (Some(Owner::Cash) | None, _) | (Some(Owner::Customer { .. }), Principal::Operator) => {
                false
            }
        }
    }

    fn sides(&mut self, kind: Kind, terms: &Terms) {
        let (from_id, to_id) = (terms.from_account_id, terms.to_account_id);
        let is_cash = |id| self.book.account(id).is_some_and(|it| it.owner == Owner::Cash);
        let (from_is_cash, to_is_cash) = (is_cash(from_id), is_cash(to_id));
        let may_order = match kind {
            Kind::Transfer => self.is_owner(from_id) || *self.by == Principal::Operator,
            Kind::Deposit | Kind::Withdrawal => self.is_bank(),
            Kind::Capture | Kind::Reversal => true,
        };
        let is_foreign = |is_cash, cash_kind| match kind {
            Kind::Capture | Kind::Reversal => false,
            Kind::Transfer | Kind::Deposit | Kind::Withdrawal => is_cash != (kind == cash_kind),
        };
        let from_fits = may_order && !is_foreign(from_is_cash, Kind::Deposit);
        let to_fits = !is_foreign(to_is_cash, Kind::Withdrawal);
        self.object(!from_fits, Rejection::AccountNotFound { id: from_id });
        self.object(!to_fits, Rejection::AccountNotFound { id: to_id });
        self.object(from_id == to_id, Rejection::SameAccount);
        for id in [from_id, to_id] {
            let Some(account) = self.book.account(id) else {
                self.found.push(Rejection::AccountNotFound { id });
                continue;
            };
            let (status, other) = (account.status, account.currency != terms.currency);
            self.object(status == Status::Frozen, Rejection::AccountFrozen { id });
            self.object(status == Status::Closed, Rejection::AccountClosed { id });
            self.object(other, Rejection::CurrencyMismatch { id });
        }
    }

    fn limits(&mut self, id: AccountId, amount: Amount) {
        let Some(account) = self.book.account(id).filter(|it| it.owner != Owner::Cash) else {
            return;
        };
        let Limits { per_transfer, per_day } = account.limits;
        let is_too_much = per_transfer.is_some_and(|limit| amount.minor() > limit.minor());
        self.object(is_too_much, Rejection::TransferLimitExceeded { id });
        let total = self.witness.spent(id, self.now) + i128::from(amount.minor());
        let is_too_much = per_day.is_some_and(|limit| total > i128::from(limit.minor()));
        self.object(is_too_much, Rejection::DailyLimitExceeded { id });
    }

    /// Unless `paid` and `promised`, which may be less than nothing, can come on top of what was.
    fn funds(&mut self, id: AccountId, paid: i128, promised: i128) {
        let Some(account) = self.book.account(id) else { return };
        let balance = self.witness.balance(id) - paid;
        let held = self.witness.held(id) + promised;
        let floor = -i128::from(account.overdraft_limit.minor());
        let is_short = account.owner != Owner::Cash && balance - held < floor;
        self.object(is_short, Rejection::InsufficientFunds { id });
        let is_out = i64::try_from(balance).is_err() || i64::try_from(held).is_err();
        self.object(is_out, Rejection::BalanceOutOfRange { id });
    }

    fn movement(&mut self, terms: &Terms, released: i128) {
        let amount = i128::from(terms.amount.minor());
        self.funds(terms.from_account_id, amount, -released);
        let to = self.witness.balance(terms.to_account_id) + amount;
        let id = terms.to_account_id;
        self.object(i64::try_from(to).is_err(), Rejection::BalanceOutOfRange { id });
    }

    fn payment(&mut self, kind: Kind, terms: &Terms) {
        self.sides(kind, terms);
        self.limits(terms.from_account_id, terms.amount);
        self.movement(terms, 0);
    }

    fn hold(&mut self, terms: &Terms) {
        self.sides(Kind::Transfer, terms);
        self.limits(terms.from_account_id, terms.amount);
        self.funds(terms.from_account_id, 0, i128::from(terms.amount.minor()));
    }

    /// The sides and the sum of a hold that holds, if the caller may know of it.
    fn open_hold(&mut self, id: HoldId) -> Option<Terms> {
        let hold = self.witness.hold(id).filter(|hold| {
            let sides = [hold.from_account_id, hold.to_account_id];
            self.is_bank() || sides.into_iter().any(|side| self.is_owner(side))
        });
        let Some(hold) = hold else {
            self.found.push(Rejection::HoldNotFound { id });
            return None;
        };
        let is_over = hold.expires_at <= self.now || hold.state == State::Expired;
        let is_resolved = matches!(hold.state, State::Captured { .. } | State::Voided { .. });
        if is_resolved {
            self.found.push(Rejection::HoldResolved { id });
            None
        } else if is_over {
            self.found.push(Rejection::HoldExpired { id });
            None
        } else {
            Some(Terms {
                from_account_id: hold.from_account_id,
                to_account_id: hold.to_account_id,
                amount: hold.amount,
                currency: hold.currency,
                memo: hold.memo.clone(),
            })
        }
    }

    fn capture(&mut self, id: HoldId, amount: Option<Amount>) {
        let Some(held) = self.open_hold(id) else { return };
        let terms = Terms { amount: amount.unwrap_or(held.amount), ..held.clone() };
        let is_too_much = terms.amount.minor() > held.amount.minor();
        self.object(is_too_much, Rejection::CaptureExceedsHold { id });
        let may_let_go = self.is_bank() || self.is_owner(held.to_account_id);
        let is_part = terms.amount.minor() < held.amount.minor();
        self.object(is_part && !may_let_go, Rejection::HoldBindsPayer { id });
        self.sides(Kind::Capture, &terms);
        self.movement(&terms, i128::from(held.amount.minor()));
    }

    fn void(&mut self, id: HoldId) {
        let Some(held) = self.open_hold(id) else { return };
        let may_let_go = self.is_bank() || self.is_owner(held.to_account_id);
        self.object(!may_let_go, Rejection::HoldBindsPayer { id });
    }

    fn reversal(&mut self, id: TransferId, amount: Option<Amount>) {
        let known = self.witness.transfer(id).filter(|transfer| {
            let sides = [transfer.from_account_id, transfer.to_account_id];
            self.is_bank() || sides.into_iter().any(|side| self.is_owner(side))
        });
        let Some(original) = known else {
            return self.found.push(Rejection::TransferNotFound { id });
        };
        let may_give_back = match original.kind {
            Kind::Reversal => false,
            Kind::Deposit => self.is_bank(),
            Kind::Transfer | Kind::Withdrawal | Kind::Capture => {
                self.is_bank() || self.is_owner(original.to_account_id)
            }
        };
        self.object(!may_give_back, Rejection::NotReversible { id });
        let rest = i128::from(original.amount.minor()) - self.witness.given_back(id);
        let wanted = amount.map_or(rest.max(1), |amount| i128::from(amount.minor()));
        self.object(wanted > rest, Rejection::ReversalExceedsTransfer { id });
        let Some(amount) = i64::try_from(wanted).ok().and_then(Amount::from_minor) else { return };
        let terms = Terms {
            from_account_id: original.to_account_id,
            to_account_id: original.from_account_id,
            amount,
            currency: original.currency,
            memo: Memo::NONE,
        };
        self.sides(Kind::Reversal, &terms);
        self.movement(&terms, 0);
    }
}
