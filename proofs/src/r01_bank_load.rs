//! R1: many clients, half of them on four accounts, and a reader of everything beside them.

use simplebank::testing::TestDatabase;

use crate::{
    Control, Proof, Report,
    load::{Clients, Load, Road, Size, World, conclude},
    random,
};

pub(crate) const PROOF: Proof = Proof {
    id: "R1",
    fault: "bank load: 64 clients, half of them on 4 hot accounts, full reads every 50 ms",
    run: |scale| Box::pin(trial(Road::Bank, scale.of(15_000, 1_000_000))),
    control: Some(Control {
        defect: "no row lock",
        run: |_| Box::pin(trial(Road::NoRowLock, CONTROL_TRANSFERS)),
    }),
};

/// Many more than it takes: two clients that have read the same balance are enough.
const CONTROL_TRANSFERS: u64 = 500;
const CLIENTS: u64 = 64;
const SIZE: Size = Size { customers: 64, hot: 4, connections: 64 };

async fn trial(road: Road, transfers_max: u64) -> Report {
    let database = TestDatabase::new().await;
    let world = World::open(database.url(), SIZE, random::seed()).await;
    let load = Load::start(&world, Clients { count: CLIENTS, transfers_max, road });
    let log = load.finish().await;
    conclude(world, log, Report::new()).await
}
