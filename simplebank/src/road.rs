//! The one road that money takes: lock, decide, write.
//!
//! [`post`] takes a slice of orders with their keys through one transaction, and the answers come in the same order:
//!
//! 1. `postings::lock` reads what was answered before under the keys and locks the accounts of the whole slice.
//! 2. An order whose key was used before, in the database or earlier in the slice, is given the same answer, or refused if
//!    its content is another. The rest is judged by `core::transfer::decide`, in order, in memory.
//! 3. `postings::write` stores what was accepted, and every answer, refusals included.
//!
//! One order is a slice of one. Nothing is answered before the commit.

use std::{collections::HashMap, time::Duration};

use sha2::{Digest as _, Sha256};
use simplebank_core::{
    Account, AccountId, Amount, Currency, IdempotencyKey, Principal, Rejection, TransferId, UserId,
    account::Status,
    transfer::{Entry, Kind, Order, Posting, decide},
};
use simplebank_db::{
    self as db, Constraint, Tx, TxSpec, accounts, cash,
    idempotency::{Outcome, Record},
    postings,
};
use time::OffsetDateTime;

use crate::{Bank, Error, ports::new_id};

/// A request may wait half a second for a connection, twice, and for a lock: together less than the 2 s in which a locked
/// row is to be told.
const POST: TxSpec = TxSpec::read_committed("post").lock_timeout(Duration::from_millis(900));

/// What a movement of money came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The transfer and its two entries.
    pub posting: Posting,
    /// The customer's account, right after the transfer: the one that paid, or the one that a deposit went to.
    pub account: Account,
}

impl Receipt {
    /// The entry of [`account`](Self::account).
    #[must_use]
    pub fn entry(&self) -> &Entry {
        let [from, to] = self.posting.entries();
        if from.account_id == self.account.id { from } else { to }
    }
}

/// Which accounts take part, as the caller names them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Movement {
    Transfer { from_account_id: AccountId, to_account_id: AccountId },
    Deposit { account_id: AccountId },
    Withdrawal { account_id: AccountId },
}

/// What somebody wants done under a key, with everything that must not differ between two attempts.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    id: TransferId,
    /// For the cash account of the currency, should it not exist.
    cash_id: AccountId,
    now: OffsetDateTime,
    by: Principal,
    key: IdempotencyKey,
    movement: Movement,
    amount: Amount,
    currency: Currency,
}

impl Wish {
    pub(crate) fn new(
        now: OffsetDateTime,
        by: &Principal,
        key: IdempotencyKey,
        movement: Movement,
        amount: Amount,
        currency: Currency,
    ) -> Result<Self, Error> {
        let (id, cash_id) = (new_id(now)?, new_id(now)?);
        Ok(Self { id, cash_id, now, by: by.clone(), key, movement, amount, currency })
    }

    /// Posts in a transaction that somebody else commits.
    pub(crate) async fn post_in(&self, tx: &mut Tx<'_>) -> Result<Receipt, Error> {
        Ok(self.answer(tx).await??)
    }

    async fn answer(&self, tx: &mut Tx<'_>) -> Result<Answer, db::Error> {
        let keyed = self.keyed(tx).await?;
        let mut answers = post(tx, std::slice::from_ref(&keyed), self.now).await?;
        Ok(answers.pop().expect("there are as many answers as orders"))
    }

    /// What was answered under the key, if anything was: the question after a commit whose outcome is unknown. The answer may
    /// be somebody else's, who used the same key at the same time; it is the right one all the same.
    async fn recorded(&self, tx: &mut Tx<'_>) -> Result<Option<Answer>, db::Error> {
        let keyed = self.keyed(tx).await?;
        let found = postings::lock(tx, &[(self.by.id(), &self.key)], &[]).await?;
        match sort_out(std::slice::from_ref(&keyed), found.records).0.pop() {
            Some(Slot::Recorded(record)) => Ok(Some(replay(tx, record.outcome).await?)),
            Some(Slot::Reused) => Ok(Some(Err(Refusal::KeyReused))),
            Some(Slot::Judged(_)) | None => Ok(None),
        }
    }

    async fn keyed(&self, tx: &mut Tx<'_>) -> Result<Keyed, db::Error> {
        Ok(Keyed { key: self.key.clone(), order: self.order(tx).await? })
    }

    /// The order, with the cash account filled in where one takes part.
    async fn order(&self, tx: &mut Tx<'_>) -> Result<Order, db::Error> {
        let (kind, from_account_id, to_account_id) = match self.movement {
            Movement::Transfer { from_account_id, to_account_id } => {
                (Kind::Transfer, from_account_id, to_account_id)
            }
            Movement::Deposit { account_id } => (Kind::Deposit, self.cash(tx).await?, account_id),
            Movement::Withdrawal { account_id } => {
                (Kind::Withdrawal, account_id, self.cash(tx).await?)
            }
        };
        Ok(Order {
            id: self.id,
            kind,
            from_account_id,
            to_account_id,
            amount: self.amount,
            currency: self.currency,
            ordered_by: self.by.clone(),
        })
    }
}

impl Wish {
    async fn cash(&self, tx: &mut Tx<'_>) -> Result<AccountId, db::Error> {
        if let Some(id) = cash::find(tx, self.currency).await? {
            return Ok(id);
        }
        cash::ensure(tx, self.cash_id, self.currency, self.now).await?;
        Ok(cash::find(tx, self.currency).await?.unwrap_or(self.cash_id))
    }
}

/// An order and the key that it came with.
#[derive(Clone, Debug)]
pub(crate) struct Keyed {
    pub(crate) key: IdempotencyKey,
    pub(crate) order: Order,
}

/// What an order is answered with. A refusal is an answer like any other: it is recorded, and the transaction commits.
pub(crate) type Answer = Result<Receipt, Refusal>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Rejected(Rejection),
    KeyReused,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Rejected(rejection) => Self::Rejected(rejection),
            Refusal::KeyReused => Self::KeyReused,
        }
    }
}

impl Bank {
    /// Posts in a transaction of its own.
    pub(crate) async fn post(&self, wish: Wish) -> Result<Receipt, Error> {
        let mut has_met_another = false;
        loop {
            let answer = self
                .db()
                .transact(POST, async |tx| wish.answer(tx).await)
                .confirm(async |tx| wish.recorded(tx).await);
            match answer.await {
                Ok(answer) => return Ok(answer?),
                // Somebody has just answered the same key. That has been committed, so a second look finds it.
                Err(error)
                    if error.constraint() == Some(Constraint::IdempotencyKey)
                        && !has_met_another =>
                {
                    has_met_another = true;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Where an order's answer comes from.
enum Slot {
    /// The decision of this number.
    Judged(usize),
    /// A record of an earlier transaction.
    Recorded(Record),
    /// Its key names something else.
    Reused,
}

/// Judges and stores a slice of orders; see the module. There are as many answers as orders.
pub(crate) async fn post(
    tx: &mut Tx<'_>,
    orders: &[Keyed],
    now: OffsetDateTime,
) -> Result<Vec<Answer>, db::Error> {
    let keys: Vec<_> =
        orders.iter().map(|keyed| (keyed.order.ordered_by.id(), &keyed.key)).collect();
    let ids: Vec<_> = orders
        .iter()
        .flat_map(|keyed| [keyed.order.from_account_id, keyed.order.to_account_id])
        .collect();
    let postings::Locked { mut accounts, records } = postings::lock(tx, &keys, &ids).await?;

    let (slots, fresh) = sort_out(orders, records);
    let fresh_orders: Vec<Order> = fresh.iter().map(|(keyed, _)| keyed.order.clone()).collect();
    let decisions = decide(&mut accounts, &fresh_orders, now);
    if !fresh.is_empty() {
        let postings: Vec<&Posting> = decisions.iter().flatten().collect();
        let records: Vec<Record> = fresh
            .iter()
            .zip(&decisions)
            .map(|((keyed, hash), decision)| record(keyed, *hash, decision))
            .collect();
        postings::write(tx, &postings, &records, now).await?;
    }

    let mut answers = Vec::with_capacity(slots.len());
    for slot in slots {
        answers.push(match slot {
            Slot::Reused => Err(Refusal::KeyReused),
            Slot::Recorded(record) => replay(tx, record.outcome).await?,
            Slot::Judged(number) => {
                match decisions.get(number).expect("each fresh order has a decision") {
                    Err(rejection) => Err(Refusal::Rejected(rejection.clone())),
                    Ok(posting) => {
                        let account = accounts
                            .get(customer_side(posting))
                            .expect("who takes part was locked");
                        Ok(receipt(posting.clone(), account.clone()))
                    }
                }
            }
        });
    }
    Ok(answers)
}

/// Tells orders that are to be judged, each with the hash of its content, from those that have their answer.
fn sort_out(orders: &[Keyed], records: Vec<Record>) -> (Vec<Slot>, Vec<(&Keyed, [u8; 32])>) {
    let recorded: HashMap<(UserId, String), Record> = records
        .into_iter()
        .map(|record| ((record.owner, record.key.to_string()), record))
        .collect();
    let mut first: HashMap<(UserId, &str), usize> = HashMap::new();
    let (mut slots, mut fresh) = (Vec::with_capacity(orders.len()), Vec::new());
    for keyed in orders {
        let owner = keyed.order.ordered_by.id();
        let hash = content_hash(owner, &keyed.key, &keyed.order.content());
        let slot = if let Some(record) = recorded.get(&(owner, keyed.key.to_string())) {
            if record.content_hash == hash { Slot::Recorded(record.clone()) } else { Slot::Reused }
        } else if let Some(number) = first.get(&(owner, keyed.key.as_str())) {
            let is_same = fresh.get(*number).is_some_and(|(_, first_hash)| *first_hash == hash);
            if is_same { Slot::Judged(*number) } else { Slot::Reused }
        } else {
            first.insert((owner, keyed.key.as_str()), fresh.len());
            fresh.push((keyed, hash));
            Slot::Judged(fresh.len() - 1)
        };
        slots.push(slot);
    }
    (slots, fresh)
}

/// SHA-256 of what was asked for, by whom and under which key, as it is kept beside the answer: a record that was changed
/// to speak of another key is found out.
pub(crate) fn content_hash(owner: UserId, key: &IdempotencyKey, content: &str) -> [u8; 32] {
    // None of the parts holds a line break.
    Sha256::digest(format!("{owner}\n{key}\n{content}")).into()
}

fn record(keyed: &Keyed, content_hash: [u8; 32], decision: &Result<Posting, Rejection>) -> Record {
    let outcome = match decision {
        Ok(posting) => Outcome::Posted(posting.transfer().id),
        Err(rejection) => Outcome::Refused(rejection.clone()),
    };
    Record { owner: keyed.order.ordered_by.id(), key: keyed.key.clone(), content_hash, outcome }
}

/// The same answer as the first time, made from rows that never change.
async fn replay(tx: &mut Tx<'_>, outcome: Outcome) -> Result<Answer, db::Error> {
    let id = match outcome {
        Outcome::Refused(rejection) => return Ok(Err(Refusal::Rejected(rejection))),
        Outcome::Posted(id) => id,
    };
    let lost =
        |table| db::Error::Inconsistent { table, column: "id", row: id.to_string(), source: None };
    let posting = postings::find(tx, id).await?.ok_or_else(|| lost("transfers"))?;
    let account =
        accounts::find(tx, customer_side(&posting)).await?.ok_or_else(|| lost("accounts"))?;
    Ok(Ok(receipt(posting, account)))
}

/// The account that the receipt is about.
fn customer_side(posting: &Posting) -> AccountId {
    let transfer = posting.transfer();
    match transfer.kind {
        Kind::Transfer | Kind::Withdrawal => transfer.from_account_id,
        Kind::Deposit => transfer.to_account_id,
    }
}

/// A receipt that shows `account` as it was right after the posting: it was open, or there would be none.
fn receipt(posting: Posting, account: Account) -> Receipt {
    let mut receipt = Receipt { posting, account };
    let Entry { balance_after, version, .. } = *receipt.entry();
    receipt.account.balance = balance_after;
    receipt.account.version = version;
    receipt.account.status = Status::Open;
    receipt
}
