//! Each check of holds, reversals and limits, on rows that are fine and on rows with one defect.

use time::{Duration, OffsetDateTime};

use super::*;
use crate::{
    Amount, Hold, Memo,
    account::{Limits, OverdraftLimit, Owner, Spent, Status},
    hold::State,
    transfer::Kind,
};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn amount(minor: i64) -> Amount {
    Amount::from_minor(minor).unwrap()
}

fn account_id(n: u8) -> AccountId {
    AccountId::from_parts(1, [n; 10])
}

fn transfer_id(n: u8) -> TransferId {
    TransferId::from_parts(2, [n; 10])
}

fn hold_id(n: u8) -> HoldId {
    HoldId::from_parts(3, [n; 10])
}

fn euro() -> Currency {
    "EUR".parse().unwrap()
}

fn transfer(n: u8, kind: Kind, from: u8, to: u8, minor: i64) -> Transfer {
    Transfer {
        id: transfer_id(n),
        kind,
        from_account_id: account_id(from),
        to_account_id: account_id(to),
        amount: amount(minor),
        currency: euro(),
        memo: Memo::NONE,
        hold_id: None,
        reverses_id: None,
        created_by: UserId::OPERATOR,
        created_at: NOW,
    }
}

fn account() -> Account {
    Account {
        id: account_id(1),
        owner: Owner::Customer { id: UserId::OPERATOR, username: "alice".parse().unwrap() },
        currency: euro(),
        balance: Balance::from_minor(-10),
        version: 5,
        revision: 0,
        held: Balance::from_minor(20),
        overdraft_limit: OverdraftLimit::from_minor(30).unwrap(),
        limits: Limits { per_transfer: None, per_day: Some(amount(100)) },
        spent: Some(Spent {
            day: NOW.date(),
            amount: Balance::from_minor(50),
            allowed: Some(amount(50)),
        }),
        notice_from: None,
        status: Status::Open,
        created_at: NOW,
    }
}

/// The promise that is broken, and the row.
fn broken(checked: Result<(), Violation>) -> (Invariant, Row) {
    let violation = checked.unwrap_err();
    assert!(!violation.what.is_empty());
    (violation.invariant, violation.row)
}

#[test]
fn what_is_held_is_the_sum_of_the_open_holds() {
    assert_eq!(check_held(&account(), 20), Ok(()));
    let wrong = (Invariant::Promised, Row::Account(account_id(1)));
    for sum in [0, 19, 21, i128::MAX, i128::MIN] {
        assert_eq!(broken(check_held(&account(), sum)), wrong);
    }
}

#[test]
fn an_account_is_within_its_limits() {
    assert_eq!(check_use(&account()), Ok(()));
    let tampers: [fn(&mut Account); 5] = [
        |account| account.held = Balance::from_minor(21),
        |account| account.balance = Balance::from_minor(-11),
        |account| account.overdraft_limit = OverdraftLimit::from_minor(29).unwrap(),
        |account| account.balance = Balance::from_minor(i64::MIN),
        |account| account.spent.as_mut().unwrap().amount = Balance::from_minor(51),
    ];
    for tamper in tampers {
        let mut account = account();
        tamper(&mut account);
        let wrong = (Invariant::WithinLimit, Row::Account(account_id(1)));
        assert_eq!(broken(check_use(&account)), wrong, "{account:?}");
    }
    let cash = Account { owner: Owner::Cash, held: Balance::from_minor(99), ..account() };
    assert_eq!(check_use(&cash), Ok(()));
}

fn captured() -> (Hold, Transfer) {
    let state = State::Captured { transfer_id: transfer_id(1), amount: amount(15), at: NOW };
    let hold = Hold {
        id: hold_id(1),
        from_account_id: account_id(1),
        to_account_id: account_id(2),
        amount: amount(20),
        currency: euro(),
        memo: Memo::NONE,
        created_by: UserId::OPERATOR,
        created_at: NOW - Duration::HOUR,
        expires_at: NOW + Duration::HOUR,
        state,
    };
    let capture = Transfer { hold_id: Some(hold.id), ..transfer(1, Kind::Capture, 1, 2, 15) };
    (hold, capture)
}

#[test]
fn a_captured_hold_has_its_transfer() {
    let both = [Some(euro()); 2];
    let (hold, capture) = captured();
    assert_eq!(check_captured(&hold, both, Some(&capture)), Ok(()));
    let open = Hold { state: State::Open, ..hold.clone() };
    assert_eq!(check_captured(&open, both, None), Ok(()));
    let wrong = (Invariant::Promised, Row::Hold(hold.id));
    assert_eq!(broken(check_captured(&hold, both, None)), wrong);
    for currencies in
        [[Some(euro()), None], [None, Some(euro())], [Some("USD".parse().unwrap()); 2]]
    {
        assert_eq!(broken(check_captured(&open, currencies, None)), wrong);
    }
    let tampers: [fn(&mut Hold, &mut Transfer); 9] = [
        |_, capture| capture.id = transfer_id(2),
        |_, capture| capture.kind = Kind::Transfer,
        |_, capture| capture.hold_id = None,
        |_, capture| capture.hold_id = Some(hold_id(2)),
        |_, capture| capture.from_account_id = account_id(3),
        |_, capture| capture.to_account_id = account_id(3),
        |_, capture| capture.amount = amount(16),
        |_, capture| capture.created_at += Duration::SECOND,
        |hold, _| hold.amount = amount(14),
    ];
    for (n, tamper) in tampers.into_iter().enumerate() {
        let (mut hold, mut capture) = captured();
        tamper(&mut hold, &mut capture);
        assert_eq!(broken(check_captured(&hold, both, Some(&capture))), wrong, "tampering {n}");
    }
}

/// A transfer of 100, and two reversals of 60 and 40.
fn given_back() -> (Transfer, [(ReversalRow, Transfer); 2]) {
    let back = |n: u8, minor, number, reversed| {
        let reversal = transfer(n, Kind::Reversal, 2, 1, minor);
        let reversal = Transfer { reverses_id: Some(transfer_id(1)), ..reversal };
        let row = ReversalRow {
            transfer_id: transfer_id(1),
            number,
            reversal_id: transfer_id(n),
            reversed: Balance::from_minor(reversed),
            whole: Balance::from_minor(100),
        };
        (row, reversal)
    };
    (transfer(1, Kind::Transfer, 1, 2, 100), [back(2, 60, 1, 60), back(3, 40, 2, 100)])
}

fn walk(original: &Transfer, rows: &[(ReversalRow, Transfer); 2]) -> Result<(), Violation> {
    let mut walk = GivenBack::new(transfer_id(1));
    rows.iter().try_for_each(|(row, reversal)| walk.take(row, Some(original), Some(reversal)))
}

#[test]
fn reversals_are_counted_without_gap_and_never_beyond_the_whole() {
    let (original, rows) = given_back();
    assert_eq!(walk(&original, &rows), Ok(()));
    let [(first, reversal), _] = &rows;
    for (original, reversal) in [(None, Some(reversal)), (Some(&original), None)] {
        let checked = GivenBack::new(transfer_id(1)).take(first, original, reversal);
        assert_eq!(broken(checked), (Invariant::GivenBack, Row::Reversal(transfer_id(1), 1)));
    }
    type Tamper = fn(&mut Transfer, &mut ReversalRow, &mut Transfer);
    let tampers: [Tamper; 12] = [
        |_, row, _| row.number = 3,
        |_, row, _| row.number = 1,
        |_, row, _| row.transfer_id = transfer_id(9),
        |_, row, _| row.reversed = Balance::from_minor(99),
        |_, row, _| row.whole = Balance::from_minor(101),
        |_, _, reversal| reversal.amount = amount(39),
        |_, _, reversal| reversal.kind = Kind::Transfer,
        |_, _, reversal| reversal.reverses_id = None,
        |_, _, reversal| reversal.from_account_id = account_id(3),
        |_, _, reversal| reversal.to_account_id = account_id(3),
        |_, _, reversal| reversal.currency = "USD".parse().unwrap(),
        // More than was moved, told everywhere.
        |_, row, reversal| {
            reversal.amount = amount(41);
            row.reversed = Balance::from_minor(101);
        },
    ];
    for (n, tamper) in tampers.into_iter().enumerate() {
        let (mut original, mut rows) = given_back();
        let [_, (row, reversal)] = &mut rows;
        tamper(&mut original, row, reversal);
        let (invariant, row) = broken(walk(&original, &rows));
        let is_second = matches!(row, Row::Reversal(_, number) if number == rows[1].0.number);
        assert!(invariant == Invariant::GivenBack && is_second, "tampering {n}: {row}");
    }
    let (original, rows) = given_back();
    for original in [
        Transfer { kind: Kind::Reversal, ..original.clone() },
        Transfer { amount: amount(99), ..original },
    ] {
        let wrong = (Invariant::GivenBack, Row::Reversal(transfer_id(1), 1));
        assert_eq!(broken(walk(&original, &rows)), wrong);
    }
}

fn limits(number: i64, after_version: i64, overdraft_minor: i64) -> LimitRow {
    LimitRow {
        account_id: account_id(1),
        number,
        after_version,
        overdraft_limit: OverdraftLimit::from_minor(overdraft_minor).unwrap(),
        limits: account().limits,
    }
}

#[test]
fn a_history_of_limits_has_no_gap_and_ends_with_what_the_account_says() {
    let account = account();
    let walk = |rows: &[LimitRow]| {
        let mut history = LimitHistory::new(account.id);
        rows.iter().try_for_each(|row| history.take(row, Some(&account)))
    };
    assert_eq!(
        walk(&[limits(1, 0, 7), limits(2, 3, 9), limits(3, 3, 0), limits(4, 5, 30)]),
        Ok(())
    );
    for (rows, number) in [
        (vec![limits(2, 0, 7)], 2),
        (vec![limits(1, 0, 7), limits(3, 1, 7)], 3),
        (vec![limits(1, 0, 7), limits(1, 1, 7)], 1),
        (vec![limits(1, 4, 7), limits(2, 3, 7)], 2),
        (vec![limits(1, 6, 7)], 1),
        (vec![limits(1, -1, 7)], 1),
    ] {
        let wrong = (Invariant::WithinLimit, Row::Limits(account.id, number));
        assert_eq!(broken(walk(&rows)), wrong, "{rows:?}");
    }
    let orphan = LimitHistory::new(account.id).take(&limits(1, 0, 7), None);
    assert_eq!(broken(orphan), (Invariant::WithinLimit, Row::Limits(account.id, 1)));

    assert_eq!(check_newest(&account, None), Ok(()));
    assert_eq!(check_newest(&account, Some(&limits(4, 5, 30))), Ok(()));
    let wrong = (Invariant::WithinLimit, Row::Account(account.id));
    assert_eq!(broken(check_newest(&account, Some(&limits(4, 5, 29)))), wrong);
    let other = LimitRow { limits: Limits::default(), ..limits(4, 5, 30) };
    assert_eq!(broken(check_newest(&account, Some(&other))), wrong);
}

#[test]
fn each_entry_is_judged_by_the_limit_of_its_time() {
    let entry = |version, minor, after| Entry {
        account_id: account_id(1),
        version,
        transfer_id: transfer_id(1),
        amount: Balance::from_minor(minor),
        balance_after: Balance::from_minor(after),
        created_at: NOW,
    };
    let floor = |minor| Some(Balance::from_minor(minor));
    let walk = |floors: [i64; 3]| {
        let mut chain = Chain::new(account_id(1), floor(0));
        let entries = [entry(1, -50, -50), entry(2, 30, -20), entry(3, -1, -21)];
        floors.into_iter().zip(entries).try_for_each(|(minor, entry)| {
            chain.set_floor(floor(minor));
            chain.take(&entry)
        })
    };
    assert_eq!(walk([-50, 0, -21]), Ok(()), "receiving may leave it below");
    for (floors, version) in [([-49, 0, -21], 1), ([-50, 0, -20], 3)] {
        let wrong = (Invariant::WithinLimit, Row::Entry(account_id(1), version));
        assert_eq!(broken(walk(floors)), wrong);
    }
}
