//! Freezing a user, and letting them in again.

use simplebank_core::{
    Principal, Role, UserId,
    access::Power,
    audit::{Action, Object},
    user::User,
};
use simplebank_db::{TxSpec, audit, sessions, users};
use time::OffsetDateTime;

use crate::{Bank, Error};

const FREEZE_USER: TxSpec = TxSpec::read_committed("freeze_user");

impl Bank {
    /// Keeps a user from logging in, and ends all their sessions at once; returns the user. Their accounts go on, and can be
    /// paid into. Who works for the bank is frozen by the operator alone. Doing it twice changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`]; [`Error::NotFound`].
    pub async fn freeze_user(&self, by: &Principal, id: UserId) -> Result<User, Error> {
        let frozen_at = Some(self.now());
        self.set_frozen(by, id, Action::UserFrozen, frozen_at).await
    }

    /// Lets a user log in again; returns the user. Sessions that have ended stay so. Doing it twice changes nothing.
    ///
    /// # Errors
    ///
    /// As [`freeze_user`](Self::freeze_user).
    pub async fn unfreeze_user(&self, by: &Principal, id: UserId) -> Result<User, Error> {
        self.set_frozen(by, id, Action::UserUnfrozen, None).await
    }

    async fn set_frozen(
        &self,
        by: &Principal,
        id: UserId,
        action: Action,
        frozen_at: Option<OffsetDateTime>,
    ) -> Result<User, Error> {
        let object = Object::User(id);
        self.require(by, Power::FreezeUser, Some(object)).await?;
        let (now, line) = (self.now(), self.line(by.id(), action, object));
        let done = self.db().transact(FREEZE_USER, async |tx| {
            let user = users::lock(tx, id).await?.filter(|user| user.id != UserId::OPERATOR);
            let user = user.ok_or(Error::NotFound { what: "user" })?;
            if user.role == Role::Banker && !by.may(Power::SetRole) {
                return Err(Error::Forbidden);
            }
            if user.frozen_at.is_some() == frozen_at.is_some() {
                return Ok(user);
            }
            users::set_frozen(tx, id, frozen_at).await?;
            sessions::revoke_all(tx, id, None, now).await?;
            audit::insert(tx, &line).await?;
            Ok(User { frozen_at, ..user })
        });
        let done = done.await;
        self.logins().forget();
        if let Err(Error::Forbidden) = done {
            self.require(by, Power::SetRole, Some(object)).await?;
        }
        done
    }
}
