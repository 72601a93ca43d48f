//! The road that money takes: two statements for any number of orders, over the tables `accounts`, `transfers`, `entries`
//! and `idempotency`.
//!
//! 1. [`lock`] reads what was answered before under the keys and locks the accounts.
//! 2. The caller decides, in memory.
//! 3. [`write()`] stores transfers, entries, balances and answers.
//!
//! Between them stands nothing else, so a batch costs four round trips with BEGIN and COMMIT, whatever its size.

use simplebank_core::{
    AccountId, IdempotencyKey, Rejection, TransferId, UserId,
    account::Account,
    transfer::{Entry, LockedAccounts, Posting, Transfer},
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    Error, Tx,
    idempotency::{Outcome, Record},
    row::{AccountRow, EntryRow, TransferRow, in_range},
};

/// What [`lock`] found.
#[derive(Debug, Default)]
pub struct Locked {
    /// The accounts, locked until the transaction ends.
    pub accounts: LockedAccounts,
    /// What was answered before, for those of the keys that were used.
    pub records: Vec<Record>,
}

/// Reads the records of `keys` and locks the accounts `ids`, in ascending order of their ids, so that two batches never
/// wait for each other.
///
/// A record that is being written by somebody else right now is not seen: [`write()`] meets it as a violation of
/// [`Constraint::IdempotencyKey`](crate::Constraint::IdempotencyKey), and a second attempt finds it.
///
/// # Errors
///
/// [`Error::Overload`] when a lock is not to be had in time.
#[expect(clippy::too_many_lines, reason = "one statement and the rows it answers with")]
pub async fn lock(
    tx: &mut Tx<'_>,
    keys: &[(UserId, &IdempotencyKey)],
    ids: &[AccountId],
) -> Result<Locked, Error> {
    let owners: Vec<Uuid> = keys.iter().map(|(owner, _)| owner.as_uuid()).collect();
    let keys: Vec<String> = keys.iter().map(|(_, key)| key.as_str().to_owned()).collect();
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    // Rows are locked in the order in which the sort hands them on. `no key`: the foreign keys of other transfers may be
    // checked meanwhile. The join on false puts two unrelated lists into one answer.
    let rows = sqlx::query!(
        r#"
        with locked as materialized (
            select a.id, a.owner_id, u.username, a.currency, a.balance, a.version, a.overdraft_limit, a.status, a.created_at
            from simplebank.accounts a
            left join simplebank.users u on u.id = a.owner_id
            where a.id = any($1)
            order by a.id
            for no key update of a
        ), recorded as materialized (
            select i.owner_id, i.key, i.content_hash, i.transfer_id, i.rejection_code, i.rejection_account_id
            from unnest($2::uuid[], $3::text[]) as wanted (owner_id, key)
            join simplebank.idempotency i on i.owner_id = wanted.owner_id and i.key = wanted.key
        )
        select l.id as "id?", l.owner_id as "owner_id?", l.username as "username?", l.currency as "currency?",
               l.balance as "balance?", l.version as "version?", l.overdraft_limit as "overdraft_limit?",
               l.status as "status?", l.created_at as "created_at?",
               r.owner_id as "record_owner_id?", r.key as "key?", r.content_hash as "content_hash?",
               r.transfer_id as "transfer_id?", r.rejection_code as "rejection_code?",
               r.rejection_account_id as "rejection_account_id?"
        from locked l
        full join recorded r on false
        "#,
        &ids,
        &owners,
        &keys,
    )
    .fetch_all(tx.connection())
    .await?;

    let (mut accounts, mut records) = (Vec::new(), Vec::new());
    for row in rows {
        if let (
            Some(id),
            Some(currency),
            Some(balance),
            Some(version),
            Some(overdraft_limit),
            Some(status),
            Some(created_at),
        ) = (
            row.id,
            row.currency,
            row.balance,
            row.version,
            row.overdraft_limit,
            row.status,
            row.created_at,
        ) {
            let (owner_id, owner_username) = (row.owner_id, row.username);
            accounts.push(Account::try_from(AccountRow {
                id,
                owner_id,
                owner_username,
                currency,
                balance,
                version,
                overdraft_limit,
                status,
                created_at,
            })?);
        } else if let (Some(owner), Some(key), Some(hash)) =
            (row.record_owner_id, row.key, row.content_hash)
        {
            records.push(Record::from_row(
                owner,
                &key,
                &hash,
                row.transfer_id,
                row.rejection_code,
                row.rejection_account_id,
            )?);
        }
    }
    Ok(Locked { accounts: accounts.into_iter().collect(), records })
}

/// Stores the records, the postings of those that were accepted, and the new balances of `accounts`.
///
/// # Errors
///
/// [`Error::Constraint`] with [`Constraint::IdempotencyKey`](crate::Constraint::IdempotencyKey) when somebody else has
/// answered one of the keys since [`lock`].
#[expect(
    clippy::as_conversions,
    reason = "how `query!` is told that an array holds nulls; it converts nothing"
)]
pub async fn write(
    tx: &mut Tx<'_>,
    postings: &[&Posting],
    records: &[Record],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let t = TransferColumns::from(postings);
    let e = EntryColumns::from(postings);
    let i = RecordColumns::from(records);
    // Foreign keys are checked at the end of the statement, so its parts may refer to each other. The newest entry of an
    // account in this batch has its new balance and version.
    sqlx::query!(
        r#"
        with new_transfers as (
            insert into simplebank.transfers
                (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at)
            select id, kind, from_account_id, to_account_id, amount, currency, created_by, $8
            from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::uuid[])
                as t (id, kind, from_account_id, to_account_id, amount, currency, created_by)
        ), new_entries as (
            insert into simplebank.entries (account_id, version, transfer_id, amount, balance_after, created_at)
            select account_id, version, transfer_id, amount, balance_after, $8
            from unnest($9::uuid[], $10::bigint[], $11::uuid[], $12::bigint[], $13::bigint[])
                as e (account_id, version, transfer_id, amount, balance_after)
        ), new_balances as (
            update simplebank.accounts a
            set balance = newest.balance_after, version = newest.version
            from (
                select distinct on (account_id) account_id, version, balance_after
                from unnest($9::uuid[], $10::bigint[], $13::bigint[]) as e (account_id, version, balance_after)
                order by account_id, version desc
            ) as newest
            where a.id = newest.account_id
        )
        insert into simplebank.idempotency
            (owner_id, key, content_hash, transfer_id, rejection_code, rejection_account_id, created_at)
        select owner_id, key, content_hash, transfer_id, rejection_code, rejection_account_id, $8
        from unnest($14::uuid[], $15::text[], $16::bytea[], $17::uuid[], $18::text[], $19::uuid[])
            as i (owner_id, key, content_hash, transfer_id, rejection_code, rejection_account_id)
        "#,
        &t.ids,
        &t.kinds,
        &t.from_account_ids,
        &t.to_account_ids,
        &t.amounts,
        &t.currencies,
        &t.created_by,
        now,
        &e.account_ids,
        &e.versions,
        &e.transfer_ids,
        &e.amounts,
        &e.balances_after,
        &i.owner_ids,
        &i.keys,
        &i.content_hashes,
        &i.transfer_ids as &[Option<Uuid>],
        &i.rejection_codes as &[Option<String>],
        &i.rejection_account_ids as &[Option<Uuid>],
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

#[derive(Default)]
struct TransferColumns {
    ids: Vec<Uuid>,
    kinds: Vec<String>,
    from_account_ids: Vec<Uuid>,
    to_account_ids: Vec<Uuid>,
    amounts: Vec<i64>,
    currencies: Vec<String>,
    created_by: Vec<Uuid>,
}

impl From<&[&Posting]> for TransferColumns {
    fn from(postings: &[&Posting]) -> Self {
        let mut columns = Self::default();
        for transfer in postings.iter().map(|posting| posting.transfer()) {
            columns.ids.push(transfer.id.as_uuid());
            columns.kinds.push(transfer.kind.as_str().to_owned());
            columns.from_account_ids.push(transfer.from_account_id.as_uuid());
            columns.to_account_ids.push(transfer.to_account_id.as_uuid());
            columns.amounts.push(transfer.amount.minor());
            columns.currencies.push(transfer.currency.code().to_owned());
            columns.created_by.push(transfer.created_by.as_uuid());
        }
        columns
    }
}

#[derive(Default)]
struct EntryColumns {
    account_ids: Vec<Uuid>,
    versions: Vec<i64>,
    transfer_ids: Vec<Uuid>,
    amounts: Vec<i64>,
    balances_after: Vec<i64>,
}

impl From<&[&Posting]> for EntryColumns {
    fn from(postings: &[&Posting]) -> Self {
        let mut columns = Self::default();
        for entry in postings.iter().flat_map(|posting| posting.entries()) {
            columns.account_ids.push(entry.account_id.as_uuid());
            columns.versions.push(entry.version);
            columns.transfer_ids.push(entry.transfer_id.as_uuid());
            columns.amounts.push(entry.amount.minor());
            columns.balances_after.push(entry.balance_after.minor());
        }
        columns
    }
}

#[derive(Default)]
struct RecordColumns {
    owner_ids: Vec<Uuid>,
    keys: Vec<String>,
    content_hashes: Vec<Vec<u8>>,
    transfer_ids: Vec<Option<Uuid>>,
    rejection_codes: Vec<Option<String>>,
    rejection_account_ids: Vec<Option<Uuid>>,
}

impl From<&[Record]> for RecordColumns {
    fn from(records: &[Record]) -> Self {
        let mut columns = Self::default();
        for record in records {
            columns.owner_ids.push(record.owner.as_uuid());
            columns.keys.push(record.key.as_str().to_owned());
            columns.content_hashes.push(record.content_hash.to_vec());
            let (posted, refused) = match &record.outcome {
                Outcome::Posted(id) => (Some(id.as_uuid()), None),
                Outcome::Refused(rejection) => (None, Some(rejection)),
            };
            columns.transfer_ids.push(posted);
            columns.rejection_codes.push(refused.map(|rejection| rejection.code().to_owned()));
            let account = refused.and_then(Rejection::account).map(AccountId::as_uuid);
            columns.rejection_account_ids.push(account);
        }
        columns
    }
}

/// The posting of a transfer, or `None` if there is no such transfer.
///
/// # Errors
///
/// [`Error::Inconsistent`] when its rows are no posting.
pub async fn find(tx: &mut Tx<'_>, id: TransferId) -> Result<Option<Posting>, Error> {
    let row = sqlx::query!(
        r#"
        select t.kind, t.from_account_id, t.to_account_id, t.amount, t.currency, t.created_by, t.created_at,
               f.version as from_version, f.amount as from_amount, f.balance_after as from_balance_after,
               o.version as to_version, o.amount as to_amount, o.balance_after as to_balance_after
        from simplebank.transfers t
        join simplebank.entries f on f.transfer_id = t.id and f.account_id = t.from_account_id
        join simplebank.entries o on o.transfer_id = t.id and o.account_id = t.to_account_id
        where t.id = $1
        "#,
        id.as_uuid(),
    )
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let entry = |account_id, version, amount, balance_after| -> Entry {
        let (transfer_id, created_at) = (id.as_uuid(), row.created_at);
        EntryRow { account_id, version, transfer_id, amount, balance_after, created_at }.into()
    };
    let from_entry =
        entry(row.from_account_id, row.from_version, row.from_amount, row.from_balance_after);
    let to_entry = entry(row.to_account_id, row.to_version, row.to_amount, row.to_balance_after);
    let transfer = Transfer::try_from(TransferRow {
        id: id.as_uuid(),
        kind: row.kind,
        from_account_id: row.from_account_id,
        to_account_id: row.to_account_id,
        amount: row.amount,
        currency: row.currency,
        created_by: row.created_by,
        created_at: row.created_at,
    })?;
    in_range("entries", "amount", id, Posting::from_rows(transfer, from_entry, to_entry)).map(Some)
}
