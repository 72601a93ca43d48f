//! The table `entries`.

use simplebank_core::{AccountId, Balance, TransferId, account::OverdraftLimit, transfer::Entry};
use uuid::Uuid;

use crate::{
    Error, Tx,
    row::{EntryRow, in_range},
};

/// Up to `limit` entries of an account below the version `before`, newest first.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn list(
    tx: &mut Tx<'_>,
    account: AccountId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Entry>, Error> {
    let rows = sqlx::query_as!(
        EntryRow,
        r#"
        select account_id, version, transfer_id, amount, balance_after, created_at
        from simplebank.entries
        where account_id = $1
          and version < $2
        order by version desc
        limit $3
        "#,
        account.as_uuid(),
        before.unwrap_or(i64::MAX),
        limit,
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// The entries of some transfers, in ascending order of the transfers' ids.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn of_transfers(tx: &mut Tx<'_>, transfers: &[TransferId]) -> Result<Vec<Entry>, Error> {
    let ids: Vec<Uuid> = transfers.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query_as!(
        EntryRow,
        r#"
        select e.account_id, e.version, e.transfer_id, e.amount, e.balance_after, e.created_at
        from simplebank.transfers t
        cross join lateral (values (t.from_account_id, t.from_version), (t.to_account_id, t.to_version)) as side (account_id, version)
        join simplebank.entries e on e.account_id = side.account_id and e.version = side.version and e.transfer_id = t.id
        where t.id = any($1)
        order by e.transfer_id, e.account_id
        "#,
        &ids,
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// An entry and what an auditor compares it with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// The entry.
    pub entry: Entry,
    /// True when its transfer exists and counts it as one of its two.
    pub has_transfer: bool,
    /// True when its account exists.
    pub has_account: bool,
    /// The lowest balance that was allowed to its account when it was made, if there was one.
    pub floor: Option<Balance>,
}

/// Up to `limit` entries after the one of `after`, in ascending order of account and version, for an auditor.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn audit(
    tx: &mut Tx<'_>,
    after: Option<(AccountId, i64)>,
    limit: i64,
) -> Result<Vec<Audited>, Error> {
    let (account, version) =
        after.map_or((Uuid::nil(), i64::MIN), |(account, version)| (account.as_uuid(), version));
    let rows = sqlx::query!(
        r#"
        select e.account_id, e.version, e.transfer_id, e.amount, e.balance_after, e.created_at,
               exists (
                   select from simplebank.transfers t
                   where t.id = e.transfer_id
                     and (e.account_id, e.version) in ((t.from_account_id, t.from_version), (t.to_account_id, t.to_version))
               ) as "has_transfer!",
               a.kind as "account_kind?",
               -- Who has a history began with none; who has none has always had what the account says.
               case
                   when exists (select from simplebank.account_limits l where l.account_id = e.account_id) then
                       coalesce((
                           select l.overdraft_limit
                           from simplebank.account_limits l
                           where l.account_id = e.account_id
                             and l.after_version < e.version
                           order by l.number desc
                           limit 1
                       ), 0)
                   else a.overdraft_limit
               end as overdraft_limit
        from simplebank.entries e
        left join simplebank.accounts a on a.id = e.account_id
        where (e.account_id, e.version) > ($1, $2)
        order by e.account_id, e.version
        limit $3
        "#,
        account,
        version,
        limit,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            let floor = match (row.account_kind.as_deref(), row.overdraft_limit) {
                (Some("customer"), Some(limit)) => {
                    let limit = OverdraftLimit::from_minor(limit);
                    Some(in_range("accounts", "overdraft_limit", row.account_id, limit)?.floor())
                }
                _ => None,
            };
            let entry = EntryRow {
                account_id: row.account_id,
                version: row.version,
                transfer_id: row.transfer_id,
                amount: row.amount,
                balance_after: row.balance_after,
                created_at: row.created_at,
            };
            Ok(Audited {
                entry: entry.into(),
                has_transfer: row.has_transfer,
                has_account: row.account_kind.is_some(),
                floor,
            })
        })
        .collect()
}

/// How many rows an auditor will read: accounts with their limits, transfers, entries, records, holds and reversals together.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn audit_rows(tx: &mut Tx<'_>) -> Result<i64, Error> {
    let count = sqlx::query_scalar!(
        r#"
        select (select count(*) from simplebank.accounts)
             + (select count(*) from simplebank.transfers)
             + (select count(*) from simplebank.entries)
             + (select count(*) from simplebank.idempotency)
             + (select count(*) from simplebank.account_limits)
             + (select count(*) from simplebank.holds)
             + (select count(*) from simplebank.reversals) as "count!"
        "#
    );
    Ok(count.fetch_one(tx.connection()).await?)
}
