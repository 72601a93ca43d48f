//! Everything that can go wrong, worded for the person who has to put it right.

use std::ffi::OsString;
use std::fmt::{self, Formatter};
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why there is no PostgreSQL to talk to. Where a person can help, the message says how.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No directory with `initdb`, `pg_ctl` and `postgres` was found.
    #[error(fmt = not_installed)]
    NotInstalled {
        /// The places looked at, in order.
        looked: Vec<PathBuf>,
    },
    /// The directory that was named for the programs does not have all of them.
    #[error(
        "SIMPLEBANK_PG_BIN names {}, which lacks {}; it must be the directory that holds initdb, pg_ctl and postgres",
        directory.display(),
        missing.join(", ")
    )]
    NamedDirectoryLacks {
        /// The directory that was named.
        directory: PathBuf,
        /// The programs that are not in it.
        missing: Vec<&'static str>,
    },
    /// The cluster was made by a major version of PostgreSQL that is not installed.
    #[error(
        "the cluster {} was made by PostgreSQL {wanted}, but only {found} is installed; \
         install PostgreSQL {wanted}, or name its programs with SIMPLEBANK_PG_BIN, \
         or set DATABASE_URL to a running server",
        cluster.display()
    )]
    OtherVersion {
        /// The cluster's directory.
        cluster: PathBuf,
        /// The major version that made it.
        wanted: String,
        /// The major versions that were found.
        found: String,
    },
    /// The process runs as a user id that has no name.
    #[error(
        "PostgreSQL can't run as user id {uid}, which has no entry in the user database (/etc/passwd); \
         run as a user with a name, or set DATABASE_URL to a running server"
    )]
    NamelessUser {
        /// The effective user id.
        uid: u32,
    },
    /// The process is root, and there is no ordinary user to run PostgreSQL as.
    #[error(
        "PostgreSQL refuses to run as root, and /etc/passwd has neither a user postgres nor nobody to run it as; \
         add the user postgres, or set DATABASE_URL to a running server"
    )]
    NoOrdinaryUser,
    /// PostgreSQL's user can't pass a directory on the way to the cluster.
    #[error(
        "PostgreSQL runs as the user {user}, who may not enter {}; \
         choose another place with --data-dir or SIMPLEBANK_DATA_DIR, for example /var/lib/simplebank, \
         or set DATABASE_URL to a running server",
        directory.display()
    )]
    NotSearchable {
        /// The first directory that is closed.
        directory: PathBuf,
        /// The name of the user.
        user: String,
    },
    /// A file or directory belongs to somebody else.
    #[error("{} belongs to user id {owner}, not to {expected}", path.display())]
    ForeignOwner {
        /// What was found.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose it has to be.
        expected: String,
    },
    /// A directory that only PostgreSQL's user may enter is open to others.
    #[error("{} is open to other users; remove it, or close it with chmod 700", path.display())]
    NotPrivate {
        /// The directory.
        path: PathBuf,
    },
    /// The cluster is there, but the file with its password is not.
    #[error(
        "the cluster beside it exists, but its password file {} is missing; \
         put the file back, or remove the cluster to start with an empty one",
        path.display()
    )]
    PasswordMissing {
        /// Where the password belongs.
        path: PathBuf,
    },
    /// Neither `--data-dir`, `XDG_DATA_HOME` nor `HOME` says where data may live.
    #[error("there is no place for the data: set SIMPLEBANK_DATA_DIR or HOME")]
    NoDataDirectory,
    /// Two ways of naming the database disagree.
    #[error(
        "--database-url (DATABASE_URL) and --db-source (DB_SOURCE) name different databases; \
         set only one of them"
    )]
    TwoDatabases,
    /// The cluster can't be stopped, because other processes use it.
    #[error("the cluster {} is in use by another process", cluster.display())]
    InUse {
        /// The cluster's directory.
        cluster: PathBuf,
    },
    /// Another process holds the lock for starting and stopping for too long.
    #[error("another process has held {} for {} s", path.display(), limit.as_secs())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long this process waited.
        limit: Duration,
    },
    /// A program could not be run at all.
    #[error("cannot run {} as the user {user}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The user it was to run as.
        user: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A program of PostgreSQL ended with a failure.
    #[error("{} failed ({status}); the end of its log:\n{log}", program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The last lines it wrote.
        log: String,
    },
    /// A program of PostgreSQL, or the server, did not get ready in time.
    #[error("{what} took longer than {} s; the end of its log:\n{log}", limit.as_secs())]
    TooSlow {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
        /// The last lines it wrote.
        log: String,
    },
    /// A throw-away cluster's keeper reports a failure.
    #[error("the throw-away cluster could not {verb}:\n{log}")]
    Throwaway {
        /// What it was asked to do.
        verb: &'static str,
        /// What the programs wrote.
        log: String,
    },
    /// A setting's name is not a PostgreSQL identifier, or its value spans lines.
    #[error("{name:?} is not a setting that can be given to PostgreSQL")]
    BadSetting {
        /// The name as given.
        name: String,
    },
    /// The command given to run could not be run.
    #[error("cannot run {}", program.display())]
    Command {
        /// The program as given.
        program: OsString,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: what was tried, and on what.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

fn not_installed(looked: &[PathBuf], out: &mut Formatter<'_>) -> fmt::Result {
    write!(out, "no PostgreSQL found: initdb, pg_ctl and postgres are not together in any of")?;
    for place in looked {
        write!(out, "\n  {}", place.display())?;
    }
    write!(
        out,
        "\nThree ways out:\n  \
         install PostgreSQL, for example with: apt-get install postgresql\n  \
         set SIMPLEBANK_PG_BIN to the directory that holds its programs\n  \
         set DATABASE_URL to a running server"
    )
}
