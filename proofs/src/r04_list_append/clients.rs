//! Clients who run random transactions through the helper and write down what they see.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use simplebank::db::{BodyError, Db, Error, Isolation, Tx, TxSpec};
use sqlx::PgPool;
use tokio::task::JoinSet;

use super::history::{Attempt, Fate, History, Key, Operation, Value};
use crate::random::Random;

pub(super) const TABLE: &str = "
    create table lists (key integer primary key, list integer[] not null default '{}');
    grant select, update on lists to simplebank_app";

/// More than connections would not be more at a time.
pub(super) const CLIENTS: u64 = 10;
/// Lists that are in use at a time: few, so that transactions meet.
const LISTS: Key = 5;
const OPERATIONS_MAX: u64 = 5;
/// One transaction in so many is rolled back by its own wish.
const ABORTS_ONE_IN: u64 = 20;

/// Where histories come from.
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) db: Db,
    pub(super) owner: PgPool,
    /// Lists grow, so each round has fresh ones.
    next_key: Key,
    next_value: Arc<AtomicI32>,
}

/// What a transaction is going to do, in each of its attempts.
#[derive(Debug)]
struct Plan {
    steps: Vec<Step>,
    aborts: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Append(Key),
    Read(Key),
}

/// Why a body did not succeed.
enum Stop {
    ByPlan,
    Db(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Db(error)
    }
}

impl BodyError for Stop {
    fn into_db(self) -> Result<Error, Self> {
        match self {
            Self::Db(error) => Ok(error),
            Self::ByPlan => Err(self),
        }
    }
}

impl Plan {
    fn draw(random: &mut Random, lists: &[Key]) -> Self {
        let steps = 0..1 + random.below(OPERATIONS_MAX);
        let steps = steps.map(|_| {
            let key = *random.pick(lists);
            if random.below(2) == 0 { Step::Append(key) } else { Step::Read(key) }
        });
        Self { steps: steps.collect(), aborts: random.below(ABORTS_ONE_IN) == 0 }
    }
}

impl Lists {
    pub(super) fn new(db: Db, owner: PgPool) -> Self {
        Self { db, owner, next_key: 0, next_value: Arc::new(AtomicI32::new(1)) }
    }

    /// Lets every client run this many transactions at `level` on fresh lists; returns what they saw, or what failed.
    pub(super) async fn round(
        &mut self,
        level: Isolation,
        each: u64,
        random: &mut Random,
    ) -> (History, Vec<String>) {
        let keys = self.next_key..self.next_key + LISTS;
        self.next_key = keys.end;
        self.insert(keys.clone()).await;
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let client = Client {
                db: self.db.clone(),
                level,
                keys: keys.clone().collect(),
                next_value: Arc::clone(&self.next_value),
                random: random.split(),
            };
            clients.spawn(client.run(each));
        }
        let (mut attempts, mut failures) = (Vec::new(), Vec::new());
        for seen in clients.join_all().await {
            attempts.extend(seen.0);
            failures.extend(seen.1);
        }
        (History { attempts, lists: self.read(keys).await }, failures)
    }

    async fn insert(&self, keys: Range<Key>) {
        let sql = "insert into lists (key) select generate_series($1, $2)";
        let insert = sqlx::query(sql).bind(keys.start).bind(keys.end - 1).execute(&self.owner);
        insert.await.expect("the keys are new");
    }

    async fn read(&self, keys: Range<Key>) -> BTreeMap<Key, Vec<Value>> {
        let sql = "select key, list from lists where key between $1 and $2 order by key";
        let lists = sqlx::query_as(sql).bind(keys.start).bind(keys.end - 1);
        let lists: Vec<(Key, Vec<Value>)> =
            lists.fetch_all(&self.owner).await.expect("the database answers");
        lists.into_iter().collect()
    }
}

struct Client {
    db: Db,
    level: Isolation,
    keys: Vec<Key>,
    next_value: Arc<AtomicI32>,
    random: Random,
}

impl Client {
    async fn run(mut self, count: u64) -> (Vec<Attempt>, Vec<String>) {
        let (mut attempts, mut failures) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let plan = Plan::draw(&mut self.random, &self.keys);
            let failure = self.transact(&plan, &mut attempts).await;
            failures.extend(failure);
        }
        (attempts, failures)
    }

    /// Runs a plan, adds all its attempts, and returns what failed, if something did.
    async fn transact(&self, plan: &Plan, attempts: &mut Vec<Attempt>) -> Option<String> {
        let patience = Duration::from_secs(120);
        let spec = TxSpec::new("list_append", self.level)
            .lock_timeout(patience)
            .statement_timeout(patience)
            .deadline(patience)
            .attempts_max(10_000);
        let seen = Seen::default();
        let outcome = self
            .db
            .transact(spec, async |tx| {
                seen.begin();
                for step in &plan.steps {
                    self.take(tx, *step, &seen).await?;
                }
                if plan.aborts { Err(Stop::ByPlan) } else { Ok(()) }
            })
            .await;
        let fate = if outcome.is_ok() { Fate::Committed } else { Fate::Aborted };
        attempts.extend(seen.attempts(fate));
        match outcome {
            Ok(()) | Err(Stop::ByPlan) => None,
            Err(Stop::Db(error)) => Some(format!("a transaction failed: {error:?}")),
        }
    }

    async fn take(&self, tx: &mut Tx<'_>, step: Step, seen: &Seen) -> Result<(), Error> {
        match step {
            Step::Append(key) => {
                let value = self.next_value.fetch_add(1, Ordering::Relaxed);
                // Before it is sent: should it fail, nobody may ever see it.
                seen.add(Operation::Append(key, value));
                let sql = "update lists set list = list || $2 where key = $1";
                sqlx::query(sql).bind(key).bind(value).execute(tx.connection()).await?;
            }
            Step::Read(key) => {
                let sql = "select list from lists where key = $1";
                let list = sqlx::query_scalar(sql).bind(key).fetch_one(tx.connection()).await?;
                seen.add(Operation::Read(key, list));
            }
        }
        Ok(())
    }
}

/// What the attempts of one transaction did and saw.
#[derive(Debug, Default)]
struct Seen(Mutex<Vec<Vec<Operation>>>);

impl Seen {
    fn begin(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Vec::new());
    }

    fn add(&self, operation: Operation) {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.last_mut().expect("an attempt has begun").push(operation);
    }

    /// All attempts: the last one with this fate, those before it rolled back.
    fn attempts(self, fate: Fate) -> Vec<Attempt> {
        let attempts = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let aborted = |operations| Attempt { fate: Fate::Aborted, operations };
        let mut attempts: Vec<Attempt> = attempts.into_iter().map(aborted).collect();
        if let Some(last) = attempts.last_mut() {
            last.fate = fate;
        }
        attempts
    }
}
