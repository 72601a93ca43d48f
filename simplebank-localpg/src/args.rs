//! How the command line names the database; shared by all binaries.

use std::ffi::OsString;
use std::fmt::{self, Debug, Formatter};
use std::path::PathBuf;

use crate::{DataDir, Error, LocalPostgres, url};

/// The options that say which database to use, to be flattened into a binary's own.
///
/// ```
/// # use clap::Parser;
/// #[derive(clap::Parser)]
/// struct Arguments {
///     #[command(flatten)]
///     database: simplebank_localpg::DatabaseArgs,
/// }
///
/// let url = "postgres://bank:secret@db.example/bank";
/// let arguments = Arguments::parse_from(["server", "--database-url", url, "--db-source", ""]);
/// let database = arguments.database.open()?;
/// assert_eq!(database.url(), url);
/// assert_eq!(database.describe(), "postgres://db.example/bank");
/// # Ok::<(), simplebank_localpg::Error>(())
/// ```
#[derive(Clone, Default, clap::Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseArgs {
    /// URL of the PostgreSQL database; without one, a local PostgreSQL is started in the data directory.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// The course's name for --database-url.
    #[arg(long, value_name = "URL", env = "DB_SOURCE", hide_env_values = true)]
    db_source: Option<String>,
    /// Directory for everything that is kept [default: /var/lib/simplebank as root, otherwise
    /// $XDG_DATA_HOME/simplebank or ~/.local/share/simplebank].
    // OsString, because clap refuses an empty PathBuf, and an empty variable counts as not set.
    #[arg(long, value_name = "DIRECTORY", env = "SIMPLEBANK_DATA_DIR")]
    data_dir: Option<OsString>,
}

/// A database to connect to. When it is local, this value is the lease that keeps its server running.
#[derive(Debug)]
pub struct Database {
    source: Source,
}

enum Source {
    Given(String),
    Local(LocalPostgres),
}

impl DatabaseArgs {
    /// The database that was named, or else the local cluster in the data directory. May block for seconds.
    ///
    /// # Errors
    ///
    /// [`Error::TwoDatabases`]; for the local cluster as [`LocalPostgres::start`] and [`DataDir::find`].
    pub fn open(&self) -> Result<Database, Error> {
        let source = match self.given_url()? {
            Some(url) => Source::Given(url.to_owned()),
            None => Source::Local(LocalPostgres::start(self.data_dir()?.path())?),
        };
        Ok(Database { source })
    }

    /// The directory for everything that is kept, whether it exists or not.
    ///
    /// # Errors
    ///
    /// [`Error::NoDataDirectory`].
    pub fn data_dir(&self) -> Result<DataDir, Error> {
        match &self.data_dir {
            Some(given) if !given.is_empty() => Ok(DataDir::at(PathBuf::from(given))),
            Some(_) | None => DataDir::find(),
        }
    }

    /// The one URL that was given; empty ones don't count.
    fn given_url(&self) -> Result<Option<&str>, Error> {
        let not_empty = |url: &Option<String>| url.as_deref().is_some_and(|url| !url.is_empty());
        match (not_empty(&self.database_url), not_empty(&self.db_source)) {
            (true, true) if self.database_url != self.db_source => Err(Error::TwoDatabases),
            (true, _) => Ok(self.database_url.as_deref()),
            (false, true) => Ok(self.db_source.as_deref()),
            (false, false) => Ok(None),
        }
    }
}

impl Database {
    /// The URL to connect to; it may contain a password.
    #[must_use]
    pub fn url(&self) -> &str {
        match &self.source {
            Source::Given(url) => url,
            Source::Local(postgres) => postgres.url(),
        }
    }

    /// Which database this is, for people: without user, password and parameters.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.source {
            Source::Given(url) => {
                url::without_secrets(url).unwrap_or_else(|| "the given database".to_owned())
            }
            Source::Local(postgres) => {
                format!("local PostgreSQL in {}", postgres.directory().display())
            }
        }
    }

    /// Whether this is the local cluster.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.source, Source::Local(_))
    }

    /// Starts the local cluster again if it has died, as [`LocalPostgres::revive`]; leaves a given database alone.
    ///
    /// # Errors
    ///
    /// As [`LocalPostgres::revive`].
    pub fn revive(&self) -> Result<bool, Error> {
        match &self.source {
            Source::Given(_) => Ok(false),
            Source::Local(postgres) => postgres.revive(),
        }
    }

    /// Ends the use of the database: of the local cluster as [`LocalPostgres::stop`], which may block for seconds.
    ///
    /// # Errors
    ///
    /// As [`LocalPostgres::stop`].
    pub fn close(self) -> Result<(), Error> {
        match self.source {
            Source::Given(_) => Ok(()),
            Source::Local(postgres) => postgres.stop().map(drop),
        }
    }
}

/// Without the URLs, which may contain passwords.
impl Debug for DatabaseArgs {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.debug_struct("DatabaseArgs").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// Without the URL, which may contain a password.
impl Debug for Source {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => out.write_str("Given"),
            Self::Local(postgres) => postgres.fmt(out),
        }
    }
}
