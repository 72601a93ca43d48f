//! R7: a proxy between the bank and PostgreSQL strikes around COMMIT.
//!
//! Every call meets a fault when it commits. Some clients have a proxy to themselves, others share one with each other, where
//! a fault strikes whoever commits first. Most calls are transfers of the bank; the others are payments in an embedder's own
//! tables, made by the helper with a question of the embedder's.
//!
//! Each call must be settled within five seconds: with the right answer, and one effect for each key. The same key, sent again
//! past the proxies, must give the same answer, and in the end the checker of the load compares the database with what
//! every client was told.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use simplebank::{
    Bank, Error, Receipt,
    db::{self, TxSpec},
    testing::{Fault, Proxy, Strike, TestDatabase},
};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    Control, Proof, Report, Scale,
    bank::{self, Customer},
    load::{Log, Size, World, conclude},
    payments::{self, ToldPayments},
    random,
    wish::Wish,
};

pub(crate) const PROOF: Proof = Proof {
    id: "R7",
    fault: "a proxy cuts before, during and after COMMIT, hangs, delays, and delivers COMMIT late",
    run: |scale: Scale| {
        let faults = Faults { cuts: scale.of(15, 1_000), waits: scale.of(1, 34) };
        Box::pin(async move { trial(Naive::Nobody, faults).await.0 })
    },
    control: Some(Control {
        defect: "i/o error reported as failure",
        run: |_| Box::pin(control()),
    }),
};

/// How often each fault strikes.
#[derive(Clone, Copy, Debug)]
struct Faults {
    cuts: u64,
    waits: u64,
}

/// The first of them doubles a payment already.
const CONTROL: Faults = Faults { cuts: 10, waits: 0 };

const CUTS: [(Fault, &str); 3] = [
    (Fault::BeforeCommit(Strike::Cut), "cuts before COMMIT"),
    (Fault::DuringCommit, "during"),
    (Fault::AfterCommit(Strike::Cut), "after"),
];
/// Some of them are over before anybody has lost patience, and others last longer than that.
const WAITS: [Fault; 9] = [
    Fault::BeforeCommit(Strike::Hang),
    Fault::AfterCommit(Strike::Hang),
    Fault::BeforeCommit(Strike::Delay(Duration::from_secs(3))),
    Fault::AfterCommit(Strike::Delay(Duration::from_secs(3))),
    Fault::LateCommit(Duration::from_secs(3)),
    Fault::LateCommit(Duration::from_millis(250)),
    Fault::LateCommit(Duration::from_millis(20)),
    Fault::BeforeCommit(Strike::Delay(Duration::from_millis(100))),
    Fault::AfterCommit(Strike::Delay(Duration::from_millis(100))),
];

/// Clients with a proxy of their own. A transaction that hangs holds its locks, so each has two accounts of its own, too.
const ALONE: usize = 10;
/// Clients that share a proxy and two accounts.
const TOGETHER: usize = 4;
const SIZE: Size = Size { customers: 2 * ALONE + 2, hot: 2, connections: 4 };
/// For what is sent at a time, and for a question while a connection hangs.
const CONNECTIONS_EACH: u32 = 2;
const CENTS: i64 = 1;
/// A call must be settled within this time.
const LIMIT: Duration = Duration::from_secs(5);
const PAYMENT: TxSpec = TxSpec::read_committed("payment");
/// One call in so many is for the embedder's tables.
const EMBEDDER_ONE_IN: u64 = 5;
/// How often a naive client does it again.
const AGAIN_MAX: u32 = 20;

/// Who takes a lost connection for a failure, and does it again: under a new key, or without having asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naive {
    Nobody,
    Everybody,
}

/// Whose money a call moves.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Banks,
    Embedders(i64),
}

/// A call, and what happens to it.
#[derive(Clone, Copy, Debug)]
struct Call {
    fault: Fault,
    whose: Whose,
}

type Calls = Arc<Mutex<VecDeque<Call>>>;

/// A proxy and a bank behind it.
struct Lane {
    proxy: Proxy,
    bank: Bank,
    /// How many faults were armed.
    armed: AtomicU64,
}

struct Stage {
    world: Arc<World>,
    log: Arc<Log>,
    naive: Naive,
    told: Mutex<ToldPayments>,
    slowest: Mutex<Duration>,
}

/// The bank's client and the embedder's helper must both double something: if one doesn't, nothing is reported, and the
/// control has failed.
async fn control() -> Report {
    let (report, embedders) = trial(Naive::Everybody, CONTROL).await;
    let banks = report.violations() - embedders;
    if banks > 0 && embedders > 0 {
        return report;
    }
    let mut failed = Report::new();
    failed.note(format!("{banks} violations by a naive client, {embedders} by a naive helper"));
    failed
}

/// Returns the report, and how many of its violations are in the embedder's tables.
async fn trial(naive: Naive, faults: Faults) -> (Report, u64) {
    let database = TestDatabase::new().await;
    let world = World::open(database.url(), SIZE, random::seed()).await;
    payments::create(world.owner()).await;
    let stage = Arc::new(Stage {
        world: Arc::clone(&world),
        log: Arc::new(Log::new()),
        naive,
        told: Mutex::default(),
        slowest: Mutex::default(),
    });
    let (alone, together) = calls(faults);
    let expected = alone.len() + together.len();
    let lanes = serve(&stage, &database, alone, together).await;
    let mut struck = 0;
    for lane in &lanes {
        // What is late arrives before anybody looks.
        lane.proxy.settled().await;
        struck += lane.proxy.hits();
        // And the faults are healed: a server learns that who hangs is gone.
        lane.proxy.cut_all().await;
    }
    let mut report = Report::new();
    for (_, name) in CUTS {
        report.tried(faults.cuts, name);
    }
    let waits = u64::try_from(WAITS.len()).expect("a few") * faults.waits;
    report.tried(waits, "hangs, delays and late COMMITs");
    report.note(format!("slowest call {} ms", lock(&stage.slowest).as_millis()));
    let told = lock(&stage.told).clone();
    report.tried(u64::try_from(told.len()).expect("a few"), "payments of an embedder");
    payments::check(world.owner(), &told, &mut report).await;
    let embedders = report.violations();
    report.expect(u64::try_from(expected) == Ok(struck), || {
        format!("{struck} faults of {expected} struck")
    });
    (conclude(world, Arc::clone(&stage.log), report).await, embedders)
}

/// The calls of those who have a proxy to themselves, and of those who share one.
fn calls(faults: Faults) -> (VecDeque<Call>, VecDeque<Call>) {
    let mut id = 0;
    let mut call = |number: u64, fault| {
        id += 1;
        let is_embedders = number % EMBEDDER_ONE_IN == EMBEDDER_ONE_IN - 1;
        Call { fault, whose: if is_embedders { Whose::Embedders(id) } else { Whose::Banks } }
    };
    let (mut alone, mut together) = (VecDeque::new(), VecDeque::new());
    let waits = (0..faults.waits).flat_map(|_| WAITS);
    alone.extend((0..).zip(waits).map(|(number, fault)| call(number, fault)));
    for number in 0..faults.cuts {
        let calls = if number % 2 == 0 { &mut alone } else { &mut together };
        calls.extend(CUTS.map(|(fault, _)| call(number, fault)));
    }
    (alone, together)
}

/// Makes all calls; returns the lanes on which they were made.
async fn serve(
    stage: &Arc<Stage>,
    database: &TestDatabase,
    alone: VecDeque<Call>,
    together: VecDeque<Call>,
) -> Vec<Arc<Lane>> {
    let (alone, together) = (Arc::new(Mutex::new(alone)), Arc::new(Mutex::new(together)));
    let mut clients = JoinSet::new();
    let mut lanes = Vec::new();
    for (number, pair) in stage.world.customers().chunks_exact(2).enumerate() {
        let is_alone = number < ALONE;
        let (count, calls) = if is_alone { (1, &alone) } else { (TOGETHER, &together) };
        let connections = CONNECTIONS_EACH * u32::try_from(count).expect("a few");
        let proxy = Proxy::start(&database.url()).await;
        let bank = bank::open(&proxy.url(), connections).await;
        let lane = Arc::new(Lane { proxy, bank, armed: AtomicU64::new(0) });
        for _ in 0..count {
            let (stage, lane, calls) = (Arc::clone(stage), Arc::clone(&lane), Arc::clone(calls));
            clients.spawn(client(stage, lane, calls, pair.to_vec()));
        }
        lanes.push(lane);
    }
    clients.join_all().await;
    lanes
}

/// Arms a fault and commits something, for as long as there are any.
async fn client(stage: Arc<Stage>, lane: Arc<Lane>, calls: Calls, mut pair: Vec<Customer>) {
    while let Some(call) = take(&calls) {
        lane.armed.fetch_add(1, Ordering::Relaxed);
        lane.proxy.arm(call.fault);
        match (call.whose, stage.naive) {
            (Whose::Banks, Naive::Nobody) => {
                transfer(&stage, &lane, call.fault, &pair).await;
            }
            (Whose::Banks, Naive::Everybody) => transfer_naively(&stage, &lane, &pair).await,
            (Whose::Embedders(id), Naive::Nobody) => {
                pay(&stage, &lane, call.fault, id).await;
            }
            (Whose::Embedders(id), Naive::Everybody) => pay_naively(&stage, &lane, id).await,
        }
        pair.rotate_left(1); // what one has paid comes back
    }
    // Transfers that gather behind one COMMIT meet one fault, and leave the others over: those meet transfers of their own.
    while lane.proxy.hits() < lane.armed.load(Ordering::Relaxed) {
        match stage.naive {
            Naive::Nobody => transfer(&stage, &lane, Fault::DuringCommit, &pair).await,
            Naive::Everybody => transfer_naively(&stage, &lane, &pair).await,
        }
        pair.rotate_left(1);
    }
}

fn take(calls: &Calls) -> Option<Call> {
    lock(calls).pop_front()
}

fn wish(stage: &Stage, pair: &[Customer]) -> Wish {
    let [from, to] = pair else { unreachable!("two customers are a pair") };
    Wish::note(&stage.log, from, to, CENTS)
}

async fn transfer(stage: &Stage, lane: &Lane, fault: Fault, pair: &[Customer]) {
    let wish = wish(stage, pair);
    let receipt = match timed(stage, fault, wish.send(&lane.bank)).await {
        Ok(receipt) => receipt,
        Err(error) => return stage.log.found("settled", format!("{fault:?}: {error:?}")),
    };
    wish.acknowledged(&stage.log, &receipt);
    match wish.send(stage.world.bank()).await {
        Ok(again) if again == receipt => {}
        other => stage.log.found("I7", format!("{fault:?}: {receipt:?}, and again {other:?}")),
    }
}

async fn pay(stage: &Stage, lane: &Lane, fault: Fault, id: i64) {
    let paying = lane
        .bank
        .db()
        .transact(PAYMENT, async |tx| payments::pay(tx, id).await)
        .confirm(async |tx| payments::paid(tx, id).await);
    match timed(stage, fault, async { paying.await }).await {
        Ok(number) => tell(stage, id, number),
        Err(error) => stage.log.found("settled", format!("{fault:?}: {error:?}")),
    }
}

/// Takes any error for a failure, and asks for another transfer.
async fn transfer_naively(stage: &Stage, lane: &Lane, pair: &[Customer]) {
    for _ in 0..AGAIN_MAX {
        let wish = wish(stage, pair);
        match unconfirmed(&lane.bank, &wish).await {
            Ok(receipt) => return wish.acknowledged(&stage.log, &receipt),
            Err(error) => wish.failed(&stage.log, error.code()),
        }
    }
}

/// A transfer without the bank's question.
async fn unconfirmed(bank: &Bank, wish: &Wish) -> Result<Receipt, Error> {
    bank.db()
        .transact(PAYMENT, async |tx| {
            bank.transfer_in(tx, &wish.by, wish.key.clone(), wish.command.clone()).await
        })
        .await
}

/// Takes any error for a failure, and runs the body again without asking.
async fn pay_naively(stage: &Stage, lane: &Lane, id: i64) {
    for _ in 0..AGAIN_MAX {
        let db = lane.bank.db();
        let paid: Result<i64, db::Error> =
            db.transact(PAYMENT, async |tx| payments::pay(tx, id).await).await;
        if let Ok(number) = paid {
            return tell(stage, id, number);
        }
    }
}

fn tell(stage: &Stage, id: i64, number: i64) {
    lock(&stage.told).insert(id, Some(number));
}

/// Waits for a call, and complains if it takes too long.
async fn timed<T>(stage: &Stage, fault: Fault, call: impl Future<Output = T>) -> T {
    let began_at = Instant::now();
    let answer = call.await;
    let took = began_at.elapsed();
    if took > LIMIT {
        stage.log.found("settled", format!("{fault:?}: after {took:?}"));
    }
    let mut slowest = lock(&stage.slowest);
    *slowest = took.max(*slowest);
    answer
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
