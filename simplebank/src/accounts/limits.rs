//! Setting how far an account may be overdrawn, and how much may go out of it.

use simplebank_core::{
    Account, AccountId, Principal, Rejection, UserId,
    access::Power,
    account::{LimitChanges, OverdraftLimit, Owner, utc_day},
    audit::{Action, Object},
    ledger::LimitRow,
};
use simplebank_db::{self as db, Tx, TxSpec, account_limits, accounts, audit};
use time::{Date, OffsetDateTime};

use super::current;
use crate::{Bank, Error, ports::random_bytes};

const SET_LIMITS: TxSpec = TxSpec::read_committed("set_limits");

/// Which limits to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetLimits {
    /// The customer's account.
    pub account_id: AccountId,
    /// What becomes of each limit.
    pub changes: LimitChanges,
}

impl Bank {
    /// The day by the bank's clock, in UTC, on which daily limits go.
    #[must_use]
    pub fn today(&self) -> Date {
        utc_day(self.now())
    }

    /// Sets limits of a customer's account, from its next transfer on; returns the account. Doing it twice changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`]; [`Error::Rejected`] with [`Rejection::AccountNotFound`], [`Rejection::AccountClosed`], or
    /// [`Rejection::LimitBelowUse`] for an overdraft limit below what the account owes or has promised.
    pub async fn set_limits(&self, by: &Principal, command: SetLimits) -> Result<Account, Error> {
        let SetLimits { account_id: id, changes } = command;
        let object = Object::Account(id);
        self.require(by, Power::SetLimits, Some(object)).await?;
        let line = self.line(by.id(), Action::LimitsSet, object);
        let (now, new_revision) = (self.now(), i64::from_ne_bytes(random_bytes()?));
        self.db()
            .transact(SET_LIMITS, async |tx| {
                let account = current::lock(tx, id, now, new_revision).await?;
                let account = account.filter(|account| account.owner != Owner::Cash);
                let before = account.ok_or(Rejection::AccountNotFound { id })?;
                let after = before.clone().with_limits(changes)?;
                if after != before {
                    accounts::set_limits(tx, &after).await?;
                    record(tx, &before, &after, by.id(), now).await?;
                    audit::insert(tx, &line).await?;
                }
                Ok(accounts::find(tx, id).await?.unwrap_or(after))
            })
            .await
    }
}

/// Writes down from which entry on which limits hold: an auditor judges each entry by the limit of its time.
async fn record(
    tx: &mut Tx<'_>,
    before: &Account,
    after: &Account,
    by: UserId,
    now: OffsetDateTime,
) -> Result<(), db::Error> {
    let row = |account: &Account, number, after_version| LimitRow {
        account_id: account.id,
        number,
        after_version,
        overdraft_limit: account.overdraft_limit,
        limits: account.limits,
    };
    let newest = account_limits::newest(tx, &[after.id]).await?;
    let mut number = newest.first().map_or(0, |row| row.number);
    // A history begins without an overdraft: one that was given by hand has held from the first entry on.
    if number == 0 && before.overdraft_limit != OverdraftLimit::NONE {
        number = 1;
        account_limits::insert(tx, &row(before, number, 0), UserId::OPERATOR, before.created_at)
            .await?;
    }
    let next = row(after, number.saturating_add(1), after.version);
    account_limits::insert(tx, &next, by, now).await
}
