//! A database of a test's own.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{ConnectOptions as _, PgPool, postgres::PgConnectOptions};

use super::{
    Failure,
    server::{execute, say, server},
};
use crate::{Db, PoolOptions};

/// A migrated database of a test's own. Dropping it drops the database.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    options: PgConnectOptions,
    db: Db,
}

impl TestDatabase {
    /// A fresh database.
    ///
    /// # Panics
    ///
    /// When there is no server to be had, saying what was tried: a test without a database must not seem to pass.
    pub async fn new() -> Self {
        match Self::create().await {
            Ok(database) => database,
            Err(error) => panic!("no database for tests: {error}"),
        }
    }

    async fn create() -> Result<Self, Failure> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let server = server().await?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("simplebank_test_{}_{number}", server.run);
        server.execute(format!("create database {name} template {}", server.template)).await?;
        let options = server.options.clone().database(&name);
        let db = Db::connect(options.to_url_lossy().as_str(), PoolOptions::default()).await?;
        Ok(Self { name, options, db })
    }

    /// The database as the application sees it.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// A URL whose login owns the database, as a server or command line would be given.
    #[must_use]
    pub fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    /// A pool that acts as the owner of the tables, for tampering.
    ///
    /// # Panics
    ///
    /// When the server doesn't answer.
    pub async fn owner(&self) -> PgPool {
        // The name tells its connections from those that `kill_backends` is to end.
        let options = self.options.clone().application_name("simplebank-test-owner");
        match PgPool::connect_with(options).await {
            Ok(pool) => pool,
            Err(error) => panic!("no connection to the test's database: {error}"),
        }
    }
}

impl Drop for TestDatabase {
    /// Drops the database, from a thread of its own since dropping can't wait.
    fn drop(&mut self) {
        let drop = format!("drop database if exists {} with (force)", self.name);
        let options = self.options.clone().database("postgres");
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(execute(&options, drop))
        });
        if let Ok(Err(error)) = thread.join() {
            say(&format!("the database {} stays behind: {error}", self.name));
        }
    }
}
