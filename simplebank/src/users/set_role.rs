//! Making somebody a depositor or a banker.

use simplebank_core::{
    Principal, Role, UserId,
    access::Power,
    audit::{Action, Object},
};
use simplebank_db::{self as db, TxSpec, audit, users};

use crate::{Bank, Error};

const SET_ROLE: TxSpec = TxSpec::read_committed("set_role");

impl Bank {
    /// Makes a user a `role`, from their next request on. Doing it twice changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`]; [`Error::NotFound`].
    pub async fn set_role(&self, by: &Principal, user: UserId, role: Role) -> Result<(), Error> {
        let object = Object::User(user);
        self.require(by, Power::SetRole, Some(object)).await?;
        if user == UserId::OPERATOR {
            return Err(Error::NotFound { what: "user" });
        }
        let line = self.line(by.id(), Action::RoleSet, object);
        let done = self.db().transact(SET_ROLE, async |tx| {
            let Some(before) = users::lock(tx, user).await? else { return Ok(false) };
            if before.role != role {
                users::set_role(tx, user, role).await?;
                let line = line.clone().with_detail(format!("{} to {role}", before.role));
                audit::insert(tx, &line).await?;
            }
            Ok::<_, db::Error>(true)
        });
        let is_done = done.await;
        self.logins().forget();
        if is_done? { Ok(()) } else { Err(Error::NotFound { what: "user" }) }
    }
}
