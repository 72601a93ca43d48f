//! From rows to the domain: a value that no parser takes is an inconsistency, named by table, column and row.

use std::{error::Error as StdError, str::FromStr};

use simplebank_core::{
    Account, AccountId, Amount, Balance, Hold, HoldId, Memo, TransferId, UserId,
    account::{Limits, OverdraftLimit, Owner, Spent},
    hold::State,
    transfer::{Entry, Transfer},
    user::User,
};
use thiserror::Error;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::Error;

#[derive(Debug, Error)]
#[error("value out of range")]
struct OutOfRange;

pub(crate) fn parse<T>(
    table: &'static str,
    column: &'static str,
    row: impl ToString,
    value: &str,
) -> Result<T, Error>
where
    T: FromStr<Err: StdError + Send + Sync + 'static>,
{
    value.parse().map_err(|source| Error::inconsistent(table, column, row, source))
}

pub(crate) fn in_range<T>(
    table: &'static str,
    column: &'static str,
    row: impl ToString,
    value: Option<T>,
) -> Result<T, Error> {
    value.ok_or_else(|| Error::inconsistent(table, column, row, OutOfRange))
}

/// The least id that comes after one, or the least of all: so a page begins with a plain comparison, which every plan can
/// look up in an index.
pub(crate) fn next_id(after: Option<Uuid>) -> Uuid {
    // Nothing comes after the greatest; asking for it again shows it twice rather than not at all.
    after.map_or(Uuid::nil(), |id| Uuid::from_u128(id.as_u128().saturating_add(1)))
}

pub(crate) struct AccountRow {
    pub(crate) id: Uuid,
    pub(crate) owner_id: Option<Uuid>,
    pub(crate) owner_username: Option<String>,
    pub(crate) currency: String,
    pub(crate) balance: i64,
    pub(crate) version: i64,
    pub(crate) revision: i64,
    pub(crate) held: i64,
    pub(crate) overdraft_limit: i64,
    pub(crate) transfer_limit: Option<i64>,
    pub(crate) daily_limit: Option<i64>,
    pub(crate) spent_day: Option<Date>,
    pub(crate) spent: Option<i64>,
    pub(crate) spent_allowed: Option<i64>,
    pub(crate) notice_from: Option<i64>,
    pub(crate) status: String,
    pub(crate) created_at: OffsetDateTime,
}

impl TryFrom<AccountRow> for Account {
    type Error = Error;

    fn try_from(row: AccountRow) -> Result<Self, Error> {
        const TABLE: &str = "accounts";
        let owner = match (row.owner_id, row.owner_username) {
            (Some(id), Some(username)) => Owner::Customer {
                id: UserId::from_uuid(id),
                username: parse("users", "username", id, &username)?,
            },
            (None, None) => Owner::Cash,
            (Some(_), None) | (None, Some(_)) => {
                return Err(Error::inconsistent(TABLE, "owner_id", row.id, OutOfRange));
            }
        };
        let overdraft_limit = OverdraftLimit::from_minor(row.overdraft_limit);
        let amount = |column, minor: Option<i64>| -> Result<Option<Amount>, Error> {
            minor
                .map(|minor| in_range(TABLE, column, row.id, Amount::from_minor(minor)))
                .transpose()
        };
        let allowed = amount("spent_allowed", row.spent_allowed)?;
        let spent = row.spent_day.zip(row.spent);
        Ok(Self {
            id: AccountId::from_uuid(row.id),
            owner,
            currency: parse(TABLE, "currency", row.id, &row.currency)?,
            balance: Balance::from_minor(row.balance),
            version: row.version,
            revision: row.revision,
            held: Balance::from_minor(row.held),
            overdraft_limit: in_range(TABLE, "overdraft_limit", row.id, overdraft_limit)?,
            limits: Limits {
                per_transfer: amount("transfer_limit", row.transfer_limit)?,
                per_day: amount("daily_limit", row.daily_limit)?,
            },
            spent: spent.map(|(day, minor)| Spent {
                day,
                amount: Balance::from_minor(minor),
                allowed,
            }),
            notice_from: amount("notice_from", row.notice_from)?,
            status: parse(TABLE, "status", row.id, &row.status)?,
            created_at: row.created_at,
        })
    }
}

pub(crate) struct TransferRow {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) from_account_id: Uuid,
    pub(crate) to_account_id: Uuid,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) description: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) hold_id: Option<Uuid>,
    pub(crate) reverses_id: Option<Uuid>,
    pub(crate) created_by: Uuid,
    pub(crate) created_at: OffsetDateTime,
}

fn memo(
    table: &'static str,
    row: Uuid,
    description: Option<&str>,
    reference: Option<&str>,
) -> Result<Memo, Error> {
    Ok(Memo {
        description: description.map(|text| parse(table, "description", row, text)).transpose()?,
        reference: reference.map(|text| parse(table, "reference", row, text)).transpose()?,
    })
}

impl TryFrom<TransferRow> for Transfer {
    type Error = Error;

    fn try_from(row: TransferRow) -> Result<Self, Error> {
        const TABLE: &str = "transfers";
        Ok(Self {
            id: TransferId::from_uuid(row.id),
            kind: parse(TABLE, "kind", row.id, &row.kind)?,
            from_account_id: AccountId::from_uuid(row.from_account_id),
            to_account_id: AccountId::from_uuid(row.to_account_id),
            amount: in_range(TABLE, "amount", row.id, Amount::from_minor(row.amount))?,
            currency: parse(TABLE, "currency", row.id, &row.currency)?,
            memo: memo(TABLE, row.id, row.description.as_deref(), row.reference.as_deref())?,
            hold_id: row.hold_id.map(HoldId::from_uuid),
            reverses_id: row.reverses_id.map(TransferId::from_uuid),
            created_by: UserId::from_uuid(row.created_by),
            created_at: row.created_at,
        })
    }
}

pub(crate) struct HoldRow {
    pub(crate) id: Uuid,
    pub(crate) from_account_id: Uuid,
    pub(crate) to_account_id: Uuid,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) description: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) created_by: Uuid,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) expires_at: OffsetDateTime,
    pub(crate) state: String,
    pub(crate) captured_by: Option<Uuid>,
    pub(crate) captured_amount: Option<i64>,
    pub(crate) resolved_at: Option<OffsetDateTime>,
}

impl TryFrom<HoldRow> for Hold {
    type Error = Error;

    fn try_from(row: HoldRow) -> Result<Self, Error> {
        const TABLE: &str = "holds";
        let captured = row.captured_by.zip(row.captured_amount.and_then(Amount::from_minor));
        let state = match (row.state.as_str(), captured, row.resolved_at) {
            ("open", None, None) => State::Open,
            ("expired", None, None) => State::Expired,
            ("voided", None, Some(at)) => State::Voided { at },
            ("captured", Some((id, amount)), Some(at)) => {
                State::Captured { transfer_id: TransferId::from_uuid(id), amount, at }
            }
            _ => return Err(Error::inconsistent(TABLE, "state", row.id, OutOfRange)),
        };
        Ok(Self {
            id: HoldId::from_uuid(row.id),
            from_account_id: AccountId::from_uuid(row.from_account_id),
            to_account_id: AccountId::from_uuid(row.to_account_id),
            amount: in_range(TABLE, "amount", row.id, Amount::from_minor(row.amount))?,
            currency: parse(TABLE, "currency", row.id, &row.currency)?,
            memo: memo(TABLE, row.id, row.description.as_deref(), row.reference.as_deref())?,
            created_by: UserId::from_uuid(row.created_by),
            created_at: row.created_at,
            expires_at: row.expires_at,
            state,
        })
    }
}

pub(crate) struct EntryRow {
    pub(crate) account_id: Uuid,
    pub(crate) version: i64,
    pub(crate) transfer_id: Uuid,
    pub(crate) amount: i64,
    pub(crate) balance_after: i64,
    pub(crate) created_at: OffsetDateTime,
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        Self {
            account_id: AccountId::from_uuid(row.account_id),
            version: row.version,
            transfer_id: TransferId::from_uuid(row.transfer_id),
            amount: Balance::from_minor(row.amount),
            balance_after: Balance::from_minor(row.balance_after),
            created_at: row.created_at,
        }
    }
}

pub(crate) struct UserRow {
    pub(crate) id: Uuid,
    pub(crate) username: String,
    pub(crate) full_name: String,
    pub(crate) email: String,
    pub(crate) email_verified_at: Option<OffsetDateTime>,
    pub(crate) role: String,
    pub(crate) frozen_at: Option<OffsetDateTime>,
    pub(crate) password_changed_at: OffsetDateTime,
    pub(crate) created_at: OffsetDateTime,
}

impl TryFrom<UserRow> for User {
    type Error = Error;

    fn try_from(row: UserRow) -> Result<Self, Error> {
        const TABLE: &str = "users";
        Ok(Self {
            id: UserId::from_uuid(row.id),
            username: parse(TABLE, "username", row.id, &row.username)?,
            full_name: parse(TABLE, "full_name", row.id, &row.full_name)?,
            email: parse(TABLE, "email", row.id, &row.email)?,
            email_verified_at: row.email_verified_at,
            role: parse(TABLE, "role", row.id, &row.role)?,
            frozen_at: row.frozen_at,
            password_changed_at: row.password_changed_at,
            created_at: row.created_at,
        })
    }
}
