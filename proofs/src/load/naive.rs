//! The seeded defects: a transfer as one would write it without thinking of others, on the same tables.
//!
//! Each leaves out one thing and does everything else as the bank does: records and entries are complete, so that what
//! the checker finds follows from the defect.

use std::sync::Arc;

use simplebank::{
    core::{
        Rejection, TransferId,
        transfer::{Kind, Order},
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

/// Asks once. The client believes whatever it is told.
pub(super) async fn ask(shared: &Arc<Shared>, wish: &Wish, random: u64) {
    let order = Order {
        id: TransferId::from_uuid(Uuid::from_u64_pair(
            random,
            random.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        )),
        kind: Kind::Transfer,
        from_account_id: wish.from.account,
        to_account_id: wish.to.account,
        amount: wish.amount,
        currency: euro(),
        ordered_by: wish.from.principal.clone(),
    };
    let db = shared.world.bank().db();
    let told = db.transact(NAIVE, async |tx| pay(tx, shared, wish.number, &order).await).await;
    match (told, shared.road) {
        (Ok(told), Road::Bank | Road::NoRowLock) => shared.log.tell(wish.number, told),
        // The client has heard already.
        (Ok(_), Road::AnswerBeforeCommit) => {}
        (Err(_), _) => tokio::time::sleep(PAUSE).await,
    }
}

async fn pay(
    tx: &mut Tx<'_>,
    shared: &Shared,
    number: usize,
    order: &Order,
) -> Result<Told, Error> {
    let sides = read(tx, shared.road, order).await?;
    let told = match sides.iter().find(|side| side.change < 0) {
        Some(payer) if payer.balance + payer.change < 0 => refuse(tx, number, order).await?,
        Some(_) | None => post(tx, number, order, &sides).await?,
    };
    if shared.road == Road::AnswerBeforeCommit {
        shared.log.tell(number, told);
    }
    Ok(told)
}

/// Both accounts, in ascending order of their ids, locked or not.
async fn read(tx: &mut Tx<'_>, road: Road, order: &Order) -> Result<Vec<Side>, Error> {
    let lock = match road {
        Road::NoRowLock => "",
        Road::Bank | Road::AnswerBeforeCommit => "for no key update",
    };
    let sql = format!(
        "select id, balance from simplebank.accounts where id = any($1) order by id {lock}"
    );
    let (from, to) = (order.from_account_id.as_uuid(), order.to_account_id.as_uuid());
    let rows: Vec<(Uuid, i64)> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(vec![from, to]).fetch_all(tx.connection()).await?;
    let minor = order.amount.minor();
    let side =
        |(id, balance)| Side { id, change: if id == from { -minor } else { minor }, balance };
    Ok(rows.into_iter().map(side).collect())
}

async fn post(
    tx: &mut Tx<'_>,
    number: usize,
    order: &Order,
    sides: &[Side],
) -> Result<Told, Error> {
    sqlx::query(
        "insert into simplebank.transfers (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at)
         values ($1, 'transfer', $2, $3, $4, 'EUR', $5, now())",
    )
    .bind(order.id.as_uuid())
    .bind(order.from_account_id.as_uuid())
    .bind(order.to_account_id.as_uuid())
    .bind(order.amount.minor())
    .bind(order.ordered_by.id().as_uuid())
    .execute(tx.connection())
    .await?;
    let mut told = Told::Nothing;
    for side in sides {
        let version = enter(tx, order, side).await?;
        if side.change < 0 {
            let (transfer, balance_after) = (order.id.as_uuid(), side.balance + side.change);
            told = Told::Acknowledged { transfer, version, balance_after };
        }
    }
    record(tx, number, order, None).await?;
    Ok(told)
}

/// One side: the balance that was computed from what was read, and its entry.
async fn enter(tx: &mut Tx<'_>, order: &Order, side: &Side) -> Result<i64, Error> {
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
    .bind(order.id.as_uuid())
    .bind(side.change)
    .bind(balance_after)
    .execute(tx.connection())
    .await?;
    Ok(version)
}

async fn refuse(tx: &mut Tx<'_>, number: usize, order: &Order) -> Result<Told, Error> {
    let rejection = Rejection::InsufficientFunds { id: order.from_account_id };
    record(tx, number, order, Some(&rejection)).await?;
    Ok(Told::Refused(rejection.code()))
}

/// What was answered, under the key, with the hash that `verify` expects.
async fn record(
    tx: &mut Tx<'_>,
    number: usize,
    order: &Order,
    rejection: Option<&Rejection>,
) -> Result<(), Error> {
    let (owner, key) = (order.ordered_by.id(), key_of(number));
    sqlx::query(
        "insert into simplebank.idempotency
            (owner_id, key, content_hash, transfer_id, rejection_code, rejection_account_id, created_at)
         values ($1, $2, sha256(convert_to($3, 'UTF8')), $4, $5, $6, now())",
    )
    .bind(owner.as_uuid())
    .bind(&key)
    .bind(format!("{owner}\n{key}\n{}", order.content()))
    .bind(rejection.is_none().then(|| order.id.as_uuid()))
    .bind(rejection.map(Rejection::code))
    .bind(rejection.and_then(Rejection::account).map(|account| account.as_uuid()))
    .execute(tx.connection())
    .await?;
    Ok(())
}
