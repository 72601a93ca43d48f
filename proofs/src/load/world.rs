//! A bank with customers who have money.

use std::{sync::Arc, time::Duration};

use simplebank::{
    Bank,
    db::{Db, Error, Migrations, PoolOptions},
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, postgres::PgPoolOptions};
use tokio::time::Instant;

use super::Findings;
use crate::{
    bank::{self, Customer},
    random::Random,
};

/// What each customer begins with: little enough that some transfers are refused for want of funds.
const FUNDS_CENTS: i64 = 5_000;
/// The name of a database that is made for a world.
const DATABASE: &str = "bank";
/// How long a connection is waited for, so that nobody waits long for a server that is down.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(5);
/// I10: five seconds after the load, no session of the bank is left in a transaction.
const IDLE_LIMIT: Duration = Duration::from_secs(5);

/// How large a world is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Customers, each with one account.
    pub(crate) customers: usize,
    /// How many of them are hot: half of the clients use nothing else.
    pub(crate) hot: usize,
    /// Connections of the bank.
    pub(crate) connections: u32,
}

/// A bank on a migrated database, with customers, and a pool of the tables' owner beside it.
#[derive(Debug)]
pub(crate) struct World {
    bank: Bank,
    owner: PgPool,
    customers: Vec<Customer>,
    hot: usize,
    seed: u64,
}

impl World {
    /// A world in the migrated database at `url`, whose login owns it.
    pub(crate) async fn open(url: String, size: Size, seed: u64) -> Arc<Self> {
        let (bank, owner) =
            connect(&url, size.connections).await.expect("the database is migrated");
        let customers = bank::customers(&bank, size.customers, FUNDS_CENTS).await;
        Arc::new(Self { bank, owner, customers, hot: size.hot, seed })
    }

    /// A world in a new database on the cluster of `url`, a function from a database's name to its URL.
    pub(crate) async fn create(url: impl Fn(&str) -> String, size: Size, seed: u64) -> Arc<Self> {
        let mut admin = PgConnection::connect(&url("postgres")).await.expect("the cluster answers");
        let create = AssertSqlSafe(format!("create database {DATABASE}"));
        sqlx::raw_sql(create).execute(&mut admin).await.expect("the database is new");
        admin.close().await.expect("the cluster answers");
        let mut migrations =
            Migrations::connect(&url(DATABASE)).await.expect("the database is there");
        migrations.up().await.expect("the migrations fit an empty database");
        migrations.close().await.expect("the cluster answers");
        Self::open(url(DATABASE), size, seed).await
    }

    /// The same world as a copy of its cluster has it.
    ///
    /// # Errors
    ///
    /// When the copy has no such database, or not the tables.
    pub(crate) async fn on_copy(&self, url: impl Fn(&str) -> String) -> Result<Self, Error> {
        let (bank, owner) = connect(&url(DATABASE), 2).await?;
        let customers = self.customers.clone();
        Ok(Self { bank, owner, customers, hot: self.hot, seed: self.seed })
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        self.bank.db().close().await;
        self.owner.close().await;
    }

    pub(crate) const fn bank(&self) -> &Bank {
        &self.bank
    }

    /// A pool that acts as the owner of the tables.
    pub(crate) const fn owner(&self) -> &PgPool {
        &self.owner
    }

    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    /// The random numbers of one client, or of the proof itself.
    pub(crate) fn random(&self, stream: u64) -> Random {
        let mut streams = Random::from_seed(self.seed);
        Random::from_seed(streams.next() ^ Random::from_seed(stream).next())
    }

    pub(crate) fn customers(&self) -> &[Customer] {
        &self.customers
    }

    pub(super) fn hot_customers(&self) -> &[Customer] {
        self.customers.get(..self.hot).expect("the hot ones are some of all")
    }

    /// I10, its half about sessions: the bank leaves none of them in a transaction.
    pub(super) async fn check_idle(&self, findings: &mut Findings) {
        const SQL: &str = "select count(*) from pg_catalog.pg_stat_activity
            where datname = current_database() and application_name = 'simplebank' and state like 'idle in transaction%'";
        let give_up_at = Instant::now() + IDLE_LIMIT;
        loop {
            let left: i64 = sqlx::query_scalar(SQL)
                .fetch_one(&self.owner)
                .await
                .expect("the server answers when the load has ended");
            if left == 0 {
                return;
            }
            if Instant::now() > give_up_at {
                findings.add("I10", format!("{left} sessions are left in a transaction"));
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn connect(url: &str, connections_max: u32) -> Result<(Bank, PgPool), Error> {
    let options = PoolOptions { connections_max, acquire_timeout: ACQUIRE_LIMIT };
    let db = Db::connect(url, options).await?;
    let owner =
        PgPoolOptions::new().max_connections(4).acquire_timeout(ACQUIRE_LIMIT).connect(url).await?;
    Ok((Bank::new(db).expect("the operating system has randomness"), owner))
}
