//! Why a statement, a commit or a connection failed. The only place where SQLSTATEs are read.

use std::{borrow::Cow, error::Error as StdError};

use sqlx::postgres::{PgDatabaseError, PgSeverity};
use thiserror::Error;

use crate::Constraint;

/// Why the database did not do what it was asked.
///
/// The texts are for logs and operators; none holds a statement's values.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// 40001: concurrent transactions can't be put in an order. Running the whole transaction again can succeed.
    #[error("serialization failure")]
    Serialization(#[source] sqlx::Error),
    /// 40P01: transactions waited for each other. Running the whole transaction again can succeed.
    #[error("deadlock")]
    Deadlock(#[source] sqlx::Error),
    /// A constraint that the bank knows refused a row.
    #[error("constraint {} violated", constraint.name())]
    Constraint {
        /// Which one.
        constraint: Constraint,
        /// What the driver said.
        #[source]
        source: sqlx::Error,
    },
    /// The URL names another kind of database, or none.
    #[error("the URL of the database must begin with postgres:// or postgresql://")]
    NotPostgres,
    /// No connection, or it broke before a commit was sent: nothing has happened.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// A wait ran out: for a connection of the pool, for a lock, or for a statement; or a resource of the server did.
    #[error("the database is overloaded")]
    Overload(#[source] sqlx::Error),
    /// The connection broke while COMMIT was in flight: it may have happened or not.
    #[error("the outcome of the commit is unknown")]
    CommitUnknown(#[source] sqlx::Error),
    /// A statement had failed, and the body went on as if it had not. Nothing was committed.
    #[error("a statement failed earlier in the transaction, and its error was swallowed")]
    Aborted(#[source] sqlx::Error),
    /// The body ended the transaction itself, with a COMMIT or ROLLBACK of its own: what it did before may have been committed,
    /// and what it did afterwards has been.
    #[error("the body ended the transaction itself")]
    Ended(#[source] sqlx::Error),
    /// The future of a savepoint was dropped before it ended, so a part of it may be left. Nothing was committed.
    #[error("a savepoint was dropped before it ended")]
    Torn,
    /// Every attempt at the transaction failed for a reason that running it again could have cured. Nothing was committed.
    #[error("gave up after {attempts} attempts")]
    Exhausted {
        /// How many there were: as many as the [`TxSpec`](crate::TxSpec) allows.
        attempts: u32,
        /// Why the last one failed.
        #[source]
        last: Box<Error>,
    },
    /// The transaction's deadline passed before an attempt succeeded; or, where there is a
    /// [question](crate::tx::Transact::confirm), the half of the time that an attempt is given. Nothing was committed.
    #[error("the deadline passed after {attempts} attempts")]
    DeadlinePassed {
        /// How many there were.
        attempts: u32,
        /// Why the last one failed, if it did: none when the first one was not ready in time.
        #[source]
        last: Option<Box<Error>>,
    },
    /// A table, a schema or a role that was named does not exist.
    #[error(
        "a table, schema or role is missing: is the database migrated? For the bank's, run `simplebank migrate up`"
    )]
    NotMigrated(#[source] sqlx::Error),
    /// The migrations could not be run.
    #[error("migration failed")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// A row holds what no row can hold.
    #[error("inconsistent {table}.{column} in row {row}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        row: String,
        /// What is wrong with the value, where a parser said so.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// Anything else, which is a defect of whoever wrote the statement.
    #[error("database error")]
    Other(#[source] sqlx::Error),
}

/// Why a commit was not acknowledged.
pub(crate) enum NotCommitted {
    /// It certainly did not happen, for this reason.
    Failed(Error),
    /// Nobody knows.
    Unknown(sqlx::Error),
}

impl Error {
    /// True when running the whole transaction again can succeed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Serialization(_) | Self::Deadlock(_) | Self::Unavailable(_))
            && !matches!(self, Self::Unavailable(sqlx::Error::PoolClosed))
    }

    /// The violated constraint, if that is what went wrong.
    #[must_use]
    pub const fn constraint(&self) -> Option<Constraint> {
        if let Self::Constraint { constraint, .. } = self { Some(*constraint) } else { None }
    }

    /// The SQLSTATE that the server gave as the reason, if it did.
    #[must_use]
    pub fn sqlstate(&self) -> Option<Cow<'_, str>> {
        let mut error: &(dyn StdError + 'static) = self;
        loop {
            if let Some(error) = error.downcast_ref::<sqlx::Error>() {
                return error.as_database_error()?.code();
            }
            error = error.source()?;
        }
    }

    /// True when the wait for a lock ran out.
    #[must_use]
    pub fn is_lock_timeout(&self) -> bool {
        self.sqlstate().as_deref() == Some("55P03")
    }

    /// True when the server refused what a statement says or touches, so that a part of what it was to do may succeed alone.
    #[must_use]
    pub fn is_of_content(&self) -> bool {
        match self {
            Self::Serialization(_)
            | Self::Deadlock(_)
            | Self::Constraint { .. }
            | Self::Inconsistent { .. } => true,
            Self::Exhausted { last, .. } => last.is_of_content(),
            // A lock or a statement that took too long; not a resource of the server's.
            Self::Overload(_) => matches!(self.sqlstate().as_deref(), Some("55P03" | "57014")),
            Self::Other(error) => error.as_database_error().is_some(),
            Self::NotPostgres
            | Self::Unavailable(_)
            | Self::CommitUnknown(_)
            | Self::Aborted(_)
            | Self::Ended(_)
            | Self::Torn
            | Self::DeadlinePassed { .. }
            | Self::NotMigrated(_)
            | Self::Migration(_) => false,
        }
    }

    /// What the error of a COMMIT says: unless the server itself refused it, nobody knows what became of it.
    pub(crate) fn of_commit(error: sqlx::Error) -> NotCommitted {
        let Some(answer) = error.as_database_error() else { return NotCommitted::Unknown(error) };
        let state = answer.code().unwrap_or_default().into_owned();
        let is_fatal = answer.try_downcast_ref::<PgDatabaseError>().is_some_and(|answer| {
            matches!(answer.severity(), PgSeverity::Fatal | PgSeverity::Panic)
        });
        // 25P03: ended while it was idle, so before COMMIT came. 40003: the server says itself that it doesn't know.
        let error = Self::from(error);
        let is_unknown = match state.as_str() {
            "25P03" => false,
            "40003" => true,
            _ => is_fatal || matches!(error, Self::Unavailable(_)),
        };
        if is_unknown && let Self::Unavailable(source) | Self::Other(source) = error {
            NotCommitted::Unknown(source)
        } else {
            NotCommitted::Failed(error)
        }
    }

    pub(crate) fn inconsistent(
        table: &'static str,
        column: &'static str,
        row: impl ToString,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self::Inconsistent { table, column, row: row.to_string(), source: Some(Box::new(source)) }
    }
}

/// SQLSTATEs are those of PostgreSQL 15, appendix A.
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else { return of_driver(error) };
        let state = database.code().unwrap_or_default().into_owned();
        if let Some(constraint) = database.constraint().and_then(Constraint::from_name) {
            return Self::Constraint { constraint, source: error };
        }
        match state.as_str() {
            "40001" => Self::Serialization(error),
            "40P01" => Self::Deadlock(error),
            "25P01" => Self::Ended(error),
            "25P02" => Self::Aborted(error),
            "55P03" | "57014" => Self::Overload(error),
            "57P01" | "57P02" | "57P03" | "53300" => Self::Unavailable(error),
            "25P03" | "57P05" => Self::Unavailable(error), // the server ended an idle session
            "3F000" | "42P01" => Self::NotMigrated(error),
            _ if state.starts_with("08") => Self::Unavailable(error),
            _ if state.starts_with("53") => Self::Overload(error),
            _ => Self::Other(error),
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "sqlx's enum is non-exhaustive; the rest are defects"
)]
fn of_driver(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::PoolTimedOut => Error::Overload(error),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Error::Unavailable(error),
        other => Error::Other(other),
    }
}
