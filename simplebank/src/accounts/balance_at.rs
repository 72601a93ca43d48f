//! What an account held at some moment.

use simplebank_core::{
    Account, AccountId, Balance, Instant, Principal, audit::Object, statement::Standing,
};
use simplebank_db::{TxSpec, statements};

use super::find::visible;
use crate::{Bank, Error};

const BALANCE_AT: TxSpec = TxSpec::snapshot("balance_at");

/// What an account held at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceAt {
    /// The account, as it is now.
    pub account: Account,
    /// The moment.
    pub at: Instant,
    /// The balance after the newest entry decided then or before.
    pub balance: Balance,
    /// The version of that entry; 0 before the first.
    pub version: i64,
}

impl Bank {
    /// What an account held at `at`: the balance after the newest entry decided then or before, whatever has happened since.
    ///
    /// Reads one entry for each binary digit of the account's version, in one statement. Of a moment to come, it is the
    /// newest balance; and what is being posted right now may yet get the time of a moment that has just passed.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with the field `at` before the account was opened; [`Error::Rejected`] with
    /// [`AccountNotFound`](simplebank_core::Rejection::AccountNotFound).
    pub async fn balance_at(
        &self,
        by: &Principal,
        account: AccountId,
        at: Instant,
    ) -> Result<BalanceAt, Error> {
        let now = self.now();
        let found = self
            .db()
            .transact(BALANCE_AT, async |tx| {
                let account = visible(tx, by, account, now).await?;
                if at.time() < account.created_at {
                    return Err(not_open_yet("at", &account));
                }
                let Standing { version, balance } =
                    statements::standing(tx, &account, at.time()).await?;
                Ok(BalanceAt { account, at, balance, version })
            })
            .await;
        self.seen(by, Object::Account(account), found).await
    }
}

/// Refuses a field whose moment is before an account was opened.
pub(crate) fn not_open_yet(field: &str, account: &Account) -> Error {
    let opened = Instant::new(account.created_at);
    // Accounts are opened in years that have a form.
    let opened = opened.map_or_else(|| account.created_at.to_string(), |at| at.to_string());
    Error::invalid(field, format!("is before the account was opened, at {opened}"))
}
