//! R10: clients that go away in the middle of what they have asked for.
//!
//! At two levels, each over a pool of two connections, so that whatever somebody leaves behind meets the next one:
//!
//! - [`dropped`]: futures of `Bank::transfer` and of the helper, dropped at each of their await points in turn. After each of
//!   them, the same pool acknowledges a write.
//! - [`hung_up`]: requests to the real HTTP server whose clients close the connection half-way or before the answer, among
//!   others who wait for theirs.
//!
//! What was acknowledged is read again elsewhere, at once and in the end. What was aborted may have happened once, or not at
//! all; sent again under its key, it has happened exactly once. No session is left in a transaction, and the pools serve.

mod dropped;
mod hung_up;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use simplebank::testing::TestDatabase;
use tokio::time::Instant;

use crate::{
    Control, Proof, Report, Scale,
    load::{Findings, Log, Size, World, check, conclude},
    payments::{self, ToldPayments},
    random,
};

pub(crate) const PROOF: Proof = Proof {
    id: "R10",
    fault: "requests aborted by their clients: futures dropped at every await, connections closed",
    run: |scale: Scale| {
        let aborts = Aborts { dropped: scale.of(120, 3_000), hung_up: scale.of(80, 2_000) };
        Box::pin(trial(Door::Ours, aborts))
    },
    control: Some(Control {
        defect: "timeout around begin",
        run: |_| Box::pin(trial(Door::Sqlx, CONTROL)),
    }),
};

/// How many requests are aborted, at each level.
#[derive(Clone, Copy, Debug)]
struct Aborts {
    dropped: u64,
    hung_up: u64,
}

/// Many times what it takes: the trial ends when something is found.
const CONTROL: Aborts = Aborts { dropped: 5_000, hung_up: 0 };
const SIZE: Size = Size { customers: 8, hot: 4, connections: CONNECTIONS };
const CONNECTIONS: u32 = 2;
const CLIENTS: u64 = 4;
const CENTS: i64 = 1;
/// How long what was aborted may go on.
const REST_LIMIT: Duration = Duration::from_secs(5);
const REST_PAUSE: Duration = Duration::from_millis(20);

/// How a transaction begins that may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// Through the helper.
    Ours,
    /// By sqlx's own means.
    Sqlx,
}

struct Stage {
    world: Arc<World>,
    url: String,
    door: Door,
    log: Arc<Log>,
    told: Mutex<ToldPayments>,
    payments: AtomicU64,
    aborted: AtomicU64,
    report: Mutex<Report>,
}

impl Stage {
    /// The id of another payment.
    fn payment(&self) -> i64 {
        i64::try_from(self.payments.fetch_add(1, Ordering::Relaxed)).expect("there are few")
    }

    /// Notes what somebody was told of a payment.
    fn tell(&self, id: i64, number: Option<i64>) {
        lock(&self.told).insert(id, number);
    }

    /// True as long as fewer than so many requests were aborted, and nothing was found.
    fn goes_on(&self, aborts: u64) -> bool {
        self.aborted.load(Ordering::Relaxed) < aborts && lock(&self.report).violations() == 0
    }

    fn abort(&self) {
        self.aborted.fetch_add(1, Ordering::Relaxed);
    }

    fn found(&self, text: String) {
        lock(&self.report).violation(text);
    }
}

async fn trial(door: Door, aborts: Aborts) -> Report {
    let database = TestDatabase::new().await;
    let world = World::open(database.url(), SIZE, random::seed()).await;
    payments::create(world.owner()).await;
    let stage = Arc::new(Stage {
        world: Arc::clone(&world),
        url: database.url(),
        door,
        log: Arc::new(Log::new()),
        told: Mutex::default(),
        payments: AtomicU64::new(1),
        aborted: AtomicU64::new(0),
        report: Mutex::default(),
    });
    dropped::run(&stage, aborts.dropped).await;
    if door == Door::Sqlx {
        return lock(&stage.report).clone();
    }
    stage.aborted.store(0, Ordering::Relaxed);
    hung_up::run(&stage, aborts.hung_up).await;
    let (told, mut report) = (lock(&stage.told).clone(), lock(&stage.report).clone());
    payments::check(world.owner(), &told, &mut report).await;
    conclude(world, Arc::clone(&stage.log), report).await
}

/// Waits until what was aborted is over, and looks at the bank while nobody knows what has become of some transfers: each
/// has happened once, or not at all.
async fn come_to_rest(stage: &Stage) {
    const BUSY: &str = "
        select count(*)
        from pg_catalog.pg_stat_activity
        where datname = current_database() and application_name = 'simplebank' and state <> 'idle'";
    let give_up_at = Instant::now() + REST_LIMIT;
    loop {
        let busy = sqlx::query_scalar(BUSY).fetch_one(stage.world.owner()).await;
        let busy: i64 = busy.expect("the server answers");
        if busy == 0 {
            break;
        }
        if Instant::now() > give_up_at {
            stage.found(format!("{busy} sessions are not idle when nobody asks for anything"));
            break;
        }
        tokio::time::sleep(REST_PAUSE).await;
    }
    let mut findings = Findings::default();
    check(&stage.world, &stage.log.lines(), &mut findings).await;
    findings.into_report(&mut lock(&stage.report));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
