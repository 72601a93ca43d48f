//! What holds for any accounts and any orders, and each rule told once.
//!
//! `histories` are random; a `witness` follows each of them and believes nothing that the decision says; `controls` are
//! decisions with a seeded defect, which the witness must notice.

mod audit;
mod content;
mod controls;
mod extremes;
mod histories;
mod holds;
mod limits;
mod objections;
mod payments;
mod reversals;
mod witness;

use proptest::prelude::*;
use time::{Duration, OffsetDateTime};

use super::{
    Action, Book, Effect, Entry, Kind, Order, Posting, Reversible, Terms, decide, decide_one,
};
use crate::{
    Account, AccountId, Amount, Balance, Currency, HoldId, Memo, Principal, Rejection, Role,
    TransferId, UserId,
    account::{Limits, OverdraftLimit, Owner, Status},
    hold::{Lasting, State},
};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
/// Account 0 is the cash account in EUR, 1 to 4 are customers' in EUR, 5 is a customer's in JPY, 6 does not exist.
const CASH: u8 = 0;
const YEN: u8 = 5;
const MISSING: u8 = 6;

type Answer = Result<Effect, Rejection>;

fn account_id(n: u8) -> AccountId {
    AccountId::from_parts(1, [n; 10])
}

fn user_id(n: u8) -> UserId {
    UserId::from_parts(2, [n; 10])
}

fn transfer_id(n: u64) -> TransferId {
    TransferId::from_parts(n, [3; 10])
}

fn hold_id(n: u64) -> HoldId {
    HoldId::from_parts(n, [4; 10])
}

fn user(n: u8, role: Role) -> Principal {
    Principal::User { id: user_id(n), username: "somebody".parse().unwrap(), role }
}

fn customer(n: u8) -> Principal {
    user(n, Role::Depositor)
}

fn banker() -> Principal {
    user(MISSING, Role::Banker)
}

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn eur(minor: i64) -> Amount {
    Amount::from_minor(minor).unwrap()
}

fn seconds(seconds: u32) -> Lasting {
    Lasting::from_seconds(seconds).unwrap()
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
        revision: 0,
        held: Balance::ZERO,
        overdraft_limit: OverdraftLimit::from_minor(overdraft_minor).unwrap(),
        limits: Limits::default(),
        spent: None,
        notice_from: None,
        status,
        created_at: NOW,
    }
}

fn terms(from: u8, to: u8, amount: Amount) -> Terms {
    Terms {
        from_account_id: account_id(from),
        to_account_id: account_id(to),
        amount,
        currency: currency("EUR"),
        memo: Memo::NONE,
    }
}

fn statuses() -> impl Strategy<Value = Status> {
    prop_oneof![8 => Just(Status::Open), 1 => Just(Status::Frozen), 1 => Just(Status::Closed)]
}

prop_compose! {
    fn ledgers()(
        statuses in proptest::collection::vec(statuses(), 6),
        overdrafts in proptest::collection::vec(prop_oneof![3 => Just(0_i64), 1 => 0..1_000_i64, 1 => Just(i64::MAX)], 6),
    ) -> Book {
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

/// A bank for examples: everybody's account is open and nobody has anything.
struct Example {
    book: Book,
    now: OffsetDateTime,
    ids: u64,
}

impl Example {
    fn new() -> Self {
        Self { book: (0..6).map(|n| account(n, Status::Open, 0)).collect(), now: NOW, ids: 0 }
    }

    /// The same, and customer 1 has `minor` cents.
    fn with_money(minor: i64) -> Self {
        let mut bank = Self::new();
        bank.pay(Kind::Deposit, CASH, 1, minor, Principal::Operator).unwrap();
        bank
    }

    fn account(&self, n: u8) -> &Account {
        self.book.account(account_id(n)).unwrap()
    }

    fn balance(&self, n: u8) -> i64 {
        self.account(n).balance.minor()
    }

    fn held(&self, n: u8) -> i64 {
        self.account(n).held.minor()
    }

    fn change(&mut self, n: u8, change: impl FnOnce(Account) -> Account) {
        let changed = change(self.account(n).clone());
        self.book.put_account(changed);
    }

    fn pass(&mut self, duration: Duration) {
        self.now += duration;
    }

    /// Does it at once, or changes nothing.
    fn ask(&mut self, ordered_by: Principal, action: Action) -> Answer {
        let before = self.book.clone();
        let order = Order { ordered_by, action };
        let answer = decide_one(&mut self.book, &order, self.now);
        if answer.is_err() {
            assert_eq!(self.book, before, "{order:?}");
        }
        if let Some(posting) = answer.as_ref().ok().and_then(Effect::posting) {
            let transfer = posting.transfer().clone();
            assert!(transfer.contents().contains(&order.content()), "{order:?}");
            self.book.put_transfer(Reversible { transfer, reversals: 0, reversed: Balance::ZERO });
        }
        answer
    }

    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn pay(&mut self, kind: Kind, from: u8, to: u8, minor: i64, by: Principal) -> Answer {
        let (id, terms) = (transfer_id(self.next_id()), terms(from, to, eur(minor)));
        let action = match kind {
            Kind::Transfer => Action::Transfer { id, terms },
            Kind::Deposit => Action::Deposit { id, terms },
            Kind::Withdrawal => Action::Withdraw { id, terms },
            Kind::Capture | Kind::Reversal => panic!("not a payment"),
        };
        self.ask(by, action)
    }

    /// Customer `from` pays customer `to`.
    fn transfer(&mut self, from: u8, to: u8, minor: i64) -> Result<TransferId, Rejection> {
        let paid = self.pay(Kind::Transfer, from, to, minor, customer(from))?;
        Ok(paid.posting().unwrap().transfer().id)
    }

    /// Customer 1 promises customer 2 so much, for a minute.
    fn hold(&mut self, minor: i64) -> Result<HoldId, Rejection> {
        let (id, terms) = (hold_id(self.next_id()), terms(1, 2, eur(minor)));
        self.ask(customer(1), Action::Hold { id, terms, lasting: seconds(60) }).map(|_| id)
    }

    fn capture(&mut self, by: Principal, hold: HoldId, minor: Option<i64>) -> Answer {
        let id = transfer_id(self.next_id());
        self.ask(by, Action::Capture { id, hold, amount: minor.map(eur) })
    }

    fn void(&mut self, by: Principal, hold: HoldId) -> Answer {
        self.ask(by, Action::Void { hold })
    }

    fn reverse(&mut self, by: Principal, transfer: TransferId, minor: Option<i64>) -> Answer {
        let id = transfer_id(self.next_id());
        self.ask(by, Action::Reverse { id, transfer, amount: minor.map(eur), memo: Memo::NONE })
    }
}

/// The number of an accepted reversal, and how much has been given back with it.
fn reversal(answer: Answer) -> (i64, i64) {
    let effect = answer.unwrap();
    let Effect::Reversed { reversal, .. } = effect else { panic!("{effect:?}") };
    (reversal.number, reversal.reversed.minor())
}

/// The state of a hold.
fn state(bank: &Example, hold: HoldId) -> State {
    bank.book.hold(hold).unwrap().state
}
