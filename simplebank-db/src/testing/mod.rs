//! For tests on a real PostgreSQL: databases of their own, and a kit of faults.
//!
//! Nothing here is about the bank: it serves your own tables and your own transactions as well. Switch it on where tests are
//! built: `simplebank-db = { …, features = ["testing"] }` under `[dev-dependencies]`.
//!
//! | You want | Take |
//! |---|---|
//! | a fresh database for a test | [`TestDatabase`] |
//! | a statement or COMMIT to fail with 40001, 40P01 or another SQLSTATE | [`Proxy`] with [`Fault::StatementFails`], [`Fault::CommitFails`] |
//! | a connection cut, delayed or silenced exactly before, during or after COMMIT | [`Proxy`] with [`Fault`] |
//! | a network that is out | [`Proxy::refuse_connections`], [`Proxy::cut_all`] |
//! | to know how many round trips something takes | [`Proxy::counts`] |
//! | a backend killed | [`kill_backends`], [`kill_backend`] |
//! | a server killed with `kill -9`, and started again | [`TestCluster`] |
//! | a request whose client hangs up | [`drop_after`] |
//!
//! # Where the server comes from
//!
//! It is, in this order, the one that `TEST_DATABASE_URL` names; with `TEST_POSTGRES=docker` and Docker answering, a container
//! of `TEST_POSTGRES_IMAGE`; a throw-away cluster of a local installation, with fsync off. It is chosen once for a process, and
//! the choice is printed. Each test gets a fresh database on it, copied from a migrated template. A [`TestCluster`] is always
//! a local one.
//!
//! # A transaction that meets a fault
//!
//! Connect through a [`Proxy`], arm what is to happen, run your code, and look at the tables past the proxy:
//!
//! ```
//! use simplebank_db::{
//!     Db, Error, TxSpec,
//!     testing::{Fault, Proxy, Strike, TestDatabase},
//! };
//! use sqlx::PgPool;
//!
//! const SELL: TxSpec = TxSpec::serializable("sell");
//!
//! async fn sell(db: &Db) -> Result<(), Error> {
//!     db.transact(SELL, async |tx| {
//!         sqlx::query("update items set stock = stock - 1").execute(tx.connection()).await?;
//!         Ok(())
//!     })
//!     .await
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let database = TestDatabase::new().await;
//! let owner = database.owner().await;
//! sqlx::raw_sql("create table items (stock int); insert into items values (3)").execute(&owner).await?;
//!
//! let proxy = Proxy::start(&database.url()).await;
//! let shop = Db::from_pool(PgPool::connect(&proxy.url()).await?);
//!
//! // COMMIT fails once, as under load: the body runs again, and one item is sold.
//! proxy.arm(Fault::CommitFails("40001"));
//! sell(&shop).await?;
//! assert_eq!((proxy.hits(), proxy.counts().begins), (1, 2));
//!
//! // The answer to COMMIT is lost: the item is sold, and the caller is told that nobody knows.
//! proxy.arm(Fault::AfterCommit(Strike::Cut));
//! assert!(matches!(sell(&shop).await, Err(Error::CommitUnknown { .. })));
//!
//! let stock: i32 = sqlx::query_scalar("select stock from items").fetch_one(&owner).await?;
//! assert_eq!(stock, 1);
//! # Ok(())
//! # }
//! ```
//!
//! A test needs no sleeps: [`Proxy::struck`] waits until the fault has struck, [`Proxy::settled`] until what it delayed has
//! arrived.
//!
//! # A test of a safety net needs a control
//!
//! A test that passes may have tested nothing. Run it once more without the net (with `commit` in the place of the helper, say)
//! and see it fail; and ask [`Proxy::hits`] whether the fault has struck at all.

mod cluster;
mod database;
mod drop_after;
mod kill;
mod proxy;
mod server;

pub use simplebank_localpg::{ThrowawayCluster, ThrowawayOptions};

pub use self::{
    cluster::TestCluster,
    database::TestDatabase,
    drop_after::drop_after,
    kill::{kill_backend, kill_backends},
    proxy::{Counts, Fault, Proxy, Strike},
};

/// Why a test has no database. The text says what was tried.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
