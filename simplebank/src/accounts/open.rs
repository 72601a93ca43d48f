//! Opening an account.

use simplebank_core::{
    Account, Balance, Currency, Principal, Rejection, UserId,
    access::Power,
    account::{Limits, OverdraftLimit, Owner, Status},
    audit::Object,
};
use simplebank_db::{Constraint, TxSpec, accounts, cash, users};

use crate::{Bank, Error, ports::new_id};

const OPEN_ACCOUNT: TxSpec = TxSpec::read_committed("open_account");

/// Which account to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenAccount {
    /// For whom.
    pub owner: UserId,
    /// In which currency.
    pub currency: Currency,
}

impl Bank {
    /// Opens an account with nothing in it; returns the account.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for an account of somebody else's; [`Error::NotFound`] if there is no such user;
    /// [`Error::Rejected`] with [`Rejection::AccountExists`] if they have one in that currency.
    pub async fn open_account(
        &self,
        by: &Principal,
        command: OpenAccount,
    ) -> Result<Account, Error> {
        let OpenAccount { owner, currency } = command;
        let is_own = owner == by.id() && by.may(Power::OpenOwnAccount);
        if !is_own && !by.may(Power::OpenAnyAccount) {
            return self.seen(by, Object::User(owner), Err(Error::Forbidden)).await;
        }
        let now = self.now();
        let (id, cash_id) = (new_id(now)?, new_id(now)?);
        let opened = self
            .db()
            .transact(OPEN_ACCOUNT, async |tx| {
                let not_found = Error::NotFound { what: "user" };
                let user = users::find(tx, owner).await?.filter(|user| user.id != UserId::OPERATOR);
                let user = user.ok_or(not_found)?;
                cash::ensure(tx, cash_id, currency, now).await?;
                let account = Account {
                    id,
                    owner: Owner::Customer { id: user.id, username: user.username },
                    currency,
                    balance: Balance::ZERO,
                    version: 0,
                    revision: 0,
                    held: Balance::ZERO,
                    overdraft_limit: OverdraftLimit::NONE,
                    limits: Limits::default(),
                    spent: None,
                    notice_from: None,
                    status: Status::Open,
                    created_at: now,
                };
                accounts::insert(tx, &account).await?;
                Ok(account)
            })
            .await;
        match opened {
            Err(Error::Db(error))
                if error.constraint() == Some(Constraint::AccountsOwnerCurrency) =>
            {
                Err(Rejection::AccountExists { currency }.into())
            }
            Ok(_) | Err(_) => opened,
        }
    }
}
