//! A connection of the pool on which a transaction begins, runs and ends.

use std::ops::DerefMut as _;

use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, Postgres, Transaction, pool::PoolConnection,
};
use tokio::time::Instant;

use super::deadline::Deadline;
use crate::{Db, Error, counter::Counted, error::NotCommitted, observe};

/// Checks that the transaction has not failed, commits it and begins an empty one.
///
/// The empty one is for sqlx, which counts transactions by itself and sends ROLLBACK when a [`Transaction`] is dropped: that
/// ends the empty one, unnoticed, when the connection returns to the pool. Were it counted differently, a savepoint that
/// an embedder begins with sqlx's own means would be a BEGIN, and its release a COMMIT of everything.
///
/// The check is a setting that is forgotten in the same moment: any statement would do, and this is the cheapest.
const COMMIT: &str = "set local idle_in_transaction_session_timeout = 0; commit and chain";

/// A connection that is ours for one attempt. It returns to the pool only if we know what it is doing.
pub(super) struct Lease {
    /// `None` only while it is dropped.
    connection: Option<PoolConnection<Postgres>>,
    certainty: Certainty,
    _in_use: Counted,
}

#[derive(PartialEq)]
enum Certainty {
    /// A statement was sent whose answer nobody has awaited: the server may have begun what sqlx has not counted.
    Uncertain,
    Certain,
}

/// A transaction of ours, on a [`Lease`].
pub(super) struct Open<'c> {
    transaction: Transaction<'c, Postgres>,
    certainty: &'c mut Certainty,
}

impl Lease {
    /// Takes a connection from the pool.
    pub(super) async fn acquire(
        db: &Db,
        name: &'static str,
        deadline: &mut Deadline,
    ) -> Result<Self, Error> {
        let asked_at = Instant::now();
        let acquired = deadline.wait_for(db.pool.acquire()).await;
        observe::pool_wait(name, asked_at.elapsed());
        let connection = match acquired {
            Some(Ok(connection)) => connection,
            Some(Err(sqlx::Error::PoolTimedOut)) | None => return Err(db.no_connection()),
            Some(Err(error)) => return Err(error.into()),
        };
        Ok(Self {
            connection: Some(connection),
            certainty: Certainty::Certain,
            _in_use: Counted::one_more(&db.in_use),
        })
    }

    /// Begins with these statements; one round trip.
    ///
    /// sqlx's own `begin` may not be dropped before it is ready (sqlx 0.9.0): the pool then lends out a connection with an
    /// open transaction. Here such a connection is closed.
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
        *certainty = Certainty::Certain;
        Ok(Open { transaction, certainty })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && self.certainty == Certainty::Uncertain
        {
            drop(connection.detach());
        }
    }
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
        let Some(answer) = deadline.wait_for(statement).await else {
            *self.certainty = Certainty::Uncertain;
            return Err(Error::Unavailable(silence()));
        };
        Ok(answer?.rows_affected())
    }

    /// Closes the connection rather than giving it back: its server has not answered in time.
    pub(super) fn abandon(self) {
        *self.certainty = Certainty::Uncertain;
    }

    /// Commits; one round trip.
    pub(super) async fn commit(mut self, deadline: &mut Deadline) -> Result<(), NotCommitted> {
        let commit = sqlx::raw_sql(COMMIT).execute(&mut *self.transaction);
        let Some(answer) = deadline.wait_for(commit).await else {
            self.abandon();
            return Err(NotCommitted::Unknown(silence()));
        };
        let Err(error) = answer else { return Ok(()) };
        let error = Error::of_commit(error);
        match &error {
            NotCommitted::Failed(_) => self.roll_back(deadline).await,
            NotCommitted::Unknown(_) => self.abandon(),
        }
        Err(error)
    }

    /// Frees the locks before anything else happens. Where that can't be done, closing the connection does it.
    pub(super) async fn roll_back(self, deadline: &mut Deadline) {
        let Self { transaction, certainty } = self;
        match deadline.wait_for(transaction.rollback()).await {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::debug!(%error, "rollback failed");
                *certainty = Certainty::Uncertain;
            }
            None => *certainty = Certainty::Uncertain,
        }
    }
}

/// What a server that says nothing is taken for.
pub(super) fn silence() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}
