//! A session in which a statement is a transaction by itself: one round trip where BEGIN, statement and COMMIT are three.

use std::{pin::pin, time::Duration};

use simplebank_core::{Account, AccountId};
use sqlx::{AssertSqlSafe, PgConnection};
use time::OffsetDateTime;
use tracing::Instrument as _;

use super::{
    deadline::Deadline,
    open::{self, silence},
    transact::after,
    unknown::Marker,
};
use crate::{
    Db, Error, TxSpec, accounts,
    error::NotCommitted,
    observe::{self, Observed},
    postings::{self, Batch},
};

/// How long a statement waits for a lock. Who finds it taken does better to take the road through a transaction.
const LOCK_TIMEOUT: Duration = Duration::from_millis(100);

/// A session of its own, beside the pool, for statements that are transactions by themselves. It is used up by each call and
/// given back with the result, unless nobody knows what it is doing: then it is closed.
///
/// An advisory lock that it holds as long as it lives tells when it has ended: so a commit that nobody answered can be
/// [settled](super::Transact::settling), and no statement is needed for it until then.
#[derive(Debug)]
pub struct Alone {
    connection: PgConnection,
    marker: Marker,
    spec: TxSpec,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Written {
    /// It is stored.
    Yes(Alone),
    /// Nothing of it is.
    No(Error, Alone),
    /// Nobody knows yet.
    Unknown(Doubt),
}

/// A commit that nobody answered, to be [settled](super::Transact::settling).
#[derive(Debug)]
pub struct Doubt {
    pub(super) marker: Marker,
    pub(super) cause: sqlx::Error,
}

impl Db {
    /// Opens a session for statements that are transactions by themselves, at READ COMMITTED, named and timed like `spec`, but for
    /// locks, which they await for a tenth of a second. It counts beside the pool's connections.
    ///
    /// # Errors
    ///
    /// [`Error::Overload`] when the pool gives no connection in time, [`Error::Unavailable`] when there is no server.
    pub async fn alone(&self, spec: TxSpec) -> Result<Alone, Error> {
        let mut deadline = Deadline::new(after(spec.patience()));
        let mut connection = open::tested(self, spec.name(), &mut deadline).await?.detach();
        let marker = Marker::random();
        let sql = spec.lock_timeout(LOCK_TIMEOUT).session_sql() + &marker.session_sql();
        let prepare = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection);
        deadline.wait_for(pin!(prepare)).await.ok_or_else(|| Error::Unavailable(silence()))??;
        Ok(Alone { connection, marker, spec })
    }
}

impl Alone {
    /// Stores a batch, all at `now`, or nothing of it: see [`postings::write`].
    pub async fn write(mut self, batch: &Batch<'_>, now: OffsetDateTime) -> Written {
        let span = observe::span(self.spec.name());
        let mut observed = Observed::new(self.spec.name(), span.clone());
        observed.attempt();
        // The other half is for asking what became of it, and for another road.
        let mut deadline = Deadline::new(after(self.spec.patience() / 2));
        let write = postings::store(&mut self.connection, batch, now).instrument(span);
        let written = match deadline.wait_for(pin!(write)).await {
            Some(written) => written.map_err(Error::of_commit),
            None => Err(NotCommitted::Unknown(silence())),
        };
        observed.end(&written);
        match written {
            Ok(()) => Written::Yes(self),
            Err(NotCommitted::Failed(error)) => Written::No(error, self),
            Err(NotCommitted::Unknown(cause)) => {
                Written::Unknown(Doubt { marker: self.marker, cause })
            }
        }
    }

    /// Reads accounts as they are, without locking them: see [`accounts::find_all`].
    ///
    /// # Errors
    ///
    /// Whatever the database answers; the session is closed then.
    pub async fn find_accounts(mut self, ids: &[AccountId]) -> Result<(Vec<Account>, Self), Error> {
        let mut deadline = Deadline::new(after(self.spec.patience() / 2));
        let find = accounts::find_all(&mut self.connection, ids);
        let found = deadline.wait_for(pin!(find)).await;
        Ok((found.ok_or_else(|| Error::Unavailable(silence()))??, self))
    }
}
