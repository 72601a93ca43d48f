//! Who waits for whose lock: for an operator, and for the documentation of what transactions do to each other.

use crate::{Db, Error};

/// The statement behind [`Db::locks`], for use elsewhere: PostgreSQL 14 or newer, nothing of ours needed.
pub const SQL: &str = include_str!("locks.sql");

/// A session of the server that waits for a lock, or has one for which another waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The process that serves it, as `pg_terminate_backend` wants it.
    pub pid: i32,
    /// The processes that it waits for; 0 is a prepared transaction. Empty for a session that only makes others wait.
    pub blocked_by: Vec<i32>,
    /// How long it has been waiting, in milliseconds; `None` if it doesn't, or has only just begun to.
    pub waiting_ms: Option<i64>,
    /// The kind of lock that it waits for, as `pg_locks` has it: `transactionid` or `tuple` is a row, `relation` a table.
    pub lock: Option<String>,
    /// The mode in which it wants that lock, such as `ShareLock`.
    pub mode: Option<String>,
    /// The table, or the table of the row, that it waits for, where the server tells.
    pub relation: Option<String>,
    /// What the session calls itself.
    pub application_name: Option<String>,
    /// Who logged in.
    pub login: Option<String>,
    /// `active`, `idle in transaction` and so on.
    pub state: Option<String>,
    /// How long its transaction has been open, in milliseconds.
    pub transaction_ms: Option<i64>,
    /// True when the one who asks may not look into the session: then state, times and statement are not told.
    pub is_hidden: bool,
    /// The first 80 characters of its latest statement, on one line. Values that were sent apart, as all of ours are, stand
    /// there as `$1`; those that somebody wrote into the text are told.
    pub query: Option<String>,
}

impl Db {
    /// Who waits for whose lock in this database, now: first those who only make others wait, then the longest wait.
    ///
    /// Sessions of other logins are told in full only to a superuser or a member of `pg_read_all_stats`. The role
    /// `simplebank_app` is neither, so ask on a connection of [`connect_as_login`](Self::connect_as_login). The server stops
    /// its lock table for a moment to answer: once a second is fine, in a loop it is not.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] or [`Error::Overload`] when the server doesn't answer.
    pub async fn locks(&self) -> Result<Vec<Session>, Error> {
        // At most as many rows as the server has connections.
        let rows = sqlx::query_file!("src/locks.sql").fetch_all(self.pool()).await?;
        let sessions = rows.into_iter().filter_map(|row| {
            Some(Session {
                pid: row.pid?, // every process has one
                blocked_by: row.blocked_by.unwrap_or_default(),
                waiting_ms: row.waiting_ms,
                lock: row.lock,
                mode: row.mode,
                relation: row.relation,
                application_name: row.application_name,
                login: row.login,
                state: row.state,
                transaction_ms: row.transaction_ms,
                is_hidden: row.is_hidden.unwrap_or(true),
                query: row.query,
            })
        });
        Ok(sessions.collect())
    }
}
