//! The job that sends somebody a code.
//!
//! 1. A fresh code is made, and its hash is stored: one transaction.
//! 2. The mail goes out.
//!
//! Killed between the two, or after them, the job runs again and sends another code, under the same Message-ID: kept is only a
//! hash, so the first can't be sent again. Whichever of them arrives, or is shown, is good until its own time is over.

use simplebank_core::{JobId, VerificationId, verification::CODE_LIFETIME};
use simplebank_db::{TxSpec, verifications};

use super::worker::Failed;
use crate::{
    Worker,
    mail::VerificationMail,
    users::{code_hash, fresh_code},
};

const MAKE_CODE: TxSpec = TxSpec::read_committed("make_email_code");

impl Worker {
    pub(super) async fn verify_email(&self, job: JobId, id: &str) -> Result<(), Failed> {
        let id: VerificationId = id.parse().map_err(Failed::for_good)?;
        let now = self.bank().now();
        let code = fresh_code().map_err(Failed::for_now)?;
        let code_hash = code_hash(id, &code);
        // In range: the clock's years are.
        let expires_at = now.saturating_add(CODE_LIFETIME);
        let made = self.bank().db().transact(MAKE_CODE, async |tx| {
            let open = verifications::find_open(tx, id).await?;
            if open.is_some() {
                verifications::add_code(tx, id, &code_hash, expires_at).await?;
            }
            Ok::<_, simplebank_db::Error>(open)
        });
        // Whoever has verified their address meanwhile, or changed it, is not written to.
        let Some((verification, username)) = made.await.map_err(Failed::for_now)? else {
            return Ok(());
        };
        let mail = VerificationMail { verification: id, username: &username, code: &code };
        let mail = mail.write(job, self.letterhead(), verification.email, now);
        self.send(&mail.map_err(Failed::for_good)?).await
    }
}
