//! Changing one's e-mail address.

use secrecy::SecretString;
use simplebank_core::{
    JobId, Principal,
    audit::{Action, Object},
    user::{Email, User},
};
use simplebank_db::{TxSpec, audit, users};

use super::verify_email::{Names, admit, request};
use crate::{
    Bank, Error,
    jobs::{self, Notice, Work},
    ports::new_id,
};

const FIND_OWN_PASSWORD: TxSpec = TxSpec::read_committed("find_own_password").read_only();
const CHANGE_EMAIL: TxSpec = TxSpec::read_committed("change_email");

impl Bank {
    /// Gives the caller another e-mail address, if they know their password; returns the user. It counts as not verified: a code
    /// is sent there, and the old address is told, by jobs that commit or vanish with the change. Whether others use the address
    /// makes no difference. The same address again changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::WrongCredentials`]; [`Error::TooManyCodes`] as for
    /// [`request_email_verification`](Self::request_email_verification); [`Error::TooMany`] when too many passwords are being
    /// compared; [`Error::NotFound`] if the user is gone.
    pub async fn change_email(
        &self,
        by: &Principal,
        password: SecretString,
        email: Email,
    ) -> Result<User, Error> {
        let object = Object::User(by.id());
        let hash = self
            .db()
            .transact(FIND_OWN_PASSWORD, async |tx| users::password_hash(tx, by.id()).await)
            .await?;
        if !self.passwords().verify(password, hash).await? {
            let error = Error::WrongCredentials;
            self.note_refusal(Some(by.id()), Action::Refused, Some(object), error.code()).await;
            return Err(error);
        }
        let (names, line) =
            (Names::new(self.now())?, self.line(by.id(), Action::EmailChanged, object));
        let notice: JobId = new_id(line.at)?;
        let changed = self.db().transact(CHANGE_EMAIL, async |tx| {
            // Locked, so that of several changes at once each tells the address before it.
            let user = users::lock(tx, by.id()).await?;
            let user = user.ok_or(Error::NotFound { what: "user" })?;
            if user.email == email {
                return Ok(user);
            }
            admit(tx, &names, user.id).await?;
            users::set_email(tx, user.id, &email).await?;
            request(tx, &names, user.id, &email).await?;
            let work = Work::notice(Notice::EmailChanged, user.id, &user.email);
            jobs::enqueue(tx, notice, &work, line.at).await?;
            audit::insert(tx, &line).await?;
            Ok::<_, Error>(User { email: email.clone(), email_verified_at: None, ..user })
        });
        let changed = changed.await;
        self.verified().forget(by.id());
        self.logins().forget();
        changed
    }
}
