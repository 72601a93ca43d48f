//! Giving back.

use super::*;

#[test]
fn who_was_paid_or_the_bank_gives_all_back() {
    for by in [customer(2), banker(), Principal::Operator] {
        for minor in [None, Some(60)] {
            let mut bank = Example::with_money(100);
            let paid = bank.transfer(1, 2, 60).unwrap();
            let reversed = bank.reverse(by.clone(), paid, minor).unwrap();
            let transfer = reversed.posting().unwrap().transfer();
            assert_eq!((transfer.kind, transfer.reverses_id), (Kind::Reversal, Some(paid)));
            assert_eq!(transfer.created_by, by.id());
            assert_eq!((bank.balance(1), bank.balance(2)), (100, 0));
        }
    }
}

#[test]
fn the_parts_of_a_transfer_are_given_back_up_to_the_whole() {
    let mut bank = Example::with_money(100);
    let paid = bank.transfer(1, 2, 60).unwrap();
    let too_much = || Err(Rejection::ReversalExceedsTransfer { id: paid });
    assert_eq!(bank.reverse(customer(2), paid, Some(61)), too_much());
    assert_eq!(reversal(bank.reverse(customer(2), paid, Some(10))), (1, 10));
    assert_eq!(reversal(bank.reverse(banker(), paid, Some(20))), (2, 30));
    assert_eq!(bank.reverse(customer(2), paid, Some(31)), too_much());
    assert_eq!(reversal(bank.reverse(customer(2), paid, None)), (3, 60), "the rest");
    assert_eq!((bank.balance(1), bank.balance(2)), (100, 0));
    assert_eq!(bank.reverse(customer(2), paid, None), too_much());
    assert_eq!(bank.reverse(customer(2), paid, Some(1)), too_much());
}

#[test]
fn who_paid_can_not_take_it_back() {
    let mut bank = Example::with_money(100);
    let paid = bank.transfer(1, 2, 60).unwrap();
    let refused = Err(Rejection::NotReversible { id: paid });
    assert_eq!(bank.reverse(customer(1), paid, None), refused);
}

#[test]
fn to_everybody_else_a_transfer_does_not_exist() {
    let mut bank = Example::with_money(100);
    let paid = bank.transfer(1, 2, 60).unwrap();
    let missing = transfer_id(99);
    for (by, id) in [(customer(3), paid), (banker(), missing), (customer(2), missing)] {
        let not_found = Err(Rejection::TransferNotFound { id });
        assert_eq!(bank.reverse(by, id, Some(61)), not_found);
    }
}

#[test]
fn a_reversal_is_not_reversed() {
    for by in [customer(1), customer(2), banker(), Principal::Operator] {
        let mut bank = Example::with_money(100);
        let paid = bank.transfer(1, 2, 60).unwrap();
        let reversed = bank.reverse(customer(2), paid, Some(10)).unwrap();
        let id = reversed.posting().unwrap().transfer().id;
        assert_eq!(bank.reverse(by, id, None), Err(Rejection::NotReversible { id }));
    }
}

#[test]
fn cash_is_given_back_by_the_bank_only() {
    let mut bank = Example::new();
    let posted = |effect: Effect| effect.posting().unwrap().transfer().id;
    let paid_in = posted(bank.pay(Kind::Deposit, CASH, 1, 100, banker()).unwrap());
    let paid_out = posted(bank.pay(Kind::Withdrawal, 1, CASH, 40, banker()).unwrap());
    for id in [paid_in, paid_out] {
        let refused = Err(Rejection::NotReversible { id });
        assert_eq!(bank.reverse(customer(1), id, Some(1)), refused);
        let not_found = Err(Rejection::TransferNotFound { id });
        assert_eq!(bank.reverse(customer(2), id, Some(1)), not_found);
    }
    bank.reverse(banker(), paid_out, None).unwrap();
    assert_eq!((bank.balance(1), bank.balance(CASH)), (100, -100));
    bank.reverse(Principal::Operator, paid_in, None).unwrap();
    assert_eq!((bank.balance(1), bank.balance(CASH)), (0, 0));
}

#[test]
fn a_capture_is_reversed_like_a_transfer_and_its_hold_stays_captured() {
    let mut bank = Example::with_money(100);
    let hold = bank.hold(70).unwrap();
    let captured = bank.capture(customer(2), hold, Some(50)).unwrap();
    let id = captured.posting().unwrap().transfer().id;
    assert_eq!(bank.reverse(customer(1), id, None), Err(Rejection::NotReversible { id }));
    assert_eq!(reversal(bank.reverse(customer(2), id, None)), (1, 50));
    assert_eq!((bank.balance(1), bank.held(1), bank.balance(2)), (100, 0, 0));
    let resolved = Rejection::HoldResolved { id: hold };
    assert_eq!(bank.capture(customer(2), hold, None), Err(resolved));
}

#[test]
fn what_was_spent_or_promised_since_can_not_be_given_back() {
    let insufficient = Rejection::InsufficientFunds { id: account_id(2) };
    let mut bank = Example::with_money(100);
    let paid = bank.transfer(1, 2, 60).unwrap();
    let terms = terms(2, 3, eur(20));
    let hold = Action::Hold { id: hold_id(1), terms, lasting: seconds(60) };
    bank.ask(customer(2), hold).unwrap();
    bank.transfer(2, 3, 10).unwrap();
    assert_eq!(bank.reverse(banker(), paid, None), Err(insufficient.clone()));
    assert_eq!(bank.reverse(banker(), paid, Some(31)), Err(insufficient));
    assert_eq!(reversal(bank.reverse(banker(), paid, Some(30))), (1, 30));
}

#[test]
fn nothing_is_given_back_from_or_to_an_account_that_takes_no_part() {
    for side in [1, 2] {
        let mut bank = Example::with_money(100);
        let paid = bank.transfer(1, 2, 60).unwrap();
        bank.change(side, |account| account.freeze().unwrap());
        let frozen = Rejection::AccountFrozen { id: account_id(side) };
        assert_eq!(bank.reverse(banker(), paid, None), Err(frozen));
        bank.change(side, |account| Account { status: Status::Closed, ..account });
        let closed = Rejection::AccountClosed { id: account_id(side) };
        assert_eq!(bank.reverse(banker(), paid, None), Err(closed));
    }
}
