//! The table `idempotency`: what was answered to whom under which key.

use simplebank_core::{
    AccountId, IdempotencyKey, Rejection, TransferId, UserId, transfer::Transfer,
};
use thiserror::Error as ThisError;
use uuid::Uuid;

use crate::{
    Error, Tx,
    row::{TransferRow, parse},
};

/// What was answered to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose key.
    pub owner: UserId,
    /// The key.
    pub key: IdempotencyKey,
    /// SHA-256 of the order's content.
    pub content_hash: [u8; 32],
    /// The answer.
    pub outcome: Outcome,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The order became this transfer.
    Posted(TransferId),
    /// The order was refused.
    Refused(Rejection),
}

#[derive(Debug, ThisError)]
#[error("not an answer")]
struct NotAnAnswer;

impl Record {
    pub(crate) fn from_row(
        owner: Uuid,
        key: &str,
        content_hash: &[u8],
        transfer_id: Option<Uuid>,
        rejection_code: Option<String>,
        rejection_account_id: Option<Uuid>,
    ) -> Result<Self, Error> {
        const TABLE: &str = "idempotency";
        let row = || format!("{owner}/{key}");
        let no_answer = |column| Error::inconsistent(TABLE, column, row(), NotAnAnswer);
        let outcome = match (transfer_id, rejection_code) {
            (Some(id), None) => Outcome::Posted(TransferId::from_uuid(id)),
            (None, Some(code)) => {
                Rejection::of_order(&code, rejection_account_id.map(AccountId::from_uuid))
                    .map(Outcome::Refused)
                    .ok_or_else(|| no_answer("rejection_code"))?
            }
            (Some(_), Some(_)) | (None, None) => return Err(no_answer("transfer_id")),
        };
        Ok(Self {
            owner: UserId::from_uuid(owner),
            key: parse(TABLE, "key", row(), key)?,
            content_hash: content_hash.try_into().map_err(|_| no_answer("content_hash"))?,
            outcome,
        })
    }
}

/// Up to `limit` records that say "posted" after the one of `after`, in ascending order of owner and key, each with its
/// transfer if that exists, for an auditor.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn audit_posted(
    tx: &mut Tx<'_>,
    after: Option<(UserId, &IdempotencyKey)>,
    limit: i64,
) -> Result<Vec<(Record, Option<Transfer>)>, Error> {
    let (owner, key) =
        after.map_or((Uuid::nil(), ""), |(owner, key)| (owner.as_uuid(), key.as_str()));
    let rows = sqlx::query!(
        r#"
        select i.owner_id, i.key, i.content_hash, i.transfer_id as "transfer_id!", t.kind as "kind?",
               t.from_account_id as "from_account_id?", t.to_account_id as "to_account_id?", t.amount as "amount?",
               t.currency as "currency?", t.created_by as "created_by?", t.created_at as "created_at?"
        from simplebank.idempotency i
        left join simplebank.transfers t on t.id = i.transfer_id
        where (i.owner_id, i.key) > ($1, $2)
          and i.transfer_id is not null
        order by i.owner_id, i.key
        limit $3
        "#,
        owner,
        key,
        limit,
    )
    .fetch_all(tx.connection())
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row.transfer_id;
        let record =
            Record::from_row(row.owner_id, &row.key, &row.content_hash, Some(id), None, None)?;
        let columns = (
            row.kind,
            row.from_account_id,
            row.to_account_id,
            row.amount,
            row.currency,
            row.created_by,
            row.created_at,
        );
        let transfer = match columns {
            (
                Some(kind),
                Some(from_account_id),
                Some(to_account_id),
                Some(amount),
                Some(currency),
                Some(created_by),
                Some(created_at),
            ) => {
                let row = TransferRow {
                    id,
                    kind,
                    from_account_id,
                    to_account_id,
                    amount,
                    currency,
                    created_by,
                    created_at,
                };
                Some(row.try_into()?)
            }
            _ => None,
        };
        found.push((record, transfer));
    }
    Ok(found)
}
