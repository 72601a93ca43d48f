//! Jobs: what a use case leaves to be done after its transaction, at least once.
//!
//! A use case [`enqueue`]s in its own transaction, so there is no user without a mail to them and no mail to somebody who never
//! became one. A [`Worker`] takes jobs from there; several may, in this process and in others.

mod manage;
mod notice;
mod password_changed;
mod verify_email;
mod worker;

use serde::{Deserialize, Serialize};
use simplebank_core::{Job, JobId, TransferId, UserId, VerificationId, job::Queue, user::Email};
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
    /// To tell somebody what has happened to their account at the bank.
    Notice {
        /// What has happened.
        notice: Notice,
        /// To whom: a user's id.
        user_id: String,
        /// Where to write to: the address that they had.
        to: String,
    },
    /// To tell somebody that much went out of their account.
    TransferNotice {
        /// What went out: a transfer's id.
        transfer_id: String,
    },
}

/// What somebody is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Notice {
    /// They have another e-mail address; this goes to the old one.
    EmailChanged,
}

/// The kinds of [`Work`].
const KINDS: [&str; 4] = ["verify_email", "password_changed", "notice", "transfer_notice"];

impl Work {
    pub(crate) fn verify_email(id: VerificationId) -> Self {
        Self::VerifyEmail { verification_id: id.to_string() }
    }

    pub(crate) fn password_changed(user: UserId, email: &Email, at: OffsetDateTime) -> Self {
        let (user_id, email) = (user.to_string(), email.to_string());
        Self::PasswordChanged { user_id, email, changed_at: at.unix_timestamp() }
    }

    pub(crate) fn notice(notice: Notice, user: UserId, to: &Email) -> Self {
        Self::Notice { notice, user_id: user.to_string(), to: to.to_string() }
    }

    pub(crate) fn transfer_notice(id: TransferId) -> Self {
        Self::TransferNotice { transfer_id: id.to_string() }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "verify_email",
            Self::PasswordChanged { .. } => "password_changed",
            Self::Notice { .. } => "notice",
            Self::TransferNotice { .. } => "transfer_notice",
        }
    }

    const fn queue(&self) -> Queue {
        match self {
            // Somebody waits for it, or has to know of it soon.
            Self::VerifyEmail { .. } | Self::PasswordChanged { .. } => Queue::Critical,
            Self::Notice { .. } | Self::TransferNotice { .. } => Queue::Default,
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
        let to = "alice@example.org".parse().unwrap();
        let work = [
            Work::verify_email(VerificationId::from_parts(1, [1; 10])),
            Work::password_changed(UserId::OPERATOR, &to, OffsetDateTime::UNIX_EPOCH),
            Work::notice(Notice::EmailChanged, UserId::from_parts(1, [1; 10]), &to),
            Work::transfer_notice(TransferId::from_parts(1, [1; 10])),
        ];
        assert_eq!(KINDS, work.each_ref().map(Work::kind));
        for work in work {
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
