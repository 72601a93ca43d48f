//! How a transaction is to be run: one value at the top of a use case's file.

use std::{fmt::Write as _, time::Duration};

use tokio_retry2::strategy::{ExponentialFactorBackoff, jitter};

/// What concurrent transactions may do to each other (PostgreSQL 15, §13.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// Each statement sees what was committed before it began.
    ReadCommitted,
    /// All statements see what was committed before the first began; a row changed since then can't be changed again.
    RepeatableRead,
    /// As if transactions ran one after the other. Not under load: see `ARCHITECTURE.md`.
    Serializable,
}

/// Whether a transaction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reads and writes.
    ReadWrite,
    /// Only reads; the server refuses writes.
    ReadOnly,
    /// Only reads, and, when serializable, waits at its beginning for a moment from which it can't fail.
    ReadOnlyDeferrable,
}

/// How a transaction begins, how long its parts may take, and how often it may run.
///
/// ```
/// use std::time::Duration;
/// use simplebank_db::TxSpec;
///
/// const REPORT: TxSpec = TxSpec::repeatable_read("report").read_only().statement_timeout(Duration::from_secs(60));
/// assert_eq!(REPORT.name(), "report");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct TxSpec {
    name: &'static str,
    isolation: Isolation,
    access: Access,
    statement_timeout: Duration,
    lock_timeout: Duration,
    idle_timeout: Duration,
    attempts_max: u32,
    deadline: Duration,
    pause_first: Duration,
    pause_max: Duration,
}

impl TxSpec {
    /// A read-write transaction at `isolation`, called `name` in logs and metrics.
    ///
    /// A statement may take 5 s, a lock 1 s (so that a locked row is an answer within 2 s, two waits included), the client
    /// between statements 5 s; there are at most 10 attempts, paused by [`backoff`](Self::backoff) from 4 ms up to 500 ms, and all
    /// of it may take 5 s.
    pub const fn new(name: &'static str, isolation: Isolation) -> Self {
        Self {
            name,
            isolation,
            access: Access::ReadWrite,
            statement_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(5),
            attempts_max: 10,
            deadline: Duration::from_secs(5),
            pause_first: Duration::from_millis(4),
            pause_max: Duration::from_millis(500),
        }
    }

    /// [`new`](Self::new) at READ COMMITTED.
    pub const fn read_committed(name: &'static str) -> Self {
        Self::new(name, Isolation::ReadCommitted)
    }

    /// [`new`](Self::new) at REPEATABLE READ.
    pub const fn repeatable_read(name: &'static str) -> Self {
        Self::new(name, Isolation::RepeatableRead)
    }

    /// [`new`](Self::new) at SERIALIZABLE.
    pub const fn serializable(name: &'static str) -> Self {
        Self::new(name, Isolation::Serializable)
    }

    /// One snapshot for all that is read, and nothing written.
    pub const fn snapshot(name: &'static str) -> Self {
        Self::repeatable_read(name).read_only()
    }

    /// Only reads. A commit whose outcome is unknown is then no question: the body is run again. So don't let it write after all
    /// (`set transaction read write`).
    pub const fn read_only(self) -> Self {
        Self { access: Access::ReadOnly, ..self }
    }

    /// Only reads, deferrable.
    pub const fn deferrable(self) -> Self {
        Self { access: Access::ReadOnlyDeferrable, ..self }
    }

    /// How long one statement may take, in whole milliseconds; zero for as long as the [deadline](Self::deadline) allows.
    pub const fn statement_timeout(self, statement_timeout: Duration) -> Self {
        Self { statement_timeout, ..self }
    }

    /// How long a statement may wait for one lock, in whole milliseconds; zero for as long as the deadline allows.
    pub const fn lock_timeout(self, lock_timeout: Duration) -> Self {
        Self { lock_timeout, ..self }
    }

    /// How long the body may leave the transaction idle between statements, in whole milliseconds; zero for as long as the
    /// deadline allows.
    pub const fn idle_timeout(self, idle_timeout: Duration) -> Self {
        Self { idle_timeout, ..self }
    }

    /// How often the body may run: at least once.
    pub const fn attempts_max(self, attempts_max: u32) -> Self {
        Self { attempts_max, ..self }
    }

    /// How long all of it may take, waiting for a connection, pauses between attempts and asking about an unknown outcome
    /// included. The caller is answered then; the server may go on for as long again before its own timeouts end what it
    /// does.
    pub const fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// How long to pause before another attempt: a random time between zero and `first`, doubled with each attempt and
    /// multiplied by the number of calls on the same [`Db`](crate::Db) that are running again at the time, but at most `max`
    /// (full jitter, as in M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015); in whole milliseconds.
    pub const fn backoff(self, first: Duration, max: Duration) -> Self {
        Self { pause_first: first, pause_max: max, ..self }
    }

    /// The name in logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// True when there is nothing that a commit could have written.
    pub(crate) const fn is_read_only(&self) -> bool {
        match self.access {
            Access::ReadWrite => false,
            Access::ReadOnly | Access::ReadOnlyDeferrable => true,
        }
    }

    /// True when all statements see what the first one saw.
    pub(crate) const fn has_one_snapshot(&self) -> bool {
        match self.isolation {
            Isolation::ReadCommitted => false,
            Isolation::RepeatableRead | Isolation::Serializable => true,
        }
    }

    pub(crate) const fn attempts(&self) -> u32 {
        self.attempts_max
    }

    pub(crate) const fn patience(&self) -> Duration {
        self.deadline
    }

    /// The longest pauses between attempts, one after the other, without end.
    pub(crate) fn pauses(&self) -> Pauses {
        let first_ms = u64::try_from(self.pause_first.as_millis()).unwrap_or(u64::MAX);
        let longest =
            ExponentialFactorBackoff::from_millis(first_ms, 2.0).max_delay(self.pause_max);
        Pauses { longest, max: self.pause_max }
    }

    /// The statements that begin the transaction on a connection of this `session`, sent at once, when there is so much time
    /// `left` for it.
    pub(crate) fn begin_sql(&self, session: Session, left: Duration) -> String {
        let isolation = match self.isolation {
            Isolation::ReadCommitted => "read committed",
            Isolation::RepeatableRead => "repeatable read",
            Isolation::Serializable => "serializable",
        };
        let access = match self.access {
            Access::ReadWrite => "read write",
            Access::ReadOnly => "read only",
            Access::ReadOnlyDeferrable => "read only, deferrable",
        };
        let mut sql = match (session, self.isolation, self.access) {
            // What a transaction is there if nothing else is said: the server has less to read and to set.
            (Session::Ours, Isolation::ReadCommitted, Access::ReadWrite) => "begin".to_owned(),
            _ => format!("begin isolation level {isolation}, {access}"),
        };
        for (wanted, set) in self.timeouts(left).into_iter().zip(session.timeouts()) {
            if Some(wanted) != set {
                let Timeout { name, ms } = wanted;
                let _ = write!(sql, "; set local {name} = {ms}"); // writing to a String can't fail
            }
        }
        sql
    }

    /// Sets a session to what the spec says, so that transactions of its kind need not: at READ COMMITTED, to read and write.
    pub(crate) fn session_sql(&self) -> String {
        let mut sql =
            "set session characteristics as transaction isolation level read committed, read write"
                .to_owned();
        for Timeout { name, ms } in self.timeouts(Duration::MAX) {
            let _ = write!(sql, "; set {name} = {ms}"); // writing to a String can't fail
        }
        sql
    }

    fn timeouts(&self, left: Duration) -> [Timeout; 3] {
        [
            Timeout::within("statement_timeout", self.statement_timeout, left),
            Timeout::within("lock_timeout", self.lock_timeout, left),
            Timeout::within("idle_in_transaction_session_timeout", self.idle_timeout, left),
        ]
    }
}

/// What is known of the settings that a connection has before a transaction begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Session {
    /// Nothing: a pool of somebody else's.
    Unknown,
    /// It has been set to what [`TxSpec::read_committed`] says.
    Ours,
}

impl Session {
    fn ours() -> [Timeout; 3] {
        TxSpec::read_committed("").timeouts(Duration::MAX)
    }

    fn timeouts(self) -> [Option<Timeout>; 3] {
        match self {
            Self::Unknown => [None; 3],
            Self::Ours => Self::ours().map(Some),
        }
    }
}

/// A timeout of the server's.
#[derive(Clone, Copy, PartialEq)]
struct Timeout {
    name: &'static str,
    ms: u128,
}

impl Timeout {
    /// The most that PostgreSQL takes.
    const MAX_MS: u128 = 2_147_483_647;

    /// This one, unless there is clearly less time left: the caller is answered in time in any case, and what the server
    /// does for nobody then ends soon after. Zero, which is no limit, becomes the time left.
    fn within(name: &'static str, timeout: Duration, left: Duration) -> Self {
        let has_time = !timeout.is_zero() && timeout <= left.saturating_mul(2);
        let ms = if has_time { timeout } else { left }.as_millis();
        Self { name, ms: ms.clamp(1, Self::MAX_MS) }
    }
}

/// How long to pause, one time after the other.
pub(crate) struct Pauses {
    longest: ExponentialFactorBackoff,
    max: Duration,
}

impl Pauses {
    /// The next pause, when so many calls compete.
    pub(crate) fn next(&mut self, crowd: u32) -> Duration {
        let longest = self.longest.next().unwrap_or(self.max);
        jitter(longest.saturating_mul(crowd.max(1)).min(self.max))
    }
}
