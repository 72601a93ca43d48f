//! The job that tells somebody what has happened to their account at the bank: one mail. Killed before it is reported, it sends the
//! mail again, under the same Message-ID.

use simplebank_core::{
    JobId, UserId,
    user::{Email, User},
};
use simplebank_db::{self as db, TxSpec, users};

use super::{Notice, worker::Failed};
use crate::{Worker, mail::NoticeMail};

const FIND_NOTICED: TxSpec = TxSpec::read_committed("find_noticed").read_only();

impl Worker {
    pub(super) async fn notice(
        &self,
        job: JobId,
        notice: Notice,
        user: &str,
        to: &str,
    ) -> Result<(), Failed> {
        let user: UserId = user.parse().map_err(Failed::for_good)?;
        let to: Email = to.parse().map_err(Failed::for_good)?;
        let found = self
            .bank()
            .db()
            .transact(FIND_NOTICED, async |tx| Ok::<_, db::Error>(users::find(tx, user).await?));
        let Some(User { username, .. }) = found.await.map_err(Failed::for_now)? else {
            return Ok(());
        };
        let mail = NoticeMail { notice, username: &username };
        let mail = mail.write(job, self.letterhead(), to, self.bank().now());
        self.send(&mail.map_err(Failed::for_good)?).await
    }
}
