//! The table `holds`.

use simplebank_core::{AccountId, Currency, Hold, HoldId, hold::State};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    Error, Tx,
    row::{HoldRow, next_id, parse},
};

/// Those of some holds that exist.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn find_all(tx: &mut Tx<'_>, ids: &[HoldId]) -> Result<Vec<Hold>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query_as!(
        HoldRow,
        r#"
        select id, from_account_id, to_account_id, amount, currency, description, reference, created_by, created_at,
               expires_at, state, captured_by, captured_amount, resolved_at
        from simplebank.holds
        where id = any($1)
        order by id
        "#,
        &ids,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Hold::try_from).collect()
}

/// Up to `limit` holds on an account, and for it, that were placed before the hold `before`, newest first.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn list(
    tx: &mut Tx<'_>,
    account: AccountId,
    before: Option<HoldId>,
    limit: i64,
) -> Result<Vec<Hold>, Error> {
    // Each side has an index of its own in the order asked for, so that a page costs the same anywhere in a long list.
    let rows = sqlx::query_as!(
        HoldRow,
        r#"
        select h.id as "id!", h.from_account_id as "from_account_id!", h.to_account_id as "to_account_id!", h.amount as "amount!",
               h.currency as "currency!", h.description, h.reference, h.created_by as "created_by!",
               h.created_at as "created_at!", h.expires_at as "expires_at!", h.state as "state!", h.captured_by,
               h.captured_amount, h.resolved_at
        from (
            (select o.*
             from simplebank.holds o
             where o.from_account_id = $1
               and o.id < $2
             order by o.id desc
             limit $3)
            union all
            (select i.*
             from simplebank.holds i
             where i.to_account_id = $1
               and i.id < $2
             order by i.id desc
             limit $3)
        ) h
        order by h.id desc
        limit $3
        "#,
        account.as_uuid(),
        // No id is the greatest: its version is 7.
        before.map_or(Uuid::max(), HoldId::as_uuid),
        limit,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Hold::try_from).collect()
}

/// The holds on some accounts that still count as open although their time is over at `now`.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn due(
    tx: &mut Tx<'_>,
    accounts: &[AccountId],
    now: OffsetDateTime,
) -> Result<Vec<Hold>, Error> {
    let accounts: Vec<Uuid> = accounts.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query_as!(
        HoldRow,
        r#"
        select id, from_account_id, to_account_id, amount, currency, description, reference, created_by, created_at,
               expires_at, state, captured_by, captured_amount, resolved_at
        from simplebank.holds
        where from_account_id = any($1)
          and state = 'open'
          and expires_at <= $2
        order by id
        "#,
        &accounts,
        now,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Hold::try_from).collect()
}

/// A hold that still holds something of an account, or for it, at `now`, if there is one.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn first_open(
    tx: &mut Tx<'_>,
    account: AccountId,
    now: OffsetDateTime,
) -> Result<Option<Hold>, Error> {
    let row = sqlx::query_as!(
        HoldRow,
        r#"
        select id, from_account_id, to_account_id, amount, currency, description, reference, created_by, created_at,
               expires_at, state, captured_by, captured_amount, resolved_at
        from simplebank.holds
        where (from_account_id = $1 or to_account_id = $1)
          and state = 'open'
          and expires_at > $2
        order by id
        limit 1
        "#,
        account.as_uuid(),
        now,
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(Hold::try_from).transpose()
}

/// A hold and what an auditor compares it with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// The hold.
    pub hold: Hold,
    /// The currencies of who pays and of who is paid, if they exist.
    pub currencies: [Option<Currency>; 2],
}

/// Up to `limit` holds after the one with id `after`, in ascending order of their ids, for an auditor.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn audit(
    tx: &mut Tx<'_>,
    after: Option<HoldId>,
    limit: i64,
) -> Result<Vec<Audited>, Error> {
    let rows = sqlx::query!(
        r#"
        select h.id, h.from_account_id, h.to_account_id, h.amount, h.currency, h.description, h.reference, h.created_by,
               h.created_at, h.expires_at, h.state, h.captured_by, h.captured_amount, h.resolved_at,
               f.currency as "from_currency?", o.currency as "to_currency?"
        from simplebank.holds h
        left join simplebank.accounts f on f.id = h.from_account_id
        left join simplebank.accounts o on o.id = h.to_account_id
        where h.id >= $1
        order by h.id
        limit $2
        "#,
        next_id(after.map(HoldId::as_uuid)),
        limit,
    )
    .fetch_all(tx.connection())
    .await?;
    let currency = |id: Uuid, code: Option<String>| -> Result<Option<Currency>, Error> {
        code.map(|code| parse("accounts", "currency", id, &code)).transpose()
    };
    rows.into_iter()
        .map(|row| {
            let currencies = [
                currency(row.from_account_id, row.from_currency)?,
                currency(row.to_account_id, row.to_currency)?,
            ];
            let hold = HoldRow {
                id: row.id,
                from_account_id: row.from_account_id,
                to_account_id: row.to_account_id,
                amount: row.amount,
                currency: row.currency,
                description: row.description,
                reference: row.reference,
                created_by: row.created_by,
                created_at: row.created_at,
                expires_at: row.expires_at,
                state: row.state,
                captured_by: row.captured_by,
                captured_amount: row.captured_amount,
                resolved_at: row.resolved_at,
            };
            Ok(Audited { hold: hold.try_into()?, currencies })
        })
        .collect()
}

/// The first hold for which not exactly the answers are recorded that it came from: one when it was placed, and another one
/// when it was voided. For an auditor.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn without_records(tx: &mut Tx<'_>) -> Result<Option<HoldId>, Error> {
    let id = sqlx::query_scalar!(
        r#"
        select h.id
        from simplebank.holds h
        left join simplebank.idempotency i on i.hold_id = h.id
        group by h.id
        having count(i.key) <> case when h.state = 'voided' then 2 else 1 end
        order by h.id
        limit 1
        "#
    );
    Ok(id.fetch_optional(tx.connection()).await?.map(HoldId::from_uuid))
}

/// Stores new holds. Those that have ended already are left for [`resolve_all`].
///
/// # Errors
///
/// Whatever the database answers.
#[expect(
    clippy::as_conversions,
    reason = "how `query!` is told that an array holds nulls; it converts nothing"
)]
pub async fn insert_all(tx: &mut Tx<'_>, holds: &[&Hold]) -> Result<(), Error> {
    let column =
        |of: fn(&Hold) -> Uuid| -> Vec<Uuid> { holds.iter().map(|hold| of(hold)).collect() };
    let amounts: Vec<i64> = holds.iter().map(|hold| hold.amount.minor()).collect();
    let currencies: Vec<String> =
        holds.iter().map(|hold| hold.currency.code().to_owned()).collect();
    let descriptions: Vec<Option<String>> =
        holds.iter().map(|hold| hold.memo.description.as_ref().map(ToString::to_string)).collect();
    let references: Vec<Option<String>> =
        holds.iter().map(|hold| hold.memo.reference.as_ref().map(ToString::to_string)).collect();
    let created_at: Vec<OffsetDateTime> = holds.iter().map(|hold| hold.created_at).collect();
    let expires_at: Vec<OffsetDateTime> = holds.iter().map(|hold| hold.expires_at).collect();
    sqlx::query!(
        r#"
        insert into simplebank.holds
            (id, from_account_id, to_account_id, amount, currency, description, reference, created_by, created_at, expires_at)
        select id, from_account_id, to_account_id, amount, currency, description, reference, created_by, created_at, expires_at
        from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::uuid[],
                    $9::timestamptz[], $10::timestamptz[])
            as h (id, from_account_id, to_account_id, amount, currency, description, reference, created_by, created_at, expires_at)
        "#,
        &column(|hold| hold.id.as_uuid()),
        &column(|hold| hold.from_account_id.as_uuid()),
        &column(|hold| hold.to_account_id.as_uuid()),
        &amounts,
        &currencies,
        &descriptions as &[Option<String>],
        &references as &[Option<String>],
        &column(|hold| hold.created_by.as_uuid()),
        &created_at,
        &expires_at,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Writes down how holds have ended; each of them ends once.
///
/// # Errors
///
/// Whatever the database answers: a hold that had ended before is refused.
#[expect(
    clippy::as_conversions,
    reason = "how `query!` is told that an array holds nulls; it converts nothing"
)]
pub async fn resolve_all(tx: &mut Tx<'_>, holds: &[&Hold]) -> Result<(), Error> {
    let ids: Vec<Uuid> = holds.iter().map(|hold| hold.id.as_uuid()).collect();
    let states: Vec<String> = holds.iter().map(|hold| hold.state.as_str().to_owned()).collect();
    let (mut captured_by, mut captured_amounts, mut resolved_at) = (vec![], vec![], vec![]);
    for hold in holds {
        let (by, amount, at) = match hold.state {
            State::Open | State::Expired => (None, None, None),
            State::Captured { transfer_id, amount, at } => {
                (Some(transfer_id.as_uuid()), Some(amount.minor()), Some(at))
            }
            State::Voided { at } => (None, None, Some(at)),
        };
        captured_by.push(by);
        captured_amounts.push(amount);
        resolved_at.push(at);
    }
    sqlx::query!(
        r#"
        update simplebank.holds h
        set state = r.state, captured_by = r.captured_by, captured_amount = r.captured_amount, resolved_at = r.resolved_at
        from unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::timestamptz[])
            as r (id, state, captured_by, captured_amount, resolved_at)
        where h.id = r.id
        "#,
        &ids,
        &states,
        &captured_by as &[Option<Uuid>],
        &captured_amounts as &[Option<i64>],
        &resolved_at as &[Option<OffsetDateTime>],
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}
