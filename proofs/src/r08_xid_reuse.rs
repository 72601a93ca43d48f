//! R8: a COMMIT is lost together with its server, and somebody else gets the transaction's number.
//!
//! PostgreSQL numbers transactions from where its write-ahead log ends. What a crash cuts off the log, it numbers again. Each
//! round:
//!
//! 1. everything before is made durable, and the network goes out for new connections;
//! 2. a call commits on the one connection that is open, and a proxy loses the commit, as its [`Fate`] says;
//! 3. the server is killed by SIGKILL, and started again;
//! 4. others commit until the number of the lost transaction is used again;
//! 5. the network comes back, and only now can the call find out what has become of its transaction.
//!
//! The server writes its log as late as it can, so that what was not synced by somebody is lost.
//!
//! The control asks `pg_xact_status` for the outcome, which tells the outcome of whoever has the number now.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use simplebank::{
    Bank,
    db::{Db, Error, Tx, TxSpec},
    testing::{Fault, Proxy, Strike, TestCluster, ThrowawayCluster},
};
use sqlx::PgPool;
use tokio::{task::JoinHandle, time::Instant};

use crate::{
    Control, Proof, Report, bank,
    load::{Log, Size, World, conclude},
    payments::{self, ToldPayments},
    random,
    wish::Wish,
};

pub(crate) const PROOF: Proof = Proof {
    id: "R8",
    fault: "COMMIT lost with a crash of PostgreSQL, and the transaction's number used again",
    run: |scale| Box::pin(trial(Resolver::Question, scale.of(6, 200))),
    control: Some(Control {
        defect: "pg_xact_status",
        run: |_| Box::pin(trial(Resolver::XactStatus, CONTROL_ROUNDS)),
    }),
};

/// In two of three the number is used again, for a payment.
const CONTROL_ROUNDS: u64 = 3;
const SIZE: Size = Size { customers: 2, hot: 2, connections: 2 };
const CENTS: i64 = 1;
/// A restart takes a second or two, and the machine may be busy.
const PAYMENT: TxSpec = TxSpec::read_committed("payment").deadline(Duration::from_secs(60));
/// A naive caller gives up asking after this time.
const ASKED_FOR_MAX: Duration = Duration::from_secs(60);
const ASK_PAUSE: Duration = Duration::from_millis(20);
/// How many transactions are tried for the number: many more than a server can have lost.
const OTHERS_MAX: u64 = 10_000;

/// Who finds out what became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolver {
    /// The helper, by the caller's question.
    Question,
    /// The naive way: by the transaction's number.
    XactStatus,
}

/// How a commit is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The server never sees it.
    Swallowed,
    /// The server has committed, and forgets it by the crash. Nobody was told.
    Forgotten,
    /// The server has committed, and somebody has made that durable. Only the answer is lost.
    Kept,
}

impl Fate {
    const fn of(round: u64) -> Self {
        match round % 3 {
            0 => Self::Swallowed,
            1 => Self::Forgotten,
            _ => Self::Kept,
        }
    }

    const fn fault(self) -> Fault {
        match self {
            Self::Swallowed => Fault::BeforeCommit(Strike::Cut),
            Self::Forgotten | Self::Kept => Fault::AfterCommit(Strike::Cut),
        }
    }
}

struct Stage {
    cluster: TestCluster,
    world: Arc<World>,
    log: Arc<Log>,
    proxy: Proxy,
    /// Behind the proxy, with one connection.
    bank: Bank,
    resolver: Resolver,
}

/// What the rounds have come to.
#[derive(Debug, Default)]
struct Counts {
    lost: u64,
    kept: u64,
    reused: u64,
    sent_again: u64,
    slowest: Duration,
    told: ToldPayments,
}

/// A call that doesn't know what became of its commit, and can't ask yet.
struct InDoubt<T> {
    call: JoinHandle<T>,
    began_at: Instant,
    /// The number of its transaction.
    xid: i64,
    is_reused: bool,
}

async fn trial(resolver: Resolver, rounds: u64) -> Report {
    let mut report = Report::new();
    let stage = open(resolver).await;
    let mut counts = Counts::default();
    for number in 0..rounds {
        if resolver == Resolver::Question && number / 3 % 2 == 1 {
            transfer(&stage, number, &mut counts, &mut report).await;
        } else {
            pay(&stage, number, &mut counts, &mut report).await;
        }
    }
    report.tried(rounds, "crashes in COMMIT");
    report.note(format!("{} commits lost and {} kept", counts.lost, counts.kept));
    report.note(format!("{} lost numbers used again", counts.reused));
    report.note(format!("{} sent again by the bank's client", counts.sent_again));
    report.note(format!("slowest call {} ms", counts.slowest.as_millis()));
    report.expect(counts.reused * 2 >= counts.lost, || {
        "most of the lost numbers were not used again, so little was tried".to_owned()
    });
    payments::check(stage.world.owner(), &counts.told, &mut report).await;
    conclude(Arc::clone(&stage.world), Arc::clone(&stage.log), report).await
}

/// A server that writes its log late, and nothing by itself.
async fn open(resolver: Resolver) -> Stage {
    let options = ThrowawayCluster::options()
        .setting("synchronous_commit", "off")
        .setting("wal_writer_delay", "10s")
        .setting("bgwriter_lru_maxpages", "0")
        .setting("checkpoint_timeout", "1h")
        .setting("autovacuum", "off");
    let cluster = TestCluster::start(options).await;
    let world = World::open(cluster.url(), SIZE, random::seed()).await;
    payments::create(world.owner()).await;
    let proxy = Proxy::start(&cluster.url()).await;
    let bank = bank::open(&proxy.url(), 1).await;
    Stage { cluster, world, log: Arc::new(Log::new()), proxy, bank, resolver }
}

/// A payment in the embedder's tables.
async fn pay(stage: &Stage, round: u64, counts: &mut Counts, report: &mut Report) {
    let (fate, id) = (Fate::of(round), i64::try_from(round).expect("a few rounds"));
    let xids = Arc::new(Mutex::new(Vec::new()));
    let paying = Paying { db: stage.bank.db().clone(), id, xids: Arc::clone(&xids) };
    let resolver = stage.resolver;
    let call = async move {
        match resolver {
            Resolver::Question => paying.with_question().await,
            Resolver::XactStatus => paying.with_xact_status().await,
        }
    };
    let Some(doubt) = lose(stage, fate, call).await else {
        return report.violation(format!("round {round}: the fault did not strike"));
    };
    let first = lock(&xids).first().copied();
    report.expect(first == Some(doubt.xid), || {
        format!("round {round}: the transaction was {first:?}, not {}", doubt.xid)
    });
    let is_kept = !payments::find(stage.world.owner(), id).await.is_empty();
    counts.note(fate, is_kept, doubt.is_reused, report);
    let answer = settle(stage, doubt, counts).await;
    let found = payments::find(stage.world.owner(), id).await;
    let number = match answer {
        Ok(number) => number,
        Err(error) => return report.violation(format!("round {round}, {fate:?}: {error:?}")),
    };
    report.expect(found == [number], || {
        format!("round {round}, {fate:?}: a false answer: told {number}, there is {found:?}")
    });
    counts.told.insert(id, Some(number));
    let runs = lock(&xids).len();
    report.expect((runs == 1) == is_kept, || {
        format!("round {round}, {fate:?}: the body ran {runs} times")
    });
}

/// A transfer of the bank's.
async fn transfer(stage: &Stage, round: u64, counts: &mut Counts, report: &mut Report) {
    const RECORDED: &str = "select count(*) from simplebank.idempotency where key = $1";
    let fate = Fate::of(round);
    let [from, to] = stage.world.customers() else { unreachable!("there are two customers") };
    let (from, to) = if round.is_multiple_of(2) { (from, to) } else { (to, from) };
    let wish = Wish::note(&stage.log, from, to, CENTS);
    let (bank, sent) = (stage.bank.clone(), wish.clone());
    let call = async move {
        bank::transfer_until_settled(&bank, &sent.by, sent.key.clone(), sent.command).await
    };
    let Some(doubt) = lose(stage, fate, call).await else {
        return report.violation(format!("round {round}: the fault did not strike"));
    };
    let recorded = sqlx::query_scalar(RECORDED).bind(wish.key.as_str());
    let recorded: i64 = recorded.fetch_one(stage.world.owner()).await.expect("it answers");
    counts.note(fate, recorded > 0, doubt.is_reused, report);
    let (answer, sent_again) = settle(stage, doubt, counts).await;
    counts.sent_again += sent_again;
    let receipt = match answer {
        Ok(receipt) => receipt,
        Err(error) => return report.violation(format!("round {round}, {fate:?}: {error:?}")),
    };
    wish.acknowledged(&stage.log, &receipt);
    match wish.send(stage.world.bank()).await {
        Ok(again) if again == receipt => {}
        other => report.violation(format!("round {round}: {receipt:?}, and again {other:?}")),
    }
}

impl Counts {
    fn note(&mut self, fate: Fate, is_kept: bool, is_reused: bool, report: &mut Report) {
        report.expect(is_kept || fate != Fate::Kept, || "what was durable is lost".to_owned());
        if is_kept {
            self.kept += 1;
            report.expect(!is_reused, || "a number was used twice without a loss".to_owned());
        } else {
            self.lost += 1;
            self.reused += u64::from(is_reused);
        }
    }
}

/// Makes a call, loses its commit, kills the server and has others use the number; none if the fault didn't strike.
async fn lose<T: Send + 'static>(
    stage: &Stage,
    fate: Fate,
    call: impl Future<Output = T> + Send + 'static,
) -> Option<InDoubt<T>> {
    let owner = stage.world.owner();
    let open = sqlx::raw_sql("select 1").execute(stage.bank.db().pool()).await;
    open.expect("the network is there");
    checkpoint(owner).await;
    let next = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
    let xid: i64 = sqlx::query_scalar(next).fetch_one(owner).await.expect("it answers");
    stage.proxy.refuse_connections();
    stage.proxy.arm(fate.fault());
    let began_at = Instant::now();
    let mut call = tokio::spawn(call);
    tokio::select! {
        () = stage.proxy.struck() => {}
        _ = &mut call => return None,
    }
    if fate == Fate::Kept {
        checkpoint(owner).await;
    }
    stage.cluster.crash().await;
    stage.cluster.resume().await;
    let is_reused = use_again(owner, xid).await;
    Some(InDoubt { call, began_at, xid, is_reused })
}

/// Lets the call ask, and waits for its answer.
async fn settle<T>(stage: &Stage, doubt: InDoubt<T>, counts: &mut Counts) -> T {
    stage.proxy.accept_connections();
    let answer = doubt.call.await.expect("a call doesn't panic");
    counts.slowest = counts.slowest.max(doubt.began_at.elapsed());
    answer
}

/// Makes durable whatever was committed. What comes next begins a file of the log, and so it fits into a page of it: full pages
/// are written at once.
async fn checkpoint(owner: &PgPool) {
    let flush = sqlx::raw_sql("select pg_switch_wal(); checkpoint").execute(owner).await;
    flush.expect("the owner is a superuser");
}

/// Commits until a number is used; true if somebody who comes after the crash has got it.
async fn use_again(owner: &PgPool, xid: i64) -> bool {
    const COMMIT: &str = "select pg_current_xact_id()::text::bigint";
    for _ in 0..OTHERS_MAX {
        let other: i64 = sqlx::query_scalar(COMMIT).fetch_one(owner).await.expect("it answers");
        if other >= xid {
            return other == xid;
        }
    }
    false
}

/// A payment on its way.
struct Paying {
    db: Db,
    id: i64,
    /// The number of each attempt's transaction.
    xids: Arc<Mutex<Vec<i64>>>,
}

impl Paying {
    async fn with_question(&self) -> Result<i64, Error> {
        self.db
            .transact(PAYMENT, async |tx| self.pay(tx).await)
            .confirm(async |tx| payments::paid(tx, self.id).await)
            .await
    }

    /// Pays until it is told that a commit took.
    async fn with_xact_status(&self) -> Result<i64, Error> {
        let number = Mutex::new(0);
        loop {
            let paid = self
                .db
                .transact(PAYMENT, async |tx| {
                    let paid = self.pay(tx).await?;
                    *lock(&number) = paid;
                    Ok::<_, Error>(paid)
                })
                .await;
            match paid {
                Err(Error::CommitUnknown(_)) if !self.has_committed().await? => {}
                Err(Error::CommitUnknown(_)) => return Ok(*lock(&number)),
                known => return known,
            }
        }
    }

    async fn pay(&self, tx: &mut Tx<'_>) -> Result<i64, Error> {
        let xid = sqlx::query_scalar("select pg_current_xact_id()::text::bigint");
        let xid = xid.fetch_one(tx.connection()).await?;
        lock(&self.xids).push(xid);
        payments::pay(tx, self.id).await
    }

    /// Asks about the last transaction by its number, until somebody answers.
    async fn has_committed(&self) -> Result<bool, Error> {
        const ASK: &str = "select pg_xact_status($1::text::xid8)";
        let xid = lock(&self.xids).last().copied().expect("the body has run").to_string();
        let give_up_at = Instant::now() + ASKED_FOR_MAX;
        loop {
            let status = sqlx::query_scalar::<_, Option<String>>(ASK).bind(&xid);
            match status.fetch_one(self.db.pool()).await {
                Ok(status) if status.as_deref() == Some("in progress") => {}
                Ok(status) => return Ok(status.as_deref() == Some("committed")),
                Err(error) if Instant::now() > give_up_at => return Err(error.into()),
                Err(_) => {}
            }
            tokio::time::sleep(ASK_PAUSE).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
