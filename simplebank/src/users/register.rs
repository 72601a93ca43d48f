//! Registering: anybody can become a depositor, and is sent a code to show that their e-mail address is theirs.

use simplebank_core::{
    Rejection, Role,
    user::{Email, FullName, User, Username},
};
use simplebank_db::{Constraint, TxSpec, users};

use super::verify_email::{Names, request};
use crate::{Bank, Error, NewPassword, ports::new_id};

const REGISTER: TxSpec = TxSpec::read_committed("register");

/// Who wants to become a user.
#[derive(Clone, Debug)]
pub struct Register {
    /// The login name.
    pub username: Username,
    /// The password.
    pub password: NewPassword,
    /// What they are called.
    pub full_name: FullName,
    /// Where to write to them.
    pub email: Email,
}

impl Bank {
    /// Makes a new depositor; returns the user. The mail to them is a job that commits or vanishes with the user: a
    /// [`Worker`](crate::Worker) sends it.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if the password is made of the user's own words; [`Error::Rejected`] with [`Rejection::UsernameTaken`]; [`Error::TooMany`] when too many passwords are being hashed.
    pub async fn register(&self, command: Register) -> Result<User, Error> {
        let now = self.now();
        let Register { username, password, full_name, email } = &command;
        let checked = password.check_for(username, full_name, email);
        checked.map_err(|reason| Error::invalid("password", reason))?;
        let password_hash = self.passwords().hash(&command.password).await?;
        let user = User {
            id: new_id(now)?,
            username: command.username,
            full_name: command.full_name,
            email: command.email,
            email_verified_at: None,
            role: Role::Depositor,
            password_changed_at: now,
            created_at: now,
        };
        let names = Names::new(now)?;
        let inserted = self.db().transact(REGISTER, async |tx| {
            users::insert(tx, &user, &password_hash).await?;
            request(tx, &names, user.id, &user.email).await
        });
        match inserted.await {
            Ok(()) => Ok(user),
            Err(error) if error.constraint() == Some(Constraint::UsersUsername) => {
                Err(Rejection::UsernameTaken { username: user.username }.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}
