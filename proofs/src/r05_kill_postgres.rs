//! R5: kill -9 of PostgreSQL while 16 clients write.
//!
//! The server dies after a random number of acknowledgements, so that it is at any step of any transfer when it does. It
//! recovers, and the same clients go on. In the end everything acknowledged must be there once (0 lost, 0 double), and no
//! transfer in part (0 half).
//!
//! Mostly the server is back before any client has lost patience, and the bank itself settles what became of a COMMIT. Now
//! and then it stays away until a client is told that its transfer has failed, which must then be true for ever, or that
//! nobody knows, which the client must be able to find out.

use std::{sync::Arc, time::Duration};

use simplebank_localpg::{Error, ThrowawayCluster};
use tokio::time::Instant;

use crate::{
    Control, Proof, Report, Scale,
    load::{Clients, Load, Road, Size, World, conclude},
    random,
};

pub(crate) const PROOF: Proof = Proof {
    id: "R5",
    fault: "kill -9 of PostgreSQL at random, 16 writers",
    run: |scale: Scale| Box::pin(trial(Road::Bank, scale.of(5, 200))),
    control: Some(Control {
        defect: "answer before commit",
        run: |_| Box::pin(trial(Road::AnswerBeforeCommit, CONTROL_KILLS)),
    }),
};

/// At each of them some writer may have been told what isn't committed yet; three found nothing once.
const CONTROL_KILLS: u64 = 20;
const CLIENTS: u64 = 16;
const SIZE: Size = Size { customers: 32, hot: 4, connections: 16 };
/// The server lives for fewer acknowledgements than this.
const ACKNOWLEDGED_MAX: u64 = 200;
/// Every so many kills, the server stays away for long; the short form has one of them. A control has none, since its
/// clients are told nothing while the server is away.
const LONG_EVERY: u64 = 5;
/// I10: clients are served again so soon after the server is back.
const SERVED_LIMIT: Duration = Duration::from_secs(5);
/// The killer's stream of random numbers.
const KILLER: u64 = 1 << 32;

async fn trial(road: Road, kills: u64) -> Report {
    let mut report = Report::new();
    let cluster = tokio::task::spawn_blocking(|| ThrowawayCluster::options().durable().start());
    let cluster = Arc::new(cluster.await.expect("it doesn't panic").expect("a cluster starts"));
    let world = World::create(|database| cluster.url(database), SIZE, random::seed()).await;
    let load = Load::start(&world, Clients { count: CLIENTS, transfers_max: u64::MAX, road });
    let mut random = world.random(KILLER);
    let mut slowest = Duration::ZERO;
    for number in 0..kills {
        if !load.advance(random.below(ACKNOWLEDGED_MAX)).await {
            load.log().found("I10", format!("before kill {number} the load stands still"));
            break;
        }
        on(&cluster, ThrowawayCluster::crash).await;
        let is_long = road == Road::Bank && number % LONG_EVERY == LONG_EVERY - 1;
        if is_long && !load.let_down().await {
            load.log()
                .found("I6", format!("kill {number}: nobody is told that the server is away"));
        }
        on(&cluster, ThrowawayCluster::resume).await;
        let healed = Instant::now();
        if !load.advance(CLIENTS).await || healed.elapsed() > SERVED_LIMIT {
            load.log().found("I10", format!("{:?} after kill {number}", healed.elapsed()));
        }
        slowest = slowest.max(healed.elapsed());
    }
    report.tried(kills, "kills");
    load.stop();
    let log = load.finish().await;
    report.note(format!("served again after {} ms at most", slowest.as_millis()));
    conclude(world, log, report).await
}

/// Does something that blocks to the cluster.
async fn on(cluster: &Arc<ThrowawayCluster>, act: fn(&ThrowawayCluster) -> Result<(), Error>) {
    let cluster = Arc::clone(cluster);
    let done = tokio::task::spawn_blocking(move || act(&cluster));
    done.await.expect("it doesn't panic").expect("the cluster obeys");
}
