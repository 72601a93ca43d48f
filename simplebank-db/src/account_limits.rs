//! The table `account_limits`: which limits an account had from which of its entries on.

use simplebank_core::{
    AccountId, Amount, UserId,
    account::{Limits, OverdraftLimit},
    ledger::LimitRow,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Error, Tx, row::in_range};

struct Columns {
    account_id: Uuid,
    number: i64,
    after_version: i64,
    overdraft_limit: i64,
    transfer_limit: Option<i64>,
    daily_limit: Option<i64>,
}

impl TryFrom<Columns> for LimitRow {
    type Error = Error;

    fn try_from(row: Columns) -> Result<Self, Error> {
        const TABLE: &str = "account_limits";
        let name = || format!("{}/{}", row.account_id, row.number);
        let amount = |column, minor: Option<i64>| -> Result<Option<Amount>, Error> {
            minor
                .map(|minor| in_range(TABLE, column, name(), Amount::from_minor(minor)))
                .transpose()
        };
        let overdraft_limit = OverdraftLimit::from_minor(row.overdraft_limit);
        Ok(Self {
            account_id: AccountId::from_uuid(row.account_id),
            number: row.number,
            after_version: row.after_version,
            overdraft_limit: in_range(TABLE, "overdraft_limit", name(), overdraft_limit)?,
            limits: Limits {
                per_transfer: amount("transfer_limit", row.transfer_limit)?,
                per_day: amount("daily_limit", row.daily_limit)?,
            },
        })
    }
}

/// Stores which limits an account has from now on. Lock the account before.
///
/// # Errors
///
/// Whatever the database answers: a number that is taken is refused.
pub async fn insert(
    tx: &mut Tx<'_>,
    row: &LimitRow,
    set_by: UserId,
    set_at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        insert into simplebank.account_limits
            (account_id, number, after_version, overdraft_limit, transfer_limit, daily_limit, set_by, set_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        "#,
        row.account_id.as_uuid(),
        row.number,
        row.after_version,
        row.overdraft_limit.minor(),
        row.limits.per_transfer.map(Amount::minor),
        row.limits.per_day.map(Amount::minor),
        set_by.as_uuid(),
        set_at,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The newest row of each of some accounts that has one, in ascending order of the accounts' ids.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn newest(tx: &mut Tx<'_>, accounts: &[AccountId]) -> Result<Vec<LimitRow>, Error> {
    let ids: Vec<Uuid> = accounts.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query_as!(
        Columns,
        r#"
        select distinct on (account_id)
               account_id, number, after_version, overdraft_limit, transfer_limit, daily_limit
        from simplebank.account_limits
        where account_id = any($1)
        order by account_id, number desc
        "#,
        &ids,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(LimitRow::try_from).collect()
}

/// Up to `limit` rows after the one of `after`, in ascending order of account and number, for an auditor.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn audit(
    tx: &mut Tx<'_>,
    after: Option<(AccountId, i64)>,
    limit: i64,
) -> Result<Vec<LimitRow>, Error> {
    let (account, number) =
        after.map_or((Uuid::nil(), i64::MIN), |(account, number)| (account.as_uuid(), number));
    let rows = sqlx::query_as!(
        Columns,
        r#"
        select account_id, number, after_version, overdraft_limit, transfer_limit, daily_limit
        from simplebank.account_limits
        where (account_id, number) > ($1, $2)
        order by account_id, number
        limit $3
        "#,
        account,
        number,
        limit,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(LimitRow::try_from).collect()
}
