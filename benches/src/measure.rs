//! What one measurement is made of: a schedule, a log of what was acknowledged, and meters for what it cost.

use std::time::{Duration, Instant};

use crate::{
    Failure,
    cluster::Cluster,
    cpu,
    number::{float, micros, wide},
    stats,
};

/// How long a caller in process waits who was refused as too much: as long as the server tells its clients to.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(3);

/// When a load warms up, counts and ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    pub(crate) warm_up: Duration,
    pub(crate) counted: Duration,
}

impl Schedule {
    /// Both together.
    pub(crate) fn whole(self) -> Duration {
        self.warm_up + self.counted
    }
}

/// A schedule that has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    counts_from: Instant,
    until: Instant,
}

impl Running {
    /// Begins now.
    pub(crate) fn begin(schedule: Schedule) -> Self {
        let counts_from = Instant::now() + schedule.warm_up;
        Self { counts_from, until: counts_from + schedule.counted }
    }

    /// True at the end.
    pub(crate) fn is_over(self) -> bool {
        Instant::now() >= self.until
    }
}

/// What a load was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// Transfers that were acknowledged, warming up included.
    pub(crate) acknowledged: u64,
    /// Transfers that were acknowledged before the meters were read.
    pub(crate) earlier: u64,
    /// Transfers that were refused as too many at a time.
    pub(crate) refused: u64,
    /// How long each took that was acknowledged while it counted, in microseconds.
    pub(crate) latencies_us: Vec<u32>,
}

impl Log {
    /// Notes that `transfers`, asked for at `since`, have been acknowledged now.
    pub(crate) fn acknowledge(&mut self, transfers: usize, since: Instant, running: Running) {
        let now = Instant::now();
        self.acknowledged += wide(transfers);
        if (running.counts_from..=running.until).contains(&now) {
            let latency_us = micros(now.duration_since(since));
            self.latencies_us.extend(std::iter::repeat_n(latency_us, transfers));
        }
    }

    /// Adds what somebody else was told.
    pub(crate) fn add(&mut self, mut other: Self) {
        self.acknowledged += other.acknowledged;
        self.earlier += other.earlier;
        self.refused += other.refused;
        self.latencies_us.append(&mut other.latencies_us);
    }
}

/// Meters at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meters {
    wal_syncs: Option<u64>,
    postgres: Option<Duration>,
    server: Option<Duration>,
    client: Option<Duration>,
}

impl Meters {
    /// Reads them before a load; `server` is the process of the server, if there is one.
    pub(crate) async fn before(cluster: &Cluster, server: Option<u32>) -> Result<Self, Failure> {
        let wal_syncs = cluster.wal_syncs().await?;
        Ok(Self { wal_syncs, ..Self::of_processors(cluster, server) })
    }

    /// Reads those of the processors, right after a load.
    pub(crate) fn of_processors(cluster: &Cluster, server: Option<u32>) -> Self {
        Self {
            wal_syncs: None,
            postgres: cpu::of_family(cluster.postmaster()),
            server: server.and_then(cpu::of),
            client: cpu::of_self(),
        }
    }

    /// Reads the other one when all who wrote have left: a session tells what it wrote when it ends, or now and then.
    pub(crate) async fn and_after(self, cluster: &Cluster) -> Result<Self, Failure> {
        cluster.wait_until_alone().await?;
        Ok(Self { wal_syncs: cluster.wal_syncs().await?, ..self })
    }
}

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// Transfers per second.
    pub(crate) rate: f64,
    /// The latency that half of them don't exceed, in milliseconds.
    pub(crate) p50_ms: f64,
    /// The latency that 99 in 100 don't exceed, in milliseconds.
    pub(crate) p99_ms: f64,
    /// Transfers for each time that the log was flushed to disk.
    pub(crate) per_sync: Option<f64>,
    /// Processor time of PostgreSQL for each transfer, in microseconds.
    pub(crate) postgres_us: Option<f64>,
    /// The same of the server.
    pub(crate) server_us: Option<f64>,
    /// The same of whoever makes the load; of the bank as well where that is in the same process.
    pub(crate) client_us: Option<f64>,
    /// The share of what was asked that was refused as too much, from 0 to 1.
    pub(crate) refused: f64,
    /// Transfers that were acknowledged, those before and while warming up included.
    pub(crate) acknowledged: u64,
}

impl Figures {
    /// What a log and the meters before and after come to.
    pub(crate) fn new(log: Log, schedule: Schedule, before: Meters, after: Meters) -> Self {
        let Log { acknowledged, earlier, refused, mut latencies_us } = log;
        latencies_us.sort_unstable();
        let each = |before: Option<Duration>, after: Option<Duration>| {
            let used = after?.saturating_sub(before?);
            (acknowledged > 0).then(|| used.as_secs_f64() * 1e6 / float(acknowledged))
        };
        let syncs = after
            .wal_syncs
            .zip(before.wal_syncs)
            .map(|(after, before)| after.saturating_sub(before));
        Self {
            rate: float(wide(latencies_us.len())) / schedule.counted.as_secs_f64(),
            p50_ms: stats::percentile_ms(&latencies_us, 50),
            p99_ms: stats::percentile_ms(&latencies_us, 99),
            per_sync: syncs
                .filter(|syncs| *syncs > 0)
                .map(|syncs| float(acknowledged) / float(syncs)),
            postgres_us: each(before.postgres, after.postgres),
            server_us: each(before.server, after.server),
            client_us: each(before.client, after.client),
            refused: float(refused) / float((acknowledged + refused).max(1)),
            acknowledged: acknowledged + earlier,
        }
    }
}
