//! Where an `i64` ends.

use super::*;

fn out_of_range(n: u8) -> Answer {
    Err(Rejection::BalanceOutOfRange { id: account_id(n) })
}

#[test]
fn balances_stop_at_the_edges_of_i64() {
    let mut bank = Example::new();
    let deposit = |bank: &mut Example, to, minor| {
        bank.pay(Kind::Deposit, CASH, to, minor, Principal::Operator)
    };
    assert!(deposit(&mut bank, 1, i64::MAX).is_ok());
    assert_eq!(bank.balance(1), i64::MAX);
    assert_eq!(bank.balance(CASH), -i64::MAX);
    // One more fits the cash account, whose range has one more below zero, and not a second one.
    assert!(deposit(&mut bank, 2, 1).is_ok());
    assert_eq!(deposit(&mut bank, 2, 1), out_of_range(CASH));
    assert_eq!(bank.pay(Kind::Transfer, 2, 1, 1, Principal::Operator), out_of_range(1));
}

/// Account 1 has all that there can be, and may overdraw as much again.
fn rich() -> Example {
    let mut bank = Example::with_money(i64::MAX);
    bank.change(1, |account| Account {
        overdraft_limit: OverdraftLimit::from_minor(i64::MAX).unwrap(),
        ..account
    });
    bank
}

#[test]
fn no_more_is_held_than_can_be_counted() {
    let mut bank = rich();
    let hold = bank.hold(i64::MAX).unwrap();
    assert_eq!(bank.hold(1).map(|_| ()), out_of_range(1).map(|_| ()));
    assert_eq!(bank.account(1).available().minor(), i64::MAX, "what may be overdrawn is left");
    assert!(bank.transfer(1, 3, i64::MAX).is_ok(), "and can be paid");
    assert_eq!(bank.account(1).available(), Balance::ZERO);
    let insufficient = Rejection::InsufficientFunds { id: account_id(1) };
    assert_eq!(bank.transfer(1, 4, 1), Err(insufficient));
    assert!(bank.capture(customer(2), hold, None).is_ok());
    assert_eq!((bank.balance(1), bank.held(1)), (-i64::MAX, 0));
}

#[test]
fn a_capture_that_the_payee_has_no_room_for_leaves_the_hold_as_it_was() {
    let mut bank = rich();
    let hold = bank.hold(2).unwrap();
    bank.transfer(1, 2, i64::MAX).unwrap();
    assert_eq!(bank.capture(customer(1), hold, None), out_of_range(2));
    assert_eq!((bank.held(1), state(&bank, hold)), (2, State::Open));
}

#[test]
fn a_count_that_has_stopped_where_counting_ends_is_never_too_low() {
    let mut bank = rich();
    bank.transfer(1, 3, i64::MAX).unwrap();
    let hold = bank.hold(i64::MAX).unwrap();
    let spent = |bank: &Example| bank.account(1).spent_on(bank.now.date()).minor();
    assert_eq!(spent(&bank), i64::MAX);
    bank.void(customer(2), hold).unwrap();
    assert_eq!(spent(&bank), i64::MAX, "as much has gone out still");
    let per_day = Some(Amount::MAX);
    bank.change(1, |account| Account { limits: Limits { per_transfer: None, per_day }, ..account });
    assert_eq!(bank.transfer(1, 4, 1), Err(Rejection::DailyLimitExceeded { id: account_id(1) }));
}

#[test]
fn a_hold_at_the_end_of_time_ends_there() {
    let end = time::PrimitiveDateTime::MAX.assume_utc();
    assert_eq!(Lasting::MAX.from(end), end);
}

#[test]
fn the_largest_transfer_is_given_back_in_two_parts() {
    let mut bank = Example::with_money(i64::MAX);
    let transfer = bank.transfer(1, 2, i64::MAX).unwrap();
    let reversals: Vec<_> = [Some(1), None]
        .into_iter()
        .map(|minor| reversal(bank.reverse(customer(2), transfer, minor)))
        .collect();
    assert_eq!(reversals, [(1, 1), (2, i64::MAX)]);
    let too_much = Rejection::ReversalExceedsTransfer { id: transfer };
    assert_eq!(bank.reverse(customer(2), transfer, None), Err(too_much));
}
