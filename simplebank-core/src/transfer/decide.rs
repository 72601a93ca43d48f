//! The decision: what becomes of each order, given what was locked for it.

use time::OffsetDateTime;

use super::{Action, Book, Effect, Entry, Kind, Order, Posting, Reversal, Terms, Transfer};
use crate::{
    Account, AccountId, Amount, Balance, Hold, HoldId, Memo, Principal, Rejection, TransferId,
    UserId,
    access::Power,
    account::Owner,
    hold::{Lasting, State},
};

/// Judges `orders` one after the other at `now` and moves `book` forward by those that are accepted.
///
/// The answers are in the order of the orders. A refused order changes nothing.
pub fn decide(
    book: &mut Book,
    orders: &[Order],
    now: OffsetDateTime,
) -> Vec<Result<Effect, Rejection>> {
    orders.iter().map(|order| decide_one(book, order, now)).collect()
}

/// Judges one order at `now` and moves `book` forward if it is accepted; refused, it changes nothing.
///
/// # Errors
///
/// Why the order is refused.
pub fn decide_one(
    book: &mut Book,
    order: &Order,
    now: OffsetDateTime,
) -> Result<Effect, Rejection> {
    let by = &order.ordered_by;
    match &order.action {
        Action::Transfer { id, terms } => pay(book, by, *id, Kind::Transfer, terms, now),
        Action::Deposit { id, terms } => pay(book, by, *id, Kind::Deposit, terms, now),
        Action::Withdraw { id, terms } => pay(book, by, *id, Kind::Withdrawal, terms, now),
        Action::Hold { id, terms, lasting } => hold(book, by, *id, terms, *lasting, now),
        Action::Capture { id, hold, amount } => capture(book, by, *id, *hold, *amount, now),
        Action::Void { hold } => void(book, by, *hold, now),
        Action::Reverse { id, transfer, amount, memo } => {
            reverse(book, by, *id, *transfer, *amount, memo, now)
        }
    }
}

fn pay(
    book: &mut Book,
    by: &Principal,
    id: TransferId,
    kind: Kind,
    terms: &Terms,
    now: OffsetDateTime,
) -> Result<Effect, Rejection> {
    check_sides(book, by, kind, terms)?;
    let from = find(book, terms.from_account_id)?.clone().spend(terms.amount, now)?;
    let posting = post(book, from, transfer(id, kind, terms, by, now))?;
    Ok(Effect::Posted(posting))
}

fn hold(
    book: &mut Book,
    by: &Principal,
    id: HoldId,
    terms: &Terms,
    lasting: Lasting,
    now: OffsetDateTime,
) -> Result<Effect, Rejection> {
    check_sides(book, by, Kind::Transfer, terms)?;
    let from = find(book, terms.from_account_id)?.clone().spend(terms.amount, now)?;
    let from = from.hold(terms.amount)?;
    let Terms { from_account_id, to_account_id, amount, currency, memo } = terms.clone();
    let hold = Hold {
        id,
        from_account_id,
        to_account_id,
        amount,
        currency,
        memo,
        created_by: by.id(),
        created_at: now,
        expires_at: lasting.from(now),
        state: State::Open,
    };
    book.put_account(from);
    book.put_hold(hold.clone());
    Ok(Effect::Held(hold))
}

fn capture(
    book: &mut Book,
    by: &Principal,
    id: TransferId,
    hold_id: HoldId,
    amount: Option<Amount>,
    now: OffsetDateTime,
) -> Result<Effect, Rejection> {
    let hold = open_hold(book, by, hold_id, now)?.clone();
    let amount = amount.unwrap_or(hold.amount);
    if amount > hold.amount {
        return Err(Rejection::CaptureExceedsHold { id: hold_id });
    }
    // Who pays could let go of nearly all of it otherwise.
    if amount < hold.amount && !may_give_back(book, by, hold.to_account_id) {
        return Err(Rejection::HoldBindsPayer { id: hold_id });
    }
    let terms = Terms {
        from_account_id: hold.from_account_id,
        to_account_id: hold.to_account_id,
        amount,
        currency: hold.currency,
        memo: hold.memo.clone(),
    };
    check_take_part(book, &terms)?;
    let released = find(book, hold.from_account_id)?.release(hold.amount);
    let rest = Balance::credit(hold.amount).checked_add(Balance::debit(amount)).unwrap_or_default();
    let from = released.unspend(rest, hold.created_at);
    let transfer = transfer(id, Kind::Capture, &terms, by, now);
    let posting = post(book, from, Transfer { hold_id: Some(hold_id), ..transfer })?;
    let hold = Hold { state: State::Captured { transfer_id: id, amount, at: now }, ..hold };
    book.put_hold(hold.clone());
    Ok(Effect::Captured { posting, hold })
}

fn void(
    book: &mut Book,
    by: &Principal,
    hold_id: HoldId,
    now: OffsetDateTime,
) -> Result<Effect, Rejection> {
    let hold = open_hold(book, by, hold_id, now)?.clone();
    if !may_give_back(book, by, hold.to_account_id) {
        return Err(Rejection::HoldBindsPayer { id: hold_id });
    }
    let hold = Hold { state: State::Voided { at: now }, ..hold };
    book.release(&hold, Balance::credit(hold.amount));
    book.put_hold(hold.clone());
    Ok(Effect::Voided(hold))
}

/// The hold, if it holds and the caller is one of its sides, or the bank.
fn open_hold<'a>(
    book: &'a Book,
    by: &Principal,
    id: HoldId,
    now: OffsetDateTime,
) -> Result<&'a Hold, Rejection> {
    let hold = book.hold(id).filter(|hold| {
        let sides = [hold.from_account_id, hold.to_account_id];
        by.may(Power::SettleAny) || owns_one_of(book, by.id(), sides)
    });
    let hold = hold.ok_or(Rejection::HoldNotFound { id })?;
    match hold.state {
        State::Open if hold.is_due(now) => Err(Rejection::HoldExpired { id }),
        State::Open => Ok(hold),
        State::Expired => Err(Rejection::HoldExpired { id }),
        State::Captured { .. } | State::Voided { .. } => Err(Rejection::HoldResolved { id }),
    }
}

fn reverse(
    book: &mut Book,
    by: &Principal,
    id: TransferId,
    original_id: TransferId,
    amount: Option<Amount>,
    memo: &Memo,
    now: OffsetDateTime,
) -> Result<Effect, Rejection> {
    let reversible = book.transfer(original_id).filter(|reversible| {
        let Transfer { from_account_id, to_account_id, .. } = reversible.transfer;
        by.may(Power::SettleAny) || owns_one_of(book, by.id(), [from_account_id, to_account_id])
    });
    let mut reversible = reversible.ok_or(Rejection::TransferNotFound { id: original_id })?.clone();
    let original = &reversible.transfer;
    let may_be_reversed = match original.kind {
        Kind::Transfer | Kind::Withdrawal | Kind::Capture => {
            may_give_back(book, by, original.to_account_id)
        }
        // Cash goes out by the bank's hand only.
        Kind::Deposit => by.may(Power::SettleAny),
        Kind::Reversal => false,
    };
    if !may_be_reversed {
        return Err(Rejection::NotReversible { id: original_id });
    }
    let rest = Balance::credit(original.amount).minor().saturating_sub(reversible.reversed.minor());
    let rest = Amount::from_minor(rest);
    let amount = match (amount, rest) {
        (Some(amount), Some(rest)) if amount <= rest => amount,
        (None, Some(rest)) => rest,
        (Some(_) | None, _) => return Err(Rejection::ReversalExceedsTransfer { id: original_id }),
    };
    let terms = Terms {
        from_account_id: original.to_account_id,
        to_account_id: original.from_account_id,
        amount,
        currency: original.currency,
        memo: memo.clone(),
    };
    check_take_part(book, &terms)?;
    let from = find(book, terms.from_account_id)?.clone();
    let transfer = transfer(id, Kind::Reversal, &terms, by, now);
    let posting = post(book, from, Transfer { reverses_id: Some(original_id), ..transfer })?;
    reversible.reversals = reversible.reversals.saturating_add(1);
    reversible.reversed = Balance::credit(original.amount).min(
        reversible.reversed.checked_add(Balance::credit(amount)).unwrap_or(Balance::credit(amount)),
    );
    let reversal = Reversal { number: reversible.reversals, reversed: reversible.reversed };
    book.put_transfer(reversible);
    Ok(Effect::Reversed { posting, reversal })
}

/// Moves the money of `transfer` from `from`, an account of the book as it is right before, to the other side.
fn post(book: &mut Book, from: Account, transfer: Transfer) -> Result<Posting, Rejection> {
    // One amount makes both entries, so they sum to zero; nothing is stored before both have been computed.
    let (debit, credit) = (Balance::debit(transfer.amount), Balance::credit(transfer.amount));
    let from_after = from.after(debit)?;
    let to_after = find(book, transfer.to_account_id)?.after(credit)?;
    let entry = |after: &Account, amount| Entry {
        account_id: after.id,
        version: after.version,
        transfer_id: transfer.id,
        amount,
        balance_after: after.balance,
        created_at: transfer.created_at,
    };
    let (from_entry, to_entry) = (entry(&from_after, debit), entry(&to_after, credit));
    book.put_account(from_after);
    book.put_account(to_after);
    Ok(Posting { transfer, from_entry, to_entry })
}

fn find(book: &Book, id: AccountId) -> Result<&Account, Rejection> {
    book.account(id).ok_or(Rejection::AccountNotFound { id })
}

fn owns_one_of(book: &Book, user: UserId, accounts: [AccountId; 2]) -> bool {
    accounts.iter().any(|id| book.account(*id).is_some_and(|account| account.is_owned_by(user)))
}

/// True when the caller is who is, or was to be, paid, or the bank.
fn may_give_back(book: &Book, by: &Principal, payee: AccountId) -> bool {
    by.may(Power::SettleAny) || book.account(payee).is_some_and(|to| to.is_owned_by(by.id()))
}

/// Refuses unless each side is what the kind asks for, the caller may order it, and both take part. What the caller must
/// not know of looks as if it did not exist.
fn check_sides(book: &Book, by: &Principal, kind: Kind, terms: &Terms) -> Result<(), Rejection> {
    let from = find(book, terms.from_account_id)?;
    let to = find(book, terms.to_account_id)?;
    let is_customer = |account: &Account| matches!(account.owner, Owner::Customer { .. });
    let is_own = from.is_owned_by(by.id()) && by.may(Power::TransferFromOwn);
    let (from_fits, to_fits) = match kind {
        Kind::Transfer => {
            (is_customer(from) && (is_own || by.may(Power::TransferFromAny)), is_customer(to))
        }
        Kind::Deposit => (from.owner == Owner::Cash && by.may(Power::Deposit), is_customer(to)),
        Kind::Withdrawal => (is_customer(from) && by.may(Power::Withdraw), to.owner == Owner::Cash),
        // Their sides are those of a hold or of another transfer, which had been checked.
        Kind::Capture | Kind::Reversal => (true, true),
    };
    if !from_fits {
        return Err(Rejection::AccountNotFound { id: from.id });
    }
    if !to_fits {
        return Err(Rejection::AccountNotFound { id: to.id });
    }
    if from.id == to.id {
        return Err(Rejection::SameAccount);
    }
    check_take_part(book, terms)
}

fn check_take_part(book: &Book, terms: &Terms) -> Result<(), Rejection> {
    find(book, terms.from_account_id)?.check_takes_part(terms.currency)?;
    find(book, terms.to_account_id)?.check_takes_part(terms.currency)
}

fn transfer(
    id: TransferId,
    kind: Kind,
    terms: &Terms,
    by: &Principal,
    now: OffsetDateTime,
) -> Transfer {
    Transfer {
        id,
        kind,
        from_account_id: terms.from_account_id,
        to_account_id: terms.to_account_id,
        amount: terms.amount,
        currency: terms.currency,
        memo: terms.memo.clone(),
        hold_id: None,
        reverses_id: None,
        created_by: by.id(),
        created_at: now,
    }
}
