//! The job that tells somebody that their password has changed, at the address that they had then.
//!
//! It is one step, the mail, with the Message-ID of the job; killed after it, it sends the same mail again.

use simplebank_core::{JobId, UserId, user::Email};
use simplebank_db::{TxSpec, users};
use time::OffsetDateTime;

use super::worker::Failed;
use crate::{Worker, mail::PasswordChangedMail};

const FIND_USER: TxSpec = TxSpec::read_committed("find_user_to_tell").read_only();

impl Worker {
    pub(super) async fn password_changed(
        &self,
        job: JobId,
        user: &str,
        email: &str,
        changed_at: i64,
    ) -> Result<(), Failed> {
        let user: UserId = user.parse().map_err(Failed::for_good)?;
        let email: Email = email.parse().map_err(Failed::for_good)?;
        let changed_at =
            OffsetDateTime::from_unix_timestamp(changed_at).map_err(Failed::for_good)?;
        let found =
            self.bank().db().transact(FIND_USER, async |tx| users::find(tx, user).await).await;
        let Some(user) = found.map_err(Failed::for_now)? else { return Ok(()) };
        let mail = PasswordChangedMail { username: &user.username, changed_at };
        let mail = mail.write(job, self.letterhead(), email, self.bank().now());
        self.send(&mail.map_err(Failed::for_good)?).await
    }
}
