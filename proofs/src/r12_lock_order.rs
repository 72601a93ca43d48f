//! R12: A pays B while B pays A, cycles, random legs: nobody deadlocks, and not a cent is lost.
//!
//! They come on four roads at the same time: through the committers of two banks on one database, by `transfer_in` in
//! transactions of their own, and as whole cycles that happen together or not at all.
//!
//! PostgreSQL looks for a deadlock only after `deadlock_timeout`, 1 s by default, and the bank gives up a lock after 900 ms:
//! a deadlock would never be counted. So in the trial's database it looks much earlier: see [`bank::hurry_deadlocks`].

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use simplebank::{
    Bank, Kind, Member, Mode,
    core::{AccountId, Principal},
    db::{Error, TxSpec},
    testing::TestDatabase,
};
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::{
    Control, Proof, Report,
    bank::{self, Customer},
    load::act_as_owner,
    random::{self, Random},
};

pub(crate) const PROOF: Proof = Proof {
    id: "R12",
    fault: "A↔B, cycles, random legs",
    run: |scale| Box::pin(trial(Order::Ascending, scale.of(1_500, 200_000))),
    control: Some(Control {
        defect: "locks in the order of the request",
        run: |_| Box::pin(trial(Order::OfRequest, CONTROL_TRANSFERS)),
    }),
};

const CLIENTS: u64 = 32;
/// The first deadlocks come at once.
const CONTROL_TRANSFERS: u64 = 200;
const CUSTOMERS: usize = 8;
/// In each account at the beginning; enough for whoever pays by bad luck all the time.
const OPENING_CENTS: i64 = 1_000_000_000;
/// How long sessions may take to end after their pool has been closed.
const ENDING_MAX: Duration = Duration::from_secs(60);

/// In which order the accounts of a transfer are locked.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// As the bank does it.
    Ascending,
    /// The naive way: first who pays, then who is paid.
    OfRequest,
}

/// Which way a client takes.
#[derive(Clone, Copy, Debug)]
enum Road {
    Committer,
    OtherCommitter,
    OwnTransaction,
    /// From one to another, from there to a third, and back to the first.
    WholeCycle,
}

impl Road {
    /// Each road with each of the three kinds of [`leg`].
    const fn of(client: u64) -> Self {
        match client / 3 % 4 {
            0 => Self::Committer,
            1 => Self::OtherCommitter,
            2 => Self::OwnTransaction,
            _ => Self::WholeCycle,
        }
    }
}

/// What all clients share.
struct Stage {
    bank: Bank,
    other_bank: Bank,
    customers: Vec<Customer>,
    order: Order,
}

/// What one client did.
#[derive(Default)]
struct Log {
    /// By how much each customer's balance should have changed.
    changes: [i64; CUSTOMERS],
    /// How many transfers each customer took part in.
    legs: [i64; CUSTOMERS],
    /// Transfers that were sent again, since the bank was too busy.
    again: u64,
    failures: Vec<String>,
}

async fn trial(order: Order, transfers: u64) -> Report {
    let mut report = Report::new();
    let database = TestDatabase::new().await;
    let owner = bank::hurry_deadlocks(&database.url()).await;
    let bank = bank::open(&database.url(), 30).await;
    let other_bank = bank::open(&database.url(), 10).await;
    let customers = bank::customers(&bank, CUSTOMERS, OPENING_CENTS).await;
    let seed = random::seed();
    let stage = Stage {
        bank: bank.clone(),
        other_bank: other_bank.clone(),
        customers: customers.clone(),
        order,
    };
    let log = load(stage, seed, transfers).await;
    // A backend reports what it has counted at the latest when it ends.
    bank.db().close().await;
    other_bank.db().close().await;
    report.tried(transfers, "transfers and cycles");
    report.note(format!("{CLIENTS} clients, seed {seed}"));
    let deadlocks = deadlocks(&owner).await;
    report.expect(deadlocks == 0, || format!("PostgreSQL counted {deadlocks} deadlocks"));
    match order {
        Order::Ascending => {
            let bank = bank::open(&database.url(), 10).await;
            check_log(&bank, &customers, &log, &mut report).await;
        }
        // It keeps no ledger that could be checked.
        Order::OfRequest => {}
    }
    report
}

/// Deadlocks that PostgreSQL has counted in the database, once all other sessions have ended.
async fn deadlocks(owner: &PgPool) -> i64 {
    let others = "select count(*) from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()";
    let ended_by = Instant::now() + ENDING_MAX;
    let mut sessions: i64 = 1;
    while sessions > 0 {
        assert!(Instant::now() < ended_by, "the sessions of a closed pool end");
        sessions = sqlx::query_scalar(others).fetch_one(owner).await.expect("the database answers");
    }
    let sql = "select deadlocks from pg_stat_database where datname = current_database()";
    sqlx::query_scalar(sql).fetch_one(owner).await.expect("the database answers")
}

async fn load(stage: Stage, seed: u64, transfers: u64) -> Log {
    let (stage, mut random) = (Arc::new(stage), Random::from_seed(seed));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        // The first ones take what does not divide evenly.
        let count = transfers / CLIENTS + u64::from(client < transfers % CLIENTS);
        clients.spawn(run_client(Arc::clone(&stage), client, random.split(), count));
    }
    clients.join_all().await.into_iter().fold(Log::default(), |mut sum, log| {
        for (all, one) in sum.changes.iter_mut().zip(log.changes) {
            *all += one;
        }
        for (all, one) in sum.legs.iter_mut().zip(log.legs) {
            *all += one;
        }
        sum.again += log.again;
        sum.failures.extend(log.failures);
        sum
    })
}

async fn run_client(stage: Arc<Stage>, client: u64, mut random: Random, count: u64) -> Log {
    let mut log = Log::default();
    for number in 0..count {
        let (from, to) = leg(&mut random, client);
        let cents = i64::try_from(1 + random.below(99)).expect("below 100");
        let key = format!("{client}-{number}");
        let legs = match (stage.order, Road::of(client)) {
            (Order::Ascending, Road::WholeCycle) => {
                let third = (0..CUSTOMERS).find(|third| ![from, to].contains(third));
                let third = third.expect("there are more than two customers");
                vec![(from, to), (to, third), (third, from)]
            }
            _ => vec![(from, to)],
        };
        match send(&stage, Road::of(client), &legs, cents, &key).await {
            Ok(again) => {
                log.again += again;
                log.note(&legs, cents);
            }
            Err(failure) => log.failures.push(failure),
        }
    }
    log
}

impl Log {
    fn note(&mut self, legs: &[(usize, usize)], cents: i64) {
        for (from, to) in legs.iter().copied() {
            *self.changes.get_mut(from).expect("a customer") -= cents;
            *self.changes.get_mut(to).expect("a customer") += cents;
            *self.legs.get_mut(from).expect("a customer") += 1;
            *self.legs.get_mut(to).expect("a customer") += 1;
        }
    }
}

/// Who pays whom: a third of the clients A↔B, a third around a cycle of three in both directions, a third anybody anybody.
fn leg(random: &mut Random, client: u64) -> (usize, usize) {
    let (from, to) = match client % 3 {
        0 => *random.pick(&[(0, 1), (1, 0)]),
        1 => *random.pick(&[(2, 3), (3, 4), (4, 2), (3, 2), (4, 3), (2, 4)]),
        _ => {
            let anybody: Vec<usize> = (0..CUSTOMERS).collect();
            let from = *random.pick(&anybody);
            let others: Vec<usize> = anybody.into_iter().filter(|other| *other != from).collect();
            (from, *random.pick(&others))
        }
    };
    (from, to)
}

/// Sends a transfer, or a cycle of them, until it is settled; returns how often it was sent again.
async fn send(
    stage: &Stage,
    road: Road,
    legs: &[(usize, usize)],
    cents: i64,
    key: &str,
) -> Result<u64, String> {
    let [(from, to), ..] = legs else { unreachable!("there is a leg") };
    let (from, to) = (stage.customer(*from), stage.customer(*to));
    let (by, command) = (&from.principal, bank::transfer(from, to, cents));
    let (answer, again) = match (stage.order, road) {
        (Order::OfRequest, _) => {
            let moved = naive(&stage.bank, from.account, to.account, cents).await;
            return moved.map(|()| 0).map_err(|error| format!("a transfer failed: {error}"));
        }
        (Order::Ascending, Road::Committer) => {
            bank::transfer_until_settled(&stage.bank, by, bank::key(key), command).await
        }
        (Order::Ascending, Road::OtherCommitter) => {
            bank::transfer_until_settled(&stage.other_bank, by, bank::key(key), command).await
        }
        (Order::Ascending, Road::OwnTransaction) => {
            bank::transfer_in_until_settled(&stage.bank, by, bank::key(key), command).await
        }
        (Order::Ascending, Road::WholeCycle) => return cycle(stage, legs, cents, key).await,
    };
    answer.map(|_| again).map_err(|error| format!("a transfer failed: {error}"))
}

/// All legs, or none, until that is settled.
async fn cycle(
    stage: &Stage,
    legs: &[(usize, usize)],
    cents: i64,
    key: &str,
) -> Result<u64, String> {
    let members = legs.iter().zip(0..).map(|((from, to), leg)| Member {
        key: bank::key(&format!("{key}-{leg}")),
        transfer: bank::transfer(stage.customer(*from), stage.customer(*to), cents),
    });
    let (members, mut again) = (members.collect::<Vec<_>>(), 0);
    loop {
        let posted = stage.bank.post_all(&Principal::Operator, members.clone(), Mode::Atomic);
        match posted.await {
            Ok(_) => return Ok(again),
            Err(error) if error.kind() == Kind::Unavailable && again < bank::SENT_MAX => again += 1,
            Err(error) => return Err(format!("a cycle failed: {error}")),
        }
    }
}

impl Stage {
    fn customer(&self, number: usize) -> &Customer {
        self.customers.get(number).expect("a customer")
    }
}

/// Moves money between two balances, locking one account after the other as they are named. Who is chosen as the victim of
/// a deadlock is run again, so nothing but PostgreSQL's count tells.
async fn naive(bank: &Bank, from: AccountId, to: AccountId, cents: i64) -> Result<(), Error> {
    const NAIVE: TxSpec = TxSpec::read_committed("naive").attempts_max(1_000);
    let lock = "select from simplebank.accounts where id = $1 for no key update";
    let change = "update simplebank.accounts set balance = balance + $2, version = version + 1 where id = $1";
    bank.db()
        .transact(NAIVE, async |tx| {
            act_as_owner(tx).await?;
            for account in [from, to] {
                sqlx::query(lock).bind(account.as_uuid()).execute(tx.connection()).await?;
            }
            for (account, cents) in [(from, -cents), (to, cents)] {
                let changed = sqlx::query(change).bind(account.as_uuid()).bind(cents);
                changed.execute(tx.connection()).await?;
            }
            Ok(())
        })
        .await
}

/// Compares balances and versions with what the clients were told, and verifies the ledger.
async fn check_log(bank: &Bank, customers: &[Customer], log: &Log, report: &mut Report) {
    if log.again > 0 {
        report.note(format!("{} sent again", log.again));
    }
    for failure in log.failures.iter().cloned() {
        report.violation(failure);
    }
    let (mut total, mut opening) = (0, 0);
    for ((customer, change), legs) in customers.iter().zip(log.changes).zip(log.legs) {
        let found = bank::state(bank, customer.account).await;
        // The opening deposit was the first entry.
        let expected = (OPENING_CENTS + change, legs + 1);
        report.expect(found == expected, || {
            format!("balance and version of {} are {found:?}, not {expected:?}", customer.account)
        });
        total += found.0;
        opening += OPENING_CENTS;
    }
    report.expect(total == opening, || format!("{total} cents in all, not {opening}"));
    let whole = bank.verify(|_| ()).await.expect("the database answers");
    report.expect(whole.violation.is_none(), || format!("verify: {:?}", whole.violation));
}
