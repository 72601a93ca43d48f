//! R3: limits hold while PostgreSQL has forgotten what serializable transactions have read.
//!
//! PostgreSQL remembers the reads of ten times as many serializable transactions as it has backends. While one of them
//! stays open, those that have committed must be remembered too; when there are too many, the oldest is folded into a
//! summary, and a later writer does not find its reads there (measured on 15.18). Then plain write skew commits at
//! SERIALIZABLE:
//!
//! 1. *Slow* begins and reads that nothing has been spent.
//! 2. *Quick* begins, reads the same, spends and commits.
//! 3. So many others commit that *quick* is forgotten.
//! 4. *Slow* spends, too, and commits. Neither has written what the other has written.
//!
//! Each round of the trial takes these steps with three kinds of pairs at once. Two kinds have a locked row and a CHECK and
//! must keep their limits: daily limits in tables of the trial's own, at each level, and overdraft limits of the bank's
//! accounts. The third, the canary, has SERIALIZABLE only. A round counts only if a canary died in it, for that shows that
//! the state was reached. The control gives the daily limits no more than the canary has.

mod accounts;
mod daily;
mod gate;

use std::sync::atomic::{AtomicI32, Ordering};

use futures_util::future;
use simplebank::{
    Bank,
    db::{Isolation, Migrations},
};
use simplebank_localpg::ThrowawayCluster;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::task::JoinSet;

use self::{
    accounts::Accounts,
    daily::{Channel, Net, Pair},
    gate::Gate,
};
use crate::{Control, Proof, Report, bank, thousands};

pub(crate) const PROOF: Proof = Proof {
    id: "R3",
    fault: "write skew while the SSI memory is exhausted",
    run: |scale| Box::pin(trial(Nets::Kept, scale.of(250, 10_000))),
    control: Some(Control {
        defect: "SERIALIZABLE only",
        run: |_| Box::pin(trial(Nets::Removed, 1)),
    }),
};

/// Few backends make a small memory: ten times 40 connections and 2 of autovacuum. No wider locks than needed, or pairs that
/// have nothing to do with each other get into each other's way.
const SETTINGS: [(&str, &str); 9] = [
    ("max_connections", "40"),
    ("max_wal_senders", "0"),
    ("max_worker_processes", "0"),
    ("max_parallel_workers", "0"),
    ("autovacuum_max_workers", "1"),
    ("max_pred_locks_per_transaction", "256"),
    ("max_pred_locks_per_page", "64"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
];
/// For everybody who takes part; the owner has two more.
const CONNECTIONS: u32 = 35;

/// Commits between two looks for the beginning of the exhaustion.
const STEP: usize = 10;
/// The memory is exhausted long before.
const COMMITS_MAX: usize = 2_000;

const LEVELS: [Isolation; 3] =
    [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable];
/// Pairs of a round, a multiple of the levels.
const DAILY_LIMITS: usize = 9;
const CANARIES: usize = 2;

/// Whether the limits have their nets.
#[derive(Clone, Copy, Debug)]
enum Nets {
    /// A locked row and a CHECK.
    Kept,
    /// Nothing but SERIALIZABLE.
    Removed,
}

impl Nets {
    const fn at(self, level: Isolation) -> Net {
        match self {
            Self::Kept => Net::LockAndCheck(level),
            Self::Removed => Net::SerializableOnly,
        }
    }
}

async fn trial(nets: Nets, attempts: u64) -> Report {
    let mut report = Report::new();
    let stage = Stage::new().await;
    let Some(commits) = stage.find_exhaustion().await else {
        report.violation(format!(
            "the state was not reached: after {COMMITS_MAX} commits write skew is still refused"
        ));
        return report;
    };
    let accounts = Accounts::open(&stage.bank, &stage.owner).await;
    let each = u64::try_from(DAILY_LIMITS + Accounts::ATTEMPTS).expect("a few");
    let (mut counted, mut rounds) = (0, 0);
    // Twice as many as needed, should canaries survive.
    let rounds_max = 2 * attempts.div_ceil(each);
    while counted < attempts && rounds < rounds_max {
        rounds += 1;
        if stage.round(nets, &accounts, commits + 2 * STEP, &mut report).await > 0 {
            counted += each;
        }
    }
    report.expect(counted >= attempts, || {
        format!("canaries died in rounds with {counted} attempts only, not {attempts}")
    });
    report.tried(counted, "attempts");
    report.note(format!(
        "write skew commits at SERIALIZABLE from {commits} commits on: so it did in {} of {} rounds",
        thousands(counted / each),
        thousands(rounds),
    ));
    let verified = stage.bank.verify(|_| ()).await.expect("the database answers");
    report.expect(verified.violation.is_none(), || format!("verify: {:?}", verified.violation));
    report
}

/// A server of the trial's own.
struct Stage {
    bank: Bank,
    owner: PgPool,
    next_day: AtomicI32,
    _cluster: ThrowawayCluster,
}

impl Stage {
    async fn new() -> Self {
        let start = || {
            let options = ThrowawayCluster::options();
            let options = SETTINGS
                .iter()
                .fold(options, |options, (name, value)| options.setting(*name, *value));
            options.start()
        };
        let started = tokio::task::spawn_blocking(start).await.expect("starting doesn't panic");
        let cluster = started.expect("a PostgreSQL is installed");
        let url = cluster.url("postgres");
        let mut migrations = Migrations::connect(&url).await.expect("the cluster answers");
        migrations.up().await.expect("the database is new");
        migrations.close().await.expect("the cluster answers");
        let owner = bank::owner(&url, 2).await;
        sqlx::raw_sql(daily::TABLES).execute(&owner).await.expect("the database is new");
        let bank = bank::open(&url, CONNECTIONS).await;
        Self { bank, owner, next_day: AtomicI32::new(0), _cluster: cluster }
    }

    /// After how many commits write skew is let through, or `None` if it never is.
    async fn find_exhaustion(&self) -> Option<usize> {
        for commits in (STEP..=COMMITS_MAX).step_by(STEP) {
            let day = self.next_day.fetch_add(1, Ordering::Relaxed);
            let canary = daily::pairs(&self.owner, day, &[Net::SerializableOnly]).await;
            let (gate, mut slow) = (Gate::new(), JoinSet::new());
            self.spawn_slow(&canary, &gate, &mut slow);
            gate.wait_for(canary.len()).await;
            self.spend_quickly(&canary).await;
            self.exhaust(commits).await;
            gate.open();
            slow.join_all().await;
            if daily::spent(&self.owner, day).await.iter().any(|(_, spent)| *spent > daily::LIMIT) {
                return Some(commits);
            }
        }
        None
    }

    /// Takes the steps once with all pairs; returns how many canaries died.
    async fn round(
        &self,
        nets: Nets,
        accounts: &Accounts,
        commits: usize,
        report: &mut Report,
    ) -> usize {
        let day = self.next_day.fetch_add(1, Ordering::Relaxed);
        let canaries = std::iter::repeat_n(Net::SerializableOnly, CANARIES);
        let with_nets: Vec<Net> = LEVELS
            .into_iter()
            .cycle()
            .take(DAILY_LIMITS)
            .map(|level| nets.at(level))
            .chain(canaries)
            .collect();
        let pairs = daily::pairs(&self.owner, day, &with_nets).await;

        let (gate, mut slow) = (Gate::new(), JoinSet::new());
        self.spawn_slow(&pairs, &gate, &mut slow);
        accounts.spawn_slow(&gate, &mut slow);
        gate.wait_for(slow.len()).await;
        self.spend_quickly(&pairs).await;
        accounts.pay_quickly(report).await;
        self.exhaust(commits).await;
        accounts.pay_in_crowds(report).await;
        gate.open();
        for failure in slow.join_all().await.into_iter().flatten() {
            report.violation(failure);
        }
        accounts.check(report).await;
        self.check_daily_limits(day, report).await
    }

    /// Begins and reads with all pairs' slow ones. A task returns what went wrong, if anything did.
    fn spawn_slow(&self, pairs: &[Pair], gate: &Gate, slow: &mut JoinSet<Option<String>>) {
        for pair in pairs.iter().copied() {
            let spent =
                daily::spend(self.bank.db().clone(), pair, Channel::Slow, Some(gate.clone()));
            slow.spawn(async move {
                spent.await.err().map(|error| format!("{pair:?}, slow: {error:?}"))
            });
        }
    }

    async fn spend_quickly(&self, pairs: &[Pair]) {
        let spend = |pair: &Pair| daily::spend(self.bank.db().clone(), *pair, Channel::Quick, None);
        for spent in future::join_all(pairs.iter().map(spend)).await {
            assert!(spent.expect("nobody is in the way"), "nothing had been spent");
        }
    }

    /// Commits serializable transactions that read and write what nobody else looks at.
    async fn exhaust(&self, commits: usize) {
        let commit = "begin isolation level serializable; update others set commits = commits + 1 where id = 1; commit;";
        let commits = sqlx::raw_sql(AssertSqlSafe(commit.repeat(commits))).execute(&self.owner);
        commits.await.expect("nobody is in the way");
    }

    /// Every limit must have let one of two spend. Returns how many canaries died.
    async fn check_daily_limits(&self, day: i32, report: &mut Report) -> usize {
        let mut spent = daily::spent(&self.owner, day).await;
        let canaries = spent.split_off(DAILY_LIMITS);
        for (account, spent) in spent {
            report.expect(spent == daily::PRICE, || {
                format!("day {day}: account {account} spent {spent} of {} a day", daily::LIMIT)
            });
        }
        canaries.iter().filter(|(_, spent)| *spent > daily::LIMIT).count()
    }
}
