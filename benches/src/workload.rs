//! Who pays whom.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use clap::ValueEnum;

use crate::{
    number::{float, index, wide},
    random::Random,
};

/// The exponent of the Zipf law: the n-th account is chosen in proportion to n^-1.01. pgbench wants more than 1, and YCSB has 0.99.
pub(crate) const ZIPF_EXPONENT: f64 = 1.01;
/// The largest amount, in minor units: with two decimals it has four characters, as all smaller ones.
const AMOUNT_MAX: u64 = 999;

/// How the two accounts of a transfer are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// Both at random, each as likely as any other.
    Uniform,
    /// Both by a Zipf law: one transfer in five touches the first account.
    Zipf,
    /// Everybody pays into the first account.
    Hot,
}

impl Workload {
    /// Every workload.
    pub(crate) const ALL: [Self; 3] = [Self::Uniform, Self::Zipf, Self::Hot];

    /// A short name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zipf => "zipf",
            Self::Hot => "hot",
        }
    }

    /// What it is, for the headings of tables and plots.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Uniform => "random accounts",
            Self::Zipf => "accounts by a Zipf law",
            Self::Hot => "all into one account",
        }
    }
}

/// A transfer to make: the numbers of two accounts, from 0, and minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) amount: u32,
}

/// Chooses transfers by a workload.
#[derive(Clone, Debug)]
pub(crate) struct Chooser {
    workload: Workload,
    accounts: u64,
    /// The probability of each account and all before it; empty unless the law is Zipf's.
    cumulative: Arc<[f64]>,
    /// Who pays next, where everybody pays in turn.
    turn: Option<Arc<AtomicU64>>,
    random: Random,
}

impl Chooser {
    /// Chooses among `accounts`, which are two or more.
    pub(crate) fn new(workload: Workload, accounts: u32, random: Random) -> Self {
        let cumulative = match workload {
            Workload::Zipf => cumulative(accounts),
            Workload::Uniform | Workload::Hot => [].into(),
        };
        Self { workload, accounts: accounts.into(), cumulative, turn: None, random }
    }

    /// One for somebody else, who chooses independently.
    pub(crate) fn split(&mut self) -> Self {
        Self { random: self.random.split(), ..self.clone() }
    }

    /// One by which, with all that are split from it, every account pays the next in turn.
    pub(crate) fn split_in_turn(&mut self) -> Self {
        Self { turn: Some(Arc::default()), ..self.split() }
    }

    /// The next transfer: always between two accounts.
    pub(crate) fn next(&mut self) -> Choice {
        let (from, to) = match &self.turn {
            Some(turn) => {
                let from = turn.fetch_add(1, Ordering::Relaxed) % self.accounts;
                (from, self.neighbour(from))
            }
            None => self.pair(),
        };
        let amount = u32::try_from(1 + self.random.below(AMOUNT_MAX)).unwrap_or(1);
        Choice { from: index(from), to: index(to), amount }
    }

    fn pair(&mut self) -> (u64, u64) {
        let from = self.account();
        let to = match self.workload {
            Workload::Uniform | Workload::Zipf => self.account(),
            Workload::Hot => 0,
        };
        // As in the scripts of pgbench: who would pay themselves pays their neighbour, and into the hot account the neighbour pays.
        match (from == to, self.workload) {
            (false, _) => (from, to),
            (true, Workload::Hot) => (1, to),
            (true, Workload::Uniform | Workload::Zipf) => (from, self.neighbour(from)),
        }
    }

    const fn neighbour(&self, account: u64) -> u64 {
        (account + 1) % self.accounts
    }

    fn account(&mut self) -> u64 {
        match self.workload {
            Workload::Uniform | Workload::Hot => self.random.below(self.accounts),
            Workload::Zipf => {
                let drawn = float(self.random.next() >> 11) / float(1 << 53);
                let number = self.cumulative.partition_point(|probability| *probability <= drawn);
                wide(number).min(self.accounts - 1)
            }
        }
    }
}

fn cumulative(accounts: u32) -> Arc<[f64]> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=accounts)
        .map(|rank| {
            sum += f64::from(rank).powf(-ZIPF_EXPONENT);
            sum
        })
        .collect();
    sums.iter().map(|until| until / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(workload: Workload) -> (f64, f64) {
        let mut chooser = Chooser::new(workload, 1_000, Random::from_seed(1));
        let choices: Vec<Choice> = (0..20_000).map(|_| chooser.next()).collect();
        assert!(choices.iter().all(|choice| choice.from != choice.to));
        assert!(choices.iter().all(|choice| choice.from < 1_000 && choice.to < 1_000));
        assert!(choices.iter().all(|choice| (1..=999).contains(&choice.amount)));
        let share = |of: &dyn Fn(&Choice) -> bool| {
            float(wide(choices.iter().filter(|choice| of(choice)).count())) / 20_000.0
        };
        (share(&|choice| choice.from == 0), share(&|choice| choice.to == 0))
    }

    #[test]
    fn the_first_account_gets_its_share_of_each_workload() {
        let (from, to) = shares(Workload::Uniform);
        assert!(from < 0.005 && to < 0.005, "{from} {to}");
        // 1 / H(1000, 1.01) = 0.137, and what would have been paid to oneself goes elsewhere.
        let (from, to) = shares(Workload::Zipf);
        assert!((0.12..0.15).contains(&from) && (0.10..0.14).contains(&to), "{from} {to}");
        assert_eq!(shares(Workload::Hot), (0.0, 1.0));
    }

    #[test]
    fn in_turn_every_account_pays_and_is_paid_once() {
        let mut whole = Chooser::new(Workload::Hot, 10, Random::from_seed(1)).split_in_turn();
        let mut halves = [whole.split(), whole.split()];
        let pairs: Vec<_> = (0..10)
            .flat_map(|_| halves.each_mut().map(Chooser::next))
            .map(|choice| (choice.from, choice.to))
            .collect();
        let once: Vec<_> = (0..10).map(|from| (from, (from + 1) % 10)).collect();
        assert_eq!(pairs, [once.clone(), once].concat());
    }
}
