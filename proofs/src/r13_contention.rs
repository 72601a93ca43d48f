//! R13: everybody wants the same row, at SERIALIZABLE.
//!
//! Of the transactions that meet there, one commits and the rest fail with 40001, so the helper's bounds are put to the test:
//! a call that gave up too early fails, one that never gives up holds its caller for ever. The promise: at least 999 calls of
//! 1,000 succeed, none runs its body more than ten times, none outlives its deadline, and the row has counted each success.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use simplebank::{
    db::{Db, Error, Tx, TxSpec},
    testing::TestDatabase,
};
use sqlx::postgres::PgPoolOptions;
use tokio::{task::JoinSet, time::Instant};

use crate::{Control, Proof, Report, Scale};

pub(crate) const PROOF: Proof = Proof {
    id: "R13",
    fault: "64 clients on one row at SERIALIZABLE",
    run: |scale| Box::pin(trial(scale, Loop::Bounded)),
    control: Some(Control {
        defect: "a loop that neither pauses nor ends",
        run: |scale| Box::pin(trial(scale, Loop::Endless)),
    }),
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Loop {
    Bounded,
    Endless,
}

const CLIENTS: u64 = 64;
const ATTEMPTS_MAX: u32 = 10;
const DEADLINE: Duration = Duration::from_secs(5);
const COUNT: TxSpec = TxSpec::serializable("count").attempts_max(ATTEMPTS_MAX).deadline(DEADLINE);
const ONCE: TxSpec = COUNT.attempts_max(1);

/// What became of one call.
struct Call {
    succeeded: bool,
    attempts: u32,
    took: Duration,
}

async fn trial(scale: Scale, kind: Loop) -> Report {
    let database = TestDatabase::new().await;
    let table = "create table counter (value bigint not null); insert into counter values (0)";
    sqlx::raw_sql(table).execute(&database.owner().await).await.expect("a table");
    let options = PgPoolOptions::new().max_connections(64);
    let db = Db::from_pool(options.connect(&database.url()).await.expect("a pool"));
    // The tail is thin: of some 500 calls of the control none may need an eleventh attempt.
    let each = scale.of(if kind == Loop::Bounded { 8 } else { 64 }, 500);
    let mut tasks = JoinSet::new();
    for _ in 0..CLIENTS {
        let db = db.clone();
        tasks.spawn(async move {
            let mut calls = Vec::new();
            for _ in 0..each {
                calls.push(call(&db, kind).await);
            }
            calls
        });
    }
    let calls: Vec<Call> = tasks.join_all().await.into_iter().flatten().collect();
    let counted: i64 = sqlx::query_scalar("select value from counter")
        .fetch_one(db.pool())
        .await
        .expect("the row is there");
    judge(&calls, u64::try_from(counted).unwrap_or_default())
}

async fn call(db: &Db, kind: Loop) -> Call {
    let attempts = Arc::new(AtomicU32::new(0));
    let began_at = Instant::now();
    let body = async |tx: &mut Tx<'_>| {
        attempts.fetch_add(1, Ordering::Relaxed);
        count_up(tx).await
    };
    let outcome = match kind {
        Loop::Bounded => db.transact(COUNT, async |tx| body(tx).await).await,
        Loop::Endless => loop {
            let outcome = db.transact(ONCE, async |tx| body(tx).await).await;
            if !matches!(outcome, Err(Error::Exhausted { .. })) {
                break outcome;
            }
        },
    };
    let attempts = attempts.load(Ordering::Relaxed);
    Call { succeeded: outcome.is_ok(), attempts, took: began_at.elapsed() }
}

async fn count_up(tx: &mut Tx<'_>) -> Result<(), Error> {
    let value: i64 =
        sqlx::query_scalar("select value from counter").fetch_one(tx.connection()).await?;
    let write = "update counter set value = $1";
    sqlx::query(write).bind(value + 1).execute(tx.connection()).await?;
    Ok(())
}

fn judge(calls: &[Call], counted: u64) -> Report {
    let mut report = Report::new();
    let total = u64::try_from(calls.len()).unwrap_or(u64::MAX);
    let failed = calls.iter().filter(|call| !call.succeeded).count();
    let failed = u64::try_from(failed).unwrap_or(u64::MAX);
    let attempts: u64 = calls.iter().map(|call| u64::from(call.attempts)).sum();
    let slowest = calls.iter().map(|call| call.took).max().unwrap_or_default();
    report.tried(total, "calls");
    report.note(format!("{failed} failed"));
    let most = calls.iter().map(|call| call.attempts).max().unwrap_or_default();
    report.note(format!("{attempts} attempts, at most {most} of a call"));
    report.note(format!("slowest {} ms", slowest.as_millis()));
    report.expect(failed * 1_000 <= total, || {
        format!("{failed} of {total} calls failed: more than one in a thousand")
    });
    report.expect(counted + failed == total, || {
        format!("the row counted {counted} of {} successes", total - failed)
    });
    for call in calls {
        report.expect(call.attempts <= ATTEMPTS_MAX, || format!("{} attempts", call.attempts));
        // The answer may take a moment to be noticed on a busy machine.
        report.expect(call.took < DEADLINE + Duration::from_millis(500), || {
            format!("{} ms, with a deadline of {} ms", call.took.as_millis(), DEADLINE.as_millis())
        });
    }
    report
}
