//! The comparison's own PostgreSQL: durable, otherwise with default settings but for room.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use simplebank_localpg::{Installation, ThrowawayCluster};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::Failure;

/// What is not PostgreSQL's default: room for 256 clients, and no checkpoint in the middle of a measurement, because that would
/// fall on whoever comes then. There is one before each round.
pub(crate) const SETTINGS: [(&str, &str); 4] = [
    ("max_connections", "400"),
    ("shared_buffers", "1GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "1h"),
];

/// How long sessions may take to end.
const ALONE_WITHIN: Duration = Duration::from_secs(30);
/// How often it is asked whether they have.
const POLL: Duration = Duration::from_millis(10);

/// A durable PostgreSQL that vanishes with this value.
#[derive(Debug)]
pub(crate) struct Cluster {
    inner: ThrowawayCluster,
    programs: PathBuf,
    postmaster: u32,
}

impl Cluster {
    /// Starts one, in the temporary directory or in `parent`.
    pub(crate) fn start(parent: Option<&Path>) -> Result<Self, Failure> {
        let mut options = ThrowawayCluster::options().durable();
        for (name, value) in SETTINGS {
            options = options.setting(name, value);
        }
        if let Some(parent) = parent {
            options = options.directory(parent);
        }
        let inner = options.start()?;
        let pid_file = inner.directory().join("data/postmaster.pid");
        let postmaster = fs::read_to_string(&pid_file)
            .map_err(|error| format!("cannot read {}: {error}", pid_file.display()))?;
        let postmaster = postmaster.lines().next().unwrap_or_default().trim().parse()?;
        let programs = Installation::find()?.directory().to_owned();
        Ok(Self { inner, programs, postmaster })
    }

    /// The directory of the programs.
    pub(crate) fn programs(&self) -> &Path {
        &self.programs
    }

    /// The server's first process.
    pub(crate) const fn postmaster(&self) -> u32 {
        self.postmaster
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        self.inner.url(database)
    }

    /// Where the server writes its messages.
    pub(crate) fn log(&self) -> PathBuf {
        self.inner.directory().join("log")
    }

    /// A connection to a database, as its owner.
    pub(crate) async fn connect(&self, database: &str) -> Result<PgConnection, Failure> {
        Ok(PgConnection::connect(&self.url(database)).await?)
    }

    /// Runs statements of our own making.
    pub(crate) async fn execute(&self, database: &str, statements: &str) -> Result<(), Failure> {
        let mut connection = self.connect(database).await?;
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }

    /// Asks a question of our own making that has one number for an answer.
    pub(crate) async fn count(&self, database: &str, question: &str) -> Result<i64, Failure> {
        let mut connection = self.connect(database).await?;
        let count = sqlx::query_scalar(AssertSqlSafe(question)).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(count)
    }

    /// Makes a database as a copy of another one that nobody uses.
    pub(crate) async fn copy(&self, from: &str, to: &str) -> Result<(), Failure> {
        self.execute("postgres", &format!("create database {to} template {from}")).await
    }

    /// Removes a database, if it is there.
    pub(crate) async fn drop_database(&self, name: &str) -> Result<(), Failure> {
        self.execute("postgres", &format!("drop database if exists {name} with (force)")).await
    }

    /// The server's version, such as 15.14.
    pub(crate) async fn version(&self) -> Result<String, Failure> {
        let mut connection = self.connect("postgres").await?;
        let version: String = sqlx::query_scalar("select current_setting('server_version')")
            .fetch_one(&mut connection)
            .await?;
        Ok(version.split_whitespace().next().unwrap_or_default().to_owned())
    }

    /// How often the log has been flushed to disk; `None` before PostgreSQL 14, which doesn't count it.
    pub(crate) async fn wal_syncs(&self) -> Result<Option<u64>, Failure> {
        let version =
            self.count("postgres", "select current_setting('server_version_num')::bigint");
        let question = match version.await? {
            ..140_000 => return Ok(None),
            140_000..180_000 => "select wal_sync from pg_stat_wal",
            180_000.. => {
                "select coalesce(sum(fsyncs), 0)::bigint from pg_stat_io where object = 'wal'"
            }
        };
        Ok(Some(u64::try_from(self.count("postgres", question).await?)?))
    }

    /// Waits until no client but this one has a session.
    pub(crate) async fn wait_until_alone(&self) -> Result<(), Failure> {
        let begun_at = Instant::now();
        let others = "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()";
        while self.count("postgres", others).await? > 0 {
            if begun_at.elapsed() > ALONE_WITHIN {
                return Err("sessions of an earlier measurement did not end".into());
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}
