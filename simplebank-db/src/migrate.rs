//! The schema: embedded migrations with a table of their own, so that an embedder's stay untouched.

use std::sync::LazyLock;

use sqlx::{Connection as _, PgConnection, PgPool, migrate::Migrator};

use crate::{Error, connect_options};

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("../migrations");
    migrator.create_schema("simplebank");
    migrator.dangerous_set_table_name("simplebank.migrations");
    migrator
});

/// One step of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its number: 1, 2, 3, …
    pub version: i64,
    /// What it is about.
    pub description: String,
    /// True when the database has it.
    pub is_applied: bool,
}

/// A connection that changes the schema. Its login must own the schema, or may create it and the role `simplebank_app`.
#[derive(Debug)]
pub struct Migrations(PgConnection);

impl Migrations {
    /// Connects to the database at `url`.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when nobody answers, [`Error::Other`] when the URL can't be read or the login is refused.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Ok(Self(PgConnection::connect_with(&connect_options(url)?).await?))
    }

    /// Takes a connection out of an existing pool.
    ///
    /// # Errors
    ///
    /// [`Error::Overload`] or [`Error::Unavailable`] when the pool has none.
    pub async fn from_pool(pool: &PgPool) -> Result<Self, Error> {
        Ok(Self(pool.acquire().await?.detach()))
    }

    /// Applies what is missing; several processes may do so at once.
    ///
    /// # Errors
    ///
    /// [`Error::Migration`] when one fails, or when one that was applied is not the one of this program.
    pub async fn up(&mut self) -> Result<(), Error> {
        MIGRATOR.run_direct(None, &mut self.0, false).await.map_err(Error::Migration)
    }

    /// Takes back every step above `target`; 0 takes back all. **The data of their tables is lost.**
    ///
    /// # Errors
    ///
    /// [`Error::Migration`].
    pub async fn down(&mut self, target: i64) -> Result<(), Error> {
        MIGRATOR.undo(&mut self.0, target).await.map_err(Error::Migration)
    }

    /// All steps in order, and which of them the database has. Changes nothing.
    ///
    /// # Errors
    ///
    /// Whatever the database answers.
    pub async fn status(&mut self) -> Result<Vec<Migration>, Error> {
        let applied = applied(&mut self.0).await?;
        Ok(MIGRATOR
            .iter()
            .filter(|migration| !migration.migration_type.is_down_migration())
            .map(|migration| Migration {
                version: migration.version,
                description: migration.description.to_string(),
                is_applied: applied.contains(&migration.version),
            })
            .collect())
    }

    /// Closes the connection.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when it was broken.
    pub async fn close(self) -> Result<(), Error> {
        Ok(self.0.close().await?)
    }
}

/// The versions that the database has.
pub(crate) async fn applied(connection: &mut PgConnection) -> Result<Vec<i64>, Error> {
    let has_table = sqlx::query_scalar!(
        r#"select to_regclass('simplebank.migrations') is not null as "has_table!""#
    );
    if !has_table.fetch_one(&mut *connection).await? {
        return Ok(Vec::new());
    }
    let versions = sqlx::query_scalar!(
        "select version from simplebank.migrations where success order by version"
    );
    Ok(versions.fetch_all(connection).await?)
}

/// The version that this program's schema has.
pub(crate) fn latest() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Changes with any change of a migration: FNV-1a over their checksums.
#[cfg(feature = "testing")]
pub(crate) fn fingerprint() -> u64 {
    let bytes = MIGRATOR.iter().flat_map(|migration| migration.checksum.iter());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
