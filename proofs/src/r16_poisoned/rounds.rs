//! Rounds of transfers, some of them poisoned.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use simplebank::testing::{Fault, Proxy, Strike, TestDatabase};
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::task::JoinSet;

use super::{Answers, Found, Stage};
use crate::{
    Report,
    bank::{self, Customer},
    load::{Size, World},
    random::{self, Random},
    wish::Wish,
};

const SIZE: Size = Size { customers: 24, hot: 4, connections: 4 };
/// Those who keep the lanes busy while the others gather.
const OPENERS: usize = 4;
const MEMBERS: usize = 40;
/// The largest amount without poison.
const CENTS_MAX: u64 = 9;
/// How long the commits take behind which a round gathers, and then those of the round itself.
const GATHERING: Duration = Duration::from_millis(250);
const SLOW: Duration = Duration::from_millis(60);
/// How many of the latter, in a round.
const SLOW_COMMITS: usize = 2;
/// Proxied lanes, the trial's own questions and the slow lane.
const CONNECTIONS: u32 = 4;

/// The amounts are those of [`Poison::cents`].
const TRIGGERS: &str = "
    create function poison() returns trigger language plpgsql as $$
    begin raise exception 'poison' using errcode = tg_argv[0]; end $$;
    create trigger poison_check before insert on simplebank.transfers
        for each row when (new.amount = 101) execute function poison('23514');
    create trigger poison_raised before insert on simplebank.transfers
        for each row when (new.amount = 102) execute function poison('P0001');
    create trigger poison_conflict before insert on simplebank.transfers
        for each row when (new.amount = 103) execute function poison('40001');
    create constraint trigger poison_at_commit after insert on simplebank.transfers deferrable initially deferred
        for each row when (new.amount = 104) execute function poison('23514')";

/// What is wrong with some of a round's transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Poison {
    /// A constraint refuses the row.
    Check,
    /// A function of somebody's raises an error.
    Raised,
    /// It looks as if another attempt could succeed, and none does.
    Conflict,
    /// A deferred constraint fails COMMIT.
    AtCommit,
    /// Somebody else has locked the account of who pays.
    Locked,
}

impl Poison {
    const ALL: [Self; 5] =
        [Self::Check, Self::Raised, Self::AtCommit, Self::Locked, Self::Conflict];

    const fn cents(self) -> i64 {
        match self {
            Self::Check => 101,
            Self::Raised => 102,
            Self::Conflict => 103,
            Self::AtCommit => 104,
            Self::Locked => 1,
        }
    }

    /// One in so many is poisoned. What looks as if another attempt could succeed is tried often, so it is one only.
    const fn one_in(self) -> usize {
        match self {
            Self::Check | Self::Raised | Self::AtCommit | Self::Locked => 8,
            Self::Conflict => MEMBERS,
        }
    }

    /// What who is poisoned must be told.
    const fn code(self) -> &'static str {
        match self {
            Self::Check | Self::Raised | Self::AtCommit => "internal",
            Self::Conflict | Self::Locked => "overloaded",
        }
    }
}

pub(super) async fn trial(answers: Answers, rounds: u64, mut report: Report) -> (Report, Found) {
    let database = TestDatabase::new().await;
    let world = World::open(database.url(), SIZE, random::seed()).await;
    sqlx::raw_sql(TRIGGERS).execute(world.owner()).await.expect("the owner may");
    let proxy = Proxy::start(&database.url()).await;
    let bank = bank::open(&proxy.url(), CONNECTIONS).await;
    let stage = Stage::new(&world, bank, answers);
    let mut random = world.random(0);
    let mut slowest: BTreeMap<Poison, Duration> = BTreeMap::new();
    for poison in Poison::ALL.into_iter().cycle().take(usize::try_from(rounds).expect("a few")) {
        stage.settled().await;
        let took = round(&stage, &proxy, poison, &mut random).await;
        let slowest = slowest.entry(poison).or_default();
        *slowest = took.max(*slowest);
    }
    let (batches, transfers) = stage.batches().await;
    report.tried(rounds, "rounds with poison");
    report.note(format!("{transfers} transfers beside it in {batches} batches"));
    for (poison, took) in slowest {
        report.note(format!("beside {poison:?} {} ms at most", took.as_millis()));
    }
    report.expect(answers == Answers::OnEnqueue || transfers > 2 * batches, || {
        format!("the transfers did not gather: {transfers} in {batches} batches")
    });
    stage.conclude(report).await
}

/// Returns how long the neighbours have waited.
async fn round(stage: &Arc<Stage>, proxy: &Proxy, poison: Poison, random: &mut Random) -> Duration {
    let customers = stage.world.customers();
    let (openers, members) = customers.split_at(OPENERS);
    let (locked, members) = members.split_first().expect("there are many");
    let mut healthy = JoinSet::new();
    for pair in openers.chunks_exact(2) {
        proxy.arm(Fault::BeforeCommit(Strike::Delay(GATHERING)));
        spawn(stage, draw(stage, random, pair), &mut healthy);
        proxy.struck().await;
    }
    for _ in 0..SLOW_COMMITS {
        proxy.arm(Fault::BeforeCommit(Strike::Delay(SLOW)));
    }
    let mut holder = stage.world.owner().acquire().await.expect("the server answers");
    if poison == Poison::Locked {
        lock(&mut holder, locked).await;
    }
    let mut poisoned = JoinSet::new();
    for number in 0..MEMBERS {
        if number % poison.one_in() == 0 {
            let from = if poison == Poison::Locked { locked } else { random.pick(members) };
            let to = other(random, members, from);
            let wish = Wish::note(&stage.log, from, to, poison.cents());
            spawn(stage, wish, &mut poisoned);
        } else {
            spawn(stage, draw(stage, random, members), &mut healthy);
        }
    }
    let began_at = Instant::now();
    while let Some(answer) = healthy.join_next().await {
        let (wish, answer) = answer.expect("a client doesn't panic");
        if let Err(code) = answer {
            wish.failed(&stage.log, code);
            stage
                .log
                .found("neighbours", format!("{}: {code}, for {poison:?} of others", wish.key));
        }
    }
    let took = began_at.elapsed();
    while let Some(answer) = poisoned.join_next().await {
        let (wish, answer) = answer.expect("a client doesn't panic");
        match answer {
            Err(code) if code == poison.code() => wish.failed(&stage.log, code),
            other => stage.log.found("poison", format!("{}: {poison:?}: {other:?}", wish.key)),
        }
    }
    sqlx::raw_sql("rollback").execute(&mut *holder).await.expect("the server answers");
    proxy.disarm();
    took
}

type Answered = (Wish, Result<(), &'static str>);

fn spawn(stage: &Arc<Stage>, wish: Wish, clients: &mut JoinSet<Answered>) {
    let stage = Arc::clone(stage);
    clients.spawn(async move {
        let answer = stage.ask(&wish).await.map_err(|error| error.code());
        (wish, answer)
    });
}

/// A transfer without poison.
fn draw(stage: &Stage, random: &mut Random, customers: &[Customer]) -> Wish {
    let from = random.pick(customers);
    let to = other(random, customers, from);
    let cents = i64::try_from(1 + random.below(CENTS_MAX)).expect("a few");
    Wish::note(&stage.log, from, to, cents)
}

fn other<'a>(random: &mut Random, customers: &'a [Customer], than: &Customer) -> &'a Customer {
    loop {
        let customer = random.pick(customers);
        if customer.account != than.account {
            return customer;
        }
    }
}

/// Locks an account in a transaction that stays open.
async fn lock(holder: &mut PgConnection, customer: &Customer) {
    let sql = format!(
        "begin; select from simplebank.accounts where id = '{}' for no key update",
        customer.account
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(holder).await.expect("nobody else has it");
}
