//! Daily limits: what an account spends in a day through two channels together.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use simplebank::db::{Db, Error, Isolation, Tx, TxSpec};
use sqlx::PgPool;

use super::gate::Gate;

/// The counter has the locked row and the CHECK; the sum over the channels is what it must agree with. Half of each page is
/// left free, so that an update touches no index.
pub(super) const TABLES: &str = "
    create table daily_limits (
        account integer not null,
        day integer not null,
        spent bigint not null default 0 constraint daily_limits_spent_check check (spent <= 1000),
        primary key (account, day)
    ) with (fillfactor = 50);
    create table daily_spendings (
        account integer not null,
        day integer not null,
        channel integer not null,
        spent bigint not null default 0,
        primary key (account, day, channel)
    ) with (fillfactor = 50);
    grant select, update on daily_limits, daily_spendings to simplebank_app;
    create table others (id integer primary key, commits bigint not null) with (fillfactor = 50);
    insert into others values (1, 0)";

/// As in the CHECK.
pub(super) const LIMIT: i64 = 1000;
/// Once is allowed, twice is too much.
pub(super) const PRICE: i64 = 600;

/// What keeps a limit.
#[derive(Clone, Copy, Debug)]
pub(super) enum Net {
    /// A locked row with a CHECK, at any level.
    LockAndCheck(Isolation),
    /// Reading the sum, and trust in SERIALIZABLE.
    SerializableOnly,
}

/// An account on a day, with two who want to spend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) account: i32,
    pub(super) day: i32,
    pub(super) net: Net,
}

/// Through which channel somebody spends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Channel {
    Slow,
    Quick,
}

impl Channel {
    const fn number(self) -> i32 {
        match self {
            Self::Slow => 1,
            Self::Quick => 2,
        }
    }
}

/// Makes the rows of new pairs, one for each net.
pub(super) async fn pairs(owner: &PgPool, day: i32, nets: &[Net]) -> Vec<Pair> {
    let numbered = (1..).zip(nets);
    let pairs: Vec<Pair> =
        numbered.map(|(account, net)| Pair { account, day, net: *net }).collect();
    let accounts: Vec<i32> = pairs.iter().map(|pair| pair.account).collect();
    for sql in [
        "insert into daily_limits (account, day) select account, $1 from unnest($2::integer[]) account",
        "insert into daily_spendings (account, day, channel)
             select account, $1, channel from unnest($2::integer[]) account, generate_series(1, 2) channel",
    ] {
        let insert = sqlx::query(sql).bind(day).bind(&accounts).execute(owner);
        insert.await.expect("the day is new");
    }
    pairs
}

/// Spends unless the limit forbids it; true if it was spent. With a gate, waits there the first time after having read.
pub(super) async fn spend(
    db: Db,
    pair: Pair,
    channel: Channel,
    gate: Option<Gate>,
) -> Result<bool, Error> {
    let level = match pair.net {
        Net::LockAndCheck(level) => level,
        Net::SerializableOnly => Isolation::Serializable,
    };
    let spec = TxSpec::new("spend", level)
        .idle_timeout(Duration::from_secs(60))
        .deadline(Duration::from_secs(60))
        .attempts_max(100);
    let has_waited = AtomicBool::new(false);
    db.transact(spec, async |tx| {
        let spent = read(tx, pair).await?;
        if let Some(gate) = &gate
            && !has_waited.swap(true, Ordering::Relaxed)
        {
            gate.pass().await;
        }
        match pair.net {
            Net::LockAndCheck(_) => {
                if lock(tx, pair).await? + PRICE > LIMIT {
                    return Ok(false);
                }
                count(tx, pair).await?;
            }
            Net::SerializableOnly if spent + PRICE > LIMIT => return Ok(false),
            Net::SerializableOnly => {}
        }
        write(tx, pair, channel).await?;
        Ok(true)
    })
    .await
}

/// What has been spent through both channels.
async fn read(tx: &mut Tx<'_>, pair: Pair) -> Result<i64, Error> {
    let sql = "select sum(spent)::bigint from daily_spendings where account = $1 and day = $2";
    let sum = sqlx::query_scalar(sql).bind(pair.account).bind(pair.day);
    Ok(sum.fetch_one(tx.connection()).await?)
}

/// The counter, which is the locked row.
async fn lock(tx: &mut Tx<'_>, pair: Pair) -> Result<i64, Error> {
    let sql = "select spent from daily_limits where account = $1 and day = $2 for no key update";
    let spent = sqlx::query_scalar(sql).bind(pair.account).bind(pair.day);
    Ok(spent.fetch_one(tx.connection()).await?)
}

async fn count(tx: &mut Tx<'_>, pair: Pair) -> Result<(), Error> {
    let sql = "update daily_limits set spent = spent + $3 where account = $1 and day = $2";
    sqlx::query(sql).bind(pair.account).bind(pair.day).bind(PRICE).execute(tx.connection()).await?;
    Ok(())
}

async fn write(tx: &mut Tx<'_>, pair: Pair, channel: Channel) -> Result<(), Error> {
    let sql = "update daily_spendings set spent = spent + $4
        where account = $1 and day = $2 and channel = $3";
    sqlx::query(sql)
        .bind(pair.account)
        .bind(pair.day)
        .bind(channel.number())
        .bind(PRICE)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// What has been spent on a day, by account.
pub(super) async fn spent(owner: &PgPool, day: i32) -> Vec<(i32, i64)> {
    let sql = "select account, sum(spent)::bigint from daily_spendings
        where day = $1 group by account order by account";
    sqlx::query_as(sql).bind(day).fetch_all(owner).await.expect("the database answers")
}
