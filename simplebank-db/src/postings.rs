//! The road that money takes through the tables `accounts`, `transfers`, `entries` and `idempotency`: one statement for any
//! number of orders.
//!
//! [`write()`] calls `simplebank.post`, which the migrations bring: it locks the accounts that the caller's decision rests on,
//! sees that they are still what they were and that none of the keys has been answered, and stores transfers, entries,
//! balances and answers; or, if anything has changed, nothing at all. So who remembers the accounts needs one statement for a
//! batch, whatever its size, and who doesn't reads them first, with [`accounts::lock_all`](crate::accounts::lock_all).

use simplebank_core::{
    Account, Amount, TransferId,
    transfer::{Entry, Posting, Transfer},
};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{
    Error, Tx,
    idempotency::{Outcome, Record},
    row::{EntryRow, TransferRow, in_range},
};

/// What a batch writes, and what it rests on.
#[derive(Clone, Debug, Default)]
pub struct Batch<'a> {
    /// The accounts on which the decision rests, as it saw them.
    pub seen: Vec<&'a Account>,
    /// Those of them that change, as they are from now on.
    pub changed: Vec<&'a Account>,
    /// What marks them from now on: drawn at random, since an account's revision must differ after each change.
    pub new_revision: i64,
    /// What moves.
    pub postings: Vec<&'a Posting>,
    /// What is answered.
    pub records: &'a [Record],
}

/// Stores a batch, all at `now`; or, if an account has changed since it was seen, or one of the keys has been answered,
/// nothing: then the result is false, and the accounts that were seen are locked.
///
/// # Errors
///
/// [`Error::Constraint`] with [`Constraint::IdempotencyKey`](crate::Constraint::IdempotencyKey) when somebody else was
/// answering one of the keys at the same time: a second attempt finds that answer. [`Error::Overload`] when a lock is not to be
/// had in time.
#[expect(
    clippy::as_conversions,
    reason = "how `query!` is told that an array holds nulls; it converts nothing"
)]
pub async fn write(tx: &mut Tx<'_>, batch: &Batch<'_>, now: OffsetDateTime) -> Result<bool, Error> {
    let seen_ids: Vec<Uuid> = batch.seen.iter().map(|account| account.id.as_uuid()).collect();
    let seen_revisions: Vec<i64> = batch.seen.iter().map(|account| account.revision).collect();
    let c = AccountColumns::from(&*batch.changed);
    let t = TransferColumns::from(&*batch.postings);
    let r = RecordColumns::from(batch.records);
    let is_written = sqlx::query_scalar!(
        r#"
        select simplebank.post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                               $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33) as "is_written!"
        "#,
        now,
        batch.new_revision,
        &seen_ids,
        &seen_revisions,
        &c.ids,
        &c.balances,
        &c.versions,
        &c.held,
        &c.spent_days as &[Option<Date>],
        &c.spent as &[Option<i64>],
        &c.spent_allowed as &[Option<i64>],
        &t.ids,
        &t.kinds as &[&str],
        &t.from_account_ids,
        &t.to_account_ids,
        &t.amounts,
        &t.currencies as &[&str],
        &t.created_by,
        &t.from_versions,
        &t.from_balances,
        &t.to_versions,
        &t.to_balances,
        &t.descriptions as &[Option<String>],
        &t.references as &[Option<String>],
        &t.hold_ids as &[Option<Uuid>],
        &t.reverses_ids as &[Option<Uuid>],
        &r.owner_ids,
        &r.keys,
        &r.content_hashes,
        &r.transfer_ids as &[Option<Uuid>],
        &r.hold_ids as &[Option<Uuid>],
        &r.rejection_codes as &[Option<String>],
        &r.rejection_subject_ids as &[Option<Uuid>],
    );
    Ok(is_written.fetch_one(tx.connection()).await?)
}

#[derive(Default)]
struct AccountColumns {
    ids: Vec<Uuid>,
    balances: Vec<i64>,
    versions: Vec<i64>,
    held: Vec<i64>,
    spent_days: Vec<Option<Date>>,
    spent: Vec<Option<i64>>,
    spent_allowed: Vec<Option<i64>>,
}

impl From<&[&Account]> for AccountColumns {
    fn from(accounts: &[&Account]) -> Self {
        let mut columns = Self::default();
        for account in accounts {
            columns.ids.push(account.id.as_uuid());
            columns.balances.push(account.balance.minor());
            columns.versions.push(account.version);
            columns.held.push(account.held.minor());
            columns.spent_days.push(account.spent.map(|spent| spent.day));
            columns.spent.push(account.spent.map(|spent| spent.amount.minor()));
            let allowed = account.spent.and_then(|spent| spent.allowed);
            columns.spent_allowed.push(allowed.map(Amount::minor));
        }
        columns
    }
}

#[derive(Default)]
struct TransferColumns {
    ids: Vec<Uuid>,
    kinds: Vec<&'static str>,
    from_account_ids: Vec<Uuid>,
    to_account_ids: Vec<Uuid>,
    amounts: Vec<i64>,
    currencies: Vec<&'static str>,
    created_by: Vec<Uuid>,
    from_versions: Vec<i64>,
    from_balances: Vec<i64>,
    to_versions: Vec<i64>,
    to_balances: Vec<i64>,
    descriptions: Vec<Option<String>>,
    references: Vec<Option<String>>,
    hold_ids: Vec<Option<Uuid>>,
    reverses_ids: Vec<Option<Uuid>>,
}

impl From<&[&Posting]> for TransferColumns {
    fn from(postings: &[&Posting]) -> Self {
        let mut columns = Self::default();
        for posting in postings {
            let transfer = posting.transfer();
            columns.ids.push(transfer.id.as_uuid());
            columns.kinds.push(transfer.kind.as_str());
            columns.from_account_ids.push(transfer.from_account_id.as_uuid());
            columns.to_account_ids.push(transfer.to_account_id.as_uuid());
            columns.amounts.push(transfer.amount.minor());
            columns.currencies.push(transfer.currency.code());
            columns.created_by.push(transfer.created_by.as_uuid());
            columns.from_versions.push(posting.from_entry().version);
            columns.from_balances.push(posting.from_entry().balance_after.minor());
            columns.to_versions.push(posting.to_entry().version);
            columns.to_balances.push(posting.to_entry().balance_after.minor());
            let memo = &transfer.memo;
            columns.descriptions.push(memo.description.as_ref().map(ToString::to_string));
            columns.references.push(memo.reference.as_ref().map(ToString::to_string));
            columns.hold_ids.push(transfer.hold_id.map(|id| id.as_uuid()));
            columns.reverses_ids.push(transfer.reverses_id.map(|id| id.as_uuid()));
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
    hold_ids: Vec<Option<Uuid>>,
    rejection_codes: Vec<Option<String>>,
    rejection_subject_ids: Vec<Option<Uuid>>,
}

impl From<&[Record]> for RecordColumns {
    fn from(records: &[Record]) -> Self {
        let mut columns = Self::default();
        for record in records {
            columns.owner_ids.push(record.owner.as_uuid());
            columns.keys.push(record.key.as_str().to_owned());
            columns.content_hashes.push(record.content_hash.to_vec());
            let (transfer, hold, refused) = match &record.outcome {
                Outcome::Posted(id) => (Some(id.as_uuid()), None, None),
                Outcome::Held(id) => (None, Some(id.as_uuid()), None),
                Outcome::Refused(rejection) => (None, None, Some(rejection)),
            };
            columns.transfer_ids.push(transfer);
            columns.hold_ids.push(hold);
            columns.rejection_codes.push(refused.map(|rejection| rejection.code().to_owned()));
            columns.rejection_subject_ids.push(refused.and_then(|rejection| rejection.subject()));
        }
        columns
    }
}

/// The postings of those of some transfers that exist, in ascending order of their ids.
///
/// # Errors
///
/// [`Error::Inconsistent`] when the rows of one are no posting.
pub async fn find_all(tx: &mut Tx<'_>, ids: &[TransferId]) -> Result<Vec<Posting>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"
        select t.id, t.kind, t.from_account_id, t.to_account_id, t.amount, t.currency, t.description, t.reference, t.hold_id,
               t.reverses_id, t.created_by, t.created_at,
               f.version as from_version, f.amount as from_amount, f.balance_after as from_balance_after,
               o.version as to_version, o.amount as to_amount, o.balance_after as to_balance_after
        from simplebank.transfers t
        join simplebank.entries f
            on f.account_id = t.from_account_id and f.version = t.from_version and f.transfer_id = t.id
        join simplebank.entries o on o.account_id = t.to_account_id and o.version = t.to_version and o.transfer_id = t.id
        where t.id = any($1)
        order by t.id
        "#,
        &ids,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            let entry = |account_id, version, amount, balance_after| -> Entry {
                let (transfer_id, created_at) = (row.id, row.created_at);
                EntryRow { account_id, version, transfer_id, amount, balance_after, created_at }
                    .into()
            };
            let from_balance_after = row.from_balance_after;
            let from =
                entry(row.from_account_id, row.from_version, row.from_amount, from_balance_after);
            let to = entry(row.to_account_id, row.to_version, row.to_amount, row.to_balance_after);
            let transfer = Transfer::try_from(TransferRow {
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
            })?;
            in_range("entries", "amount", row.id, Posting::from_rows(transfer, from, to))
        })
        .collect()
}
