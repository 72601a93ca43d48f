//! The table `idempotency`: what was answered to whom under which key.

use simplebank_core::{AccountId, IdempotencyKey, Rejection, TransferId, UserId};
use thiserror::Error as ThisError;
use uuid::Uuid;

use crate::{Error, Tx, row::parse};

/// What was answered to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose key.
    pub owner: UserId,
    /// The key.
    pub key: IdempotencyKey,
    /// SHA-256 of the order's content, its owner and its key.
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

/// Up to `limit` records after the one of `after`, in ascending order of owner and key, for an auditor.
///
/// # Errors
///
/// [`Error::Inconsistent`] for a record that is no answer.
pub async fn audit(
    tx: &mut Tx<'_>,
    after: Option<(UserId, &IdempotencyKey)>,
    limit: i64,
) -> Result<Vec<Record>, Error> {
    let (owner, key) =
        after.map_or((Uuid::nil(), ""), |(owner, key)| (owner.as_uuid(), key.as_str()));
    let rows = sqlx::query!(
        r#"
        select owner_id, key, content_hash, transfer_id, rejection_code, rejection_account_id
        from simplebank.idempotency
        where (owner_id, key) > ($1, $2)
        order by owner_id, key
        limit $3
        "#,
        owner,
        key,
        limit,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            let (owner, key, hash) = (row.owner_id, &row.key, &row.content_hash);
            Record::from_row(
                owner,
                key,
                hash,
                row.transfer_id,
                row.rejection_code,
                row.rejection_account_id,
            )
        })
        .collect()
}
