//! Holds (I11).

use super::{Invariant, Row, Violation, violation};
use crate::{
    Account, Currency, Hold,
    hold::State,
    transfer::{Kind, Transfer},
};

/// Compares what is held of an account with the sum of the open holds on it (I11).
///
/// # Errors
///
/// The [`Violation`].
pub fn check_held(account: &Account, open_holds: i128) -> Result<(), Violation> {
    let held = i128::from(account.held.minor());
    if held == open_holds {
        return Ok(());
    }
    let what = format!("holds {held} back, its open holds sum to {open_holds}, in minor units");
    violation(Invariant::Promised, Row::Account(account.id), what)
}

/// Compares a hold with the currencies of its two accounts and with the transfer that has captured it, if that exists (I11).
///
/// # Errors
///
/// The [`Violation`].
pub fn check_captured(
    hold: &Hold,
    currencies: [Option<Currency>; 2],
    transfer: Option<&Transfer>,
) -> Result<(), Violation> {
    let wrong = |what: String| violation(Invariant::Promised, Row::Hold(hold.id), what);
    if currencies != [Some(hold.currency); 2] {
        return wrong(format!("is in {}, one of its accounts is not", hold.currency));
    }
    let State::Captured { transfer_id, amount, at } = hold.state else { return Ok(()) };
    let Some(transfer) = transfer.filter(|transfer| transfer.id == transfer_id) else {
        return wrong(format!("was captured by transfer {transfer_id}, which does not exist"));
    };
    let is_its_own = transfer.kind == Kind::Capture
        && transfer.hold_id == Some(hold.id)
        && transfer.from_account_id == hold.from_account_id
        && transfer.to_account_id == hold.to_account_id
        && transfer.currency == hold.currency
        && transfer.created_at == at;
    if !is_its_own || transfer.amount != amount || amount > hold.amount {
        return wrong(format!("transfer {transfer_id} is not its capture"));
    }
    Ok(())
}
