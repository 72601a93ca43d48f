//! Making somebody a depositor or a banker.

use simplebank_core::{Principal, Role, UserId, access::Power};
use simplebank_db::{TxSpec, users};

use crate::{Bank, Error, access::require};

const SET_ROLE: TxSpec = TxSpec::read_committed("set_role");

impl Bank {
    /// Makes a user a `role`, from their next request on.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`]; [`Error::NotFound`].
    pub async fn set_role(&self, by: &Principal, user: UserId, role: Role) -> Result<(), Error> {
        require(by, Power::SetRole)?;
        if user == UserId::OPERATOR {
            return Err(Error::NotFound { what: "user" });
        }
        let is_done =
            self.db().transact(SET_ROLE, async |tx| users::set_role(tx, user, role).await).await;
        self.logins().forget();
        if is_done? { Ok(()) } else { Err(Error::NotFound { what: "user" }) }
    }
}
