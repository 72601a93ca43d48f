//! What became of a COMMIT that nobody answered (law T5).
//!
//! A transaction that may have to be asked about takes an advisory lock under a random number: at READ COMMITTED in the message
//! that begins it, at the other levels right before COMMIT, since any such statement takes their snapshot. The server frees it
//! when the transaction ends, and not before it is visible to others. Who asks takes the same lock first: from then on the old
//! transaction has committed or never will, and what the next statement sees is the truth. That needs neither a process id,
//! which the server uses again, nor a transaction id, which it uses again after a crash (`pg_xact_status` then lies).
//!
//! A session whose statements are transactions by themselves (`alone.rs`) holds such a lock for as long as it lives.
//!
//! A server that has not noticed the broken connection holds the lock on. After [`PATIENCE`] its session is ended.

use std::{pin::pin, time::Duration};

use super::{
    BodyError, Tx,
    deadline::Deadline,
    open::{Lease, Open, silence},
    transact::Question,
};
use crate::{Db, Error, TxSpec};

/// How long the old session may go on by itself.
const PATIENCE: Duration = Duration::from_millis(250);

/// Takes the lock $1 until the transaction ends, and waits for it no longer than its `lock_timeout`.
const LOCK: &str = "select pg_catalog.pg_advisory_xact_lock($1)";
/// Ends the session that holds the lock $1. The application's role may not; who logged in may end their own sessions.
const END: &str = "select pg_terminate_backend(pid)
    from pg_catalog.pg_locks
    where locktype = 'advisory' and granted and objsubid = 1
        and ((classid::bigint << 32) | objid::bigint) = $1";

/// A number under which a transaction can be waited for.
#[derive(Clone, Copy, Debug)]
pub struct Marker(i64);

impl Marker {
    pub(super) fn random() -> Self {
        Self(super::jitter(u64::MAX).cast_signed())
    }

    /// The statement that marks a transaction, to be sent together with BEGIN.
    pub(super) fn sql(self) -> String {
        format!("; select pg_catalog.pg_advisory_xact_lock({})", self.0)
    }

    /// The statement that marks a session for as long as it lives.
    pub(super) fn session_sql(self) -> String {
        format!("; select pg_catalog.pg_advisory_lock({})", self.0)
    }

    /// Marks a transaction by a statement of its own.
    pub(super) async fn set(
        self,
        open: &mut Open<'_>,
        deadline: &mut Deadline,
    ) -> Result<(), Error> {
        open.execute(LOCK, self.0, deadline).await.map(drop)
    }

    /// Asks `question` once the marked transaction has certainly ended.
    pub(super) async fn ask<T, E: BodyError>(
        self,
        db: &Db,
        spec: TxSpec,
        question: &impl Question<T, E>,
        deadline: &mut Deadline,
    ) -> Result<Option<T>, E> {
        let begin = TxSpec::read_committed(spec.name())
            .lock_timeout(PATIENCE)
            .begin_sql(db.session, deadline.time_left());
        let mut lease = Lease::tested(db, spec.name(), deadline).await?;
        let mut open = lease.begin(begin, deadline).await?;
        if let Err(error) = open.execute(LOCK, self.0, deadline).await {
            open.roll_back(deadline).await;
            if let Error::Overload(_) = error {
                self.end_old_session(&mut lease, deadline).await;
            }
            return Err(error.into());
        }
        let mut tx = Tx::new(open.connection());
        let Some(answer) = deadline.wait_for(pin!(question.ask(&mut tx))).await else {
            return Err(Error::Unavailable(silence()).into());
        };
        let is_whole = tx.leave().map(drop);
        let answer = match answer {
            // An error that the question swallowed is no answer either.
            Ok(None) => match is_whole.and(open.check(deadline).await) {
                Ok(()) => Ok(None),
                Err(error) => Err(error.into()),
            },
            Ok(Some(value)) => Ok(Some(value)),
            Err(error) => Err(error),
        };
        open.roll_back(deadline).await;
        answer
    }

    /// Ends the session that holds the lock. Whoever may not can only wait on.
    async fn end_old_session(self, lease: &mut Lease, deadline: &mut Deadline) {
        let ended = async {
            let begin = "begin; set local role none".to_owned();
            let mut open = lease.begin(begin, deadline).await?;
            let ended = open.execute(END, self.0, deadline).await;
            open.roll_back(deadline).await;
            ended
        };
        match ended.await {
            Ok(count) => tracing::debug!(count, "ended a session whose outcome is unknown"),
            Err(error) => {
                tracing::warn!(%error, "could not end a session whose outcome is unknown")
            }
        }
    }
}
