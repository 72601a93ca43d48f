//! Looking users up.

use simplebank_core::{
    Principal, UserId,
    access::Power,
    user::{User, Username},
};
use simplebank_db::{TxSpec, users};

use crate::{Bank, Error, Listing, Page};

const FIND_USER: TxSpec = TxSpec::read_committed("find_user").read_only();

impl Bank {
    /// The caller as a user.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the user is gone.
    pub async fn me(&self, by: &Principal) -> Result<User, Error> {
        let user = self.db().transact(FIND_USER, async |tx| users::find(tx, by.id()).await).await?;
        user.ok_or(Error::NotFound { what: "user" })
    }

    /// The user of that name, for who may look at anybody.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`]; [`Error::NotFound`].
    pub async fn user_by_name(&self, by: &Principal, username: &Username) -> Result<User, Error> {
        self.require(by, Power::ViewAny, None).await?;
        let user = self
            .db()
            .transact(FIND_USER, async |tx| users::find_by_username(tx, username).await)
            .await?;
        user.ok_or(Error::NotFound { what: "user" })
    }

    /// All users in the order in which they registered, for who may look at anybody.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`].
    pub async fn users(
        &self,
        by: &Principal,
        page: Page<UserId>,
    ) -> Result<Listing<User, UserId>, Error> {
        self.require(by, Power::ViewAny, None).await?;
        let users = self
            .db()
            .transact(FIND_USER, async |tx| users::list(tx, page.cursor, page.rows()).await)
            .await?;
        Ok(page.listing(users, |user| user.id))
    }
}
