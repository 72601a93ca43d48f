//! How much may go out, at a time and on a day.

use super::*;

const DAY: Duration = Duration::DAY;

type End = fn(&mut Example, HoldId);

fn limit(bank: &mut Example, per_transfer: Option<i64>, per_day: Option<i64>) {
    let limits = Limits { per_transfer: per_transfer.map(eur), per_day: per_day.map(eur) };
    bank.change(1, |account| Account { limits, ..account });
}

/// Customer 1 has 1,000 and may send so much.
fn limited(per_transfer: Option<i64>, per_day: Option<i64>) -> Example {
    let mut bank = Example::with_money(1_000);
    limit(&mut bank, per_transfer, per_day);
    bank
}

fn spent(bank: &Example) -> i64 {
    bank.account(1).spent_on(bank.now.date()).minor()
}

fn at_a_time() -> Rejection {
    Rejection::TransferLimitExceeded { id: account_id(1) }
}

fn a_day() -> Rejection {
    Rejection::DailyLimitExceeded { id: account_id(1) }
}

#[test]
fn no_more_goes_out_at_a_time_than_the_limit() {
    let mut bank = limited(Some(50), None);
    assert_eq!(bank.transfer(1, 2, 51), Err(at_a_time()));
    assert_eq!(bank.hold(51), Err(at_a_time()));
    assert_eq!(bank.pay(Kind::Withdrawal, 1, CASH, 51, banker()), Err(at_a_time()));
    assert_eq!(bank.pay(Kind::Transfer, 1, 2, 51, Principal::Operator), Err(at_a_time()));
    for _ in 0..3 {
        assert!(bank.transfer(1, 2, 50).is_ok());
    }
    assert!(bank.hold(50).is_ok());
    assert!(bank.pay(Kind::Withdrawal, 1, CASH, 50, banker()).is_ok());
}

#[test]
fn no_more_goes_out_on_a_day_than_the_limit() {
    let mut bank = limited(None, Some(100));
    bank.transfer(1, 2, 40).unwrap();
    bank.hold(30).unwrap();
    bank.pay(Kind::Withdrawal, 1, CASH, 20, banker()).unwrap();
    assert_eq!(spent(&bank), 90);
    assert_eq!(bank.transfer(1, 2, 11), Err(a_day()));
    assert_eq!(bank.hold(11), Err(a_day()));
    assert_eq!(bank.pay(Kind::Withdrawal, 1, CASH, 11, banker()), Err(a_day()));
    assert!(bank.transfer(1, 2, 10).is_ok());
    assert_eq!(bank.transfer(1, 2, 1), Err(a_day()));
    bank.pass(DAY - Duration::SECOND);
    assert_eq!(bank.transfer(1, 2, 1), Err(a_day()), "the day ends at midnight in UTC");
    bank.pass(Duration::SECOND);
    assert_eq!(spent(&bank), 0);
    assert!(bank.transfer(1, 2, 100).is_ok());
}

#[test]
fn a_day_is_one_in_utc_whatever_the_offset_of_the_clock() {
    let mut bank = limited(None, Some(100));
    bank.transfer(1, 2, 100).unwrap();
    bank.now = (bank.now + Duration::hours(23)).to_offset(time::macros::offset!(+14));
    assert_eq!(bank.transfer(1, 2, 1), Err(a_day()));
    bank.pass(Duration::HOUR);
    assert!(bank.transfer(1, 2, 1).is_ok());
}

#[test]
fn a_limit_is_told_before_the_want_of_money() {
    let mut bank = limited(Some(2_000), Some(3_000));
    assert_eq!(bank.transfer(1, 2, 2_001), Err(at_a_time()));
    assert_eq!(bank.hold(2_001), Err(at_a_time()));
    limit(&mut bank, None, Some(2_000));
    assert_eq!(bank.transfer(1, 2, 2_001), Err(a_day()));
    assert_eq!(bank.hold(2_001), Err(a_day()));
}

#[test]
fn what_comes_in_and_what_is_given_back_is_free() {
    let mut bank = limited(Some(10), Some(10));
    bank.pay(Kind::Deposit, CASH, 2, 500, banker()).unwrap();
    let received = bank.transfer(2, 1, 500).unwrap();
    assert!(bank.reverse(customer(1), received, None).is_ok());
    assert_eq!(spent(&bank), 0);
    assert!(bank.transfer(1, 2, 10).is_ok());
}

#[test]
fn money_that_comes_back_does_not_make_room() {
    let mut bank = limited(None, Some(100));
    let paid = bank.transfer(1, 2, 100).unwrap();
    bank.reverse(customer(2), paid, None).unwrap();
    assert_eq!(bank.transfer(1, 2, 1), Err(a_day()));
}

#[test]
fn a_hold_counts_when_it_is_placed_and_its_capture_is_free() {
    let mut bank = limited(Some(100), Some(100));
    let hold = bank.hold(100).unwrap();
    assert_eq!(spent(&bank), 100);
    limit(&mut bank, Some(1), Some(1));
    assert!(bank.capture(customer(2), hold, None).is_ok());
    assert_eq!(spent(&bank), 100);
}

#[test]
fn what_of_a_hold_never_goes_out_makes_room_on_the_same_day() {
    let ends: [(i64, End); 3] = [
        (0, |bank, hold| assert!(bank.void(customer(2), hold).is_ok())),
        (60, |bank, hold| assert!(bank.capture(customer(2), hold, Some(60)).is_ok())),
        (0, |bank, _| {
            bank.pass(Duration::MINUTE);
            assert_eq!(bank.book.expire_due(bank.now).len(), 1);
        }),
    ];
    for (left, end) in ends {
        let mut bank = limited(None, Some(100));
        let hold = bank.hold(100).unwrap();
        assert_eq!(bank.transfer(1, 3, 1), Err(a_day()));
        end(&mut bank, hold);
        assert_eq!(spent(&bank), left);
        assert!(bank.transfer(1, 3, 100 - left).is_ok());
        assert_eq!(bank.transfer(1, 3, 1), Err(a_day()));
    }
}

#[test]
fn what_was_counted_on_another_day_makes_no_room_today() {
    let ends: [End; 2] = [
        |bank, hold| assert!(bank.void(customer(2), hold).is_ok()),
        |bank, hold| assert!(bank.capture(customer(2), hold, Some(1)).is_ok()),
    ];
    for end in ends {
        let mut bank = limited(None, Some(100));
        bank.pass(DAY - Duration::SECOND);
        let hold = bank.hold(100).unwrap();
        bank.pass(Duration::SECOND);
        bank.transfer(1, 3, 100).unwrap();
        end(&mut bank, hold);
        assert_eq!(spent(&bank), 100);
        assert_eq!(bank.transfer(1, 3, 1), Err(a_day()));
    }
}

#[test]
fn a_new_limit_holds_from_then_on() {
    let mut bank = limited(None, Some(100));
    bank.transfer(1, 2, 80).unwrap();
    limit(&mut bank, None, Some(50));
    assert_eq!(bank.transfer(1, 2, 1), Err(a_day()));
    let counted = bank.account(1).spent.unwrap();
    assert_eq!((counted.amount.minor(), counted.allowed), (80, Some(eur(100))));
    limit(&mut bank, None, Some(81));
    assert!(bank.transfer(1, 2, 1).is_ok());
    assert_eq!(bank.account(1).spent.unwrap().allowed, Some(eur(81)));
    limit(&mut bank, None, None);
    assert!(bank.transfer(1, 2, 100).is_ok());
    assert_eq!(spent(&bank), 181, "it counts though nobody asks");
    limit(&mut bank, None, Some(181));
    assert_eq!(bank.transfer(1, 2, 1), Err(a_day()));
}

#[test]
fn clocks_that_differ_at_midnight_make_no_room() {
    let mut bank = limited(None, Some(100));
    bank.pass(DAY);
    bank.transfer(1, 2, 100).unwrap();
    for _ in 0..2 {
        bank.pass(-Duration::MINUTE);
        assert_eq!(bank.transfer(1, 2, 1), Err(a_day()), "by a clock that is a minute behind");
        bank.pass(Duration::MINUTE);
        assert_eq!(bank.transfer(1, 2, 1), Err(a_day()));
    }
}

#[test]
fn the_cash_account_has_no_limits() {
    let mut bank = Example::new();
    let limits = Limits { per_transfer: Some(eur(1)), per_day: Some(eur(1)) };
    bank.change(CASH, |account| Account { limits, ..account });
    assert!(bank.pay(Kind::Deposit, CASH, 1, 100, banker()).is_ok());
    assert_eq!(bank.account(CASH).spent, None);
}
