//! R6: a power cut in the middle of the load.
//!
//! PostgreSQL's data lies on an ext4 of its own, on a loop device. At a random moment
//!
//! 1. every process of the server is stopped by SIGSTOP and has left the kernel: no sync is under way and none begins;
//! 2. the device is copied; the copy counts if the device has completed no write and no flush meanwhile, as the kernel's
//!    counters tell, and is made again otherwise;
//! 3. the clients' log is noted, and the server goes on;
//! 4. the copy is mounted, PostgreSQL is started on it, and the checker compares it with the log of step 3.
//!
//! **Why the copy is what a power cut leaves.** It holds every block that the device had completed at one moment, in full,
//! and nothing else: no page that was only in the kernel's memory, and no message of ext4 or PostgreSQL that was yet to be
//! written. What was synced is in it, since a sync ends when the device has completed its writes; of what wasn't, it holds
//! the arbitrary part that the kernel had happened to write back by then. ext4's journal is in the copy as it was on the
//! device, and is replayed at the mount. Since the copy is of one moment, it is a state that the device was in, and power
//! can fail in any of them. The journal is committed by itself only every 300 s, so that writes between two syncs of
//! PostgreSQL are rare.
//!
//! **Why what is acknowledged must be in it.** The log is noted while the server stands still. Whatever it has
//! acknowledged, it had synced before, by its own claim.
//!
//! **What is not tried:** a device that has completed a write and loses it, because it kept it in a cache and was not told
//! to flush; and a block that was written half. Both need a device mapper, or a device that is pulled.
//!
//! The controls switch off `fsync`, and then `synchronous_commit`: each must lose what it acknowledged, or not recover.

mod disk;
mod server;

use std::{path::PathBuf, sync::Arc};

use simplebank_localpg::ThrowawayCluster;

use self::{
    disk::Disk,
    server::{Frozen, Recovered},
};
use crate::{
    Control, Proof, Report, Scale,
    load::{Clients, Findings, Line, Load, Road, Size, World, check, conclude},
    random,
};

pub(crate) const PROOF: Proof = Proof {
    id: "R6",
    fault: "power cut (copy of a frozen file system, recovered), 16 writers",
    run: |scale: Scale| Box::pin(trial(Durability::On, scale.of(2, 50))),
    control: Some(Control {
        defect: "fsync off; synchronous_commit off",
        run: |_| Box::pin(both_controls()),
    }),
};

/// What PostgreSQL promises by its settings.
#[derive(Clone, Copy, Debug)]
enum Durability {
    On,
    NoFsync,
    NoSynchronousCommit,
}

impl Durability {
    /// True for the defects of the controls.
    const fn is_seeded(self) -> bool {
        match self {
            Self::On => false,
            Self::NoFsync | Self::NoSynchronousCommit => true,
        }
    }
}

/// The first one is expected to do.
const CONTROL_CUTS: u64 = 3;
const CLIENTS: u64 = 16;
const SIZE: Size = Size { customers: 16, hot: 4, connections: 16 };
/// Between two cuts there are fewer acknowledgements than this, and at least half as many.
const ACKNOWLEDGED_MAX: u64 = 400;
/// The stream of random numbers of whoever cuts.
const CUTTER: u64 = 1 << 32;

/// Both must lose something: if one doesn't, nothing is reported, and the controls have failed.
async fn both_controls() -> Report {
    let mut both = Report::new();
    for (durability, name) in [
        (Durability::NoFsync, "fsync off"),
        (Durability::NoSynchronousCommit, "synchronous_commit off"),
    ] {
        let report = trial(durability, CONTROL_CUTS).await;
        if report.violations() == 0 {
            let mut whole = Report::new();
            whole.note(format!("{name} has lost nothing: {}", report.tried_text()));
            return whole;
        }
        both.note(format!("{name}: {}", report.tried_text()));
        both.violation(format!("{name}: {} violations", report.violations()));
    }
    both
}

async fn trial(durability: Durability, cuts: u64) -> Report {
    let seed = random::seed();
    let disk = match blocking(move || Disk::make(seed)).await {
        Ok(disk) => Arc::new(disk),
        Err(reason) => return Report::not_run(format!("needs root and a loop device: {reason}")),
    };
    let cluster = start_cluster(&disk, durability).await;
    let world = World::create(|database| cluster.url(database), SIZE, seed).await;
    // The customers are not what is tried.
    blocking_on(&disk, Disk::sync).await;
    let load =
        Load::start(&world, Clients { count: CLIENTS, transfers_max: u64::MAX, road: Road::Bank });
    let mut report = Report::new();
    let mut random = world.random(CUTTER);
    let (mut done, mut acknowledged) = (0, 0);
    for number in 0..cuts {
        let more = ACKNOWLEDGED_MAX / 2 + random.below(ACKNOWLEDGED_MAX / 2);
        if !load.advance(more).await {
            load.log().found("I10", format!("before cut {number} the load stands still"));
            break;
        }
        let lines = cut(&disk, &cluster, &load).await;
        acknowledged = lines.iter().filter(|line| line.is_acknowledged()).count();
        let mut findings = Findings::default();
        // Two cores are few for a load and a checker at a time.
        load.pause();
        recover(&disk, &cluster, &world, &lines, &mut findings).await;
        load.go_on();
        findings.into_report(&mut report);
        done += 1;
        if durability.is_seeded() && report.violations() > 0 {
            break;
        }
    }
    report.tried(done, "cuts");
    report.note(format!("{acknowledged} transfers acknowledged before the last of them"));
    load.stop();
    let log = load.finish().await;
    conclude(world, log, report).await
}

/// A cluster on the disk, with a small write-ahead log so that it is overwritten often.
async fn start_cluster(disk: &Disk, durability: Durability) -> ThrowawayCluster {
    let options = ThrowawayCluster::options()
        .durable()
        .directory(disk.mounted())
        .setting("max_wal_size", "64MB")
        .setting("min_wal_size", "32MB");
    let options = match durability {
        Durability::On => options,
        Durability::NoFsync => options.setting("fsync", "off"),
        Durability::NoSynchronousCommit => options.setting("synchronous_commit", "off"),
    };
    blocking(move || options.start()).await.expect("a cluster starts on the disk")
}

/// Copies the disk at one moment; returns what clients had been told by then.
async fn cut(disk: &Arc<Disk>, cluster: &ThrowawayCluster, load: &Load) -> Vec<Line> {
    let (disk, data, log) =
        (Arc::clone(disk), cluster.directory().join("data"), Arc::clone(load.log()));
    blocking(move || {
        let frozen = Frozen::freeze(&data);
        disk.copy().expect("the device comes to rest when its server does");
        let lines = log.lines();
        drop(frozen);
        lines
    })
    .await
}

/// Starts PostgreSQL on the copy and checks what it has.
async fn recover(
    disk: &Arc<Disk>,
    cluster: &ThrowawayCluster,
    world: &World,
    lines: &[Line],
    findings: &mut Findings,
) {
    if let Err(reason) = blocking_on(disk, Disk::mount_copy).await {
        findings.add("I2", format!("the file system doesn't recover: {reason}"));
        return;
    }
    let mut recovered = Recovered::start(&copied(disk, cluster), disk.directory());
    match recovered.ready().await {
        Err(log) => findings.add("I2", format!("PostgreSQL doesn't recover: {log}")),
        Ok(()) => match world.on_copy(|database| recovered.url(database)).await {
            Err(error) => findings.add("I2", format!("the database doesn't recover: {error}")),
            Ok(copy) => {
                check(&copy, lines, findings).await;
                copy.close().await;
            }
        },
    }
    drop(recovered);
    blocking_on(disk, Disk::unmount_copy).await;
}

/// The data directory on the copy.
fn copied(disk: &Disk, cluster: &ThrowawayCluster) -> PathBuf {
    let name =
        cluster.directory().strip_prefix(disk.mounted()).expect("the cluster is on the disk");
    disk.copy_mounted().join(name).join("data")
}

async fn blocking_on<T: Send + 'static>(disk: &Arc<Disk>, act: fn(&Disk) -> T) -> T {
    let disk = Arc::clone(disk);
    blocking(move || act(&disk)).await
}

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(act).await.expect("it doesn't panic")
}
