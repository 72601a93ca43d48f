//! R9: every 20 ms the session of some client is ended by `pg_terminate_backend`, whatever it is doing.

use std::time::Duration;

use simplebank::testing::TestDatabase;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    Control, Proof, Report, Scale,
    load::{Clients, Load, Road, Size, World, conclude},
    random,
};

pub(crate) const PROOF: Proof = Proof {
    id: "R9",
    fault: "pg_terminate_backend every 20 ms, 16 writers",
    run: |scale: Scale| Box::pin(trial(Road::Bank, scale.of(150, 3_000))),
    control: Some(Control {
        defect: "answer before commit",
        run: |_| Box::pin(trial(Road::AnswerBeforeCommit, CONTROL_TERMINATIONS)),
    }),
};

const CONTROL_TERMINATIONS: u64 = 150;
const CLIENTS: u64 = 16;
const SIZE: Size = Size { customers: 32, hot: 4, connections: 16 };
const PERIOD: Duration = Duration::from_millis(20);

/// Ends one of the bank's sessions, if it has any.
const TERMINATE: &str = "
    select pg_terminate_backend(pid)
    from (
        select pid
        from pg_catalog.pg_stat_activity
        where datname = current_database() and application_name = 'simplebank'
        order by random()
        limit 1
    ) as victim";

async fn trial(road: Road, attempts: u64) -> Report {
    let mut report = Report::new();
    let database = TestDatabase::new().await;
    let world = World::open(database.url(), SIZE, random::seed()).await;
    let load = Load::start(&world, Clients { count: CLIENTS, transfers_max: u64::MAX, road });
    let mut period = interval(PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut terminated = 0;
    for _ in 0..attempts {
        period.tick().await;
        let ended: Option<bool> = sqlx::query_scalar(TERMINATE)
            .fetch_optional(world.owner())
            .await
            .expect("the terminator's own session is spared");
        terminated += u64::from(ended == Some(true));
    }
    report.tried(terminated, "sessions terminated");
    if !load.advance(CLIENTS).await {
        load.log().found("I10", "the load stands still when nobody terminates sessions any more");
    }
    load.stop();
    let log = load.finish().await;
    conclude(world, log, report).await
}
