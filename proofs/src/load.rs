//! The load that several proofs share: customers of a bank, clients that move money between them, a log of what each was
//! told, a reader beside them, and a checker that trusts none of it.
//!
//! 1. [`World::open`] registers customers in a migrated database, opens their accounts and takes deposits, all through
//!    [`simplebank::Bank`].
//! 2. [`Load::start`] lets clients transfer at random, each transfer under a key of its own ([`client`]). What they ask and
//!    are told goes into the [`Log`]. A [`reader`] looks at the whole bank every 50 ms.
//! 3. The proof does its worst, with [`Log::acknowledged`] as its clock.
//! 4. [`Load::finish`] waits for every client, and [`check`] compares the database with the log in plain SQL ([`checker`]).
//!
//! A [`Road`] other than [`Road::Bank`] is the seeded defect of a control: the same clients, reader and checker, with a
//! naive implementation between them and the same tables.

mod checker;
mod client;
mod findings;
mod log;
mod naive;
mod reader;
#[cfg(test)]
mod tests;
mod world;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

pub(crate) use self::{
    checker::check,
    findings::Findings,
    log::{Line, Log, Told, What, key_of},
    naive::{Memory, act_as_owner},
    world::{Size, World},
};
use crate::Report;

/// How long a proof waits for the load to come as far as it wants, before it says that the load stands still.
const PROGRESS_LIMIT: Duration = Duration::from_secs(60);

/// Which way the money takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Road {
    /// `Bank::transfer`.
    Bank,
    /// Reads both balances without a lock, then writes what it has computed from them.
    NoRowLock,
    /// Locks and writes as it should, and tells its client before it commits.
    AnswerBeforeCommit,
    /// Two processes that remember the balances which they have left, and don't compare them with what is there.
    UncheckedMemory,
}

/// Who asks for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clients {
    /// How many at a time. The first half of them uses nothing but the hot accounts.
    pub(crate) count: u64,
    /// They end when so many of their transfers are acknowledged, if nobody stops them before.
    pub(crate) transfers_max: u64,
    /// Which way they take.
    pub(crate) road: Road,
}

/// What clients and reader share.
#[derive(Debug)]
struct Shared {
    world: Arc<World>,
    log: Arc<Log>,
    road: Road,
    transfers_max: u64,
    is_stopped: AtomicBool,
    is_paused: watch::Sender<bool>,
    /// What two processes remember.
    memories: [Memory; 2],
}

impl Shared {
    fn new(world: &Arc<World>, log: &Arc<Log>, road: Road, transfers_max: u64) -> Self {
        Self {
            world: Arc::clone(world),
            log: Arc::clone(log),
            road,
            transfers_max,
            is_stopped: AtomicBool::new(false),
            is_paused: watch::Sender::new(false),
            memories: Default::default(),
        }
    }

    /// True while transfers may be asked for. Waits during a pause.
    async fn take_turn(&self) -> bool {
        let is_open = self.is_paused.subscribe().wait_for(|is_paused| !is_paused).await.is_ok();
        is_open
            && !self.is_stopped.load(Ordering::Relaxed)
            && self.log.acknowledged() < self.transfers_max
    }
}

/// Clients and a reader at work.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
    reader: JoinHandle<()>,
    reader_stop: watch::Sender<bool>,
}

impl Load {
    /// Sends the clients off.
    pub(crate) fn start(world: &Arc<World>, clients: Clients) -> Self {
        let log = Arc::new(Log::new());
        let shared = Arc::new(Shared::new(world, &log, clients.road, clients.transfers_max));
        let mut tasks = JoinSet::new();
        for number in 0..clients.count {
            let is_on_hot_accounts = number < clients.count / 2;
            tasks.spawn(client::run(Arc::clone(&shared), number, is_on_hot_accounts));
        }
        let (reader_stop, stopped) = watch::channel(false);
        let reader = tokio::spawn(reader::run(Arc::clone(&shared), stopped));
        Self { shared, clients: tasks, reader, reader_stop }
    }

    /// What was asked and told so far.
    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.shared.log
    }

    /// Waits until `more` further transfers are acknowledged; false if that doesn't come to pass.
    pub(crate) async fn advance(&self, more: u64) -> bool {
        let target = self.log().acknowledged().saturating_add(more);
        tokio::time::timeout(PROGRESS_LIMIT, self.log().wait_for(target)).await.is_ok()
    }

    /// Waits until a client is told of a failure, or that an outcome is unknown; false if that doesn't come to pass.
    pub(crate) async fn let_down(&self) -> bool {
        tokio::time::timeout(PROGRESS_LIMIT, self.log().wait_for_let_down()).await.is_ok()
    }

    /// Lets every client finish the transfer that it is at, and ask for no other before [`go_on`](Self::go_on).
    pub(crate) fn pause(&self) {
        self.shared.is_paused.send_replace(true);
    }

    /// Ends a pause.
    pub(crate) fn go_on(&self) {
        self.shared.is_paused.send_replace(false);
    }

    /// Lets every client finish the transfer that it is at.
    pub(crate) fn stop(&self) {
        self.shared.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Waits for the clients, however far they want to go, and for a last look of the reader; returns the log.
    pub(crate) async fn finish(mut self) -> Arc<Log> {
        while let Some(joined) = self.clients.join_next().await {
            joined.expect("a client doesn't panic");
        }
        self.reader_stop.send_replace(true);
        self.reader.await.expect("the reader doesn't panic");
        Arc::clone(&self.shared.log)
    }
}

/// A reader beside clients who are not the load's own, which notes in their log what it finds.
#[derive(Debug)]
pub(crate) struct Watch {
    reader: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

/// Looks at the whole bank every 50 ms.
pub(crate) fn watch(world: &Arc<World>, log: &Arc<Log>) -> Watch {
    let shared = Arc::new(Shared::new(world, log, Road::Bank, u64::MAX));
    let (stop, stopped) = watch::channel(false);
    Watch { reader: tokio::spawn(reader::run(shared, stopped)), stop }
}

impl Watch {
    /// Waits for a last look.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.reader.await.expect("the reader doesn't panic");
    }
}

/// Says what the load did, and every violation that its clients, its reader and the checker found.
pub(crate) async fn conclude(world: Arc<World>, log: Arc<Log>, mut report: Report) -> Report {
    let lines = log.lines();
    let mut findings = log.take_findings();
    check(&world, &lines, &mut findings).await;
    world.check_idle(&mut findings).await;
    log.describe(&lines, &mut report);
    report.note(format!("seed {}", world.seed()));
    findings.into_report(&mut report);
    report
}
