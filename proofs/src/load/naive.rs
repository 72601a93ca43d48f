//! The seeded defects: a transfer as one would write it without thinking of others, on the same tables.
//!
//! Each leaves out one thing and does everything else as the bank does: records and entries are complete, so that what
//! the checker finds follows from the defect. The application may write the ledger only through `simplebank.post`, so the
//! naive roads write with the rights of the tables' owner.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use simplebank::{
    core::{
        Memo, Rejection, TransferId,
        transfer::{Action, Order, Terms},
    },
    db::{Error, Tx, TxSpec},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Road, Shared, Told,
    client::{PAUSE, Wish},
    log::key_of,
};
use crate::bank::euro;

/// Once: running the body again would mend what the defect breaks.
const NAIVE: TxSpec = TxSpec::read_committed("naive").attempts_max(1);

/// Who takes part, as they were read.
#[derive(Clone, Copy, Debug)]
struct Side {
    id: Uuid,
    change: i64,
    balance: i64,
}

/// The balances that a process remembers.
pub(crate) type Memory = Mutex<HashMap<Uuid, i64>>;

/// A transfer that somebody asks for.
#[derive(Debug)]
struct Payment {
    /// Its number in the log.
    number: usize,
    id: Uuid,
    wish: Wish,
}

impl Payment {
    fn from(&self) -> Uuid {
        self.wish.from.account.as_uuid()
    }

    fn to(&self) -> Uuid {
        self.wish.to.account.as_uuid()
    }

    /// The content by which the bank knows it.
    fn content(&self) -> String {
        let terms = Terms {
            from_account_id: self.wish.from.account,
            to_account_id: self.wish.to.account,
            amount: self.wish.amount,
            currency: euro(),
            memo: Memo::NONE,
        };
        let action = Action::Transfer { id: TransferId::from_uuid(self.id), terms };
        Order { ordered_by: self.wish.from.principal.clone(), action }.content()
    }
}

/// Asks once. The client believes whatever it is told.
pub(super) async fn ask(shared: &Arc<Shared>, wish: &Wish, random: u64) {
    let id = Uuid::from_u64_pair(random, random.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let payment = Payment { number: wish.number, id, wish: wish.clone() };
    let db = shared.world.bank().db();
    let told = db.transact(NAIVE, async |tx| pay(tx, shared, &payment).await).await;
    match (told, shared.road) {
        (Ok(told), Road::Bank | Road::NoRowLock | Road::UncheckedMemory) => {
            shared.log.tell(wish.number, told)
        }
        // The client has heard already.
        (Ok(_), Road::AnswerBeforeCommit) => {}
        (Err(_), _) => tokio::time::sleep(PAUSE).await,
    }
}

async fn pay(tx: &mut Tx<'_>, shared: &Shared, payment: &Payment) -> Result<Told, Error> {
    act_as_owner(tx).await?;
    let mut sides = read(tx, shared.road, payment).await?;
    if shared.road == Road::UncheckedMemory {
        recall(shared, payment, &mut sides);
    }
    let told = match sides.iter().find(|side| side.change < 0) {
        Some(payer) if payer.balance + payer.change < 0 => refuse(tx, payment).await?,
        Some(_) | None => post(tx, payment, &sides).await?,
    };
    if shared.road == Road::AnswerBeforeCommit {
        shared.log.tell(payment.number, told);
    }
    Ok(told)
}

/// Takes the balances that are remembered for those that were read, and remembers what will become of them.
fn recall(shared: &Shared, payment: &Payment, sides: &mut [Side]) {
    let [one, other] = &shared.memories;
    let memory = if payment.number.is_multiple_of(2) { one } else { other };
    let mut memory = memory.lock().expect("nobody panics with it");
    for side in sides {
        side.balance = memory.get(&side.id).copied().unwrap_or(side.balance);
        memory.insert(side.id, side.balance + side.change);
    }
}

/// Lays the application's role down until the transaction ends: the login owns the tables.
pub(crate) async fn act_as_owner(tx: &mut Tx<'_>) -> Result<(), Error> {
    sqlx::query("set local role none").execute(tx.connection()).await?;
    Ok(())
}

/// Both accounts, in ascending order of their ids, locked or not.
async fn read(tx: &mut Tx<'_>, road: Road, payment: &Payment) -> Result<Vec<Side>, Error> {
    let lock = match road {
        Road::NoRowLock => "",
        Road::Bank | Road::AnswerBeforeCommit | Road::UncheckedMemory => "for no key update",
    };
    let sql = format!(
        "select id, balance from simplebank.accounts where id = any($1) order by id {lock}"
    );
    let from = payment.from();
    let rows: Vec<(Uuid, i64)> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(vec![from, payment.to()])
        .fetch_all(tx.connection())
        .await?;
    let minor = payment.wish.amount.minor();
    let side =
        |(id, balance)| Side { id, change: if id == from { -minor } else { minor }, balance };
    Ok(rows.into_iter().map(side).collect())
}

async fn post(tx: &mut Tx<'_>, payment: &Payment, sides: &[Side]) -> Result<Told, Error> {
    let mut told = Told::Nothing;
    let (mut from_version, mut to_version) = (0, 0);
    for side in sides {
        let version = enter(tx, payment, side).await?;
        if side.change < 0 {
            let (transfer, balance_after) = (payment.id, side.balance + side.change);
            told = Told::Acknowledged { transfer, version, balance_after };
            from_version = version;
        } else {
            to_version = version;
        }
    }
    sqlx::query(
        "insert into simplebank.transfers
            (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at, from_version, to_version)
         values ($1, 'transfer', $2, $3, $4, 'EUR', $5, now(), $6, $7)",
    )
    .bind(payment.id)
    .bind(payment.from())
    .bind(payment.to())
    .bind(payment.wish.amount.minor())
    .bind(payment.wish.from.principal.id().as_uuid())
    .bind(from_version)
    .bind(to_version)
    .execute(tx.connection())
    .await?;
    record(tx, payment, None).await?;
    Ok(told)
}

/// One side: the balance that was computed from what was read, and its entry.
async fn enter(tx: &mut Tx<'_>, payment: &Payment, side: &Side) -> Result<i64, Error> {
    let balance_after = side.balance + side.change;
    let version: i64 = sqlx::query_scalar(
        "update simplebank.accounts set balance = $2, version = version + 1 where id = $1 returning version",
    )
    .bind(side.id)
    .bind(balance_after)
    .fetch_one(tx.connection())
    .await?;
    sqlx::query(
        "insert into simplebank.entries (account_id, version, transfer_id, amount, balance_after, created_at)
         values ($1, $2, $3, $4, $5, now())",
    )
    .bind(side.id)
    .bind(version)
    .bind(payment.id)
    .bind(side.change)
    .bind(balance_after)
    .execute(tx.connection())
    .await?;
    Ok(version)
}

async fn refuse(tx: &mut Tx<'_>, payment: &Payment) -> Result<Told, Error> {
    let rejection = Rejection::InsufficientFunds { id: payment.wish.from.account };
    record(tx, payment, Some(&rejection)).await?;
    Ok(Told::Refused(rejection.code()))
}

/// What was answered, under the key, with the hash that `verify` expects.
async fn record(
    tx: &mut Tx<'_>,
    payment: &Payment,
    rejection: Option<&Rejection>,
) -> Result<(), Error> {
    let (owner, key) = (payment.wish.from.principal.id(), key_of(payment.number));
    sqlx::query(
        "insert into simplebank.idempotency
            (owner_id, key, content_hash, transfer_id, rejection_code, rejection_subject_id, created_at)
         values ($1, $2, sha256(convert_to($3, 'UTF8')), $4, $5, $6, now())",
    )
    .bind(owner.as_uuid())
    .bind(&key)
    .bind(format!("{owner}\n{key}\n{}", payment.content()))
    .bind(rejection.is_none().then_some(payment.id))
    .bind(rejection.map(Rejection::code))
    .bind(rejection.and_then(Rejection::subject))
    .execute(tx.connection())
    .await?;
    Ok(())
}
