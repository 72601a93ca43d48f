//! A witness of a history, who keeps books of their own, naively and in `i128`, and compares after every order.

use std::collections::BTreeMap;

use proptest::test_runner::TestCaseError;
use time::Date;

use super::{
    audit::audit,
    objections::{hides, objections},
    *,
};
use crate::{
    Hold,
    account::Spent,
    transfer::{Reversal, Transfer},
};

type Checked = Result<(), TestCaseError>;

#[derive(Debug, Default)]
pub(super) struct Witness {
    accounts: BTreeMap<AccountId, Seen>,
    holds: BTreeMap<HoldId, Hold>,
    postings: Vec<Posting>,
    /// How many of the postings are in the book, to be reversed.
    offered: usize,
    given_back: BTreeMap<TransferId, Vec<i128>>,
    tally: BTreeMap<&'static str, u32>,
}

#[derive(Debug, Default)]
struct Seen {
    version: i64,
    balance: i128,
    counted: Option<Counted>,
}

#[derive(Debug)]
struct Counted {
    day: Date,
    total: i128,
    allowed: Option<Amount>,
    /// More than an account can count has gone out while there was no limit.
    has_stopped: bool,
}

fn of(amount: Amount) -> i128 {
    i128::from(amount.minor())
}

fn balance(minor: i128) -> Balance {
    Balance::from_minor(i64::try_from(minor).unwrap())
}

impl Witness {
    pub(super) fn new(book: &Book) -> Self {
        let accounts = book.accounts().map(|account| (account.id, Seen::default())).collect();
        Self { accounts, ..Self::default() }
    }

    pub(super) fn holds(&self) -> impl ExactSizeIterator<Item = &Hold> {
        self.holds.values()
    }

    pub(super) fn hold(&self, id: HoldId) -> Option<&Hold> {
        self.holds.get(&id)
    }

    pub(super) fn reversible(&self) -> &[Posting] {
        &self.postings[..self.offered]
    }

    pub(super) fn transfer(&self, id: TransferId) -> Option<&Transfer> {
        self.postings.iter().map(Posting::transfer).find(|transfer| transfer.id == id)
    }

    pub(super) fn tally(&self) -> &BTreeMap<&'static str, u32> {
        &self.tally
    }

    pub(super) fn balance(&self, id: AccountId) -> i128 {
        self.accounts.get(&id).map_or(0, |seen| seen.balance)
    }

    /// The sum of the open holds.
    pub(super) fn held(&self, id: AccountId) -> i128 {
        let open = self.holds.values().filter(|hold| hold.state == State::Open);
        open.filter(|hold| hold.from_account_id == id).map(|hold| of(hold.amount)).sum()
    }

    /// What has gone out on the day of `now`, or on a later one by another clock.
    pub(super) fn spent(&self, id: AccountId, now: OffsetDateTime) -> i128 {
        let counted = self.accounts.get(&id).and_then(|seen| seen.counted.as_ref());
        match counted.filter(|counted| counted.day >= now.date()) {
            Some(counted) if counted.has_stopped => counted.total.max(i128::from(i64::MAX)),
            Some(counted) => counted.total,
            None => 0,
        }
    }

    pub(super) fn given_back(&self, id: TransferId) -> i128 {
        self.given_back.get(&id).into_iter().flatten().sum()
    }

    /// Puts the transfers of earlier slices into the book, as rows that were read for the next one.
    pub(super) fn offer_reversals(&mut self, book: &mut Book) {
        for posting in &self.postings[self.offered..] {
            let transfer = posting.transfer().clone();
            book.put_transfer(Reversible { transfer, reversals: 0, reversed: Balance::ZERO });
        }
        self.offered = self.postings.len();
    }

    pub(super) fn see_expired(
        &mut self,
        expired: &[Hold],
        before: &Book,
        after: &Book,
        now: OffsetDateTime,
    ) -> Checked {
        let is_due = |hold: &&Hold| hold.state == State::Open && hold.expires_at <= now;
        let due: Vec<Hold> = self.holds.values().filter(is_due).cloned().collect();
        let expected: Vec<Hold> =
            due.iter().map(|hold| Hold { state: State::Expired, ..hold.clone() }).collect();
        prop_assert_eq!(expired, &expected);
        for hold in expected {
            self.note("expired");
            self.count_back(&hold, of(hold.amount));
            self.holds.insert(hold.id, hold);
        }
        self.compare(before, after)
    }

    pub(super) fn see(
        &mut self,
        order: &Order,
        answer: &Answer,
        before: &Book,
        after: &Book,
        now: OffsetDateTime,
    ) -> Checked {
        let objections = objections(self, before, order, now);
        match answer {
            Err(rejection) => {
                let hidden = objections.iter().any(hides);
                prop_assert!(objections.contains(rejection), "{rejection} of {objections:?}");
                prop_assert!(hides(rejection) || !hidden, "{rejection} tells of {objections:?}");
                prop_assert_eq!(before, after);
                let read_back = Rejection::of_order(rejection.code(), rejection.subject());
                prop_assert_eq!(read_back.as_ref(), Some(rejection));
                self.note(rejection.code());
            }
            Ok(effect) => {
                prop_assert_eq!(objections, []);
                prop_assert_eq!(effect, &self.expected(order, now));
                if let Some(posting) = effect.posting() {
                    prop_assert!(posting.transfer().contents().contains(&order.content()));
                    let Posting { transfer, from_entry, to_entry } = posting.clone();
                    let read_back = Posting::from_rows(transfer, from_entry, to_entry);
                    prop_assert_eq!(read_back.as_ref(), Some(posting));
                }
                self.take(effect, before, now)?;
            }
        }
        self.compare(before, after)
    }

    /// What an order does that nothing speaks against.
    fn expected(&self, order: &Order, now: OffsetDateTime) -> Effect {
        let by = order.ordered_by.id();
        let paid = |id, kind, terms| Effect::Posted(self.posting(id, kind, terms, by, now));
        match &order.action {
            Action::Transfer { id, terms } => paid(*id, Kind::Transfer, terms),
            Action::Deposit { id, terms } => paid(*id, Kind::Deposit, terms),
            Action::Withdraw { id, terms } => paid(*id, Kind::Withdrawal, terms),
            Action::Hold { id, terms, lasting } => Effect::Held(Hold {
                id: *id,
                from_account_id: terms.from_account_id,
                to_account_id: terms.to_account_id,
                amount: terms.amount,
                currency: terms.currency,
                memo: terms.memo.clone(),
                created_by: by,
                created_at: now,
                expires_at: now + Duration::seconds(i64::from(lasting.seconds())),
                state: State::Open,
            }),
            Action::Capture { id, hold, amount } => {
                let hold = self.holds[hold].clone();
                let amount = amount.unwrap_or(hold.amount);
                let terms = Terms {
                    from_account_id: hold.from_account_id,
                    to_account_id: hold.to_account_id,
                    amount,
                    currency: hold.currency,
                    memo: hold.memo.clone(),
                };
                let mut posting = self.posting(*id, Kind::Capture, &terms, by, now);
                posting.transfer.hold_id = Some(hold.id);
                let state = State::Captured { transfer_id: *id, amount, at: now };
                Effect::Captured { posting, hold: Hold { state, ..hold } }
            }
            Action::Void { hold } => Effect::Voided(Hold {
                state: State::Voided { at: now },
                ..self.holds[hold].clone()
            }),
            Action::Reverse { id, transfer, amount, memo } => {
                let original = self.transfer(*transfer).unwrap();
                let rest = of(original.amount) - self.given_back(*transfer);
                let amount = amount.map_or(rest, of);
                let terms = Terms {
                    from_account_id: original.to_account_id,
                    to_account_id: original.from_account_id,
                    amount: eur(i64::try_from(amount).unwrap()),
                    currency: original.currency,
                    memo: memo.clone(),
                };
                let mut posting = self.posting(*id, Kind::Reversal, &terms, by, now);
                posting.transfer.reverses_id = Some(*transfer);
                let before = self.given_back.get(transfer).map_or(0, Vec::len);
                let number = i64::try_from(before).unwrap() + 1;
                let reversed = balance(self.given_back(*transfer) + amount);
                Effect::Reversed { posting, reversal: Reversal { number, reversed } }
            }
        }
    }

    fn posting(
        &self,
        id: TransferId,
        kind: Kind,
        terms: &Terms,
        by: UserId,
        now: OffsetDateTime,
    ) -> Posting {
        let transfer = Transfer {
            id,
            kind,
            from_account_id: terms.from_account_id,
            to_account_id: terms.to_account_id,
            amount: terms.amount,
            currency: terms.currency,
            memo: terms.memo.clone(),
            hold_id: None,
            reverses_id: None,
            created_by: by,
            created_at: now,
        };
        let entry = |account_id, change: i128| Entry {
            account_id,
            version: self.accounts[&account_id].version + 1,
            transfer_id: id,
            amount: balance(change),
            balance_after: balance(self.balance(account_id) + change),
            created_at: now,
        };
        let from_entry = entry(transfer.from_account_id, -of(transfer.amount));
        let to_entry = entry(transfer.to_account_id, of(transfer.amount));
        Posting { transfer, from_entry, to_entry }
    }

    /// Writes an effect into the witness's books.
    fn take(&mut self, effect: &Effect, before: &Book, now: OffsetDateTime) -> Checked {
        match effect {
            Effect::Posted(posting) => {
                let transfer = posting.transfer();
                self.note(transfer.kind.as_str());
                self.count(transfer.from_account_id, transfer.amount, before, now)?;
            }
            Effect::Held(hold) => {
                self.note("hold");
                self.count(hold.from_account_id, hold.amount, before, now)?;
                prop_assert_eq!(self.holds.insert(hold.id, hold.clone()), None);
            }
            Effect::Captured { posting, hold } => {
                let rest = of(hold.amount) - of(posting.transfer().amount);
                prop_assert!(rest >= 0, "captured {rest} beyond the hold");
                self.note(if rest == 0 { "capture" } else { "capture in part" });
                self.resolve(hold, rest)?;
            }
            Effect::Voided(hold) => {
                self.note("void");
                self.resolve(hold, of(hold.amount))?;
            }
            Effect::Reversed { posting, reversal } => {
                let transfer = posting.transfer();
                let original = self.transfer(transfer.reverses_id.unwrap()).unwrap();
                let (id, whole) = (original.id, of(original.amount));
                let amounts = self.given_back.entry(id).or_default();
                amounts.push(of(transfer.amount));
                let sum: i128 = amounts.iter().sum();
                prop_assert_eq!(usize::try_from(reversal.number), Ok(amounts.len()));
                prop_assert_eq!(i128::from(reversal.reversed.minor()), sum);
                prop_assert!(sum <= whole, "{sum} given back of {whole}");
                self.note(if reversal.number == 1 { "reversal" } else { "second reversal" });
            }
        }
        if let Some(posting) = effect.posting() {
            for entry in posting.entries() {
                let seen = self.accounts.get_mut(&entry.account_id).unwrap();
                seen.version += 1;
                seen.balance += i128::from(entry.amount.minor());
            }
            self.postings.push(posting.clone());
        }
        Ok(())
    }

    /// Ends a hold, of which `rest` never goes out.
    fn resolve(&mut self, resolved: &Hold, rest: i128) -> Checked {
        let was = self.holds.insert(resolved.id, resolved.clone()).map(|hold| hold.state);
        prop_assert_eq!(was, Some(State::Open), "a hold ends once");
        self.count_back(resolved, rest);
        Ok(())
    }

    fn count(
        &mut self,
        id: AccountId,
        amount: Amount,
        before: &Book,
        now: OffsetDateTime,
    ) -> Checked {
        let account = before.account(id).unwrap();
        if account.owner == Owner::Cash {
            return Ok(());
        }
        let allowed = account.limits.per_day;
        let total = self.spent(id, now) + of(amount);
        prop_assert!(allowed.is_none_or(|limit| total <= of(limit)), "{total} of {allowed:?}");
        let has_stopped = allowed.is_none() && total >= i128::from(i64::MAX);
        if has_stopped {
            self.note("stopped count");
        }
        let seen = self.accounts.get_mut(&id).unwrap();
        let day = seen.counted.as_ref().map_or(now.date(), |counted| counted.day.max(now.date()));
        seen.counted = Some(Counted { day, total, allowed, has_stopped });
        Ok(())
    }

    fn count_back(&mut self, hold: &Hold, rest: i128) {
        let counted = self.accounts.get_mut(&hold.from_account_id).unwrap().counted.as_mut();
        let is_same_day = |counted: &&mut Counted| counted.day == hold.created_at.date();
        if let Some(counted) = counted.filter(is_same_day).filter(|counted| !counted.has_stopped) {
            counted.total -= rest;
            self.note("room made");
        }
    }

    /// Compares the book with the witness's own.
    fn compare(&self, before: &Book, after: &Book) -> Checked {
        prop_assert_eq!(after.accounts().count(), before.accounts().count());
        for account in after.accounts() {
            let (seen, held) = (&self.accounts[&account.id], self.held(account.id));
            let spent = seen.counted.as_ref().map(|counted| Spent {
                day: counted.day,
                amount: balance(if counted.has_stopped {
                    i128::from(i64::MAX)
                } else {
                    counted.total
                }),
                allowed: counted.allowed,
            });
            let expected = Account {
                balance: balance(seen.balance),
                version: seen.version,
                held: balance(held),
                spent,
                notice_from: None,
                ..before.account(account.id).unwrap().clone()
            };
            prop_assert_eq!(account, &expected);
            let allowed = spent.and_then(|it| it.allowed.map(|allowed| (it.amount, allowed)));
            let is_within = allowed.is_none_or(|(spent, limit)| spent <= Balance::credit(limit));
            prop_assert!(is_within, "{spent:?}");
            if account.owner != Owner::Cash {
                let available = seen.balance - held + i128::from(account.overdraft_limit.minor());
                prop_assert!(available >= 0, "{} is {available} below its floor", account.id);
                let told = i128::from(account.available().minor());
                prop_assert_eq!(told, available.min(i128::from(i64::MAX)));
            }
        }
        prop_assert!(after.holds().eq(self.holds.values()), "{after:?} has other holds");
        for transfer in self.reversible().iter().map(Posting::transfer) {
            let reversals = self.given_back.get(&transfer.id).map_or(0, Vec::len);
            let reversible = Reversible {
                transfer: transfer.clone(),
                reversals: i64::try_from(reversals).unwrap(),
                reversed: balance(self.given_back(transfer.id)),
            };
            prop_assert_eq!(after.transfer(transfer.id), Some(&reversible));
        }
        Ok(())
    }

    pub(super) fn finish(&self, before: &Book, after: &Book) -> Checked {
        let postings: Vec<_> = self.postings.iter().collect();
        audit(before, after, &postings)
            .map_err(|violation| TestCaseError::fail(violation.to_string()))
    }

    fn note(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }
}
