//! The table `transfers`.

use simplebank_core::{AccountId, Currency, TransferId, transfer::Transfer};
use uuid::Uuid;

use crate::{
    Error, Tx,
    row::{TransferRow, next_id, parse},
};

/// The transfer, or `None`.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn find(tx: &mut Tx<'_>, id: TransferId) -> Result<Option<Transfer>, Error> {
    let row = sqlx::query_as!(
        TransferRow,
        r#"
        select id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at
        from simplebank.transfers
        where id = $1
        "#,
        id.as_uuid(),
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(Transfer::try_from).transpose()
}

/// Those of some transfers that exist, in ascending order of their ids.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn find_all(tx: &mut Tx<'_>, ids: &[TransferId]) -> Result<Vec<Transfer>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query_as!(
        TransferRow,
        r#"
        select id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at
        from simplebank.transfers
        where id = any($1)
        order by id
        "#,
        &ids,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Transfer::try_from).collect()
}

/// Up to `limit` transfers of an account below its entry `before`, newest first, each with the version of that entry.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn list(
    tx: &mut Tx<'_>,
    account: AccountId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<(i64, Transfer)>, Error> {
    // By way of the entries, whose key is in the order asked for: no index on `transfers` is needed, and a page costs the
    // same anywhere in a long list.
    let rows = sqlx::query!(
        r#"
        select e.version, t.id, t.kind, t.from_account_id, t.to_account_id, t.amount, t.currency, t.created_by, t.created_at
        from simplebank.entries e
        join simplebank.transfers t on t.id = e.transfer_id
        where e.account_id = $1
          and e.version < $2
        order by e.version desc
        limit $3
        "#,
        account.as_uuid(),
        before.unwrap_or(i64::MAX),
        limit,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            let transfer = TransferRow {
                id: row.id,
                kind: row.kind,
                from_account_id: row.from_account_id,
                to_account_id: row.to_account_id,
                amount: row.amount,
                currency: row.currency,
                created_by: row.created_by,
                created_at: row.created_at,
            };
            Ok((row.version, transfer.try_into()?))
        })
        .collect()
}

/// A transfer and what an auditor compares it with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// The transfer.
    pub transfer: Transfer,
    /// The currency of the account that paid, if it exists.
    pub from_currency: Option<Currency>,
    /// The currency of the account that was paid, if it exists.
    pub to_currency: Option<Currency>,
    /// True when an answer is recorded for it.
    pub has_record: bool,
}

/// Up to `limit` transfers after the one with id `after`, in ascending order of their ids, for an auditor.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn audit(
    tx: &mut Tx<'_>,
    after: Option<TransferId>,
    limit: i64,
) -> Result<Vec<Audited>, Error> {
    let rows = sqlx::query!(
        r#"
        select t.id, t.kind, t.from_account_id, t.to_account_id, t.amount, t.currency, t.created_by, t.created_at,
               f.currency as "from_currency?", o.currency as "to_currency?",
               exists (select from simplebank.idempotency i where i.transfer_id = t.id) as "has_record!"
        from simplebank.transfers t
        left join simplebank.accounts f on f.id = t.from_account_id
        left join simplebank.accounts o on o.id = t.to_account_id
        where t.id >= $1
        order by t.id
        limit $2
        "#,
        next_id(after.map(TransferId::as_uuid)),
        limit,
    )
    .fetch_all(tx.connection())
    .await?;
    let currency = |id: Uuid, code: Option<String>| -> Result<Option<Currency>, Error> {
        code.map(|code| parse("accounts", "currency", id, &code)).transpose()
    };
    rows.into_iter()
        .map(|row| {
            let (from, to) = (row.from_account_id, row.to_account_id);
            let transfer = TransferRow {
                id: row.id,
                kind: row.kind,
                from_account_id: from,
                to_account_id: to,
                amount: row.amount,
                currency: row.currency,
                created_by: row.created_by,
                created_at: row.created_at,
            };
            Ok(Audited {
                transfer: transfer.try_into()?,
                from_currency: currency(from, row.from_currency)?,
                to_currency: currency(to, row.to_currency)?,
                has_record: row.has_record,
            })
        })
        .collect()
}
