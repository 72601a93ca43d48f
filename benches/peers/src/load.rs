//! The load: so many tasks that move a cent at a time, and what the balances must be afterwards.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{Failure, subject::Subject};

/// Time for connections, statements and caches to be there before anything is counted.
const WARM_UP: Duration = Duration::from_millis(700);

/// Which accounts take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Payer and payee are any two.
    Uniform,
    /// Anybody pays into the first account.
    Hot,
}

impl Shape {
    pub(crate) const ALL: [Self; 2] = [Self::Uniform, Self::Hot];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Hot => "one hot account",
        }
    }

    fn pick(self, random: &mut Random, accounts: usize) -> (usize, usize) {
        match self {
            Self::Uniform => {
                let from = random.below(accounts);
                let step = 1 + random.below(accounts - 1);
                (from, (from + step) % accounts)
            }
            Self::Hot => (1 + random.below(accounts - 1), 0),
        }
    }
}

/// How large a round is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) tasks: u32,
    pub(crate) accounts: usize,
    pub(crate) duration: Duration,
}

/// What a round came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Transfers per second.
    pub(crate) rate: f64,
    /// Attempts that the ledger gave up, for each transfer that it made.
    pub(crate) lost: f64,
}

/// What one task did.
#[derive(Debug)]
struct Done {
    in_time: u32,
    transfers: u32,
    lost: u32,
    /// What each account gained, in cents.
    gains: Vec<i64>,
}

/// Runs one round and adds what it moved to `balances`.
pub(crate) async fn round(
    subject: &Arc<Subject>,
    shape: Shape,
    size: Size,
    seed: u64,
    balances: &mut [i64],
) -> Result<Measured, Failure> {
    let from = Instant::now() + WARM_UP;
    let window = (from, from + size.duration);
    let mut tasks = JoinSet::new();
    for task in 0..size.tasks {
        let random = Random::new(seed ^ (u64::from(task) << 32));
        tasks.spawn(client(Arc::clone(subject), shape, size.accounts, random, window));
    }
    let (mut in_time, mut transfers, mut lost) = (0, 0, 0);
    for done in tasks.join_all().await {
        let done = done?;
        in_time += done.in_time;
        transfers += done.transfers;
        lost += done.lost;
        balances.iter_mut().zip(done.gains).for_each(|(balance, gain)| *balance += gain);
    }
    Ok(Measured {
        rate: f64::from(in_time) / size.duration.as_secs_f64(),
        lost: f64::from(lost) / f64::from(transfers.max(1)),
    })
}

async fn client(
    subject: Arc<Subject>,
    shape: Shape,
    accounts: usize,
    mut random: Random,
    (from, until): (Instant, Instant),
) -> Result<Done, Failure> {
    let mut done = Done { in_time: 0, transfers: 0, lost: 0, gains: vec![0; accounts] };
    loop {
        let (payer, payee) = shape.pick(&mut random, accounts);
        done.lost += subject.transfer(payer, payee).await?;
        done.transfers += 1;
        for (account, gain) in [(payer, -1), (payee, 1)] {
            *done.gains.get_mut(account).expect("picked below their number") += gain;
        }
        let now = Instant::now();
        if now > until {
            return Ok(done);
        }
        done.in_time += u32::from(now >= from);
    }
}

/// SplitMix64: the same choices for the same seed.
#[derive(Debug)]
struct Random(u64);

impl Random {
    const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is at least 1.
    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        usize::try_from(self.next() % limit).expect("below a usize")
    }
}
