//! The road that money takes through the tables `accounts`, `transfers`, `entries` and `idempotency`: one statement for any
//! number of orders.
//!
//! [`write()`] calls `simplebank.post`, which the migrations bring: it stores transfers, entries, balances and answers, onto
//! accounts that are still what the caller's decision rests on; or, if one of them has changed or one of the keys has been
//! answered, nothing at all. So who knows the accounts needs one statement for a batch, whatever its size, and who has locked them
//! ([`accounts::lock_all`](crate::accounts::lock_all)) is never refused for that reason. A transfer by itself goes through
//! `simplebank.post_one`, which does the same without lists, in three quarters of the time.

use simplebank_core::{
    Account, Amount, TransferId,
    transfer::{Entry, Posting, Transfer},
};
use sqlx::PgExecutor;
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
    /// Accounts on which the decision rests and that do not change, as it saw them, unless they are locked.
    pub still: Vec<&'a Account>,
    /// The accounts that change, in ascending order of their ids.
    pub changes: Vec<Change<'a>>,
    /// What marks those from now on: drawn at random, since an account's revision must differ after each change.
    pub new_revision: i64,
    /// What moves.
    pub postings: Vec<&'a Posting>,
    /// What is answered.
    pub records: &'a [Record],
}

/// An account that changes.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// As the decision saw it.
    pub seen: &'a Account,
    /// As it is from now on.
    pub current: &'a Account,
}

/// Stores a batch, all at `now`, or nothing of it.
///
/// # Errors
///
/// - [`Error::Serialization`] when an account has changed since it was seen.
/// - [`Error::Constraint`] with [`Constraint::IdempotencyKey`](crate::Constraint::IdempotencyKey) when one of the keys has been
///   answered: a second attempt finds that answer.
/// - [`Error::Overload`] when a lock is not to be had in time.
pub async fn write(tx: &mut Tx<'_>, batch: &Batch<'_>, now: OffsetDateTime) -> Result<(), Error> {
    Ok(store(tx.connection(), batch, now).await?)
}

#[expect(
    clippy::as_conversions,
    reason = "how `query!` is told that an array holds nulls; it converts nothing"
)]
pub(crate) async fn store(
    executor: impl PgExecutor<'_>,
    batch: &Batch<'_>,
    now: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    if let Some(one) = One::of(batch) {
        return one.store(executor, batch.new_revision, now).await;
    }
    let still_ids: Vec<Uuid> = batch.still.iter().map(|account| account.id.as_uuid()).collect();
    let still_revisions: Vec<i64> = batch.still.iter().map(|account| account.revision).collect();
    let e = EntryColumns::from(&*batch.postings);
    let c = AccountColumns::new(&batch.changes, &e);
    let t = TransferColumns::from(&*batch.postings);
    let r = RecordColumns::from(batch.records);
    let post = sqlx::query_scalar!(
        r#"
        select simplebank.post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                               $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36) as "is_written!"
        "#,
        now,
        batch.new_revision,
        &still_ids,
        &still_revisions,
        &c.ids,
        &c.revisions,
        &c.balances,
        &c.versions,
        &c.held,
        &c.spent_days as &[Option<Date>],
        &c.spent as &[Option<i64>],
        &c.spent_allowed as &[Option<i64>],
        &c.first_entries as &[Option<i32>],
        &t.ids,
        &t.kinds as &[&str],
        &t.amounts,
        &t.currencies as &[&str],
        &t.created_by,
        &e.of_from,
        &e.of_to,
        &t.descriptions as &[Option<String>],
        &t.references as &[Option<String>],
        &t.hold_ids as &[Option<Uuid>],
        &t.reverses_ids as &[Option<Uuid>],
        &e.account_ids,
        &e.versions,
        &e.transfers,
        &e.amounts,
        &e.balances,
        &r.owner_ids,
        &r.keys,
        &r.content_hashes,
        &r.transfer_ids as &[Option<Uuid>],
        &r.hold_ids as &[Option<Uuid>],
        &r.rejection_codes as &[Option<String>],
        &r.rejection_subject_ids as &[Option<Uuid>],
    );
    post.fetch_one(executor).await?;
    Ok(())
}

/// A transfer that is all there is in a batch.
struct One<'a> {
    transfer: &'a Transfer,
    /// What the first of the accounts gets; less than nothing, if it pays.
    first_amount: i64,
    /// In ascending order.
    accounts: [Change<'a>; 2],
    record: &'a Record,
}

impl<'a> One<'a> {
    fn of(batch: &Batch<'a>) -> Option<Self> {
        let ([], &[first, second], &[posting], [record]) =
            (&*batch.still, &*batch.changes, &*batch.postings, batch.records)
        else {
            return None;
        };
        let transfer = posting.transfer();
        let mut entries = posting.entries().into_iter();
        let first_amount = entries.find(|entry| entry.account_id == first.current.id)?.amount;
        (record.outcome == Outcome::Posted(transfer.id)).then_some(Self {
            transfer,
            first_amount: first_amount.minor(),
            accounts: [first, second],
            record,
        })
    }

    async fn store(
        &self,
        executor: impl PgExecutor<'_>,
        new_revision: i64,
        now: OffsetDateTime,
    ) -> Result<(), sqlx::Error> {
        let Self { transfer, first_amount, accounts: [first, second], record } = self;
        let spent = |change: &Change<'_>| change.current.spent;
        let spent_allowed = |change: &Change<'_>| spent(change)?.allowed.map(Amount::minor);
        let post = sqlx::query_scalar!(
            r#"
            select simplebank.post_one($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                                       $21, $22, $23, $24, $25, $26, $27, $28, $29, $30) as "is_written!"
            "#,
            now,
            new_revision,
            transfer.id.as_uuid(),
            transfer.kind.as_str(),
            transfer.currency.code(),
            transfer.created_by.as_uuid(),
            transfer.memo.description.as_ref().map(ToString::to_string),
            transfer.memo.reference.as_ref().map(ToString::to_string),
            transfer.hold_id.map(|id| id.as_uuid()),
            transfer.reverses_id.map(|id| id.as_uuid()),
            first_amount,
            first.current.id.as_uuid(),
            first.seen.revision,
            first.current.balance.minor(),
            first.current.version,
            first.current.held.minor(),
            spent(first).map(|spent| spent.day),
            spent(first).map(|spent| spent.amount.minor()),
            spent_allowed(first),
            second.current.id.as_uuid(),
            second.seen.revision,
            second.current.balance.minor(),
            second.current.version,
            second.current.held.minor(),
            spent(second).map(|spent| spent.day),
            spent(second).map(|spent| spent.amount.minor()),
            spent_allowed(second),
            record.owner.as_uuid(),
            record.key.as_str(),
            &record.content_hash[..],
        );
        post.fetch_one(executor).await?;
        Ok(())
    }
}

/// Entries in ascending order of account and version; places among them count from 1, as PostgreSQL does.
#[derive(Default)]
struct EntryColumns {
    account_ids: Vec<Uuid>,
    versions: Vec<i64>,
    /// The place of the transfer.
    transfers: Vec<i32>,
    amounts: Vec<i64>,
    balances: Vec<i64>,
    /// For each transfer, where the entry of who pays is, and of who is paid.
    of_from: Vec<i32>,
    of_to: Vec<i32>,
}

impl From<&[&Posting]> for EntryColumns {
    fn from(postings: &[&Posting]) -> Self {
        let mut entries: Vec<(&Entry, i32, bool)> = Vec::with_capacity(postings.len() * 2);
        for (transfer, posting) in (1..).zip(postings) {
            entries.push((posting.from_entry(), transfer, true));
            entries.push((posting.to_entry(), transfer, false));
        }
        entries.sort_unstable_by_key(|(entry, ..)| (entry.account_id, entry.version));
        let mut columns = Self::default();
        let mut sides = Vec::with_capacity(entries.len());
        for (place, (entry, transfer, is_from)) in (1..).zip(entries) {
            columns.account_ids.push(entry.account_id.as_uuid());
            columns.versions.push(entry.version);
            columns.transfers.push(transfer);
            columns.amounts.push(entry.amount.minor());
            columns.balances.push(entry.balance_after.minor());
            sides.push((transfer, is_from, place));
        }
        sides.sort_unstable();
        for (_, is_from, place) in sides {
            if is_from { columns.of_from.push(place) } else { columns.of_to.push(place) }
        }
        columns
    }
}

#[derive(Default)]
struct AccountColumns {
    ids: Vec<Uuid>,
    revisions: Vec<i64>,
    balances: Vec<i64>,
    versions: Vec<i64>,
    held: Vec<i64>,
    spent_days: Vec<Option<Date>>,
    spent: Vec<Option<i64>>,
    spent_allowed: Vec<Option<i64>>,
    first_entries: Vec<Option<i32>>,
}

impl AccountColumns {
    fn new(changes: &[Change<'_>], entries: &EntryColumns) -> Self {
        let mut columns = Self::default();
        // Both are in ascending order of accounts.
        let mut rest = (1..).zip(&entries.account_ids).peekable();
        for Change { seen, current } in changes {
            let id = current.id.as_uuid();
            columns.ids.push(id);
            columns.revisions.push(seen.revision);
            columns.balances.push(current.balance.minor());
            columns.versions.push(current.version);
            columns.held.push(current.held.minor());
            columns.spent_days.push(current.spent.map(|spent| spent.day));
            columns.spent.push(current.spent.map(|spent| spent.amount.minor()));
            let allowed = current.spent.and_then(|spent| spent.allowed);
            columns.spent_allowed.push(allowed.map(Amount::minor));
            while rest.next_if(|(_, other)| **other < id).is_some() {}
            let first = rest.peek().filter(|(_, other)| **other == id);
            columns.first_entries.push(first.map(|(place, _)| *place));
        }
        columns
    }
}

#[derive(Default)]
struct TransferColumns {
    ids: Vec<Uuid>,
    kinds: Vec<&'static str>,
    amounts: Vec<i64>,
    currencies: Vec<&'static str>,
    created_by: Vec<Uuid>,
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
            columns.amounts.push(transfer.amount.minor());
            columns.currencies.push(transfer.currency.code());
            columns.created_by.push(transfer.created_by.as_uuid());
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
