//! R30: two server processes, and an embedder whose transactions have rows of its own, on one database.
//!
//! The processes run the same program as `simplebank-http`; their clients come over HTTP. The embedder is this process: each of
//! its orders is part of a transaction in which it also makes a payment in tables of its own. All pay, hold, capture, void and
//! reverse at the same time, with half of the payments among four accounts, and they take each other's holds and transfers:
//! many want to capture, void or reverse the same one.
//!
//! The reader and the checker of the load judge the ledger and what everybody was told. Answers are asked for again at another
//! party, which must give the same. And what is an embedder's has happened in its tables if and only if it has in the bank's.
//!
//! The control is two processes that remember the balances which they have left, and don't compare them with what is there.

mod embedder;
mod order;
mod process;
mod servers;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use simplebank::{
    Bank,
    testing::TestDatabase,
    token::{PasetoLocal, SymmetricKey},
};
use tokio::task::JoinSet;

use self::{
    order::{Answer, Order, Pool, Sent},
    process::Process,
};
use crate::{
    Control, Proof, Report, Scale, bank, http,
    load::{Clients, Load, Log, Road, Size, Told, World, conclude, watch},
    payments, random,
};

pub(crate) const PROOF: Proof = Proof {
    id: "R30",
    fault: "two server processes and an embedder's joined transactions, with holds and reversals",
    run: |scale: Scale| Box::pin(trial(scale.of(40, 4_000))),
    control: Some(Control {
        defect: "balances remembered by each process, and not compared",
        run: |_| Box::pin(control()),
    }),
};

const SIZE: Size = Size { customers: 16, hot: 4, connections: 10 };
const CONTROL_TRANSFERS: u64 = 300;
const CONTROL_CLIENTS: u64 = 16;
/// Clients of each party.
const CLIENTS: u64 = 8;
const PARTIES: u64 = 3;
/// One answer in so many is asked for again, at another party.
const AGAIN_ONE_IN: u64 = 8;
/// How often the same is sent while nobody knows what has become of it.
const SENT_MAX: u32 = 100;

/// Who takes orders.
enum Party {
    Server(Box<Process>),
    Embedder(Bank),
}

struct Stage {
    world: Arc<World>,
    log: Arc<Log>,
    tokens: Vec<String>,
    parties: Vec<Party>,
    pool: Pool,
    /// Orders of the embedder's that have happened.
    embedded: Mutex<HashSet<i64>>,
}

async fn control() -> Report {
    let database = TestDatabase::new().await;
    let world = World::open(database.url(), SIZE, random::seed()).await;
    let clients = Clients {
        count: CONTROL_CLIENTS,
        transfers_max: CONTROL_TRANSFERS,
        road: Road::UncheckedMemory,
    };
    let log = Load::start(&world, clients).finish().await;
    conclude(world, log, Report::new()).await
}

async fn trial(orders_each: u64) -> Report {
    let database = TestDatabase::new().await;
    let world = World::open(database.url(), SIZE, random::seed()).await;
    payments::create(world.owner()).await;
    let stage = Arc::new(open(&database, &world).await);
    let reader = watch(&world, &stage.log);
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS * PARTIES {
        clients.spawn(client(Arc::clone(&stage), number, orders_each));
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client doesn't panic");
    }
    reader.stop().await;
    let mut report = Report::new();
    report.tried(orders_each * CLIENTS * PARTIES, "orders of three parties");
    check_embedder(&stage, &mut report).await;
    let stage = Arc::into_inner(stage).expect("all clients have ended");
    for party in stage.parties {
        match party {
            Party::Server(process) => process.stop(&mut report).await,
            Party::Embedder(bank) => bank.db().close().await,
        }
    }
    conclude(world, stage.log, report).await
}

async fn open(database: &TestDatabase, world: &Arc<World>) -> Stage {
    let mut random = world.random(u64::MAX);
    let key: Vec<u8> = (0..4).flat_map(|_| random.next().to_be_bytes()).collect();
    let tokens = SymmetricKey::from_bytes(&key).expect("32 random bytes");
    let bank = Bank::builder(bank::connect(&database.url(), SIZE.connections).await)
        .tokens(PasetoLocal::new(&tokens))
        .build()
        .expect("the system gives random numbers");
    let tokens = http::log_in(&bank, SIZE.customers).await;
    let one = Process::start(&database.url(), &key).await;
    let other = Process::start(&database.url(), &key).await;
    Stage {
        world: Arc::clone(world),
        log: Arc::new(Log::new()),
        tokens,
        parties: vec![
            Party::Server(Box::new(one)),
            Party::Server(Box::new(other)),
            Party::Embedder(bank),
        ],
        pool: Pool::default(),
        embedded: Mutex::default(),
    }
}

async fn client(stage: Arc<Stage>, number: u64, orders: u64) {
    let mut random = stage.world.random(number);
    let party = usize::try_from(number % PARTIES).expect("there are three");
    let customers = match number % 2 {
        0 => SIZE.hot,
        _ => SIZE.customers,
    };
    for _ in 0..orders {
        let order = stage.pool.order(&mut random, customers);
        let is_asked_again = random.below(AGAIN_ONE_IN) == 0;
        stage.ask(party, &order, is_asked_again).await;
    }
}

impl Stage {
    async fn ask(&self, party: usize, order: &Order, is_asked_again: bool) {
        let number = self.log.ask(order.line(self.world.customers()));
        let mut answer = self.send(party, order, number).await;
        for _ in 0..SENT_MAX {
            if !matches!(answer, Sent::Unknown) {
                break;
            }
            self.log.count("unknown outcomes");
            answer = self.send(party, order, number).await;
        }
        let answer = match answer {
            Sent::Answered(answer) => answer,
            Sent::Failed(code) => return self.log.tell(number, Told::Failed(code)),
            Sent::Wrong(text) => return self.log.found("answers", format!("{order:?}: {text}")),
            Sent::Unknown => return self.log.found("I7", format!("{order:?}: never settled")),
        };
        self.log.tell(number, answer.told());
        self.pool.note(order, &answer);
        // What was the embedder's stays a part of its transaction, so the others may only be asked for the servers'.
        if is_asked_again && !self.is_embedder(party) {
            self.ask_again(party, order, number, &answer).await;
        }
    }

    fn is_embedder(&self, party: usize) -> bool {
        matches!(self.parties.get(party), Some(Party::Embedder(_)))
    }

    /// Asks another server for the same.
    async fn ask_again(&self, party: usize, order: &Order, number: usize, first: &Answer) {
        for _ in 0..SENT_MAX {
            match self.send(1 - party, order, number).await {
                Sent::Answered(again) => {
                    self.log.count("answers asked for again");
                    if again != *first {
                        let text = format!("{order:?}: first {first:?}, then {again:?}");
                        self.log.found("I7", text);
                    }
                    return;
                }
                Sent::Failed(_) | Sent::Unknown => {}
                Sent::Wrong(text) => {
                    return self.log.found("answers", format!("{order:?}: {text}"));
                }
            }
        }
        self.log.found("I7", format!("{order:?}: never answered again"));
    }

    async fn send(&self, party: usize, order: &Order, number: usize) -> Sent {
        match self.parties.get(party).expect("there are three") {
            Party::Server(process) => {
                let token = self.tokens.get(order.by()).expect("everybody has logged in");
                let customers = self.world.customers();
                servers::send(process.address(), token, customers, order, number).await
            }
            Party::Embedder(bank) => {
                let sent = embedder::send(bank, self.world.customers(), order, number).await;
                if matches!(&sent, Sent::Answered(Answer::Posted { .. } | Answer::Held { .. })) {
                    let number = i64::try_from(number).expect("there are fewer");
                    self.embedded.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
                }
                sent
            }
        }
    }
}

/// The embedder's payments must be those orders that the bank has accepted from it, and no others.
async fn check_embedder(stage: &Stage, report: &mut Report) {
    let told = std::mem::take(&mut *stage.embedded.lock().unwrap_or_else(PoisonError::into_inner));
    let payments: Vec<i64> = sqlx::query_scalar("select id from payments order by id")
        .fetch_all(stage.world.owner())
        .await
        .expect("the owner may read");
    report.tried(u64::try_from(payments.len()).expect("a few"), "payments of the embedder");
    let mut missing = told;
    for id in payments {
        report.expect(missing.remove(&id), || {
            format!("payment {id}: made twice, or without the bank's order")
        });
    }
    for id in missing {
        report.violation(format!("payment {id}: the bank's order has happened without it"));
    }
}
