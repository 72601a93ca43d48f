//! The reader: looks at the whole bank every 50 ms, each time in one snapshot.
//!
//! A single statement is a snapshot by itself, at any isolation level. It finds
//!
//! - I1: a currency whose balances don't sum to zero;
//! - I4: an account that doesn't agree with its newest entry;
//! - I8: a transfer that was acknowledged before the statement was sent, and isn't there.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use uuid::Uuid;

use super::Shared;

/// How often.
const PERIOD: Duration = Duration::from_millis(50);

const SNAPSHOT: &str = "
    select (
        select count(*) from (
            select from simplebank.accounts group by currency having sum(balance) <> 0
        ) as unbalanced
    ), (
        select count(*)
        from simplebank.accounts a
        left join lateral (
            select e.version, e.balance_after
            from simplebank.entries e
            where e.account_id = a.id
            order by e.version desc
            limit 1
        ) newest on true
        where a.version <> coalesce(newest.version, 0) or a.balance <> coalesce(newest.balance_after, 0)
    ), (
        select count(*)
        from unnest($1::uuid[]) as acknowledged (id)
        where not exists (select from simplebank.transfers t where t.id = acknowledged.id)
    )";

/// Reads until told to stop, and then once more.
pub(super) async fn run(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut period = interval(PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unseen: Vec<Uuid> = Vec::new();
    loop {
        tokio::select! {
            _ = period.tick() => {}
            _ = stop.changed() => {}
        }
        let is_last = *stop.borrow();
        // Before the snapshot, so that each of them must be in it.
        unseen.extend(shared.log.take_fresh());
        match read(&shared, &unseen).await {
            Ok(()) => unseen.clear(),
            // The server is down, or has ended the session: those acknowledged are looked for next time.
            Err(_) => shared.log.count("reads that failed"),
        }
        if is_last {
            return;
        }
    }
}

pub(super) async fn read(shared: &Shared, acknowledged: &[Uuid]) -> Result<(), sqlx::Error> {
    let (unbalanced, disagreeing, invisible): (i64, i64, i64) =
        sqlx::query_as(SNAPSHOT).bind(acknowledged).fetch_one(shared.world.owner()).await?;
    shared.log.count("full reads");
    for (invariant, count, what) in [
        ("I1", unbalanced, "currencies don't sum to zero"),
        ("I4", disagreeing, "accounts disagree with their newest entry"),
        ("I8", invisible, "acknowledged transfers are not visible"),
    ] {
        if count > 0 {
            shared.log.found(invariant, format!("a reader saw that {count} {what}"));
        }
    }
    Ok(())
}
