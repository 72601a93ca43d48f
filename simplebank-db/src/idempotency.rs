//! The table `idempotency`: what was answered to whom under which key.

use simplebank_core::{HoldId, IdempotencyKey, Rejection, TransferId, UserId};
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
    /// The order placed this hold, or voided it.
    Held(HoldId),
    /// The order was refused.
    Refused(Rejection),
}

#[derive(Debug, ThisError)]
#[error("not an answer")]
struct NotAnAnswer;

struct RecordRow {
    owner_id: Uuid,
    key: String,
    content_hash: Vec<u8>,
    transfer_id: Option<Uuid>,
    hold_id: Option<Uuid>,
    rejection_code: Option<String>,
    rejection_subject_id: Option<Uuid>,
}

impl TryFrom<RecordRow> for Record {
    type Error = Error;

    fn try_from(row: RecordRow) -> Result<Self, Error> {
        const TABLE: &str = "idempotency";
        let name = || format!("{}/{}", row.owner_id, row.key);
        let no_answer = |column| Error::inconsistent(TABLE, column, name(), NotAnAnswer);
        let outcome = match (row.transfer_id, row.hold_id, &row.rejection_code) {
            (Some(id), None, None) => Outcome::Posted(TransferId::from_uuid(id)),
            (None, Some(id), None) => Outcome::Held(HoldId::from_uuid(id)),
            (None, None, Some(code)) => Rejection::of_order(code, row.rejection_subject_id)
                .map(Outcome::Refused)
                .ok_or_else(|| no_answer("rejection_code"))?,
            (_, _, _) => return Err(no_answer("transfer_id")),
        };
        let content_hash = row.content_hash.as_slice().try_into();
        Ok(Self {
            owner: UserId::from_uuid(row.owner_id),
            key: parse(TABLE, "key", name(), &row.key)?,
            content_hash: content_hash.map_err(|_| no_answer("content_hash"))?,
            outcome,
        })
    }
}

/// What was answered under those of some keys that were used.
///
/// A record that is being written by somebody else right now is not seen.
///
/// # Errors
///
/// [`Error::Inconsistent`] for a record that is no answer.
pub async fn find_all(
    tx: &mut Tx<'_>,
    keys: &[(UserId, &IdempotencyKey)],
) -> Result<Vec<Record>, Error> {
    let owners: Vec<Uuid> = keys.iter().map(|(owner, _)| owner.as_uuid()).collect();
    let keys: Vec<String> = keys.iter().map(|(_, key)| key.as_str().to_owned()).collect();
    let rows = sqlx::query_as!(
        RecordRow,
        r#"
        select i.owner_id, i.key, i.content_hash, i.transfer_id, i.hold_id, i.rejection_code, i.rejection_subject_id
        from unnest($1::uuid[], $2::text[]) as wanted (owner_id, key)
        join simplebank.idempotency i on i.owner_id = wanted.owner_id and i.key = wanted.key
        "#,
        &owners,
        &keys,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Record::try_from).collect()
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
    let rows = sqlx::query_as!(
        RecordRow,
        r#"
        select owner_id, key, content_hash, transfer_id, hold_id, rejection_code, rejection_subject_id
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
    rows.into_iter().map(Record::try_from).collect()
}
