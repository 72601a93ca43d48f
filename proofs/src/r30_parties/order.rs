//! Orders of every sort, and what is answered to them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::{
    bank::Customer,
    load::{Line, Told, What},
    random::Random,
};

const CENTS_MAX: u64 = 200;
/// How many transfers and holds are remembered for others to take.
const REMEMBERED_MAX: usize = 12;

/// From whose account to whose, by their places among the customers, and how much.
#[derive(Clone, Copy, Debug)]
pub(super) struct Legs {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) cents: i64,
}

/// What a client wants.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    Transfer(Legs),
    /// For so many seconds.
    Hold(Legs, u32),
    Capture(Uuid, Legs),
    Void(Uuid, Legs),
    Reverse(Uuid, Legs),
}

/// What is answered, the same for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Posted { transfer: Uuid, version: i64, balance_after: i64 },
    Held { hold: Uuid },
    Refused(&'static str),
}

impl Answer {
    pub(super) const fn told(&self) -> Told {
        match *self {
            Self::Posted { transfer, version, balance_after } => {
                Told::Acknowledged { transfer, version, balance_after }
            }
            Self::Held { hold } => Told::Held { hold },
            Self::Refused(code) => Told::Refused(code),
        }
    }
}

/// What came of sending an order once.
#[derive(Debug)]
pub(super) enum Sent {
    Answered(Answer),
    /// It has not happened.
    Failed(&'static str),
    Unknown,
    /// Not an answer to this order.
    Wrong(String),
}

impl Order {
    pub(super) const fn legs(&self) -> Legs {
        match self {
            Self::Transfer(legs)
            | Self::Hold(legs, _)
            | Self::Capture(_, legs)
            | Self::Void(_, legs)
            | Self::Reverse(_, legs) => *legs,
        }
    }

    /// Who asks: who pays; of holds and transfers that are there, who is or was paid.
    pub(super) const fn by(&self) -> usize {
        match self {
            Self::Transfer(legs) | Self::Hold(legs, _) | Self::Reverse(_, legs) => legs.from,
            Self::Capture(_, legs) | Self::Void(_, legs) => legs.to,
        }
    }

    pub(super) fn line(&self, customers: &[Customer]) -> Line {
        let what = match self {
            Self::Transfer(_) => What::Transfer,
            Self::Hold(..) => What::Hold,
            Self::Capture(..) => What::Capture,
            Self::Void(..) => What::Void,
            Self::Reverse(..) => What::Reversal,
        };
        let customer = |number: usize| customers.get(number).expect("a customer");
        let Legs { from, to, cents } = self.legs();
        Line {
            what,
            owner: customer(self.by()).principal.id().as_uuid(),
            from: customer(from).account.as_uuid(),
            to: customer(to).account.as_uuid(),
            amount: cents,
            told: Told::Nothing,
        }
    }
}

/// Holds and transfers that are there to be captured, voided and reversed, by as many as want to.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    holds: Vec<(Uuid, Legs)>,
    transfers: Vec<(Uuid, Legs)>,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something to order, among the first `customers`.
    pub(super) fn order(&self, random: &mut Random, customers: usize) -> Order {
        let remembered = self.lock();
        match random.below(10) {
            0 | 1 => Order::Hold(legs(random, customers), *random.pick(&[1, 600])),
            2 | 3 if !remembered.holds.is_empty() => {
                let (hold, legs) = *random.pick(&remembered.holds);
                Order::Capture(hold, Legs { cents: part(random, legs.cents), ..legs })
            }
            4 if !remembered.holds.is_empty() => {
                let (hold, legs) = *random.pick(&remembered.holds);
                Order::Void(hold, legs)
            }
            5 | 6 if !remembered.transfers.is_empty() => {
                let (transfer, Legs { from, to, cents }) = *random.pick(&remembered.transfers);
                let back = Legs { from: to, to: from, cents: part(random, cents) };
                Order::Reverse(transfer, back)
            }
            _ => Order::Transfer(legs(random, customers)),
        }
    }

    /// Remembers what others may take.
    pub(super) fn note(&self, order: &Order, answer: &Answer) {
        let mut remembered = self.lock();
        match (order, answer) {
            (Order::Hold(legs, _), Answer::Held { hold }) => {
                put(&mut remembered.holds, (*hold, *legs));
            }
            (Order::Transfer(legs) | Order::Capture(_, legs), Answer::Posted { transfer, .. }) => {
                put(&mut remembered.transfers, (*transfer, *legs));
            }
            _ => {}
        }
    }
}

fn put(list: &mut Vec<(Uuid, Legs)>, new: (Uuid, Legs)) {
    if list.len() >= REMEMBERED_MAX {
        list.remove(0);
    }
    list.push(new);
}

fn legs(random: &mut Random, customers: usize) -> Legs {
    let all: Vec<usize> = (0..customers).collect();
    let from = *random.pick(&all);
    let others: Vec<usize> = all.into_iter().filter(|other| *other != from).collect();
    let cents = i64::try_from(1 + random.below(CENTS_MAX)).expect("a few");
    Legs { from, to: *random.pick(&others), cents }
}

/// All of it, or some.
fn part(random: &mut Random, cents: i64) -> i64 {
    let bound = u64::try_from(cents).expect("it is positive");
    match random.below(2) {
        0 => cents,
        _ => i64::try_from(1 + random.below(bound)).expect("less than it"),
    }
}
