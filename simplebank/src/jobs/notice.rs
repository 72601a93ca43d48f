//! The job that tells somebody what has happened to their account at the bank: one mail. Killed before it is reported, it sends the
//! mail again, under the same Message-ID.

use simplebank_core::{
    JobId, TransferId, UserId,
    account::Owner,
    user::{Email, User},
};
use simplebank_db::{self as db, TxSpec, accounts, transfers, users};

use super::{Notice, worker::Failed};
use crate::{
    Worker,
    mail::{NoticeMail, TransferMail},
};

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

    /// Only an address that was shown to be theirs is written to: nobody is to be flooded by what others pay.
    pub(super) async fn transfer_notice(&self, job: JobId, transfer: &str) -> Result<(), Failed> {
        let id: TransferId = transfer.parse().map_err(Failed::for_good)?;
        let found = self.bank().db().transact(FIND_NOTICED, async |tx| {
            let Some(transfer) = transfers::find(tx, id).await? else { return Ok(None) };
            let Some(account) = accounts::find(tx, transfer.from_account_id).await? else {
                return Ok(None);
            };
            let Owner::Customer { id, .. } = account.owner else { return Ok(None) };
            Ok::<_, db::Error>(users::find(tx, id).await?.map(|user| (user, transfer)))
        });
        let Some((user, transfer)) = found.await.map_err(Failed::for_now)? else { return Ok(()) };
        if user.email_verified_at.is_none() {
            return Ok(());
        }
        let mail = TransferMail { username: &user.username, transfer: &transfer };
        let mail = mail.write(job, self.letterhead(), user.email.clone(), self.bank().now());
        self.send(&mail.map_err(Failed::for_good)?).await
    }
}
