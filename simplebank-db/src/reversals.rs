//! The table `reversals`: how much of a transfer has been given back.

use simplebank_core::{
    Balance, TransferId,
    ledger::ReversalRow,
    transfer::{Posting, Reversal, Reversible},
};
use uuid::Uuid;

use crate::{Error, Tx, transfers};

/// Those of some transfers that exist, each with how much of it has been given back. Lock their accounts before.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn find_all(tx: &mut Tx<'_>, ids: &[TransferId]) -> Result<Vec<Reversible>, Error> {
    let transfers = transfers::find_all(tx, ids).await?;
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"
        select distinct on (transfer_id) transfer_id, number, reversed
        from simplebank.reversals
        where transfer_id = any($1)
        order by transfer_id, number desc
        "#,
        &ids,
    )
    .fetch_all(tx.connection())
    .await?;
    let newest = |id: TransferId| rows.iter().find(|row| row.transfer_id == id.as_uuid());
    Ok(transfers
        .into_iter()
        .map(|transfer| {
            let newest = newest(transfer.id);
            Reversible {
                reversals: newest.map_or(0, |row| row.number),
                reversed: Balance::from_minor(newest.map_or(0, |row| row.reversed)),
                transfer,
            }
        })
        .collect())
}

/// Stores how reversals count towards what they reverse, each with the amount of the whole. Their transfers are stored
/// before.
///
/// # Errors
///
/// Whatever the database answers: none goes beyond the whole.
pub async fn insert_all(
    tx: &mut Tx<'_>,
    reversals: &[(&Posting, Reversal, i64)],
) -> Result<(), Error> {
    let of = |posting: &Posting| posting.transfer().reverses_id.map(TransferId::as_uuid);
    let transfer_ids: Vec<Uuid> =
        reversals.iter().filter_map(|(posting, _, _)| of(posting)).collect();
    let numbers: Vec<i64> = reversals.iter().map(|(_, reversal, _)| reversal.number).collect();
    let ids: Vec<Uuid> =
        reversals.iter().map(|(posting, _, _)| posting.transfer().id.as_uuid()).collect();
    let reversed: Vec<i64> =
        reversals.iter().map(|(_, reversal, _)| reversal.reversed.minor()).collect();
    let wholes: Vec<i64> = reversals.iter().map(|(_, _, whole)| *whole).collect();
    sqlx::query!(
        r#"
        insert into simplebank.reversals (transfer_id, number, reversal_id, reversed, whole)
        select transfer_id, number, reversal_id, reversed, whole
        from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[])
            as r (transfer_id, number, reversal_id, reversed, whole)
        "#,
        &transfer_ids,
        &numbers,
        &ids,
        &reversed,
        &wholes,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Up to `limit` rows after the one of `after`, in ascending order of transfer and number, for an auditor.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn audit(
    tx: &mut Tx<'_>,
    after: Option<(TransferId, i64)>,
    limit: i64,
) -> Result<Vec<ReversalRow>, Error> {
    let (transfer, number) =
        after.map_or((Uuid::nil(), i64::MIN), |(transfer, number)| (transfer.as_uuid(), number));
    let rows = sqlx::query!(
        r#"
        select transfer_id, number, reversal_id, reversed, whole
        from simplebank.reversals
        where (transfer_id, number) > ($1, $2)
        order by transfer_id, number
        limit $3
        "#,
        transfer,
        number,
        limit,
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ReversalRow {
            transfer_id: TransferId::from_uuid(row.transfer_id),
            number: row.number,
            reversal_id: TransferId::from_uuid(row.reversal_id),
            reversed: Balance::from_minor(row.reversed),
            whole: Balance::from_minor(row.whole),
        })
        .collect())
}
