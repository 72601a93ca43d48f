//! The table `transfers`.

use simplebank_core::{AccountId, Currency, TransferId, memo::Reference, transfer::Transfer};
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
        select id, kind, from_account_id, to_account_id, amount, currency, description, reference, hold_id, reverses_id,
               created_by, created_at
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
        select id, kind, from_account_id, to_account_id, amount, currency, description, reference, hold_id, reverses_id,
               created_by, created_at
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
        select e.version, t.id, t.kind, t.from_account_id, t.to_account_id, t.amount, t.currency, t.description, t.reference,
               t.hold_id, t.reverses_id, t.created_by, t.created_at
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
                description: row.description,
                reference: row.reference,
                hold_id: row.hold_id,
                reverses_id: row.reverses_id,
                created_by: row.created_by,
                created_at: row.created_at,
            };
            Ok((row.version, transfer.try_into()?))
        })
        .collect()
}

/// Up to `limit` transfers of an account that bear a reference, below its entry `before`, newest first, each with the version
/// of its entry.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn list_by_reference(
    tx: &mut Tx<'_>,
    account: AccountId,
    reference: &Reference,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<(i64, Transfer)>, Error> {
    // Each side by an index that is in the order asked for, so a page reads no more than twice its rows.
    let rows = sqlx::query!(
        r#"
        select version as "version!", t.id as "id!", t.kind as "kind!", t.from_account_id as "from_account_id!",
               t.to_account_id as "to_account_id!", t.amount as "amount!", t.currency as "currency!", t.description, t.reference,
               t.hold_id, t.reverses_id, t.created_by as "created_by!", t.created_at as "created_at!"
        from (
            (
                select f.from_version as version, f.*
                from simplebank.transfers f
                where f.from_account_id = $1
                  and f.reference = $2
                  and f.from_version < $3
                order by f.from_version desc
                limit $4
            )
            union all
            (
                select o.to_version, o.*
                from simplebank.transfers o
                where o.to_account_id = $1
                  and o.reference = $2
                  and o.to_version < $3
                order by o.to_version desc
                limit $4
            )
        ) t
        order by version desc
        limit $4
        "#,
        account.as_uuid(),
        reference.as_str(),
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
                description: row.description,
                reference: row.reference,
                hold_id: row.hold_id,
                reverses_id: row.reverses_id,
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
    /// False when it captures a hold that does not exist, or that another has captured.
    pub has_hold: bool,
    /// False when it reverses a transfer that does not count it.
    pub is_counted: bool,
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
        select t.id, t.kind, t.from_account_id, t.to_account_id, t.amount, t.currency, t.description, t.reference,
               t.hold_id, t.reverses_id, t.created_by, t.created_at,
               f.currency as "from_currency?", o.currency as "to_currency?",
               (t.hold_id is null or exists (
                   select from simplebank.holds h where h.id = t.hold_id and h.captured_by = t.id
               )) as "has_hold!",
               (t.reverses_id is null or exists (
                   select from simplebank.reversals r where r.reversal_id = t.id and r.transfer_id = t.reverses_id
               )) as "is_counted!"
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
                description: row.description,
                reference: row.reference,
                hold_id: row.hold_id,
                reverses_id: row.reverses_id,
                created_by: row.created_by,
                created_at: row.created_at,
            };
            Ok(Audited {
                transfer: transfer.try_into()?,
                from_currency: currency(from, row.from_currency)?,
                to_currency: currency(to, row.to_currency)?,
                has_hold: row.has_hold,
                is_counted: row.is_counted,
            })
        })
        .collect()
}

/// The first transfer for which no answer is recorded, or more than one, for an auditor.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn without_one_record(tx: &mut Tx<'_>) -> Result<Option<TransferId>, Error> {
    let id = sqlx::query_scalar!(
        r#"
        select id as "id!"
        from (
            select id, 0 as answers from simplebank.transfers
            union all
            select transfer_id, 1 from simplebank.idempotency where transfer_id is not null
        ) as counted
        group by id
        having sum(answers) <> 1
        order by id
        limit 1
        "#
    );
    Ok(id.fetch_optional(tx.connection()).await?.map(TransferId::from_uuid))
}
