//! A server on a slow disk: each commit waits before its log is flushed, and is not visible until then.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use simplebank::testing::{TestCluster, ThrowawayCluster};
use tokio::task::JoinSet;

use super::{Answers, Found, Stage};
use crate::{
    Report, bank,
    load::{Size, World},
    random::{self, Random},
    wish::Wish,
};

const SIZE: Size = Size { customers: 8, hot: 4, connections: 4 };
const CLIENTS: u64 = 32;
const CENTS: i64 = 1;
/// In microseconds, as PostgreSQL takes it.
const FLUSH_DELAY: &str = "40000";

pub(super) async fn trial(answers: Answers, transfers: u64, mut report: Report) -> (Report, Found) {
    let options = ThrowawayCluster::options()
        .durable()
        .setting("commit_delay", FLUSH_DELAY)
        .setting("commit_siblings", "0");
    let cluster = TestCluster::start(options).await;
    let world = World::open(cluster.url(), SIZE, random::seed()).await;
    let bank = bank::open(&cluster.url(), SIZE.connections).await;
    let stage = Stage::new(&world, bank, answers);
    let asked = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (stage, asked) = (Arc::clone(&stage), Arc::clone(&asked));
        let mut random = world.random(client);
        clients.spawn(async move {
            while asked.fetch_add(1, Ordering::Relaxed) < transfers {
                ask(&stage, &mut random).await;
            }
        });
    }
    clients.join_all().await;
    let (batches, _) = stage.batches().await;
    report.tried(transfers, "transfers");
    report.note(format!("on a slow disk in {batches} batches"));
    stage.conclude(report).await
}

async fn ask(stage: &Stage, random: &mut Random) {
    let customers = stage.world.customers();
    let from = random.pick(customers);
    let Some(to) = customers.iter().find(|to| to.account != from.account) else { return };
    let wish = Wish::note(&stage.log, from, to, CENTS);
    if let Err(error) = stage.ask(&wish).await {
        wish.failed(&stage.log, error.code());
        stage.log.found("neighbours", format!("{}: {error}", wish.key));
    }
}
