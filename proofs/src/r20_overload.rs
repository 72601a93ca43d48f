//! R20: a thousand clients on a pool of ten connections, and twice as much asked for as can be done.
//!
//! The disk is slow and batches are small, so that the database sets the pace and not the clients, who share the machine. First
//! some clients ask as fast as they are answered: that is the peak. Then a thousand ask for twice as much a second, each by a
//! timetable, whatever became of their last request. Both take turns, so that a machine that is busy with something else slows
//! both.
//!
//! At twice the peak, what is done in time must be at least 80 % of the peak. Who is refused must be refused as `overloaded`,
//! by 503 with Retry-After, and what was refused must not have happened. Hardly anybody may wait in vain: a client hangs up
//! after a second.
//!
//! The control takes whatever comes: then everybody is answered, later and later, until all are answered too late.

mod clients;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use simplebank::{
    Bank, CommitterOptions,
    testing::{TestCluster, ThrowawayCluster},
};

use self::clients::Pace;
use crate::{
    Control, Proof, Report, Scale, bank,
    http::{self, Server},
    load::{Log, Size, World, conclude},
    random,
};

pub(crate) const PROOF: Proof = Proof {
    id: "R20",
    fault: "1,000 clients on a pool of 10; twice the peak load",
    run: |scale: Scale| Box::pin(trial(Queue::Bounded, scale.of(2, 20))),
    control: Some(Control {
        defect: "an unbounded queue",
        run: |_| Box::pin(trial(Queue::Unbounded, 1)),
    }),
};

const SIZE: Size = Size { customers: 16, hot: 4, connections: CONNECTIONS };
const CONNECTIONS: u32 = 10;
/// So many show what is the most that can be done.
const PEAK_CLIENTS: u64 = 16;
const CROWD: u64 = 1_000;
/// How long each of the two lasts, each time.
const PEAK: Duration = Duration::from_secs(2);
const RUSH: Duration = Duration::from_secs(4);
/// How much more is asked for than can be done.
const TIMES: u64 = 2;
/// In microseconds, as PostgreSQL takes it.
const FLUSH_DELAY: &str = "20000";
const BATCH_MAX: usize = 5;
/// A fifth of a second's work, or so.
const QUEUE_MAX: usize = 64;
const WAIT_MAX: Duration = Duration::from_millis(400);

/// How many orders may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queue {
    Bounded,
    /// The naive way.
    Unbounded,
}

impl Queue {
    fn options(self) -> CommitterOptions {
        let bounded = CommitterOptions {
            queue_max: QUEUE_MAX,
            batch_max: BATCH_MAX,
            wait_max: WAIT_MAX,
            ..CommitterOptions::default()
        };
        match self {
            Self::Bounded => bounded,
            Self::Unbounded => CommitterOptions {
                queue_max: usize::MAX,
                wait_max: Duration::from_secs(86_400),
                ..bounded
            },
        }
    }
}

/// What all clients share.
struct Stage {
    world: Arc<World>,
    log: Arc<Log>,
    server: Server,
    tokens: Vec<String>,
    counts: Mutex<Counts>,
}

/// What clients were told.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    asked: u64,
    done: u64,
    refused: u64,
    /// Clients that hung up.
    in_vain: u64,
}

async fn trial(queue: Queue, rounds: u64) -> Report {
    let options = ThrowawayCluster::options()
        .durable()
        .setting("commit_delay", FLUSH_DELAY)
        .setting("commit_siblings", "0");
    let cluster = TestCluster::start(options).await;
    let stage = open(&cluster, queue).await;
    let mut report = Report::new();
    let (mut peak, mut rush) = (Rate::default(), Rate::default());
    let mut crowd = Counts::default();
    for _ in 0..rounds {
        peak.add(clients::ask(&stage, PEAK_CLIENTS, Pace::AsAnswered, PEAK).await.done, PEAK);
        let pace = Pace::PerSecond(peak.per_second() * TIMES);
        let counts = clients::ask(&stage, CROWD, pace, RUSH).await;
        rush.add(counts.done, RUSH);
        crowd.add(counts);
    }
    judge(peak, rush, crowd, &mut report);
    let Stage { world, log, server, .. } = Arc::into_inner(stage).expect("all clients have ended");
    report.expect(server.stop().await, || "the server did not end in an orderly way".to_owned());
    conclude(world, log, report).await
}

async fn open(cluster: &TestCluster, queue: Queue) -> Arc<Stage> {
    let world = World::open(cluster.url(), SIZE, random::seed()).await;
    let db = bank::connect(&cluster.url(), CONNECTIONS).await;
    let bank = Bank::builder(db).committer(queue.options()).build();
    let bank = bank.expect("the system gives random numbers");
    let tokens = http::log_in(&bank, SIZE.customers).await;
    let server = Server::start(bank).await;
    let (log, counts) = (Arc::new(Log::new()), Mutex::default());
    Arc::new(Stage { world, log, server, tokens, counts })
}

fn judge(peak: Rate, rush: Rate, crowd: Counts, report: &mut Report) {
    /// Of those who ask, one in so many may wait in vain.
    const IN_VAIN_ONE_IN: u64 = 100;
    let Counts { asked, refused, in_vain, .. } = crowd;
    let (most, goodput) = (peak.per_second(), rush.per_second());
    report.tried(asked, "requests at twice the peak");
    report.note(format!("peak {most}/s, then {goodput}/s"));
    report.note(format!("{refused} refused, {in_vain} in vain"));
    report.expect(10 * goodput >= 8 * most, || {
        format!("{goodput} transfers a second of {most}, less than 80 %")
    });
    report.expect(in_vain * IN_VAIN_ONE_IN <= asked, || {
        format!("{in_vain} of {asked} clients waited in vain")
    });
    // Without a rush there is nothing to be refused, and nothing was tried.
    report.expect(refused + in_vain > 0, || "nobody was refused: it was no rush".to_owned());
}

/// How much was done in how long.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    done: u64,
    time: Duration,
}

impl Rate {
    fn add(&mut self, done: u64, time: Duration) {
        self.done += done;
        self.time += time;
    }

    const fn per_second(self) -> u64 {
        self.done / self.time.as_secs()
    }
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.asked += other.asked;
        self.done += other.done;
        self.refused += other.refused;
        self.in_vain += other.in_vain;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
