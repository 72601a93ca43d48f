//! Looking accounts up.

use simplebank_core::{
    Account, AccountId, Principal, Rejection, UserId, access::Power, account::Owner, audit::Object,
};
use simplebank_db::{self as db, Tx, TxSpec, accounts};

use time::OffsetDateTime;

use super::current;
use crate::{Bank, Error, Listing, Page};

const FIND_ACCOUNT: TxSpec = TxSpec::snapshot("find_account");

impl Bank {
    /// An account of the caller's, or anybody's for who may look at any, as it is now: a hold whose time is over holds nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with [`Rejection::AccountNotFound`].
    pub async fn account(&self, by: &Principal, id: AccountId) -> Result<Account, Error> {
        let now = self.now();
        let found = self.db().transact(FIND_ACCOUNT, async |tx| visible(tx, by, id, now).await);
        self.seen(by, Object::Account(id), found.await).await
    }

    /// The accounts of `owner`, or of all customers if that is `None`, in the order in which they were opened.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for other accounts than one's own, unless one may look at any.
    pub async fn accounts(
        &self,
        by: &Principal,
        owner: Option<UserId>,
        page: Page<AccountId>,
    ) -> Result<Listing<Account, AccountId>, Error> {
        if owner != Some(by.id()) && !by.may(Power::ViewAny) {
            return self.seen(by, owner.map(Object::User), Err(Error::Forbidden)).await;
        }
        let now = self.now();
        let accounts = self
            .db()
            .transact(FIND_ACCOUNT, async |tx| {
                let found = match owner {
                    Some(owner) => accounts::list_of(tx, owner, page.cursor, page.rows()).await?,
                    None => accounts::list(tx, page.cursor, page.rows()).await?,
                };
                current::as_of(tx, found, now).await
            })
            .await?;
        Ok(page.listing(accounts, |account| account.id))
    }
}

/// The account as it is at `now`, if `by` may look at it.
pub(crate) async fn visible(
    tx: &mut Tx<'_>,
    by: &Principal,
    id: AccountId,
    now: OffsetDateTime,
) -> Result<Account, Error> {
    let account = accounts::find(tx, id).await?.filter(|account| may_see(by, account));
    let found = current::as_of(tx, account.into_iter().collect(), now).await?.pop();
    found.ok_or(Error::Rejected(Rejection::AccountNotFound { id }))
}

/// True when one of two accounts is one that `by` may look at.
pub(crate) async fn sees_either(
    tx: &mut Tx<'_>,
    by: &Principal,
    ids: [AccountId; 2],
) -> Result<bool, db::Error> {
    for id in ids {
        if accounts::find(tx, id).await?.is_some_and(|account| may_see(by, &account)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Customers' accounts are seen by their owners and by who may look at any; the bank's own only by the latter.
pub(crate) fn may_see(by: &Principal, account: &Account) -> bool {
    match account.owner {
        Owner::Customer { .. } => account.is_owned_by(by.id()) || by.may(Power::ViewAny),
        Owner::Cash => by.may(Power::ViewAny),
    }
}
