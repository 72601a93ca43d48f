//! The table `jobs`: what is enqueued in a transaction is taken by one worker at a time once that has committed.
//!
//! Times are the caller's: `now` is an argument, and a lease is compared with nothing else.

use simplebank_core::{Job, JobId, job::Next};
use sqlx::postgres::{PgListener, PgPoolOptions};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    Db, Error, Tx,
    row::{in_range, next_id, parse},
};

/// On which channel the trigger `jobs_tell` notifies.
const CHANNEL: &str = "simplebank_jobs";

/// Stores a job, unless one of its kind and unique key waits already: then the answer is false.
///
/// # Errors
///
/// Whatever the database answers, also that the payload is not JSON.
pub async fn enqueue(tx: &mut Tx<'_>, job: &Job) -> Result<bool, Error> {
    let done = sqlx::query!(
        r#"
        insert into simplebank.jobs
            (id, kind, queue, payload, unique_key, attempts, attempts_max, due_at, created_at)
        values ($1, $2::text, $3::text, $4::text::jsonb, $5::text, $6::integer, $7::integer, $8, $9)
        on conflict (kind, unique_key) where unique_key is not null and dead_at is null do nothing
        "#,
        job.id.as_uuid(),
        job.kind,
        job.queue.as_str(),
        job.payload,
        job.unique_key,
        number(job.attempts),
        number(job.attempts_max),
        job.due_at,
        job.created_at,
    )
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A job that somebody is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The job, this attempt counted.
    pub job: Job,
    /// What its outcome is reported with.
    pub lease: Uuid,
}

/// Takes the next job of one of `kinds` that is due at `now`, for nobody else to take before `until`: the critical ones first,
/// then the oldest. `lease` must be fresh.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn claim(
    tx: &mut Tx<'_>,
    kinds: &[String],
    lease: Uuid,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<Option<Claimed>, Error> {
    // What another transaction is just taking is skipped, not waited for. The names of the queues sort as they are served.
    let row = sqlx::query_as!(
        JobRow,
        r#"
        with due as (
            select id
            from simplebank.jobs
            where dead_at is null
              and due_at <= $2
              and attempts < attempts_max
              and kind::text = any($1)
            order by queue, due_at, id
            limit 1
            for update skip locked
        )
        update simplebank.jobs j
        set attempts = j.attempts + 1, lease = $3, due_at = $4
        from due
        where j.id = due.id
        returning j.id, j.kind::text as "kind!", j.queue::text as "queue!", j.payload::text as "payload!",
                  j.unique_key::text as unique_key, j.attempts::integer as "attempts!", j.attempts_max::integer as "attempts_max!",
                  j.due_at, j.lease, j.last_error::text as last_error, j.dead_at, j.created_at
        "#,
        kinds,
        now,
        lease,
        until,
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| Ok(Claimed { job: row.try_into()?, lease })).transpose()
}

/// Ends a job that was done; the answer is false if somebody else has it by now.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn complete(tx: &mut Tx<'_>, id: JobId, lease: Uuid) -> Result<bool, Error> {
    let done = sqlx::query!(
        "delete from simplebank.jobs where id = $1 and lease = $2",
        id.as_uuid(),
        lease,
    );
    Ok(done.execute(tx.connection()).await?.rows_affected() == 1)
}

/// Gives a job back that was not done, with the reason, of at most 1,000 characters, and what is to become of it; the answer is
/// false if somebody else has it by now.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn fail(
    tx: &mut Tx<'_>,
    id: JobId,
    lease: Uuid,
    error: &str,
    next: Next,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let (due_at, dead_at) = match next {
        Next::RetryAt(at) => (at, None),
        Next::Dead => (now, Some(now)),
    };
    let done = sqlx::query!(
        r#"
        update simplebank.jobs
        set lease = null, due_at = $3, dead_at = $4, last_error = $5::text
        where id = $1
          and lease = $2
        "#,
        id.as_uuid(),
        lease,
        due_at,
        dead_at,
        error,
    );
    Ok(done.execute(tx.connection()).await?.rows_affected() == 1)
}

/// Makes dead letters of those whose last attempt was never reported: they may have ended the process that tried. Tells how many.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn bury_lost(tx: &mut Tx<'_>, now: OffsetDateTime) -> Result<u64, Error> {
    let done = sqlx::query!(
        r#"
        update simplebank.jobs
        set lease = null, dead_at = $1, last_error = 'the worker never reported the last attempt'
        where dead_at is null
          and due_at <= $1
          and attempts >= attempts_max
        "#,
        now,
    );
    Ok(done.execute(tx.connection()).await?.rows_affected())
}

/// When the next job of one of `kinds` falls due, if there is one.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn next_due(tx: &mut Tx<'_>, kinds: &[String]) -> Result<Option<OffsetDateTime>, Error> {
    let due = sqlx::query_scalar!(
        "select min(due_at) from simplebank.jobs where dead_at is null and kind::text = any($1)",
        kinds,
    );
    Ok(due.fetch_one(tx.connection()).await?)
}

/// Up to `limit` jobs after the one with id `after`, in ascending order of their ids.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn list(tx: &mut Tx<'_>, after: Option<JobId>, limit: i64) -> Result<Vec<Job>, Error> {
    let rows = sqlx::query_as!(
        JobRow,
        r#"
        select id, kind::text as "kind!", queue::text as "queue!", payload::text as "payload!", unique_key::text as unique_key,
               attempts::integer as "attempts!", attempts_max::integer as "attempts_max!", due_at, lease,
               last_error::text as last_error, dead_at, created_at
        from simplebank.jobs
        where id >= $1
        order by id
        limit $2
        "#,
        next_id(after.map(JobId::as_uuid)),
        limit,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Job::try_from).collect()
}

/// Makes a job due at `now`, with all its attempts before it; the answer is false if there is none, if somebody is at it, or if
/// another one with its unique key waits.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn retry(tx: &mut Tx<'_>, id: JobId, now: OffsetDateTime) -> Result<bool, Error> {
    let done = sqlx::query!(
        r#"
        update simplebank.jobs j
        set attempts = 0, due_at = $2, lease = null, dead_at = null
        where id = $1
          and (lease is null or due_at <= $2)
          and not exists (
              select
              from simplebank.jobs other
              where other.kind = j.kind
                and other.unique_key = j.unique_key
                and other.dead_at is null
                and other.id <> j.id
          )
        "#,
        id.as_uuid(),
        now,
    );
    Ok(done.execute(tx.connection()).await?.rows_affected() == 1)
}

/// Deletes a job that nobody is at; the answer is false if there is no such one.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn drop(tx: &mut Tx<'_>, id: JobId, now: OffsetDateTime) -> Result<bool, Error> {
    let done = sqlx::query!(
        "delete from simplebank.jobs where id = $1 and (lease is null or due_at <= $2)",
        id.as_uuid(),
        now,
    );
    Ok(done.execute(tx.connection()).await?.rows_affected() == 1)
}

/// Hears of jobs that were enqueued, on a connection of its own.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Listener {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when nobody answers.
    pub async fn connect(db: &Db) -> Result<Self, Error> {
        // Not one of the pool's connections: it would be missing there for as long as somebody listens.
        let options = db.pool().connect_options().as_ref().clone();
        let own = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&own).await?;
        listener.listen(CHANNEL).await?;
        Ok(Self(listener))
    }

    /// Waits until a transaction has committed that enqueued something, or until that may have been missed. A future of this that
    /// is dropped takes the listener with it.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when the connection is lost.
    pub async fn wait(&mut self) -> Result<(), Error> {
        self.0.try_recv().await?;
        Ok(())
    }
}

/// Counts of attempts are at most 100.
fn number(attempts: u32) -> i32 {
    i32::try_from(attempts).unwrap_or(i32::MAX)
}

struct JobRow {
    id: Uuid,
    kind: String,
    queue: String,
    payload: String,
    unique_key: Option<String>,
    attempts: i32,
    attempts_max: i32,
    due_at: OffsetDateTime,
    lease: Option<Uuid>,
    last_error: Option<String>,
    dead_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
}

impl TryFrom<JobRow> for Job {
    type Error = Error;

    fn try_from(row: JobRow) -> Result<Self, Error> {
        const TABLE: &str = "jobs";
        let count =
            |column, number: i32| in_range(TABLE, column, row.id, u32::try_from(number).ok());
        Ok(Self {
            id: JobId::from_uuid(row.id),
            queue: parse(TABLE, "queue", row.id, &row.queue)?,
            attempts: count("attempts", row.attempts)?,
            attempts_max: count("attempts_max", row.attempts_max)?,
            kind: row.kind,
            payload: row.payload,
            unique_key: row.unique_key,
            due_at: row.due_at,
            is_leased: row.lease.is_some(),
            last_error: row.last_error,
            dead_at: row.dead_at,
            created_at: row.created_at,
        })
    }
}
