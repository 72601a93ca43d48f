//! Transactions that can be trusted on PostgreSQL, and the tables of a simplebank.
//!
//! Three things are here:
//!
//! - **The door**, [`Db::transact`]: one transaction at the isolation you name, run again when the server asks for it, never
//!   reported as done when it wasn't, its outcome found out when the connection is lost. It works on any [`PgPool`] and needs
//!   none of the bank's tables. [`tx`] tells all about it.
//! - **The migrations**, [`Migrations`]: the schema `simplebank` and the role `simplebank_app`.
//! - **The tables**, one module each: functions that take a [`Tx`] and speak `simplebank-core`'s types.
//!
//! ```no_run
//! use simplebank_db::{Db, Error, TxSpec};
//!
//! const RENAME: TxSpec = TxSpec::serializable("rename");
//!
//! # async fn example() -> Result<(), Error> {
//! let db = Db::from_pool(sqlx::PgPool::connect("postgres://localhost/shop").await?);
//! let name = String::from("desk");
//! db.transact(RENAME, async |tx| {
//!     sqlx::query("update items set name = $1 where id = 1").bind(&name).execute(tx.connection()).await?;
//!     Ok::<_, Error>(())
//! })
//! .await?;
//! # Ok(())
//! # }
//! ```

pub mod account_limits;
pub mod accounts;
pub mod audit;
pub mod cash;
mod constraint;
mod counter;
pub mod entries;
mod error;
pub mod holds;
pub mod idempotency;
pub mod jobs;
pub mod locks;
mod migrate;
pub mod observe;
pub mod postings;
pub mod reversals;
mod row;
pub mod server;
pub mod sessions;
mod spec;
pub mod statements;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transfers;
pub mod tx;
pub mod users;
pub mod verifications;
mod watch;

use std::{sync::Arc, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

pub use self::{
    constraint::Constraint,
    error::Error,
    migrate::{Migration, Migrations},
    spec::{Access, Isolation, TxSpec},
    tx::{AfterCommit, Body, BodyError, Tx},
    watch::{LoginWatch, News},
};
use self::{counter::Counter, spec::Session, tx::Shelf};

/// A database. Clones share one pool.
#[derive(Clone, Debug)]
pub struct Db {
    pool: PgPool,
    session: Session,
    /// Sessions beside the pool.
    shelf: Arc<Shelf>,
    /// Connections on which a transaction of ours runs.
    in_use: Counter,
    /// Calls that have failed once and are to run again.
    running_again: Counter,
}

/// How [`Db::connect`] holds its connections.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Most connections at a time: 1 or more. 10 by default.
    pub connections_max: u32,
    /// How long a caller waits for one of them. 5 s by default.
    pub acquire_timeout: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self { connections_max: 10, acquire_timeout: Duration::from_secs(5) }
    }
}

impl Db {
    /// Connects to the migrated database at `url` and takes the role `simplebank_app` on every connection, so that whoever
    /// may log in there as more than that can't rewrite the ledger by accident. The connections have the timeouts of
    /// [`TxSpec::new`], also for statements outside any transaction.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when nobody answers, [`Error::NotMigrated`] when the role doesn't exist, [`Error::Other`] when
    /// the URL can't be read, the login is refused or may not take the role.
    pub async fn connect(url: &str, options: PoolOptions) -> Result<Self, Error> {
        let connect = connect_options(url)?;
        // The pool hides why it can't connect and tries until its timeout; one connection before it tells at once.
        let mut probe = PgConnection::connect_with(&connect).await?;
        take_role(&mut probe).await?;
        probe.close().await?;
        let pool =
            pool_options(&options).after_connect(|connection, _| Box::pin(prepare(connection)));
        let db = Self::from_pool(pool.connect_lazy_with(connect));
        Ok(Self { session: Session::Ours, ..db })
    }

    /// Connects to the database at `url`, migrated or not, as whoever logs in there: to look at the server where
    /// [`connect`](Self::connect) is refused.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when nobody answers, [`Error::Other`] when the URL can't be read or the login is refused.
    pub async fn connect_as_login(url: &str, options: PoolOptions) -> Result<Self, Error> {
        let connect = connect_options(url)?;
        PgConnection::connect_with(&connect).await?.close().await?;
        Ok(Self::from_pool(pool_options(&options).connect_lazy_with(connect)))
    }

    /// Uses an existing pool, with whatever role its connections have.
    #[must_use]
    pub fn from_pool(pool: PgPool) -> Self {
        Self {
            pool,
            session: Session::Unknown,
            shelf: Arc::default(),
            in_use: Counter::default(),
            running_again: Counter::default(),
        }
    }

    /// The pool, for statements outside any transaction of ours.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Why the pool gave no connection in time, which it doesn't tell: others have them all, or the server gives none.
    fn no_connection(&self) -> Error {
        let is_full = self.pool.size() >= self.pool.options().get_max_connections();
        // Without a server the pool is full as well, of connections on their way, and none is in use.
        if is_full && self.in_use.number() > 0 {
            Error::Overload(sqlx::Error::PoolTimedOut)
        } else {
            Error::Unavailable(sqlx::Error::PoolTimedOut)
        }
    }

    /// Closes all connections, once those in use have come back.
    pub async fn close(&self) {
        self.pool.close().await;
        self.shelf.close().await;
    }
}

fn pool_options(options: &PoolOptions) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(options.connections_max)
        .acquire_timeout(options.acquire_timeout)
}

fn connect_options(url: &str) -> Result<PgConnectOptions, Error> {
    // The driver takes any scheme, and would look for PostgreSQL behind it.
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(Error::NotPostgres);
    }
    let options: PgConnectOptions = url.parse()?;
    Ok(options.application_name("simplebank").disable_statement_logging())
}

/// Makes a fresh connection one of [`Session::Ours`].
async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let sql = format!("{SET_ROLE}; {}", TxSpec::read_committed("").session_sql());
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

const SET_ROLE: &str = "set role simplebank_app";

async fn take_role(connection: &mut PgConnection) -> Result<(), Error> {
    let taken = sqlx::raw_sql(SET_ROLE).execute(connection).await;
    taken.map(drop).map_err(|error| {
        // 22023: there is no such role.
        let state = error.as_database_error().and_then(|error| error.code());
        if state.as_deref() == Some("22023") { Error::NotMigrated(error) } else { error.into() }
    })
}
