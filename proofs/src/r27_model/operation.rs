//! What is ordered: drawn without knowledge of any ledger, so that it means the same to both.

use simplebank::{
    Mode,
    core::{
        Amount, Memo,
        account::{Change, LimitChanges, OverdraftLimit},
        hold::Lasting,
    },
};
use time::Duration;

use crate::random::Random;

/// Depositors, by their number; then a banker and the operator.
pub(super) const DEPOSITORS: usize = 4;
pub(super) const BANKER: usize = DEPOSITORS;
pub(super) const OPERATOR: usize = DEPOSITORS + 1;
/// The account of that number does not exist.
pub(super) const MISSING: usize = 1_000;
/// The cash account.
pub(super) const CASH: usize = 1_001;

/// Who wants what, and how often somebody sends it again.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Order { by: usize, key: String, order: Order },
    Batch { by: usize, members: Vec<(String, Pay)>, mode: Mode },
    Open { by: usize, owner: usize, currency: &'static str },
    Freeze { by: usize, account: usize },
    Unfreeze { by: usize, account: usize },
    Limit { by: usize, account: usize, changes: LimitChanges },
    Close { by: usize, account: usize },
    Look { by: usize, account: usize },
    Wait(Duration),
}

/// A sum from one account to another.
#[derive(Clone, Debug)]
pub(super) struct Pay {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) amount: Amount,
    pub(super) currency: &'static str,
    pub(super) memo: Memo,
}

/// What is ordered under a key; holds and transfers by their place among all that there have been.
#[derive(Clone, Debug)]
pub(super) enum Order {
    Transfer(Pay),
    Deposit(Pay),
    Withdraw(Pay),
    Hold(Pay, Lasting),
    Capture { hold: u64, amount: Option<Amount> },
    Void { hold: u64 },
    Reverse { transfer: u64, amount: Option<Amount>, memo: Memo },
}

impl Operation {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Order { order, .. } => match order {
                Order::Transfer(_) => "transfer",
                Order::Deposit(_) => "deposit",
                Order::Withdraw(_) => "withdraw",
                Order::Hold(..) => "hold",
                Order::Capture { .. } => "capture",
                Order::Void { .. } => "void",
                Order::Reverse { .. } => "reverse",
            },
            Self::Batch { .. } => "batch",
            Self::Open { .. } => "open",
            Self::Freeze { .. } => "freeze",
            Self::Unfreeze { .. } => "unfreeze",
            Self::Limit { .. } => "limit",
            Self::Close { .. } => "close",
            Self::Look { .. } => "look",
            Self::Wait(_) => "wait",
        }
    }
}

/// Draws one operation after the other.
#[derive(Debug)]
pub(super) struct Plan {
    random: Random,
    /// The first operations, which open accounts and fill them.
    opening: Vec<Operation>,
    keys: u64,
    /// What was ordered lately.
    sent: Vec<(usize, String, Order)>,
    /// Whether some sums are such as bring balances to their ends.
    is_extreme: bool,
}

/// What was ordered before that is no longer sent again.
const SENT_MAX: usize = 200;

impl Plan {
    pub(super) fn new(mut random: Random) -> Self {
        let is_extreme = random.below(3) == 0;
        let mut opening = Vec::new();
        for owner in (0..DEPOSITORS).rev() {
            let deposit = Pay {
                from: CASH,
                to: DEPOSITORS - 1 - owner,
                amount: minor(2_000),
                currency: "EUR",
                memo: Memo::NONE,
            };
            let (key, order) = (format!("opening-{owner}"), Order::Deposit(deposit));
            opening.push(Operation::Order { by: OPERATOR, key, order });
        }
        for owner in (0..DEPOSITORS).rev() {
            opening.push(Operation::Open { by: owner, owner, currency: "EUR" });
        }
        Self { random, opening, keys: 0, sent: Vec::new(), is_extreme }
    }

    pub(super) fn next(&mut self) -> Operation {
        if let Some(first) = self.opening.pop() {
            return first;
        }
        match self.random.below(100) {
            0..=69 => self.order(),
            70..=75 => self.batch(),
            76..=78 => Operation::Freeze { by: self.banker(), account: self.account() },
            79..=85 => Operation::Unfreeze { by: self.banker(), account: self.account() },
            86..=88 => {
                let changes = self.limits();
                Operation::Limit { by: self.banker(), account: self.account(), changes }
            }
            89 => Operation::Close { by: self.anybody(), account: self.account() },
            90..=91 => {
                let owner = self.index(DEPOSITORS);
                let by = if self.is_once_in(4) { self.anybody() } else { owner };
                let currency = if self.is_once_in(3) { "USD" } else { "EUR" };
                Operation::Open { by, owner, currency }
            }
            92..=95 => Operation::Look { by: self.anybody(), account: self.account() },
            _ => Operation::Wait(self.pause()),
        }
    }

    fn order(&mut self) -> Operation {
        if self.is_once_in(8) && !self.sent.is_empty() {
            let (by, key, order) = self.random.pick(&self.sent).clone();
            // Mostly the same again; sometimes something else under a key that was used.
            let order = if self.is_once_in(5) { self.fresh_order().1 } else { order };
            return Operation::Order { by, key, order };
        }
        let (by, order) = self.fresh_order();
        let key = self.key();
        if self.sent.len() == SENT_MAX {
            let index = self.index(SENT_MAX);
            self.sent.swap_remove(index);
        }
        self.sent.push((by, key.clone(), order.clone()));
        Operation::Order { by, key, order }
    }

    fn fresh_order(&mut self) -> (usize, Order) {
        let pay = self.pay();
        let by = if self.is_once_in(8) { self.anybody() } else { pay.from % DEPOSITORS };
        match self.random.below(20) {
            0..=6 => (by, Order::Transfer(pay)),
            7..=8 => (self.banker(), Order::Deposit(pay)),
            9..=10 => (self.banker(), Order::Withdraw(pay)),
            11..=13 => (by, Order::Hold(pay, self.lasting())),
            14..=16 => {
                let (hold, amount) = (self.place(), self.part());
                (self.settler(), Order::Capture { hold, amount })
            }
            17 => (self.settler(), Order::Void { hold: self.place() }),
            _ => {
                let (transfer, amount, memo) = (self.place(), self.part(), self.memo());
                (self.settler(), Order::Reverse { transfer, amount, memo })
            }
        }
    }

    fn batch(&mut self) -> Operation {
        let by = self.anybody();
        let mode = if self.is_once_in(2) { Mode::Atomic } else { Mode::Independent };
        let mut members: Vec<(String, Pay)> = Vec::new();
        for _ in 0..=self.random.below(5) {
            let mut pay = self.pay();
            if by < DEPOSITORS && !self.is_once_in(6) {
                pay.from = by;
            }
            let key = match members.last() {
                Some((key, _)) if self.is_once_in(6) => key.clone(),
                Some(_) | None => self.key(),
            };
            members.push((key, pay));
        }
        if let (true, Some(first)) = (self.is_once_in(4), members.first().cloned()) {
            members.push(first);
        }
        Operation::Batch { by, members, mode }
    }

    fn key(&mut self) -> String {
        self.keys += 1;
        format!("key-{}", self.keys)
    }

    fn pay(&mut self) -> Pay {
        let from = self.account();
        let to = if self.is_once_in(20) { from } else { self.account() };
        let currency = if self.is_once_in(15) { "USD" } else { "EUR" };
        Pay { from, to, amount: self.amount(), currency, memo: self.memo() }
    }

    fn amount(&mut self) -> Amount {
        if self.is_extreme && self.is_once_in(12) {
            let ends = [i64::MAX, i64::MAX - 1, i64::MAX - 2_000, i64::MAX / 2];
            return minor(*self.random.pick(&ends));
        }
        let most = if self.is_once_in(6) { 5_000 } else { 400 };
        minor(1 + i64::try_from(self.random.below(most)).unwrap_or(0))
    }

    fn part(&mut self) -> Option<Amount> {
        (!self.is_once_in(2)).then(|| self.amount())
    }

    fn memo(&mut self) -> Memo {
        let mut memo = Memo::NONE;
        if self.is_once_in(4) {
            memo.description = "rent".parse().ok();
            memo.reference = "INV-1".parse().ok();
        }
        memo
    }

    fn lasting(&mut self) -> Lasting {
        let seconds = *self.random.pick(&[1_u32, 60, 3_600, 86_400, 7 * 86_400]);
        Lasting::from_seconds(seconds).unwrap_or_default()
    }

    fn limits(&mut self) -> LimitChanges {
        let mut changes = LimitChanges::default();
        match self.random.below(4) {
            0 => {
                let minor = i64::try_from(self.random.below(1_000)).unwrap_or(0);
                let limits =
                    [OverdraftLimit::from_minor(minor), OverdraftLimit::from_minor(i64::MAX)];
                let limit =
                    if self.is_extreme && self.is_once_in(4) { limits[1] } else { limits[0] };
                changes.overdraft = limit.map_or(Change::Remove, Change::Set);
            }
            1 => changes.per_transfer = Change::Set(self.amount()),
            2 => changes.per_day = Change::Set(self.amount()),
            _ => (changes.per_transfer, changes.per_day) = (Change::Remove, Change::Remove),
        }
        changes
    }

    fn pause(&mut self) -> Duration {
        let seconds = *self.random.pick(&[1_u32, 59, 3_600, 86_400]);
        Duration::seconds(i64::from(seconds))
    }

    /// Mostly one of the first that there are, sometimes none.
    fn account(&mut self) -> usize {
        match self.random.below(30) {
            0 => MISSING,
            1 => CASH,
            2..=4 => self.index(2 * DEPOSITORS),
            _ => self.index(DEPOSITORS),
        }
    }

    /// Counted back from the newest.
    fn place(&mut self) -> u64 {
        let most = if self.is_once_in(4) { 100 } else { 6 };
        self.random.below(most)
    }

    fn anybody(&mut self) -> usize {
        self.index(OPERATOR + 1)
    }

    fn banker(&mut self) -> usize {
        if self.is_once_in(10) { self.anybody() } else { BANKER }
    }

    fn settler(&mut self) -> usize {
        if self.is_once_in(2) { BANKER } else { self.index(DEPOSITORS) }
    }

    fn index(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("few");
        usize::try_from(self.random.below(bound)).expect("less than the bound")
    }

    fn is_once_in(&mut self, times: u64) -> bool {
        self.random.below(times) == 0
    }
}

fn minor(minor: i64) -> Amount {
    Amount::from_minor(minor).expect("more than nothing")
}
