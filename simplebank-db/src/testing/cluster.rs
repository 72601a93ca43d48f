//! A cluster of a test's own, which it may kill.

use std::sync::Arc;

use simplebank_localpg::{ThrowawayCluster, ThrowawayOptions};
use sqlx::PgPool;

use super::Failure;
use crate::{Db, Migrations, PoolOptions};

/// The database in it that is migrated.
const DATABASE: &str = "postgres";

/// A PostgreSQL server of a test's own with a migrated database: to be killed, and to rise again. It vanishes with the value,
/// and with the process in whatever way that dies.
///
/// It takes a second or two to make, and needs a local installation of PostgreSQL.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use simplebank_db::testing::{TestCluster, ThrowawayCluster};
///
/// let cluster = TestCluster::start(ThrowawayCluster::options().durable()).await;
/// let owner = cluster.owner().await;
/// sqlx::query("create table seats (number int primary key)").execute(&owner).await?;
/// sqlx::query("insert into seats values (7)").execute(&owner).await?;
///
/// cluster.crash().await;
/// cluster.resume().await;
///
/// let seat: i32 = sqlx::query_scalar("select number from seats").fetch_one(&owner).await?;
/// assert_eq!(seat, 7);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TestCluster {
    db: Db,
    cluster: Arc<ThrowawayCluster>,
}

impl TestCluster {
    /// A running cluster with a migrated database. Ask for a durable one, with
    /// [`ThrowawayOptions::durable`], where the question is what survives.
    ///
    /// # Panics
    ///
    /// When there is none to be had, with the end of the server's log: a test without its server must not seem to pass.
    pub async fn start(options: ThrowawayOptions) -> Self {
        match Self::create(options).await {
            Ok(cluster) => cluster,
            Err(error) => panic!("no cluster for tests: {error}"),
        }
    }

    async fn create(options: ThrowawayOptions) -> Result<Self, Failure> {
        let cluster = tokio::task::spawn_blocking(|| options.start()).await??;
        let url = cluster.url(DATABASE);
        let mut migrations = Migrations::connect(&url).await?;
        migrations.up().await?;
        migrations.close().await?;
        let db = Db::connect(&url, PoolOptions::default()).await?;
        Ok(Self { db, cluster: Arc::new(cluster) })
    }

    /// The database as the application sees it. Its pool replaces what a crash has broken.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// The URL of the database, of which the login is the owner; the same after a crash.
    #[must_use]
    pub fn url(&self) -> String {
        self.cluster.url(DATABASE)
    }

    /// A pool of the test's own for the application's side, as [`Db::connect`] makes it.
    ///
    /// # Panics
    ///
    /// When the server doesn't answer.
    pub async fn connect(&self, options: PoolOptions) -> Db {
        match Db::connect(&self.url(), options).await {
            Ok(db) => db,
            Err(error) => panic!("no connection to the test's cluster: {error}"),
        }
    }

    /// A pool that acts as the owner of the tables.
    ///
    /// # Panics
    ///
    /// When the server doesn't answer.
    pub async fn owner(&self) -> PgPool {
        match PgPool::connect(&self.url()).await {
            Ok(pool) => pool,
            Err(error) => panic!("no connection to the test's cluster: {error}"),
        }
    }

    /// The cluster itself: its directory, its log, other databases.
    #[must_use]
    pub fn cluster(&self) -> &ThrowawayCluster {
        &self.cluster
    }

    /// Kills every process of the server with SIGKILL: see [`ThrowawayCluster::crash`].
    ///
    /// # Panics
    ///
    /// When no server runs.
    pub async fn crash(&self) {
        self.ask("crash", ThrowawayCluster::crash).await;
    }

    /// Starts the server again after [`crash`](Self::crash); it recovers first.
    ///
    /// # Panics
    ///
    /// When it doesn't start, with the end of its log.
    pub async fn resume(&self) {
        self.ask("resume", ThrowawayCluster::resume).await;
    }

    /// Waits in a thread where waiting is allowed.
    async fn ask(
        &self,
        what: &str,
        request: fn(&ThrowawayCluster) -> Result<(), simplebank_localpg::Error>,
    ) {
        let cluster = Arc::clone(&self.cluster);
        match tokio::task::spawn_blocking(move || request(&cluster)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("the test's cluster didn't {what}: {error}"),
            Err(error) => panic!("the test's cluster didn't {what}: {error}"),
        }
    }
}
