//! Jobs: what a use case leaves to be done after its transaction, at least once.
//!
//! A use case [`enqueue`]s in its own transaction, so there is no user without a mail to them and no mail to somebody who never
//! became one. A [`Worker`] takes jobs from there; several may, in this process and in others.

mod manage;
mod password_changed;
mod verify_email;
mod worker;

use serde::{Deserialize, Serialize};
use simplebank_core::{Job, JobId, UserId, VerificationId, job::Queue, user::Email};
use simplebank_db::{self as db, Tx, jobs};
use time::OffsetDateTime;

pub use self::worker::{Tick, Worker, WorkerOptions};

/// How often a job is begun before it is a dead letter. With the pauses of [`Backoff`](simplebank_core::job::Backoff) that takes an
/// hour and more, which outlives most troubles of a mail server.
const ATTEMPTS_MAX: u32 = 10;

/// Everything that a job can be about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Work {
    /// To send somebody a code that shows that their e-mail address is theirs.
    VerifyEmail {
        /// The request: a UUID.
        verification_id: String,
    },
    /// To tell somebody that their password has changed.
    PasswordChanged {
        /// Whose: a UUID.
        user_id: String,
        /// Where to: their address of that time.
        email: String,
        /// When, in seconds since 1970.
        changed_at: i64,
    },
}

/// The kinds of [`Work`].
const KINDS: [&str; 2] = ["verify_email", "password_changed"];

impl Work {
    pub(crate) fn verify_email(id: VerificationId) -> Self {
        Self::VerifyEmail { verification_id: id.to_string() }
    }

    pub(crate) fn password_changed(user: UserId, email: &Email, at: OffsetDateTime) -> Self {
        let (user_id, email) = (user.to_string(), email.to_string());
        Self::PasswordChanged { user_id, email, changed_at: at.unix_timestamp() }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "verify_email",
            Self::PasswordChanged { .. } => "password_changed",
        }
    }

    /// Somebody waits for each of them, or has to know of it soon.
    const fn queue(&self) -> Queue {
        match self {
            Self::VerifyEmail { .. } | Self::PasswordChanged { .. } => Queue::Critical,
        }
    }

    /// What the job's payload says.
    fn read(payload: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(payload)
    }
}

/// Stores work that is to be done when the transaction has committed.
///
/// `id` is made before the transaction, which may run again; nothing else is random here.
pub(crate) async fn enqueue(
    tx: &mut Tx<'_>,
    id: JobId,
    work: &Work,
    now: OffsetDateTime,
) -> Result<(), db::Error> {
    let job = Job {
        id,
        kind: work.kind().to_owned(),
        queue: work.queue(),
        // Serialising texts can't fail.
        payload: serde_json::to_string(work).expect("work is plain data"),
        unique_key: None,
        attempts: 0,
        attempts_max: ATTEMPTS_MAX,
        due_at: now,
        is_leased: false,
        last_error: None,
        dead_at: None,
        created_at: now,
    };
    jobs::enqueue(tx, &job).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_work_is_listed_and_read_back() {
        let email = "alice@example.org".parse().unwrap();
        let every = [
            Work::verify_email(VerificationId::from_parts(1, [1; 10])),
            Work::password_changed(UserId::OPERATOR, &email, OffsetDateTime::UNIX_EPOCH),
        ];
        assert_eq!(every.each_ref().map(Work::kind), KINDS);
        for work in every {
            let payload = serde_json::to_string(&work).unwrap();
            assert_eq!(Work::read(&payload).unwrap(), work);
        }
        for bad in
            ["", "{}", r#"{"kind":"verify_email"}"#, r#"{"kind":"other","verification_id":""}"#]
        {
            Work::read(bad).unwrap_err();
        }
    }
}
