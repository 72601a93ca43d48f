//! A session in which a statement is a transaction by itself: one round trip where BEGIN, statement and COMMIT are three.

use std::{
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use simplebank_core::{Account, AccountId, SessionId};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
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
    sessions::{self, Login},
};

/// How long a statement waits for a lock. Who finds it taken does better to take the road through a transaction.
const LOCK_TIMEOUT: Duration = Duration::from_millis(100);

/// Rows are looked up by their keys here. How many doesn't change the plan, so it is made once; and never is it one that reads a whole
/// table, since an empty one grows.
const PLANS: &str = "; set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin = off; \
                     set enable_mergejoin = off";

/// A session of its own, beside the pool, for statements that are transactions by themselves. When this is dropped it is kept for
/// who asks next, unless nobody knows what it is doing: then it is closed.
///
/// An advisory lock that it holds as long as it lives tells when it has ended: so a commit that nobody answered can be
/// [settled](super::Transact::settling), and no statement is needed for it until then.
#[derive(Debug)]
pub struct Alone<'d> {
    db: &'d Db,
    spec: TxSpec,
    /// `None` as long as nobody knows what it is doing.
    session: Option<Session>,
}

#[derive(Debug)]
struct Session {
    connection: PgConnection,
    marker: Marker,
}

/// Sessions that nobody uses right now.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<Vec<Session>>);

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Vec<Session>> {
        // They are only put and taken.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn close(&self) {
        let sessions = std::mem::take(&mut *self.lock());
        for session in sessions {
            // A server that doesn't listen any more needs no goodbye.
            let _ = session.connection.close().await;
        }
    }
}

/// Why a batch is not known to be stored.
#[derive(Debug)]
pub enum NotWritten {
    /// Nothing of it is, for this reason.
    Failed(Error),
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
    /// A session for statements that are transactions by themselves, at READ COMMITTED, with the times of [`TxSpec::new`] but for
    /// locks, which they await for a tenth of a second. It counts beside the pool's connections, and lives until
    /// [`close`](Self::close). It may have died since it was last used, which the first statement finds out.
    ///
    /// # Errors
    ///
    /// [`Error::Overload`] when the pool gives no connection in time, [`Error::Unavailable`] when there is no server.
    pub async fn alone(&self, name: &'static str) -> Result<Alone<'_>, Error> {
        let spec = TxSpec::read_committed(name).lock_timeout(LOCK_TIMEOUT);
        let kept = self.shelf.lock().pop();
        let session = match kept {
            Some(session) => session,
            None => Session::open(self, spec).await?,
        };
        Ok(Alone { db: self, spec, session: Some(session) })
    }
}

impl Session {
    async fn open(db: &Db, spec: TxSpec) -> Result<Self, Error> {
        let mut deadline = Deadline::new(after(spec.patience()));
        let mut connection = open::tested(db, spec.name(), &mut deadline).await?.detach();
        let marker = Marker::random();
        let sql = spec.session_sql() + PLANS + &marker.session_sql();
        let prepare = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection);
        deadline.wait_for(pin!(prepare)).await.ok_or_else(|| Error::Unavailable(silence()))??;
        Ok(Self { connection, marker })
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take()
            && !self.db.pool.is_closed()
        {
            self.db.shelf.lock().push(session);
        }
    }
}

impl Alone<'_> {
    /// Stores a batch, all at `now`, or nothing of it: see [`postings::write`].
    ///
    /// # Errors
    ///
    /// [`NotWritten`], which says whether that is certain.
    pub async fn write(
        &mut self,
        batch: &Batch<'_>,
        now: OffsetDateTime,
    ) -> Result<(), NotWritten> {
        let Some(mut session) = self.session.take() else {
            return Err(NotWritten::Failed(Error::Unavailable(silence()))); // a read has failed before
        };
        let span = observe::span(self.spec.name());
        let mut observed = Observed::new(self.spec.name(), span.clone());
        observed.attempt();
        // The other half is for asking what became of it, and for another road.
        let mut deadline = Deadline::new(after(self.spec.patience() / 2));
        let write = postings::store(&mut session.connection, batch, now).instrument(span);
        let written = match deadline.wait_for(pin!(write)).await {
            Some(written) => written.map_err(Error::of_commit),
            None => Err(NotCommitted::Unknown(silence())),
        };
        observed.end(&written);
        let error = match written {
            Err(NotCommitted::Unknown(cause)) => {
                return Err(NotWritten::Unknown(Doubt { marker: session.marker, cause }));
            }
            Err(NotCommitted::Failed(error)) => Some(error),
            Ok(()) => None,
        };
        self.session = Some(session);
        error.map_or(Ok(()), |error| Err(NotWritten::Failed(error)))
    }

    /// Reads accounts as they are, without locking them: see [`accounts::find_all`].
    ///
    /// # Errors
    ///
    /// Whatever the database answers; the session is closed then.
    pub async fn find_accounts(&mut self, ids: Vec<AccountId>) -> Result<Vec<Account>, Error> {
        self.read(move |connection| {
            async move { accounts::find_all(connection, &ids).await }.boxed()
        })
        .await
    }

    /// Reads sessions and their users: see [`sessions::find_all`].
    ///
    /// # Errors
    ///
    /// Whatever the database answers; the session is closed then.
    pub async fn find_logins(&mut self, ids: Vec<SessionId>) -> Result<Vec<Login>, Error> {
        self.read(move |connection| {
            async move { sessions::find_all(connection, &ids).await }.boxed()
        })
        .await
    }

    async fn read<T>(
        &mut self,
        read: impl for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let mut session = self.session.take().ok_or_else(|| Error::Unavailable(silence()))?;
        let mut deadline = Deadline::new(after(self.spec.patience() / 2));
        let found = deadline.wait_for(read(&mut session.connection)).await;
        let found = found.ok_or_else(|| Error::Unavailable(silence()))??;
        self.session = Some(session);
        Ok(found)
    }
}
