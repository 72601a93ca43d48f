//! Properties of the decision: what holds for any accounts and any orders.

use std::collections::BTreeMap;

use proptest::prelude::*;
use time::OffsetDateTime;

use super::{Entry, Kind, LockedAccounts, Order, Posting, decide};
use crate::{
    Account, AccountId, Amount, Balance, Currency, Principal, Rejection, Role, TransferId, UserId,
    account::{OverdraftLimit, Owner, Status},
    ledger::{Chain, Totals, check_account, check_posting},
};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
/// Account 0 is the cash account in EUR, 1 to 4 are customers' in EUR, 5 is a customer's in JPY, 6 does not exist.
const CASH: u8 = 0;
const YEN: u8 = 5;
const MISSING: u8 = 6;

fn account_id(n: u8) -> AccountId {
    AccountId::from_parts(1, [n; 10])
}

fn user_id(n: u8) -> UserId {
    UserId::from_parts(2, [n; 10])
}

fn user(n: u8, role: Role) -> Principal {
    Principal::User { id: user_id(n), username: "somebody".parse().unwrap(), role }
}

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn account(n: u8, status: Status, overdraft_minor: i64) -> Account {
    let owner = match n {
        CASH => Owner::Cash,
        n => Owner::Customer { id: user_id(n), username: "somebody".parse().unwrap() },
    };
    Account {
        id: account_id(n),
        owner,
        currency: currency(if n == YEN { "JPY" } else { "EUR" }),
        balance: Balance::ZERO,
        version: 0,
        overdraft_limit: OverdraftLimit::from_minor(overdraft_minor).unwrap(),
        status,
        created_at: NOW,
    }
}

fn statuses() -> impl Strategy<Value = Status> {
    prop_oneof![8 => Just(Status::Open), 1 => Just(Status::Frozen), 1 => Just(Status::Closed)]
}

prop_compose! {
    fn ledgers()(
        statuses in proptest::collection::vec(statuses(), 6),
        overdrafts in proptest::collection::vec(prop_oneof![3 => Just(0_i64), 1 => 0..1_000_i64, 1 => Just(i64::MAX)], 6),
    ) -> LockedAccounts {
        (0_u8..6).zip(statuses.into_iter().zip(overdrafts)).map(|(n, (status, overdraft))| account(n, status, overdraft)).collect()
    }
}

fn amounts() -> impl Strategy<Value = Amount> {
    prop_oneof![6 => 1..2_000_i64, 1 => Just(i64::MAX), 1 => 1..=i64::MAX, 1 => (i64::MAX - 5)..=i64::MAX]
        .prop_map(|minor| Amount::from_minor(minor).unwrap())
}

fn principals() -> impl Strategy<Value = Principal> {
    prop_oneof![
        (0_u8..7).prop_map(|n| user(n, Role::Depositor)),
        (0_u8..7).prop_map(|n| user(n, Role::Banker)),
        Just(Principal::Operator),
    ]
}

fn orders() -> impl Strategy<Value = Vec<Order>> {
    let kinds = proptest::sample::select(Kind::ALL.to_vec());
    let sides = (0..=MISSING, 0..=MISSING);
    let codes = prop_oneof![9 => Just("EUR"), 1 => Just("JPY")];
    let order = (kinds, sides, amounts(), codes, principals()).prop_map(
        |(kind, (from, to), amount, code, ordered_by)| {
            // Half of what is drawn at random would be nonsense of one sort; give deposits and withdrawals their cash side.
            let (from, to) = match kind {
                Kind::Transfer => (from, to),
                Kind::Deposit => (CASH, to),
                Kind::Withdrawal => (from, CASH),
            };
            Order {
                id: TransferId::from_parts(3, [0; 10]),
                kind,
                from_account_id: account_id(from),
                to_account_id: account_id(to),
                amount,
                currency: currency(code),
                ordered_by,
            }
        },
    );
    proptest::collection::vec(order, 0..60).prop_map(|mut orders| {
        for (n, order) in (0_u64..).zip(&mut orders) {
            order.id = TransferId::from_parts(n, [0; 10]);
        }
        orders
    })
}

/// What an auditor who has only the rows finds.
fn audit(
    before: &LockedAccounts,
    after: &LockedAccounts,
    postings: &[&Posting],
) -> Result<(), crate::ledger::Violation> {
    let mut totals = Totals::default();
    for account in after.iter() {
        totals.add(account)?;
        let mut chain = Chain::new(account.id, account.floor());
        let mut newest = None;
        let entries = postings.iter().flat_map(|posting| posting.entries());
        for entry in entries.filter(|entry| entry.account_id == account.id) {
            chain.take(entry)?;
            newest = Some((entry.version, entry.balance_after));
        }
        check_account(account, newest)?;
    }
    for posting in postings {
        check_posting(posting.transfer(), &posting.entries().map(Entry::clone))?;
    }
    assert_eq!(before.iter().count(), after.iter().count());
    totals.finish()
}

proptest! {
    #[test]
    fn money_is_conserved_and_no_account_falls_below_its_limit(before in ledgers(), orders in orders()) {
        let mut after = before.clone();
        let answers = decide(&mut after, &orders, NOW);
        prop_assert_eq!(answers.len(), orders.len());
        let postings: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
        prop_assert_eq!(audit(&before, &after, &postings), Ok(()));
    }

    #[test]
    fn replaying_the_entries_gives_the_same_state(before in ledgers(), orders in orders()) {
        let mut after = before.clone();
        let answers = decide(&mut after, &orders, NOW);
        let mut replayed: BTreeMap<_, _> = before.iter().map(|account| (account.id, (account.version, account.balance))).collect();
        for entry in answers.iter().flatten().flat_map(Posting::entries) {
            let (version, balance) = replayed.get_mut(&entry.account_id).unwrap();
            *version += 1;
            *balance = balance.checked_add(entry.amount).unwrap();
            prop_assert_eq!((entry.version, entry.balance_after), (*version, *balance));
        }
        for account in after.iter() {
            prop_assert_eq!(replayed.get(&account.id), Some(&(account.version, account.balance)));
        }
    }

    #[test]
    fn a_batch_is_its_members_one_after_the_other(before in ledgers(), orders in orders()) {
        let mut at_once = before.clone();
        let mut one_by_one = before;
        let together = decide(&mut at_once, &orders, NOW);
        let apart: Vec<_> = orders.iter().flat_map(|order| decide(&mut one_by_one, std::slice::from_ref(order), NOW)).collect();
        prop_assert_eq!(together, apart);
        prop_assert_eq!(at_once, one_by_one);
    }

    #[test]
    fn a_refused_order_changes_nothing(before in ledgers(), orders in orders()) {
        let mut accounts = before;
        for order in &orders {
            let kept = accounts.clone();
            let answer = decide(&mut accounts, std::slice::from_ref(order), NOW);
            if answer.iter().all(Result::is_err) {
                prop_assert_eq!(&accounts, &kept);
            }
        }
    }

    #[test]
    fn nobody_but_its_owner_or_the_operator_transfers_from_an_account(before in ledgers(), orders in orders()) {
        let answers = decide(&mut before.clone(), &orders, NOW);
        for (order, answer) in orders.iter().zip(answers) {
            if order.kind == Kind::Transfer && answer.is_ok() {
                let from = before.get(order.from_account_id).unwrap();
                prop_assert!(order.ordered_by == Principal::Operator || from.is_owned_by(order.ordered_by.id()));
            }
        }
    }
}

fn eur(minor: i64) -> Amount {
    Amount::from_minor(minor).unwrap()
}

fn order(kind: Kind, from: u8, to: u8, amount: Amount, ordered_by: Principal) -> Order {
    Order {
        id: TransferId::from_parts(9, [9; 10]),
        kind,
        from_account_id: account_id(from),
        to_account_id: account_id(to),
        amount,
        currency: currency("EUR"),
        ordered_by,
    }
}

fn open_ledger() -> LockedAccounts {
    (0..6).map(|n| account(n, Status::Open, 0)).collect()
}

fn run(accounts: &mut LockedAccounts, order: &Order) -> Result<Posting, Rejection> {
    decide(accounts, std::slice::from_ref(order), NOW).pop().unwrap()
}

#[test]
fn each_refusal_has_its_reason() {
    let alice = || user(1, Role::Depositor);
    let id = account_id;
    let cases = [
        (order(Kind::Transfer, 1, 1, eur(1), alice()), Rejection::SameAccount),
        (
            order(Kind::Transfer, 1, MISSING, eur(1), alice()),
            Rejection::AccountNotFound { id: id(MISSING) },
        ),
        (order(Kind::Transfer, 2, 1, eur(1), alice()), Rejection::AccountNotFound { id: id(2) }),
        (
            order(Kind::Transfer, 2, 1, eur(1), user(1, Role::Banker)),
            Rejection::AccountNotFound { id: id(2) },
        ),
        (
            order(Kind::Transfer, 1, CASH, eur(1), alice()),
            Rejection::AccountNotFound { id: id(CASH) },
        ),
        (
            order(Kind::Transfer, CASH, 1, eur(1), Principal::Operator),
            Rejection::AccountNotFound { id: id(CASH) },
        ),
        (
            order(Kind::Deposit, CASH, 1, eur(1), alice()),
            Rejection::AccountNotFound { id: id(CASH) },
        ),
        (
            order(Kind::Withdrawal, 1, CASH, eur(1), alice()),
            Rejection::AccountNotFound { id: id(1) },
        ),
        (order(Kind::Transfer, 1, 2, eur(1), alice()), Rejection::InsufficientFunds { id: id(1) }),
        (
            order(Kind::Transfer, 1, YEN, eur(1), alice()),
            Rejection::CurrencyMismatch { id: id(YEN) },
        ),
        (
            order(Kind::Transfer, YEN, 1, eur(1), user(YEN, Role::Depositor)),
            Rejection::CurrencyMismatch { id: id(YEN) },
        ),
    ];
    for (order, reason) in cases {
        assert_eq!(run(&mut open_ledger(), &order), Err(reason), "{order:?}");
    }
}

#[test]
fn frozen_and_closed_accounts_neither_pay_nor_receive() {
    for (status, reason) in [
        (Status::Frozen, Rejection::AccountFrozen { id: account_id(1) }),
        (Status::Closed, Rejection::AccountClosed { id: account_id(1) }),
    ] {
        for (from, to) in [(1, 2), (2, 1)] {
            let mut accounts: LockedAccounts = (0..6)
                .map(|n| account(n, if n == 1 { status } else { Status::Open }, 10))
                .collect();
            let order = order(Kind::Transfer, from, to, eur(1), Principal::Operator);
            assert_eq!(run(&mut accounts, &order), Err(reason.clone()));
        }
    }
}

#[test]
fn balances_stop_at_the_edges_of_i64() {
    let mut accounts = open_ledger();
    let deposit = |to, amount| order(Kind::Deposit, CASH, to, amount, Principal::Operator);
    assert!(run(&mut accounts, &deposit(1, Amount::MAX)).is_ok());
    assert_eq!(accounts.get(account_id(1)).map(|account| account.balance.minor()), Some(i64::MAX));
    assert_eq!(
        accounts.get(account_id(CASH)).map(|account| account.balance.minor()),
        Some(-i64::MAX)
    );
    // One more fits the cash account, whose range has one more below zero, and not a second one.
    assert!(run(&mut accounts, &deposit(2, Amount::MIN)).is_ok());
    assert_eq!(
        run(&mut accounts, &deposit(2, Amount::MIN)),
        Err(Rejection::BalanceOutOfRange { id: account_id(CASH) })
    );
    let transfer = order(Kind::Transfer, 2, 1, Amount::MIN, Principal::Operator);
    assert_eq!(
        run(&mut accounts, &transfer),
        Err(Rejection::BalanceOutOfRange { id: account_id(1) })
    );
}

#[test]
fn an_overdraft_goes_to_its_limit_and_no_further() {
    let mut accounts: LockedAccounts = (0..6).map(|n| account(n, Status::Open, 100)).collect();
    let pay = |minor| order(Kind::Transfer, 1, 2, eur(minor), user(1, Role::Depositor));
    assert_eq!(
        run(&mut accounts, &pay(101)),
        Err(Rejection::InsufficientFunds { id: account_id(1) })
    );
    assert!(run(&mut accounts, &pay(100)).is_ok());
    assert_eq!(
        run(&mut accounts, &pay(1)),
        Err(Rejection::InsufficientFunds { id: account_id(1) })
    );
}

/// The control of the property tests above: the same audit over rows that were tampered with.
#[test]
fn the_audit_notices_each_kind_of_tampering() {
    let before = open_ledger();
    let mut after = before.clone();
    let deposit = order(Kind::Deposit, CASH, 1, eur(50), Principal::Operator);
    let posting = run(&mut after, &deposit).unwrap();
    assert_eq!(audit(&before, &after, &[&posting]), Ok(()));
    assert!(audit(&before, &after, &[]).is_err(), "a missing posting");
    assert!(audit(&before, &before, &[&posting]).is_err(), "a balance that was put back");
    let tampers: [fn(&mut Posting); 7] = [
        |posting| posting.to_entry.created_at += time::Duration::SECOND,
        |posting| posting.from_entry.amount = Balance::from_minor(-49),
        |posting| posting.to_entry.balance_after = Balance::from_minor(51),
        |posting| posting.to_entry.version = 2,
        |posting| posting.to_entry.account_id = account_id(2),
        |posting| posting.transfer.amount = eur(49),
        |posting| posting.to_entry.transfer_id = TransferId::from_parts(1, [1; 10]),
    ];
    for (n, tamper) in tampers.into_iter().enumerate() {
        let mut posting = posting.clone();
        tamper(&mut posting);
        assert!(audit(&before, &after, &[&posting]).is_err(), "tampering {n}");
    }
}
