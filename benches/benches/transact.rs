//! What `Db::transact` costs over a bare sqlx transaction of the same two statements: rounds of both, interleaved, on a
//! durable PostgreSQL of the benchmark's own, with 1 and with 32 clients.
//!
//! Run it with `cargo bench -p simplebank-benches --bench transact`. What counts is the ratio; the rates depend on the machine.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]
#![expect(clippy::float_arithmetic, reason = "ratios of measured rates")]

#[expect(dead_code, reason = "the comparison needs more of it")]
#[path = "../src/cpu.rs"]
mod cpu;

use std::{error::Error as StdError, future::Future, time::Duration};

use simplebank::db::{Db, Error, Migrations, PoolOptions, TxSpec};
use simplebank_localpg::ThrowawayCluster;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::{task::JoinSet, time::Instant};

const SPEC: TxSpec = TxSpec::read_committed("bench");
const CLIENTS: [u32; 2] = [1, 32];
/// Rounds of all three. The median of their ratios forgives a third of them.
const ROUNDS: usize = 42;
const ROUND: Duration = Duration::from_millis(350);

type Failure = Box<dyn StdError + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let cluster = ThrowawayCluster::options().durable().start()?;
    let url = cluster.url("postgres");
    let mut migrations = Migrations::connect(&url).await?;
    migrations.up().await?;
    migrations.close().await?;
    let table = "create table counters (id int primary key, value bigint not null);
        insert into counters select n, 0 from generate_series(1, 32) n;
        grant select, update on counters to simplebank_app";
    let mut owner = PgConnection::connect(&url).await?;
    sqlx::raw_sql(table).execute(&mut owner).await?;
    let options = PoolOptions { connections_max: 32, ..PoolOptions::default() };
    let db = Db::connect(&url, options).await?;
    let pool = db.pool().clone();
    let pid = std::fs::read_to_string(cluster.directory().join("data/postmaster.pid"))?;
    let postmaster = pid.lines().next().unwrap_or_default().parse()?;

    println!(
        "clients  side       tx/s   / bare   PostgreSQL µs   client µs   (medians of {ROUNDS} rounds)"
    );
    for clients in CLIENTS {
        let [mut bare, mut helped, mut confirmed] = [const { Vec::new() }; 3];
        for round in 0..ROUNDS {
            // Each is the first as often as the last: what a round leaves behind is not always the same one's to clear up.
            for turn in 0..3 {
                let before = Reading::new(postmaster);
                let (rate, rounds) = match (round + turn) % 3 {
                    0 => (rate(clients, &pool, by_hand).await?, &mut bare),
                    1 => (rate(clients, &db, by_helper).await?, &mut helped),
                    _ => (rate(clients, &db, with_question).await?, &mut confirmed),
                };
                rounds.push(Round::new(rate, &before, &Reading::new(postmaster)));
            }
        }
        for (name, rounds) in [("bare", &bare), ("helper", &helped), ("confirmed", &confirmed)] {
            let ratios = rounds.iter().zip(&bare).map(|(ours, bare)| ours.rate / bare.rate);
            println!(
                "{clients:>7}  {name:<9} {:>6.0} {:>8.3} {:>15.1} {:>11.1}",
                median(rounds.iter().map(|it| it.rate)),
                median(ratios),
                median(rounds.iter().map(|it| it.postgres_us)),
                median(rounds.iter().map(|it| it.client_us)),
            );
        }
    }
    Ok(())
}

/// What is read before and after a round.
struct Reading {
    postgres: Duration,
    client: Duration,
}

impl Reading {
    fn new(postmaster: u32) -> Self {
        Self {
            postgres: cpu::of_family(postmaster).unwrap_or_default(),
            client: cpu::of_self().unwrap_or_default(),
        }
    }
}

struct Round {
    rate: f64,
    postgres_us: f64,
    client_us: f64,
}

impl Round {
    fn new((done, rate): (f64, f64), before: &Reading, after: &Reading) -> Self {
        let us = |before: Duration, after: Duration| (after - before).as_secs_f64() * 1e6 / done;
        Self {
            rate,
            postgres_us: us(before.postgres, after.postgres),
            client_us: us(before.client, after.client),
        }
    }
}

/// What both do: two round trips, on an executor that is named twice.
macro_rules! count_up {
    ($executor:expr, $client:expr) => {{
        let read = "select value from counters where id = $1 for no key update";
        let value: i64 = sqlx::query_scalar(read).bind($client).fetch_one($executor).await?;
        let write = "update counters set value = $2 where id = $1";
        sqlx::query(write).bind($client).bind(value + 1).execute($executor).await?;
        value
    }};
}

async fn by_hand(pool: PgPool, client: i32) -> Result<i64, Failure> {
    #[expect(clippy::disallowed_methods, reason = "the other side of the comparison")]
    let mut transaction = pool.begin().await?;
    let value = count_up!(&mut *transaction, client);
    transaction.commit().await?;
    Ok(value)
}

async fn by_helper(db: Db, client: i32) -> Result<i64, Failure> {
    let counted = db.transact(SPEC, async |tx| Ok::<_, Error>(count_up!(tx.connection(), client)));
    Ok(counted.await?)
}

async fn with_question(db: Db, client: i32) -> Result<i64, Failure> {
    let counted = db
        .transact(SPEC, async |tx| Ok::<_, Error>(count_up!(tx.connection(), client)))
        .confirm(async |_| Ok(None));
    Ok(counted.await?)
}

/// Transactions of so many clients, each on a row of its own; how many, and how many per second.
async fn rate<S, Fut>(
    clients: u32,
    subject: &S,
    transaction: fn(S, i32) -> Fut,
) -> Result<(f64, f64), Failure>
where
    S: Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<i64, Failure>> + Send + 'static,
{
    let began_at = Instant::now();
    let mut tasks = JoinSet::new();
    for client in 1..=clients {
        let (subject, client) = (subject.clone(), client.cast_signed());
        tasks.spawn(async move {
            let mut done = 0_u32;
            while began_at.elapsed() < ROUND {
                transaction(subject.clone(), client).await?;
                done += 1;
            }
            Ok::<_, Failure>(done)
        });
    }
    let mut done = 0.0;
    for each in tasks.join_all().await {
        done += f64::from(each?);
    }
    Ok((done, done / began_at.elapsed().as_secs_f64()))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
