//! A connection of the pool on which a transaction begins, runs and ends.

use std::{ops::DerefMut as _, pin::pin, time::Duration};

use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, Postgres, Transaction, pool::PoolConnection,
};
use tokio::time::Instant;

use super::deadline::Deadline;
use crate::{Db, Error, counter::Counted, error::NotCommitted, observe, spec::Session};

/// Checks that the transaction has not failed, commits it and begins an empty one.
///
/// The empty one is for sqlx, which counts transactions by itself and sends ROLLBACK when a [`Transaction`] is dropped: that
/// ends the empty one, unnoticed, when the connection returns to the pool. Were it counted differently, a savepoint that
/// an embedder begins with sqlx's own means would be a BEGIN, and its release a COMMIT of everything.
///
/// The check is a setting that is forgotten in the same moment: any statement would do, and this is the cheapest.
const COMMIT: &str = "set local idle_in_transaction_session_timeout = 0; commit and chain";
const COMMIT_STATEMENTS: u32 = 2;
/// The check alone.
const CHECK: &str = "set local idle_in_transaction_session_timeout = 0";

/// A connection that is ours for one attempt. It returns to the pool only if we know what it is doing.
pub(super) struct Lease {
    /// `None` only while it is dropped.
    connection: Option<PoolConnection<Postgres>>,
    certainty: Certainty,
    /// The pool has just talked to the server through it.
    is_tested: bool,
    _in_use: Counted,
}

/// What we know of a connection. Nobody else may have it before we know that it is clean: who goes away in the middle closes it.
/// sqlx would return it to the pool and clean it there, but it loses count of what a dropped BEGIN or COPY has begun, waits
/// without end for a network that is silent, and needs a runtime for it (sqlx 0.9.0).
#[derive(PartialEq)]
enum Certainty {
    /// A transaction is open, or a statement was sent whose answer nobody has awaited.
    Uncertain,
    /// No transaction is open, but for an empty one whose end sqlx sends along.
    Clean,
}

/// A transaction of ours, on a [`Lease`].
pub(super) struct Open<'c> {
    transaction: Transaction<'c, Postgres>,
    certainty: &'c mut Certainty,
}

impl Lease {
    /// Takes a connection from the pool.
    ///
    /// The pool tests a connection before it hands it out, with a round trip. One of our own pool's, which has no hooks besides,
    /// is taken without: BEGIN is test enough, and where it fails, [`tested`](Self::tested) finds another.
    pub(super) async fn acquire(
        db: &Db,
        name: &'static str,
        deadline: &mut Deadline,
    ) -> Result<Self, Error> {
        let untested = match db.session {
            Session::Ours => db.pool.try_acquire(),
            Session::Unknown => None,
        };
        match untested {
            Some(connection) => {
                observe::pool_wait(name, Duration::ZERO);
                Ok(Self::new(db, connection, false))
            }
            None => Self::tested(db, name, deadline).await,
        }
    }

    /// Takes a connection from the pool through which it has just talked to the server.
    pub(super) async fn tested(
        db: &Db,
        name: &'static str,
        deadline: &mut Deadline,
    ) -> Result<Self, Error> {
        Ok(Self::new(db, tested(db, name, deadline).await?, true))
    }

    fn new(db: &Db, connection: PoolConnection<Postgres>, is_tested: bool) -> Self {
        let (certainty, _in_use) = (Certainty::Clean, Counted::one_more(&db.in_use));
        Self { connection: Some(connection), certainty, is_tested, _in_use }
    }

    /// Whether the server has just been talked to through it.
    pub(super) const fn is_tested(&self) -> bool {
        self.is_tested
    }

    /// Begins with these statements; one round trip.
    pub(super) async fn begin(
        &mut self,
        sql: String,
        deadline: &mut Deadline,
    ) -> Result<Open<'_>, Error> {
        let Self { connection, certainty, .. } = self;
        let connection = connection.as_mut().expect("it is there until the drop").deref_mut();
        *certainty = Certainty::Uncertain;
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
        let begin = connection.begin_with(AssertSqlSafe(sql));
        let begun = deadline.wait_for(begin).await;
        let transaction = begun.ok_or_else(|| Error::Unavailable(silence()))??;
        Ok(Open { transaction, certainty })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        match self.certainty {
            Certainty::Uncertain => drop(connection.detach()),
            Certainty::Clean => drop(connection),
        }
    }
}

/// A connection of the pool through which it has just talked to the server.
pub(super) async fn tested(
    db: &Db,
    name: &'static str,
    deadline: &mut Deadline,
) -> Result<PoolConnection<Postgres>, Error> {
    let asked_at = Instant::now();
    // In a box: it is 14 KiB, which each call would be that may come here (sqlx 0.9.0).
    let connection = match deadline.wait_for(Box::pin(db.pool.acquire())).await {
        Some(Ok(connection)) => connection,
        Some(Err(sqlx::Error::PoolTimedOut)) | None => return Err(db.no_connection()),
        Some(Err(error)) => return Err(error.into()),
    };
    observe::pool_wait(name, asked_at.elapsed());
    Ok(connection)
}

impl Open<'_> {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Runs a statement with one parameter; tells how many rows it gave.
    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        parameter: i64,
        deadline: &mut Deadline,
    ) -> Result<u64, Error> {
        let statement = sqlx::query(sql).bind(parameter).execute(&mut *self.transaction);
        let answer = deadline.wait_for(pin!(statement)).await;
        Ok(answer.ok_or_else(|| Error::Unavailable(silence()))??.rows_affected())
    }

    /// Fails if a statement of the transaction has failed.
    pub(super) async fn check(&mut self, deadline: &mut Deadline) -> Result<(), Error> {
        let check = sqlx::raw_sql(CHECK).execute(&mut *self.transaction);
        deadline.wait_for(pin!(check)).await.ok_or_else(|| Error::Unavailable(silence()))??;
        Ok(())
    }

    /// Commits a transaction that is known to be open and not to have failed; one round trip.
    pub(super) async fn commit(self, deadline: &mut Deadline) -> Result<(), NotCommitted> {
        let Self { transaction, certainty } = self;
        let Some(answer) = deadline.wait_for(pin!(transaction.commit())).await else {
            return Err(NotCommitted::Unknown(silence()));
        };
        let committed = answer.map_err(Error::of_commit);
        // A COMMIT that is refused has ended the transaction, too: the ROLLBACK that sqlx sends along finds nothing.
        if !matches!(committed, Err(NotCommitted::Unknown(_))) {
            *certainty = Certainty::Clean;
        }
        committed
    }

    /// Commits unless the transaction has failed or is not there any more; one round trip.
    pub(super) async fn commit_if_whole(
        mut self,
        deadline: &mut Deadline,
    ) -> Result<(), NotCommitted> {
        let transaction = &mut *self.transaction;
        let counted = async {
            let mut answers = sqlx::raw_sql(COMMIT).execute_many(transaction);
            let mut count = 0;
            while answers.try_next().await?.is_some() {
                count += 1;
            }
            Ok(count)
        };
        let Some(answer) = deadline.wait_for(pin!(counted)).await else {
            return Err(NotCommitted::Unknown(silence()));
        };
        match answer.map_err(Error::of_commit) {
            Ok(COMMIT_STATEMENTS) => {
                *self.certainty = Certainty::Clean;
                Ok(())
            }
            // The answer to something else: sqlx has lost count, as after a COPY that was read half-way.
            Ok(count) => Err(NotCommitted::Unknown(sqlx::Error::Protocol(format!(
                "{count} answers to the {COMMIT_STATEMENTS} statements of COMMIT"
            )))),
            Err(error) => {
                if let NotCommitted::Failed(_) = error {
                    self.roll_back(deadline).await;
                }
                Err(error)
            }
        }
    }

    /// Frees the locks before anything else happens. Where that can't be done, closing the connection does it.
    pub(super) async fn roll_back(self, deadline: &mut Deadline) {
        let Self { transaction, certainty } = self;
        match deadline.wait_for(pin!(transaction.rollback())).await {
            Some(Ok(())) => *certainty = Certainty::Clean,
            Some(Err(error)) => tracing::debug!(%error, "rollback failed"),
            None => tracing::debug!("no answer to rollback"),
        }
    }
}

/// What a server that says nothing is taken for.
pub(crate) fn silence() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}
