//! The committer: gathers what concurrent callers wish into batches, and commits each in one transaction (group commit).
//!
//! Callers put their wishes into a bounded queue and wait for the answer. A lane takes all that have gathered, up to a batch,
//! takes them through one transaction, answers, and takes the next; so whatever arrives while one batch commits is the next
//! batch, and who comes alone is served at once. Lanes are tasks that live while there is work. A caller who goes away
//! doesn't stop what was taken.
//!
//! Nobody harms a neighbour:
//!
//! - A batch that fails for a reason that another attempt can cure is run again by `transact`, as a whole. What fails for good
//!   is split, until who is to blame stands alone and gets the error.
//! - A batch that waits for an account that somebody else has locked does so for a tenth of a second. Then whoever needs such
//!   an account is moved to the slow lane, where waiting is all that happens, and the others go on.
//! - Who has waited too long in the queue, or finds it full, is told to come back later.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use simplebank_core::AccountId;
use simplebank_db::{
    self as db, Constraint, TxSpec, accounts,
    tx::{Doubt, NotWritten},
};
use tokio::{join, sync::oneshot};

use super::{
    Done, Group, GroupAnswer, Mode, Wish,
    lane::{Commit, POST},
    memory::Memory,
    post::{self, Guess},
    queue::{Answered, Job, Lane, Queues},
    unstopped::Unstopped,
};
use crate::{Bank, Error};

const TRY_OUT: TxSpec = TxSpec::snapshot("try_out");
const FIND_LOCKED: TxSpec = TxSpec::read_committed("find_locked");

/// How often a batch whose transaction has given up is begun anew where that promises more than an error.
const AGAIN_MAX: u32 = 3;

/// How much the committer takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitterOptions {
    /// Most orders that wait; more are refused as `overloaded`. 4,096 by default.
    pub queue_max: usize,
    /// Most orders in one transaction, unless a single call brings more. 1,000 by default.
    pub batch_max: usize,
    /// Transactions at a time, at least 1. 1 by default: two share the work of a batch, and what each costs by itself is paid twice.
    /// While a whole batch waits there is one more, for those who need none of the accounts that the others are working on.
    pub lanes: usize,
    /// How long an order may wait before its batch begins; then it is refused as `overloaded`. 2 s by default.
    pub wait_max: Duration,
    /// Whether who comes first serves the others' orders with their own until they are answered, instead of a task. It spares a lone caller
    /// switches between tasks and threads. Only where each call is polled without delay until it is ready, as in a task of its own:
    /// one that is held without being polled holds everybody. `false` by default; the HTTP server says `true`.
    pub callers_serve: bool,
}

impl Default for CommitterOptions {
    fn default() -> Self {
        Self {
            queue_max: 4_096,
            batch_max: 1_000,
            lanes: 1,
            wait_max: Duration::from_secs(2),
            callers_serve: false,
        }
    }
}

impl CommitterOptions {
    fn chunk(&self) -> usize {
        self.batch_max.min(self.queue_max).max(1)
    }
}

#[derive(Debug)]
pub(crate) struct Committer {
    queues: Arc<Queues>,
    memory: Memory,
}

impl Committer {
    /// Most orders that one caller puts into the queue at a time.
    pub(crate) fn chunk(&self) -> usize {
        self.queues.options().chunk()
    }

    pub(crate) fn new(options: CommitterOptions) -> Self {
        Self { queues: Queues::new(options), memory: Memory::default() }
    }
}

impl Commit for Bank {
    async fn commit(&self, groups: &[Group], spec: TxSpec) -> Result<Vec<GroupAnswer>, Error> {
        let at = post::At::new(self.now())?;
        Ok(self.post_groups(groups, &at, spec).await?)
    }

    async fn locked_elsewhere(&self, ids: &[AccountId]) -> Vec<AccountId> {
        let db = self.db();
        let found = db.transact(FIND_LOCKED, async |tx| accounts::locked_elsewhere(tx, ids).await);
        let found: Result<Vec<AccountId>, db::Error> = found.await;
        found.unwrap_or_default()
    }

    fn open_lane(&self, lane: Lane) {
        let bank = self.clone();
        tokio::spawn(async move { lane.serve(&bank).await });
    }
}

impl Bank {
    /// Takes a group through the committer.
    pub(crate) async fn post(&self, group: Group) -> Result<GroupAnswer, Error> {
        self.check_verified(&group.wishes).await?;
        if self.is_dry() {
            return self.try_out(group).await;
        }
        let (mut answered, lanes) = self.enqueue([group]);
        let answer = answered.pop().expect("there is one for each group");
        self.serving(lanes, answer).await.unwrap_or(Err(Error::Unanswered))
    }

    /// Takes wishes that stand alone through the committer, in one batch if there is room.
    pub(crate) async fn post_each(
        &self,
        wishes: Vec<Wish>,
    ) -> Result<Vec<Result<super::Answer, Error>>, Error> {
        self.check_verified(&wishes).await?;
        if self.is_dry() {
            let answers = self.try_out(Group { wishes, mode: Mode::Independent }).await?;
            let answers = answers.map_err(|offender| Error::from(offender.refusal))?;
            return Ok(answers.into_iter().map(Ok).collect());
        }
        let mut answers = Vec::with_capacity(wishes.len());
        let (answered, lanes) = self.enqueue(wishes.into_iter().map(Group::one));
        let answering = async {
            for answer in answered {
                let answer = answer.await.unwrap_or(Err(Error::Unanswered));
                answers.push(answer.and_then(only));
            }
        };
        self.serving(lanes, answering).await;
        Ok(answers)
    }

    /// Puts groups into the queue: where their answers come from, and the lanes that must be served for that.
    fn enqueue(&self, groups: impl IntoIterator<Item = Group>) -> (Vec<Answered>, Vec<Lane>) {
        let since = Instant::now();
        let mut answered = Vec::new();
        let jobs = groups.into_iter().map(|group| {
            let (answer, receiver) = oneshot::channel();
            answered.push(receiver);
            Job { group, since, answer }
        });
        let lanes = self.committer().queues.push(jobs);
        (answered, lanes)
    }

    /// Awaits answers, and sees to it that lanes are served: here, where callers may do that, and in tasks of their own as soon as
    /// the answers are there.
    async fn serving<T>(&self, lanes: Vec<Lane>, answered: impl Future<Output = T>) -> T {
        if !self.committer().queues.options().callers_serve {
            lanes.into_iter().for_each(|lane| self.open_lane(lane));
            return answered.await;
        }
        let serve = |lane: Lane| {
            let bank = self.clone();
            Unstopped::new(async move { lane.serve(&bank).await })
        };
        let mut lanes: Vec<_> = lanes.into_iter().map(serve).collect();
        let mut answered = pin!(answered);
        poll_fn(|context| {
            lanes.retain_mut(|lane| Pin::new(lane).poll(context).is_pending());
            answered.as_mut().poll(context)
        })
        .await
    }

    /// Takes one wish through the committer.
    pub(crate) async fn post_one(&self, wish: Wish) -> Result<Done, Error> {
        Ok(only(self.post(Group::one(wish)).await?)??)
    }

    /// Takes one wish through a transaction that somebody else commits.
    pub(crate) async fn post_in(&self, tx: &mut db::Tx<'_>, wish: Wish) -> Result<Done, Error> {
        self.check_verified_in(tx, &wish).await?;
        let group = Group::one(wish);
        let groups = std::slice::from_ref(&group);
        let mut answers = if self.is_dry() {
            post::try_out(tx, groups, self.now()).await?
        } else {
            post::post(tx, groups, &post::At::new(self.now())?, None).await?
        };
        Ok(only(answers.pop().expect("there are as many answers as groups"))??)
    }

    /// Judges a group in a transaction that is rolled back.
    async fn try_out(&self, group: Group) -> Result<GroupAnswer, Error> {
        let now = self.now();
        let tried: Result<(), TriedOut> = self
            .db()
            .transact(TRY_OUT, async |tx| {
                let answers = post::try_out(tx, std::slice::from_ref(&group), now).await?;
                Err(TriedOut::Answers(answers))
            })
            .await;
        match tried {
            Err(TriedOut::Answers(mut answers)) => {
                Ok(answers.pop().expect("there are as many answers as groups"))
            }
            Err(TriedOut::Db(error)) => Err(error.into()),
            Ok(()) => unreachable!("the body never succeeds"),
        }
    }

    /// Takes groups through one transaction of their own: the shortest that will do.
    async fn post_groups(
        &self,
        groups: &[Group],
        at: &post::At,
        spec: TxSpec,
    ) -> Result<Vec<GroupAnswer>, db::Error> {
        let memory = &self.committer().memory;
        let mut doubt = match self.try_alone(groups, at).await {
            Tried::Done(answers) => return Ok(answers),
            Tried::Failed(None) => None,
            Tried::Failed(Some(error)) if error.is_lock_timeout() && groups.len() > 1 => {
                return Err(error); // the others need not wait once more
            }
            Tried::Failed(Some(_)) => None,
            Tried::Unknown(doubt) => Some(doubt),
        };
        let mut again = 0;
        loop {
            let posted: Result<_, db::Error> = self
                .db()
                .transact(spec, async |tx| post::post(tx, groups, at, Some(memory)).await)
                .confirm(async |tx| post::recorded(tx, groups).await)
                .settling(doubt.take())
                .await;
            let error = match posted {
                Ok(answers) => return Ok(answers),
                Err(error) => error,
            };
            self.forget(groups);
            // The server starts anew, or sessions are ended one after the other. Who waits behind fares no better.
            let is_cut_off = matches!(&error, db::Error::Exhausted { last, .. }
                if matches!(**last, db::Error::Unavailable(_)));
            // Somebody has just answered the same key. That has been committed, so another look finds it.
            let has_met_another = error.constraint() == Some(Constraint::IdempotencyKey);
            let is_promising = is_cut_off || has_met_another;
            if !is_promising || again == AGAIN_MAX {
                return Err(error);
            }
            again += 1;
        }
    }

    /// Tries to take groups through by one statement, which is a transaction by itself: on accounts that are remembered, or, with
    /// one statement more, read.
    async fn try_alone(&self, groups: &[Group], at: &post::At) -> Tried {
        let memory = &self.committer().memory;
        let Some(accounts) = post::simple_accounts(groups) else { return Tried::Failed(None) };
        let missing = memory.missing(accounts);
        // A session may not open, or have died since it was last used; the long road finds out whether that is all.
        let Ok(mut alone) = self.db().alone(POST.name()).await else { return Tried::Failed(None) };
        if !missing.is_empty() {
            let Ok(found) = alone.find_accounts(missing).await else { return Tried::Failed(None) };
            found.into_iter().for_each(|account| memory.put(account));
        }
        let Some(guess) = Guess::new(groups, at, memory) else { return Tried::Failed(None) };
        // Once it is on its way, the database works while this does.
        let batch = guess.batch();
        let write = alone.write(&batch, at.now);
        let (written, ()) = join!(biased; write, async { guess.remember(memory) });
        let Err(error) = written else {
            return Tried::Done(guess.into_answers());
        };
        self.forget(groups);
        match error {
            NotWritten::Failed(error) => Tried::Failed(Some(error)),
            NotWritten::Unknown(doubt) => Tried::Unknown(doubt),
        }
    }

    /// Forgets the accounts of groups whose fate has left what is remembered of them untrue.
    fn forget(&self, groups: &[Group]) {
        let wishes = groups.iter().flat_map(|group| &group.wishes);
        self.committer().memory.forget(wishes.flat_map(|wish| wish.order.accounts()));
    }
}

/// What became of a batch that was tried by a statement alone.
enum Tried {
    Done(Vec<GroupAnswer>),
    /// Nothing of it was written, for this reason, or because it wasn't even tried.
    Failed(Option<db::Error>),
    Unknown(Doubt),
}

/// The answer to the only wish of a group that stands alone.
pub(crate) fn only(answer: GroupAnswer) -> Result<super::Answer, Error> {
    let mut answers = answer.map_err(|offender| Error::from(offender.refusal))?;
    Ok(answers.pop().expect("there are as many answers as wishes"))
}

/// How a body ends that must not commit.
enum TriedOut {
    Answers(Vec<GroupAnswer>),
    Db(db::Error),
}

impl From<db::Error> for TriedOut {
    fn from(error: db::Error) -> Self {
        Self::Db(error)
    }
}

impl db::BodyError for TriedOut {
    fn into_db(self) -> Result<db::Error, Self> {
        match self {
            Self::Db(error) => Ok(error),
            Self::Answers(_) => Err(self),
        }
    }
}
