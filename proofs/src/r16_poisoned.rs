//! R16: batches with poisoned members, and a COMMIT and an fsync that take long.
//!
//! 1. Triggers of the trial's make the database refuse certain amounts: at once, with an SQLSTATE that another attempt can't
//!    cure or with one that seems to be cured by it, or only at COMMIT; and somebody else holds the lock of one account. Rounds
//!    of transfers gather behind slow COMMITs, one in eight of them poisoned. Everybody else must be paid, and nobody but who is
//!    poisoned be told of an error; who needs the locked account must not make the others wait for it.
//! 2. On a server whose every commit waits for a slow disk, clients transfer without poison.
//!
//! Whatever is acknowledged must be there for somebody else at that moment: an answer that comes before its commit is found,
//! because a slow commit is not visible until it is over. And it must still be there in the end.
//!
//! The control is a committer that answers when it has put the order into its queue, and then commits what has gathered as it is.

mod naive;
mod rounds;
mod slow_disk;

use std::sync::{Arc, Mutex};

use simplebank::{Bank, Error};

use self::naive::Naive;
use crate::{
    Control, Proof, Report, Scale,
    load::{Log, World, conclude},
    wish::Wish,
};

pub(crate) const PROOF: Proof = Proof {
    id: "R16",
    fault: "batches with poisoned members, slow COMMIT, slow fsync",
    run: |scale: Scale| {
        let amounts = Amounts { rounds: scale.of(5, 500), transfers: scale.of(300, 20_000) };
        Box::pin(async move { trial(Answers::AfterCommit, amounts).await.0 })
    },
    control: Some(Control { defect: "answer on enqueue", run: |_| Box::pin(control()) }),
};

/// How much is tried.
#[derive(Clone, Copy, Debug)]
struct Amounts {
    /// Rounds with poison.
    rounds: u64,
    /// Transfers on a slow disk.
    transfers: u64,
}

const CONTROL: Amounts = Amounts { rounds: 2, transfers: 50 };

/// When a committer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    /// As the bank does it.
    AfterCommit,
    /// The naive way.
    OnEnqueue,
}

/// Who takes orders.
#[derive(Debug)]
enum Committer {
    Ours(Bank),
    Naive(Naive),
}

/// A bank with a committer, and what was noticed.
#[derive(Debug)]
struct Stage {
    world: Arc<World>,
    log: Arc<Log>,
    committer: Committer,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The keys of what was acknowledged.
    acknowledged: Vec<String>,
    found: Found,
}

/// What must not be.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    /// Answers before their commit.
    early: u64,
    /// What was acknowledged and is not there in the end.
    lost: u64,
}

impl Stage {
    fn new(world: &Arc<World>, bank: Bank, answers: Answers) -> Arc<Self> {
        let committer = match answers {
            Answers::AfterCommit => Committer::Ours(bank),
            Answers::OnEnqueue => Committer::Naive(Naive::start(bank)),
        };
        let (world, log) = (Arc::clone(world), Arc::new(Log::new()));
        Arc::new(Self { world, log, committer, seen: Mutex::default() })
    }

    /// Sends a wish, and looks for its transfer if it is acknowledged.
    async fn ask(&self, wish: &Wish) -> Result<(), Error> {
        let receipt = match &self.committer {
            Committer::Ours(bank) => Some(wish.send(bank).await?),
            Committer::Naive(naive) => {
                naive.enqueue(wish.clone());
                None
            }
        };
        let is_there = self.is_there(wish).await;
        if let Some(receipt) = receipt {
            wish.acknowledged(&self.log, &receipt);
        }
        let mut seen = self.seen.lock().expect("nobody panics with it");
        seen.acknowledged.push(wish.key.as_str().to_owned());
        if !is_there {
            seen.found.early += 1;
            self.log.found("early", format!("{}: acknowledged, and not there yet", wish.key));
        }
        Ok(())
    }

    async fn is_there(&self, wish: &Wish) -> bool {
        const SQL: &str = "
            select exists (select from simplebank.idempotency where key = $1 and transfer_id is not null)";
        let found = sqlx::query_scalar(SQL).bind(wish.key.as_str());
        found.fetch_one(self.world.owner()).await.expect("the owner may read")
    }

    /// Waits until nothing is under way that was answered.
    async fn settled(&self) {
        match &self.committer {
            Committer::Ours(_) => {}
            Committer::Naive(naive) => naive.settled().await,
        }
    }

    /// In how many transactions the bank has made how many transfers: those of one have one time.
    async fn batches(&self) -> (i64, i64) {
        const SQL: &str = "
            select count(distinct created_at), count(*) from simplebank.transfers where kind = 'transfer'";
        sqlx::query_as(SQL).fetch_one(self.world.owner()).await.expect("the owner may read")
    }

    /// Waits until nothing is under way, looks for everything that was acknowledged, and checks the ledger.
    async fn conclude(&self, report: Report) -> (Report, Found) {
        const LOST: &str = "
            select key from unnest($1::text[]) as told (key)
            where not exists (
                select from simplebank.idempotency i where i.key = told.key and i.transfer_id is not null
            )";
        self.settled().await;
        let seen = std::mem::take(&mut *self.seen.lock().expect("nobody panics with it"));
        let lost = sqlx::query_scalar(LOST).bind(&seen.acknowledged);
        let lost: Vec<String> =
            lost.fetch_all(self.world.owner()).await.expect("the owner may read");
        for key in &lost {
            self.log.found("lost", format!("{key}: acknowledged, and not there in the end"));
        }
        let report = conclude(Arc::clone(&self.world), Arc::clone(&self.log), report).await;
        let lost = u64::try_from(lost.len()).expect("a few");
        (report, Found { lost, ..seen.found })
    }
}

/// All of the naive committer's faults must be found, or nothing is reported and the control has failed.
async fn control() -> Report {
    let (report, [poisoned, on_slow_disk]) = trial(Answers::OnEnqueue, CONTROL).await;
    if poisoned.early > 0 && poisoned.lost > 0 && on_slow_disk.early > 0 {
        return report;
    }
    let mut failed = Report::new();
    failed.note(format!("with poison {poisoned:?}, on a slow disk {on_slow_disk:?}"));
    failed
}

/// Returns the report, and what of it was found with poison and on a slow disk.
async fn trial(answers: Answers, amounts: Amounts) -> (Report, [Found; 2]) {
    let (report, poisoned) = rounds::trial(answers, amounts.rounds, Report::new()).await;
    let (report, on_slow_disk) = slow_disk::trial(answers, amounts.transfers, report).await;
    (report, [poisoned, on_slow_disk])
}
