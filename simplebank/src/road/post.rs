//! A batch, decided and written.
//!
//! 1. Where all accounts are remembered, a [`Guess`] decides on what is remembered, and one statement, which is a transaction by
//!    itself, writes it if that is still true. Where it isn't, or something else is needed, [`post`] locks and reads the accounts in a
//!    transaction, with what was answered before under the keys, and with the holds and transfers that the orders name.
//! 2. An order whose key was used before, in the database or earlier in the batch, is given the same answer, or refused if its
//!    content is another. The rest is judged by `core::transfer::decide`, in order, in memory.
//! 3. `postings::write` stores what was accepted, and every answer, refusals included. Holds and reversals have a statement of
//!    their own, if there are any.
//!
//! The number of statements does not depend on the number of orders.

use std::{
    collections::{BTreeSet, HashMap},
    sync::atomic::{AtomicI64, Ordering},
};

use simplebank_core::{
    Account, AccountId, Balance, Hold, HoldId, JobId, TransferId,
    audit::{Entry, Object},
    hold::State,
    transfer::{Action, Book, Effect, Posting, Reversal, Reversible},
};
use simplebank_db::{
    self as db, Tx, accounts, audit, holds,
    idempotency::{self, Outcome, Record},
    postings::{self, Batch, Change},
    reversals,
};
use time::OffsetDateTime;

use super::{
    Answer, Done, Group, GroupAnswer, Receipt, Refusal, Wish,
    judge::{Answered, Judged, judge},
    memory::Memory,
    shown_side,
};
use crate::{
    Error,
    jobs::{self, Work},
    ports::random_bytes,
};

/// When a batch is decided, and what marks the accounts that it changes.
#[derive(Debug)]
pub(crate) struct At {
    pub(crate) now: OffsetDateTime,
    revisions: AtomicI64,
}

impl At {
    pub(crate) fn new(now: OffsetDateTime) -> Result<Self, Error> {
        let revisions = AtomicI64::new(i64::from_ne_bytes(random_bytes()?));
        Ok(Self { now, revisions })
    }

    /// Another one for each attempt: what one that failed has left in a memory must look like nothing that another wrote.
    fn revision(&self) -> i64 {
        self.revisions.fetch_add(1, Ordering::Relaxed)
    }
}

/// Locks, judges and stores groups of wishes; see the module. There are as many answers as groups. What is seen on the way is
/// kept in `memory`.
pub(crate) async fn post(
    tx: &mut Tx<'_>,
    groups: &[Group],
    at: &At,
    memory: Option<&Memory>,
) -> Result<Vec<GroupAnswer>, db::Error> {
    let (book, answered, expired) = read(tx, groups, at.now, Reading::Locks).await?;
    let mut judged = judge(groups, book.current, &answered, at.now);
    judged.expired = expired;
    judged.write(tx, &book.seen, at, memory).await?;
    let notes = judged.notes(groups);
    if !notes.is_empty() {
        audit::insert_all(tx, &notes).await?;
    }
    for (id, work) in judged.told().map(|id| (id, Work::transfer_notice(id))) {
        // A transfer has one notice at most, so its id names the job as well.
        jobs::enqueue(tx, JobId::from_uuid(id.as_uuid()), &work, at.now).await?;
    }
    Ok(judged.answers)
}

/// What groups are answered if the accounts are what they are remembered to be, and none of the keys has been answered.
#[derive(Debug)]
pub(crate) struct Guess {
    seen: Book,
    judged: Judged,
    new_revision: i64,
}

impl Guess {
    /// `None` if not all is remembered that the decision needs, or if writing would not prove it.
    pub(super) fn new(groups: &[Group], at: &At, memory: &Memory) -> Option<Self> {
        let seen = memory.book(simple_accounts(groups)?)?;
        let judged = judge(groups, seen.clone(), &Answered::default(), at.now);
        // Where nothing is written, nothing is compared: what is remembered proves no answer by itself. And of an atomic group
        // that is refused only one key is looked up, while another of its members may have been refused before.
        let is_proven_by_writing =
            !judged.records.is_empty() && judged.answers.iter().all(Result::is_ok);
        let is_quiet = !seen.accounts().any(|account| account.notice_from.is_some())
            || judged.told().next().is_none();
        (is_proven_by_writing && is_quiet).then(|| Self {
            seen,
            judged,
            new_revision: at.revision(),
        })
    }

    /// What has to be written to prove it.
    pub(super) fn batch(&self) -> Batch<'_> {
        let is_still = |seen: &&Account| self.judged.book.account(seen.id) == Some(*seen);
        let still = self.seen.accounts().filter(is_still).collect();
        Batch { still, ..self.judged.batch(&self.seen, self.new_revision) }
    }

    /// Remembers what is being written. Whoever decides next may build on it before it is committed: they wait for its locks, and
    /// are told if it failed.
    pub(super) fn remember(&self, memory: &Memory) {
        self.judged.remember(memory, &self.seen, self.new_revision);
    }

    pub(super) fn into_answers(self) -> Vec<GroupAnswer> {
        self.judged.answers
    }
}

/// What the groups would be answered, without writing or locking anything.
pub(crate) async fn try_out(
    tx: &mut Tx<'_>,
    groups: &[Group],
    now: OffsetDateTime,
) -> Result<Vec<GroupAnswer>, db::Error> {
    let (book, answered, _) = read(tx, groups, now, Reading::Looks).await?;
    Ok(judge(groups, book.current, &answered, now).answers)
}

/// What all wishes were answered before, if all of them were.
pub(crate) async fn recorded(
    tx: &mut Tx<'_>,
    groups: &[Group],
) -> Result<Option<Vec<GroupAnswer>>, db::Error> {
    let answered = find_answered(tx, groups).await?;
    Ok(groups.iter().map(|group| answered.group(group)).collect())
}

fn wishes(groups: &[Group]) -> impl Iterator<Item = &Wish> {
    groups.iter().flat_map(|group| &group.wishes)
}

/// The accounts of the orders, if no order needs more than those, nor a line in the audit record.
pub(super) fn simple_accounts(groups: &[Group]) -> Option<impl Iterator<Item = AccountId>> {
    let is_plain = !groups.iter().any(Group::is_audited);
    let is_simple = wishes(groups).all(|wish| match wish.order.action {
        Action::Transfer { .. } | Action::Deposit { .. } | Action::Withdraw { .. } => true,
        Action::Hold { .. }
        | Action::Capture { .. }
        | Action::Void { .. }
        | Action::Reverse { .. } => false,
    });
    (is_plain && is_simple).then(|| wishes(groups).flat_map(|wish| wish.order.accounts()))
}

/// A book, as the database has it, and as it is once holds whose time is over have been let go of.
struct Books {
    seen: Book,
    current: Book,
}

/// Whether the accounts that are read are to stay as they are until the transaction ends.
#[derive(Clone, Copy, Debug)]
enum Reading {
    Locks,
    Looks,
}

/// Reads all that the decision needs, the accounts that take part first.
async fn read(
    tx: &mut Tx<'_>,
    groups: &[Group],
    now: OffsetDateTime,
    reading: Reading,
) -> Result<(Books, Answered, Vec<Hold>), db::Error> {
    let hold_ids: Vec<HoldId> = wishes(groups).filter_map(|wish| wish.order.hold()).collect();
    let transfer_ids: Vec<TransferId> =
        wishes(groups).filter_map(|wish| wish.order.reversed_transfer()).collect();
    // Whose accounts they touch never changes, so it may be read before the locks.
    let named_holds = find_holds(tx, &hold_ids).await?;
    let named_transfers = find_reversible(tx, &transfer_ids).await?;
    let mut ids: BTreeSet<AccountId> =
        wishes(groups).flat_map(|wish| wish.order.accounts()).collect();
    ids.extend(named_holds.iter().flat_map(|hold| [hold.from_account_id, hold.to_account_id]));
    ids.extend(
        named_transfers
            .iter()
            .flat_map(|named| [named.transfer.from_account_id, named.transfer.to_account_id]),
    );
    let ids: Vec<AccountId> = ids.into_iter().collect();
    let accounts = match reading {
        Reading::Locks => accounts::lock_all(tx, &ids).await?,
        Reading::Looks => accounts::find_all(tx.connection(), &ids).await?,
    };
    let holding: Vec<AccountId> = accounts
        .iter()
        .filter(|account| account.held != Balance::ZERO)
        .map(|account| account.id)
        .collect();
    let mut seen: Book = accounts.into_iter().collect();
    let answered = find_answered(tx, groups).await?;
    for hold in find_holds(tx, &hold_ids).await? {
        seen.put_hold(hold);
    }
    if !holding.is_empty() {
        for hold in holds::due(tx, &holding, now).await? {
            seen.put_hold(hold);
        }
    }
    for transfer in find_reversible(tx, &transfer_ids).await? {
        seen.put_transfer(transfer);
    }
    let mut current = seen.clone();
    let expired = current.expire_due(now);
    Ok((Books { seen, current }, answered, expired))
}

async fn find_holds(tx: &mut Tx<'_>, ids: &[HoldId]) -> Result<Vec<Hold>, db::Error> {
    if ids.is_empty() { Ok(Vec::new()) } else { holds::find_all(tx, ids).await }
}

async fn find_reversible(
    tx: &mut Tx<'_>,
    ids: &[TransferId],
) -> Result<Vec<Reversible>, db::Error> {
    if ids.is_empty() { Ok(Vec::new()) } else { reversals::find_all(tx, ids).await }
}

/// What was answered under the keys of the groups.
async fn find_answered(tx: &mut Tx<'_>, groups: &[Group]) -> Result<Answered, db::Error> {
    let keys: Vec<_> = wishes(groups).map(|wish| (wish.owner(), &wish.key)).collect();
    let records = idempotency::find_all(tx, &keys).await?;
    if records.is_empty() {
        return Ok(Answered::default());
    }
    let by_key: HashMap<_, &Wish> = wishes(groups)
        .map(|wish| ((wish.owner(), wish.key.as_str(), wish.content_hash), wish))
        .collect();
    let replays = Replays::find(tx, &records).await?;
    let answers = records.into_iter().map(|record| {
        let Record { owner, key, content_hash, outcome } = record;
        let answer = match by_key.get(&(owner, key.as_str(), content_hash)) {
            Some(wish) => replays.answer(wish, outcome)?,
            // Nobody asks for this one: all who use the key here ask for something else.
            None => Err(Refusal::KeyReused),
        };
        Ok(((owner, key.as_str().to_owned()), (content_hash, answer)))
    });
    answers.collect()
}

/// The rows of which earlier answers are made anew: they never change.
struct Replays {
    postings: HashMap<TransferId, Posting>,
    holds: HashMap<HoldId, Hold>,
    accounts: HashMap<AccountId, Account>,
}

impl Replays {
    async fn find(tx: &mut Tx<'_>, records: &[Record]) -> Result<Self, db::Error> {
        let (mut transfer_ids, mut hold_ids) = (Vec::new(), Vec::new());
        for record in records {
            match record.outcome {
                Outcome::Posted(id) => transfer_ids.push(id),
                Outcome::Held(id) => hold_ids.push(id),
                Outcome::Refused(_) => {}
            }
        }
        let postings = match transfer_ids.is_empty() {
            true => Vec::new(),
            false => postings::find_all(tx, &transfer_ids).await?,
        };
        let account_ids: Vec<AccountId> = postings
            .iter()
            .flat_map(|posting| posting.entries())
            .map(|entry| entry.account_id)
            .collect();
        let accounts = match account_ids.is_empty() {
            true => Vec::new(),
            false => accounts::find_all(tx.connection(), &account_ids).await?,
        };
        let holds = find_holds(tx, &hold_ids).await?;
        Ok(Self {
            postings: postings.into_iter().map(|it| (it.transfer().id, it)).collect(),
            holds: holds.into_iter().map(|hold| (hold.id, hold)).collect(),
            accounts: accounts.into_iter().map(|account| (account.id, account)).collect(),
        })
    }

    fn answer(&self, wish: &Wish, outcome: Outcome) -> Result<Answer, db::Error> {
        let lost = |table, id: String| db::Error::Inconsistent {
            table,
            column: "id",
            row: id,
            source: None,
        };
        Ok(match outcome {
            Outcome::Refused(rejection) => Err(Refusal::Rejected(rejection)),
            Outcome::Posted(id) => {
                let posting =
                    self.postings.get(&id).ok_or_else(|| lost("transfers", id.to_string()))?;
                let owns = |id, user| {
                    self.accounts.get(&id).is_some_and(|account| account.is_owned_by(user))
                };
                let id = shown_side(posting, wish.owner(), owns);
                let account =
                    self.accounts.get(&id).ok_or_else(|| lost("accounts", id.to_string()))?;
                Ok(Done::Moved(Box::new(Receipt::new(posting.clone(), account))))
            }
            Outcome::Held(id) => {
                let hold = self.holds.get(&id).ok_or_else(|| lost("holds", id.to_string()))?;
                let hold = hold.clone();
                Ok(Done::Held(match wish.order.action {
                    Action::Hold { .. } => hold.as_placed(),
                    Action::Transfer { .. }
                    | Action::Deposit { .. }
                    | Action::Withdraw { .. }
                    | Action::Capture { .. }
                    | Action::Void { .. }
                    | Action::Reverse { .. } => hold,
                }))
            }
        })
    }
}

impl Judged {
    /// Writes everything that `seen`, which is locked, has become.
    async fn write(
        &self,
        tx: &mut Tx<'_>,
        seen: &Book,
        at: &At,
        memory: Option<&Memory>,
    ) -> Result<(), db::Error> {
        if self.records.is_empty() && self.expired.is_empty() {
            return Ok(());
        }
        let new_revision = at.revision();
        if let Some(memory) = memory {
            self.remember(memory, seen, new_revision);
        }
        postings::write(tx, &self.batch(seen, new_revision), at.now).await?;
        self.write_holds(tx, seen).await?;
        self.write_reversals(tx).await
    }

    fn batch<'b>(&'b self, seen: &'b Book, new_revision: i64) -> Batch<'b> {
        let change = |current: &'b Account| {
            let seen = seen.account(current.id)?;
            (seen != current).then_some(Change { seen, current })
        };
        Batch {
            still: Vec::new(),
            changes: self.book.accounts().filter_map(change).collect(),
            new_revision,
            postings: self.effects.iter().filter_map(Effect::posting).collect(),
            records: &self.records,
        }
    }

    fn remember(&self, memory: &Memory, seen: &Book, new_revision: i64) {
        for account in self.book.accounts() {
            let is_same = seen.account(account.id) == Some(account);
            let revision = if is_same { account.revision } else { new_revision };
            memory.put(Account { revision, ..account.clone() });
        }
    }

    /// What the audit record is to say of the orders that are being done. What was only answered again is in it.
    fn notes(&self, groups: &[Group]) -> Vec<Entry> {
        let mut notes: HashMap<_, &Entry> = wishes(groups)
            .filter_map(|wish| Some(((wish.owner(), &wish.key), wish.note.as_deref()?)))
            .collect();
        if notes.is_empty() {
            return Vec::new();
        }
        let done = self.records.iter().filter_map(|record| {
            let object = match record.outcome {
                Outcome::Posted(id) => Object::Transfer(id),
                Outcome::Held(id) => Object::Hold(id),
                Outcome::Refused(_) => return None,
            };
            let note = notes.remove(&(record.owner, &record.key))?;
            Some(Entry { object: Some(object), ..note.clone() })
        });
        done.collect()
    }

    /// What went out of accounts whose owners want to be told of that.
    fn told(&self) -> impl Iterator<Item = TransferId> {
        let transfers = self.effects.iter().filter_map(Effect::posting).map(Posting::transfer);
        let told = transfers.filter(|transfer| {
            let account = self.book.account(transfer.from_account_id);
            account.is_some_and(|account| account.tells_of(transfer.amount))
        });
        told.map(|transfer| transfer.id)
    }

    async fn write_holds(&self, tx: &mut Tx<'_>, seen: &Book) -> Result<(), db::Error> {
        let of_orders = self.effects.iter().filter_map(Effect::hold).map(|hold| hold.id);
        let ids: BTreeSet<HoldId> =
            of_orders.chain(self.expired.iter().map(|hold| hold.id)).collect();
        let holds: Vec<&Hold> = ids.into_iter().filter_map(|id| self.book.hold(id)).collect();
        let new: Vec<&Hold> =
            holds.iter().copied().filter(|hold| seen.hold(hold.id).is_none()).collect();
        if !new.is_empty() {
            holds::insert_all(tx, &new).await?;
        }
        let ended: Vec<&Hold> =
            holds.into_iter().filter(|hold| hold.state != State::Open).collect();
        if !ended.is_empty() {
            holds::resolve_all(tx, &ended).await?;
        }
        Ok(())
    }

    async fn write_reversals(&self, tx: &mut Tx<'_>) -> Result<(), db::Error> {
        let reversals: Vec<(&Posting, Reversal, i64)> = self
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Reversed { posting, reversal } => {
                    let reversed = posting.transfer().reverses_id?;
                    let whole = self.book.transfer(reversed)?.transfer.amount;
                    Some((posting, *reversal, whole.minor()))
                }
                Effect::Posted(_)
                | Effect::Held(_)
                | Effect::Captured { .. }
                | Effect::Voided(_) => None,
            })
            .collect();
        if reversals.is_empty() {
            return Ok(());
        }
        reversals::insert_all(tx, &reversals).await
    }
}
