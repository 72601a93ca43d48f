//! Changing one's password: by whoever knows the current one. All other sessions end with it.

use secrecy::SecretString;
use simplebank_core::JobId;
use simplebank_db::{self as db, TxSpec, sessions, users};

use crate::{
    Bank, Caller, Error, NewPassword,
    jobs::{self, Work},
    ports::new_id,
};

const FIND_PASSWORD: TxSpec = TxSpec::read_committed("find_own_password").read_only();
const CHANGE_PASSWORD: TxSpec = TxSpec::read_committed("change_password");

/// A password in the place of another.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// The password as it is.
    pub current: SecretString,
    /// The password as it shall be.
    pub new: NewPassword,
}

impl Bank {
    /// Gives the caller another password. Their other sessions end, with all their tokens, and a mail that says so is a job that
    /// commits with it.
    ///
    /// # Errors
    ///
    /// [`Error::WrongPassword`] if the current one is another; [`Error::Invalid`] if the new one is made of the caller's own words;
    /// [`Error::TooMany`] when too many passwords are being hashed.
    pub async fn change_password(&self, by: &Caller, command: ChangePassword) -> Result<(), Error> {
        let Caller { user, session_id } = by;
        let checked = command.new.check_for(&user.username, &user.full_name, &user.email);
        checked.map_err(|reason| Error::invalid("new_password", reason))?;
        let hash = self
            .db()
            .transact(FIND_PASSWORD, async |tx| users::password_hash(tx, user.id).await)
            .await?;
        if !self.passwords().verify(command.current, hash.clone()).await? {
            return Err(Error::WrongPassword);
        }
        let new_hash = self.passwords().hash(&command.new).await?;
        let now = self.now();
        let job: JobId = new_id(now)?;
        let changed = self.db().transact(CHANGE_PASSWORD, async |tx| {
            // Locked, so that of two who change it one has not known the current one.
            let Some(user) = users::lock(tx, user.id).await? else { return Ok(false) };
            if users::password_hash(tx, user.id).await? != hash {
                return Ok(false);
            }
            users::change_password(tx, user.id, &new_hash, now).await?;
            sessions::revoke_all(tx, user.id, Some(*session_id), now).await?;
            let work = Work::password_changed(user.id, &user.email, now);
            jobs::enqueue(tx, job, &work, now).await?;
            Ok::<_, db::Error>(true)
        });
        // Nobody else has drawn its salt.
        let changed = changed.confirm(async |tx| {
            let hash = users::password_hash(tx, user.id).await?;
            Ok((hash.as_ref() == Some(&new_hash)).then_some(true))
        });
        let changed = changed.await;
        self.logins().forget();
        if changed? { Ok(()) } else { Err(Error::WrongPassword) }
    }
}
