//! The door: the only place where a transaction begins and ends.
//!
//! [`Db::transact`] runs a body in a transaction and commits it:
//!
//! 1. A connection is acquired and BEGIN is sent with all settings: one round trip. This runs in a task of its own, since
//!    a future dropped inside sqlx's BEGIN would leave an open transaction in the pool (sqlx 0.9.0).
//! 2. The body runs. Whatever it returns as an error rolls the transaction back, explicitly, so that its locks are free
//!    before anything else happens.
//! 3. COMMIT is sent together with a statement that a failed transaction refuses: one round trip. PostgreSQL answers COMMIT
//!    of a failed transaction with success, so without it a body that swallowed an error would seem to have succeeded.
//! 4. 40001 and 40P01, from a statement or from COMMIT, and a connection lost before COMMIT run the body again: after a
//!    pause of random length (full jitter), at most `attempts_max` times, none begun after the deadline.
//!
//! The body may therefore run several times: only what it does through [`Tx`] is undone. Clocks, random numbers, mail and
//! other services belong before or after it.

use std::{fmt, future::Future, time::Duration};

use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, Transaction};
use tokio::time::Instant;

use crate::{Db, Error, TxSpec};

/// Checks that the transaction has not failed, commits it and begins an empty one.
///
/// The empty one is for sqlx, which counts transactions by itself and sends ROLLBACK when a [`Transaction`] is dropped: that
/// ends the empty one, unnoticed, when the connection returns to the pool. Were it counted differently, a savepoint that
/// an embedder begins with sqlx's own means would be a BEGIN, and its release a COMMIT of everything.
const COMMIT: &str = "select 1; commit and chain";

/// The first pause before running a body again is 0 to this long, the next 0 to twice that, and so on.
const PAUSE_FIRST: Duration = Duration::from_millis(4);
/// No pause is longer: with ten attempts, all pauses together stay below 1.6 s.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// An open transaction: [`Db::transact`]'s own, or a caller's.
pub struct Tx<'c>(&'c mut PgConnection);

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tx")
    }
}

impl<'c> Tx<'c> {
    /// Joins a transaction that the caller has begun and will end: what is done through the result commits or vanishes
    /// with it. Retrying after a serialization failure is then the caller's, and so is not swallowing errors.
    ///
    /// Outside a transaction each statement would commit by itself, so pass a connection only inside one.
    pub fn join(connection: &'c mut PgConnection) -> Self {
        Self(connection)
    }

    /// The connection inside the transaction, for the caller's own statements.
    ///
    /// Don't begin or commit on it with SQL of your own; sqlx's nested `begin` is a savepoint and fine.
    pub fn connection(&mut self) -> &mut PgConnection {
        self.0
    }
}

/// The error of a transaction's body: one's own type, which can hold a database error and give it back.
///
/// ```
/// use simplebank_db::{BodyError, Error};
///
/// enum Refused {
///     SoldOut,
///     Db(Error),
/// }
///
/// impl From<Error> for Refused {
///     fn from(error: Error) -> Self {
///         Self::Db(error)
///     }
/// }
///
/// impl BodyError for Refused {
///     fn into_db(self) -> Result<Error, Self> {
///         match self {
///             Self::Db(error) => Ok(error),
///             other => Err(other),
///         }
///     }
/// }
/// ```
pub trait BodyError: From<Error> + Send {
    /// The database error inside, or `self` if it holds none.
    ///
    /// # Errors
    ///
    /// `self`, unchanged.
    fn into_db(self) -> Result<Error, Self>;
}

impl BodyError for Error {
    fn into_db(self) -> Result<Error, Self> {
        Ok(self)
    }
}

/// An async closure that can run again and whose future is `Send`.
///
/// `AsyncFn` alone can't promise `Send` on stable Rust; naming the future through `Fn` can. It is implemented for every
/// closure that fits; nobody implements it by hand.
pub trait Body<A, R>: AsyncFn(A) -> R + Fn(A) -> <Self as Body<A, R>>::Fut {
    /// The closure's future.
    type Fut: Future<Output = R>;
}

impl<A, R, F, Fut> Body<A, R> for F
where
    F: AsyncFn(A) -> R + Fn(A) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

impl Db {
    /// Runs `body` in a transaction and commits it; returns what the body returned.
    ///
    /// `body` may run several times, up to the spec's attempts: see the module's documentation. Dropping the future at any
    /// moment leaves no open transaction behind.
    ///
    /// # Errors
    ///
    /// The body's own error, after a rollback; or, through `E::from`, [`Error::Exhausted`] when attempts or time ran out,
    /// [`Error::Aborted`] when the body swallowed a failure, [`Error::CommitUnknown`] when the connection broke while
    /// COMMIT was in flight, or whatever else the database answered.
    pub async fn transact<T, E, F>(&self, spec: TxSpec, body: F) -> Result<T, E>
    where
        T: Send,
        E: BodyError,
        for<'t, 'c> F: AsyncFn(&'t mut Tx<'c>) -> Result<T, E>
            + Body<&'t mut Tx<'c>, Result<T, E>, Fut: Send>
            + Send
            + Sync,
    {
        let give_up_at = Instant::now() + spec.patience();
        let mut attempt = 1;
        loop {
            let error = match self.attempt(spec, &body).await {
                Ok(value) => return Ok(value),
                Err(error) => error.into_db()?,
            };
            if !error.is_retryable() {
                return Err(error.into());
            }
            let pause = pause(attempt);
            if attempt >= spec.attempts() || Instant::now() + pause > give_up_at {
                tracing::warn!(transaction = spec.name(), attempt, %error, "giving up");
                return Err(Error::Exhausted { attempts: attempt, last: Box::new(error) }.into());
            }
            tracing::debug!(transaction = spec.name(), attempt, %error, "running again");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt<T, E, F>(&self, spec: TxSpec, body: &F) -> Result<T, E>
    where
        T: Send,
        E: BodyError,
        for<'t, 'c> F: AsyncFn(&'t mut Tx<'c>) -> Result<T, E>
            + Body<&'t mut Tx<'c>, Result<T, E>, Fut: Send>
            + Send
            + Sync,
    {
        let mut transaction = begin(self.pool().clone(), spec).await?;
        let outcome = body(&mut Tx(&mut transaction)).await;
        match outcome {
            Ok(value) => {
                commit(transaction).await?;
                Ok(value)
            }
            Err(error) => {
                roll_back(transaction).await;
                Err(error)
            }
        }
    }
}

/// Begins in a task of its own: if the caller goes away, the task finishes and drops the transaction, which rolls it back.
async fn begin(pool: PgPool, spec: TxSpec) -> Result<Transaction<'static, Postgres>, Error> {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    let begun = async move { pool.begin_with(AssertSqlSafe(spec.begin_sql())).await };
    Ok(tokio::spawn(begun).await.map_err(Error::Stopped)??)
}

async fn commit(mut transaction: Transaction<'static, Postgres>) -> Result<(), Error> {
    match sqlx::raw_sql(COMMIT).execute(&mut *transaction).await {
        Ok(_) => Ok(()),
        Err(error) => {
            let error = Error::of_commit(error);
            roll_back(transaction).await;
            Err(error)
        }
    }
}

/// Frees the locks now. When it fails, the connection is broken and the server has done it, or is about to.
async fn roll_back(transaction: Transaction<'static, Postgres>) {
    if let Err(error) = transaction.rollback().await {
        tracing::debug!(%error, "rollback failed");
    }
}

/// 0 to `PAUSE_FIRST` doubled with each attempt, at most `PAUSE_MAX` (full jitter, as in M. Brooker, "Exponential Backoff
/// And Jitter", AWS Architecture Blog, 2015).
fn pause(attempt: u32) -> Duration {
    let longest = PAUSE_FIRST
        .saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX))
        .min(PAUSE_MAX);
    let longest_us = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(jitter(longest_us))
}

/// A random number from 0 to `most`.
pub(crate) fn jitter(most: u64) -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the crate's only randomness: pauses of different lengths"
    )]
    let random = getrandom::u64();
    // Without randomness, the longest pause is still correct.
    random.map_or(most, |random| random.checked_rem(most.saturating_add(1)).unwrap_or(0))
}
