//! What a hold binds, and how it ends.

use super::*;

fn insufficient() -> Rejection {
    Rejection::InsufficientFunds { id: account_id(1) }
}

#[test]
fn held_money_is_still_there_and_not_available() {
    let mut bank = Example::with_money(100);
    bank.hold(70).unwrap();
    assert_eq!((bank.balance(1), bank.held(1), bank.balance(2)), (100, 70, 0));
    assert_eq!(bank.account(1).available().minor(), 30);
    assert_eq!(bank.transfer(1, 3, 31), Err(insufficient()));
    assert_eq!(bank.hold(31), Err(insufficient()));
    let withdrawn = bank.pay(Kind::Withdrawal, 1, CASH, 31, banker());
    assert_eq!(withdrawn, Err(insufficient()));
    assert!(bank.transfer(1, 3, 30).is_ok());
}

#[test]
fn a_hold_is_made_like_a_transfer() {
    let cases = [
        (1, 1, customer(1), Rejection::SameAccount),
        (1, MISSING, customer(1), Rejection::AccountNotFound { id: account_id(MISSING) }),
        (1, CASH, customer(1), Rejection::AccountNotFound { id: account_id(CASH) }),
        (CASH, 1, Principal::Operator, Rejection::AccountNotFound { id: account_id(CASH) }),
        (1, 2, customer(2), Rejection::AccountNotFound { id: account_id(1) }),
        (1, 2, banker(), Rejection::AccountNotFound { id: account_id(1) }),
        (1, YEN, customer(1), Rejection::CurrencyMismatch { id: account_id(YEN) }),
        (2, 1, customer(2), Rejection::InsufficientFunds { id: account_id(2) }),
    ];
    for (from, to, by, reason) in cases {
        let mut bank = Example::with_money(100);
        let terms = terms(from, to, eur(1));
        let hold = Action::Hold { id: hold_id(1), terms, lasting: Lasting::default() };
        assert_eq!(bank.ask(by.clone(), hold), Err(reason), "from {from} to {to} by {by:?}");
    }
    let mut bank = Example::with_money(100);
    let terms = terms(1, 2, eur(100));
    let hold = Action::Hold { id: hold_id(1), terms, lasting: Lasting::default() };
    assert!(bank.ask(Principal::Operator, hold).is_ok(), "the operator promises for anybody");
}

#[test]
fn either_side_or_the_bank_captures_all_of_a_hold() {
    for by in [customer(1), customer(2), banker(), Principal::Operator] {
        for minor in [None, Some(70)] {
            let mut bank = Example::with_money(100);
            let hold = bank.hold(70).unwrap();
            bank.pass(Duration::seconds(59));
            let captured = bank.capture(by.clone(), hold, minor).unwrap();
            let transfer = captured.posting().unwrap().transfer();
            assert_eq!((transfer.kind, transfer.hold_id), (Kind::Capture, Some(hold)));
            assert_eq!((transfer.created_by, transfer.created_at), (by.id(), bank.now));
            assert_eq!((bank.balance(1), bank.held(1), bank.balance(2)), (30, 0, 70));
            let resolved =
                State::Captured { transfer_id: transfer.id, amount: eur(70), at: bank.now };
            assert_eq!(state(&bank, hold), resolved);
        }
    }
}

#[test]
fn a_capture_in_part_lets_go_of_the_rest_so_it_is_not_for_who_pays() {
    for by in [customer(2), banker(), Principal::Operator] {
        let mut bank = Example::with_money(100);
        let hold = bank.hold(70).unwrap();
        assert!(bank.capture(by, hold, Some(20)).is_ok());
        assert_eq!((bank.balance(1), bank.held(1), bank.balance(2)), (80, 0, 20));
        assert!(bank.transfer(1, 3, 80).is_ok());
    }
    let mut bank = Example::with_money(100);
    let hold = bank.hold(70).unwrap();
    let binds = Rejection::HoldBindsPayer { id: hold };
    assert_eq!(bank.capture(customer(1), hold, Some(69)), Err(binds));
}

#[test]
fn no_more_is_captured_than_is_held() {
    let mut bank = Example::with_money(100);
    let hold = bank.hold(70).unwrap();
    for by in [customer(1), customer(2), banker()] {
        let exceeds = Rejection::CaptureExceedsHold { id: hold };
        assert_eq!(bank.capture(by, hold, Some(71)), Err(exceeds));
    }
}

#[test]
fn who_is_to_be_paid_or_the_bank_voids_a_hold() {
    for by in [customer(2), banker(), Principal::Operator] {
        let mut bank = Example::with_money(100);
        let hold = bank.hold(70).unwrap();
        assert!(bank.void(by, hold).unwrap().posting().is_none());
        assert_eq!((bank.balance(1), bank.held(1), bank.balance(2)), (100, 0, 0));
        assert_eq!(state(&bank, hold), State::Voided { at: bank.now });
    }
    let mut bank = Example::with_money(100);
    let hold = bank.hold(70).unwrap();
    assert_eq!(bank.void(customer(1), hold), Err(Rejection::HoldBindsPayer { id: hold }));
}

#[test]
fn to_everybody_else_a_hold_does_not_exist() {
    let mut bank = Example::with_money(100);
    let hold = bank.hold(70).unwrap();
    let missing = hold_id(99);
    for (by, id) in [(customer(3), hold), (banker(), missing), (customer(1), missing)] {
        let not_found = || Err(Rejection::HoldNotFound { id });
        assert_eq!(bank.capture(by.clone(), id, Some(71)), not_found());
        assert_eq!(bank.void(by, id), not_found());
    }
    bank.void(customer(2), hold).unwrap();
    assert_eq!(bank.void(customer(3), hold), Err(Rejection::HoldNotFound { id: hold }));
}

#[test]
fn a_hold_ends_once() {
    let ends: [fn(&mut Example, HoldId) -> Answer; 3] = [
        |bank, hold| bank.capture(customer(2), hold, None),
        |bank, hold| bank.capture(customer(2), hold, Some(1)),
        |bank, hold| bank.void(customer(2), hold),
    ];
    for first in ends {
        for second in ends {
            let mut bank = Example::with_money(100);
            let hold = bank.hold(50).unwrap();
            first(&mut bank, hold).unwrap();
            assert_eq!(second(&mut bank, hold), Err(Rejection::HoldResolved { id: hold }));
            bank.pass(Duration::HOUR);
            assert_eq!(second(&mut bank, hold), Err(Rejection::HoldResolved { id: hold }));
            assert_eq!(bank.book.expire_due(bank.now), [], "what has ended does not expire");
        }
    }
}

#[test]
fn a_hold_whose_time_is_over_has_expired_whether_or_not_that_was_written_down() {
    let mut bank = Example::with_money(100);
    let hold = bank.hold(70).unwrap();
    bank.pass(Duration::seconds(60));
    let expired = || Err(Rejection::HoldExpired { id: hold });
    for _ in 0..2 {
        assert_eq!(bank.capture(customer(2), hold, None), expired());
        assert_eq!(bank.void(customer(2), hold), expired());
        assert_eq!(bank.void(banker(), hold), expired());
        assert_eq!(bank.book.hold(hold).cloned().unwrap().at(bank.now).state, State::Expired);
        bank.book.expire_due(bank.now);
    }
    assert_eq!((bank.held(1), state(&bank, hold)), (0, State::Expired));
    assert!(bank.transfer(1, 3, 100).is_ok());
}

#[test]
fn expiring_takes_what_is_due_and_nothing_else_and_once() {
    let mut bank = Example::with_money(100);
    let first = bank.hold(30).unwrap();
    bank.pass(Duration::SECOND);
    let second = bank.hold(40).unwrap();
    bank.pass(Duration::seconds(58));
    assert_eq!(bank.book.expire_due(bank.now), []);
    bank.pass(Duration::SECOND);
    let expired: Vec<_> = bank.book.expire_due(bank.now).iter().map(|hold| hold.id).collect();
    assert_eq!(expired, [first]);
    assert_eq!((bank.held(1), state(&bank, second)), (40, State::Open));
    assert_eq!(bank.book.expire_due(bank.now), []);
}

#[test]
fn a_clock_that_goes_back_does_not_revive_a_hold() {
    let mut bank = Example::with_money(100);
    let hold = bank.hold(70).unwrap();
    bank.pass(Duration::seconds(60));
    bank.book.expire_due(bank.now);
    bank.pass(Duration::seconds(-30));
    let expired = Err(Rejection::HoldExpired { id: hold });
    assert_eq!(bank.capture(customer(2), hold, None), expired);
    assert_eq!(bank.held(1), 0);
}

#[test]
fn a_frozen_side_stops_a_capture_and_not_a_void() {
    for side in [1, 2] {
        let mut bank = Example::with_money(100);
        let hold = bank.hold(70).unwrap();
        bank.change(side, |account| account.freeze().unwrap());
        let frozen = Rejection::AccountFrozen { id: account_id(side) };
        assert_eq!(bank.capture(banker(), hold, None), Err(frozen.clone()));
        assert_eq!(bank.hold(1), Err(frozen));
        assert!(bank.void(customer(2), hold).is_ok());
        assert_eq!(bank.held(1), 0);
    }
}

#[test]
fn what_is_promised_can_be_captured_though_nothing_else_can_be_paid() {
    let mut bank = Example::with_money(100);
    let hold = bank.hold(70).unwrap();
    bank.transfer(1, 3, 30).unwrap();
    assert_eq!(bank.transfer(1, 3, 1), Err(insufficient()));
    assert!(bank.capture(customer(2), hold, None).is_ok());
    assert_eq!((bank.balance(1), bank.held(1)), (0, 0));
}

#[test]
fn a_capture_says_what_its_hold_says() {
    let mut bank = Example::with_money(100);
    let memo = Memo { description: "a room".parse().ok(), reference: "INV-1".parse().ok() };
    let terms = Terms { memo: memo.clone(), ..terms(1, 2, eur(70)) };
    let id = hold_id(1);
    bank.ask(customer(1), Action::Hold { id, terms, lasting: seconds(60) }).unwrap();
    let captured = bank.capture(customer(2), id, None).unwrap();
    assert_eq!(captured.posting().unwrap().transfer().memo, memo);
}
