//! R28: the queue and its lanes under an explorer of schedules.
//!
//! Callers push, wait and go away; a bank commits, fails and is overtaken by locks; lanes die. Whatever the order of their
//! steps: nobody waits for ever (the explorer finds that by itself), nobody is answered before the commit, what was refused is
//! not committed, nothing is committed twice, and no neighbour of a poisoned order is refused for it. Each defect of
//! [`Defect`] must be found. A failure prints the seed of its schedule; `SHUTTLE_RANDOM_SEED` runs it again.

mod lock_timeout;

use std::{
    collections::BTreeSet,
    env,
    future::{pending, poll_fn},
    pin::pin,
    sync::{
        Mutex as Plain,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use shuttle::{
    Config, Runner,
    future::{JoinHandle, block_on, spawn, yield_now},
    rand::{Rng as _, thread_rng},
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
};
use simplebank_core::{
    Amount, IdempotencyKey, Memo, Principal, Rejection, TransferId,
    transfer::{Action, Terms},
};
use simplebank_db::{self as db, TxSpec};

use self::lock_timeout::LockTimeout;
use super::*;
use crate::road::{Mode, Refusal, Wish, lane::Commit};

const OPTIONS: CommitterOptions = CommitterOptions {
    queue_max: 5,
    batch_max: 2,
    lanes: 1,
    wait_max: Duration::from_secs(3_600),
    callers_serve: false,
};
/// Half of them chosen at random, half with few changes of who runs, at the worst moments (PCT). `SCHEDULES` in the
/// environment says otherwise: 100,000 take two minutes.
const SCHEDULES: usize = 5_000;
/// Changes of who runs that PCT makes.
const DEPTH: usize = 3;

/// What must be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    None,
    /// A lane sees that there is nothing to do, and closes a moment later.
    ClosesOutsideTheLock,
    /// Whoever comes counts the lanes, and opens one a moment later.
    CountsOutsideTheLock,
    /// A lane dies and leaves behind those who wait for it.
    ForgetsWhoWaits,
    /// Answers are given before the commit.
    AnswersEarly,
    /// A batch that fails is refused as a whole.
    RefusesNeighbours,
    /// A lane takes what needs the accounts of another lane's batch.
    PassesNobodyOver,
}

/// What somebody has seen, without a step of its own.
#[derive(Debug, Default)]
struct Seen {
    committed: BTreeSet<AccountId>,
    refused: BTreeSet<AccountId>,
    committing: [usize; 2],
    /// Whose accounts fast lanes are working on.
    payers: BTreeSet<AccountId>,
    deaths: u32,
    is_locked: bool,
}

/// What all schedules have shown together.
#[derive(Debug, Default)]
struct Shown {
    /// What was found first that must not be: what comes after it is of no account.
    found: Plain<Option<&'static str>>,
    /// Most fast lanes that committed at a time.
    lanes_most: AtomicUsize,
}

#[derive(Debug)]
struct Stage {
    defect: Defect,
    shown: Arc<Shown>,
    queues: Arc<Queues>,
    seen: Plain<Seen>,
    tasks: Plain<Vec<JoinHandle<()>>>,
}

impl Stage {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        // Who panics while holding it has found something, which is what is to be told.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the schedule unless `holds`.
    fn must(&self, holds: bool, otherwise: &'static str) {
        if !holds {
            let mut found = self.shown.found.lock().unwrap_or_else(PoisonError::into_inner);
            found.get_or_insert(otherwise);
            drop(found);
            panic!("{otherwise}");
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Beginning a task is a step: not while a lock is held of which the explorer doesn't know.
        let task = spawn(task);
        self.tasks.lock().expect("nobody panics while holding it").push(task);
    }

    async fn join(&self) {
        loop {
            let task = self.tasks.lock().expect("as above").pop();
            let Some(task) = task else { return };
            task.await.expect("nobody aborts it");
        }
    }
}

/// Who pays: one of those of whom there is nothing to say; whose account somebody else has locked; who makes every statement fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payer {
    Free(u8),
    Locked,
    Poison,
}

impl Payer {
    fn id(self) -> AccountId {
        let byte = match self {
            Self::Locked => 1,
            Self::Poison => 2,
            Self::Free(number) => 3 + number,
        };
        AccountId::from_parts(0, [byte; 10])
    }

    fn drawn() -> Self {
        match thread_rng().gen_range(0..8) {
            0 | 1 => Self::Locked,
            2 => Self::Poison,
            number => Self::Free(number),
        }
    }
}

/// An order; who is paid is its name.
fn wish(payer: Payer, name: AccountId) -> Wish {
    let terms = Terms {
        from_account_id: payer.id(),
        to_account_id: name,
        amount: Amount::from_minor(1).expect("one is positive"),
        currency: "EUR".parse().expect("a currency"),
        memo: Memo::NONE,
    };
    let id = TransferId::from_uuid(name.as_uuid());
    let key: IdempotencyKey = name.to_string().parse().expect("a key");
    Wish::new(&Principal::Operator, key, Action::Transfer { id, terms })
}

fn names(groups: &[Group]) -> Vec<AccountId> {
    let wishes = groups.iter().flat_map(|group| &group.wishes);
    wishes.filter_map(|wish| wish.order.accounts().last()).collect()
}

fn payers(groups: &[Group]) -> impl Iterator<Item = AccountId> {
    let wishes = groups.iter().flat_map(|group| &group.wishes);
    wishes.filter_map(|wish| wish.order.accounts().next())
}

fn needs(groups: &[Group], payer: Payer) -> bool {
    payers(groups).any(|id| id == payer.id())
}

async fn pause() {
    for _ in 0..thread_rng().gen_range(0..3) {
        yield_now().await;
    }
}

/// One time in so many.
fn seldom(times: u32) -> bool {
    thread_rng().gen_range(0..times) == 0
}

fn poisoned() -> db::Error {
    db::Error::Inconsistent { table: "accounts", column: "id", row: String::new(), source: None }
}

/// A bank that commits into [`Seen`], for one lane.
#[derive(Clone)]
struct Till {
    stage: Arc<Stage>,
    speed: Speed,
    /// The lane is to die, as by a panic: nothing of it runs on.
    dies: Arc<AtomicBool>,
}

/// A commit on its way.
struct Committing<'a> {
    till: &'a Till,
    payers: BTreeSet<AccountId>,
}

impl<'a> Committing<'a> {
    fn begin(till: &'a Till, groups: &[Group]) -> Self {
        let (count, max) = match till.speed {
            // One more where a whole batch waits.
            Speed::Fast => (0, OPTIONS.lanes + 1),
            Speed::Slow => (1, 1),
        };
        till.stage.seen().committing[count] += 1;
        let lanes = till.stage.seen().committing[count];
        let mut committing = Self { till, payers: BTreeSet::new() };
        till.stage.must(lanes <= max, "more lanes than allowed");
        if till.speed == Speed::Fast {
            till.stage.shown.lanes_most.fetch_max(lanes, Ordering::Relaxed);
            let payers: BTreeSet<AccountId> = payers(groups).collect();
            let is_alone = till.stage.seen().payers.is_disjoint(&payers);
            till.stage.must(is_alone, "two lanes on one account");
            till.stage.seen().payers.extend(&payers);
            committing.payers = payers;
        }
        committing
    }
}

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        let count = if self.till.speed == Speed::Fast { 0 } else { 1 };
        let mut seen = self.till.stage.seen();
        seen.committing[count] -= 1;
        seen.payers.retain(|id| !self.payers.contains(id));
    }
}

impl Till {
    fn new(stage: &Arc<Stage>, speed: Speed) -> Self {
        Self { stage: Arc::clone(stage), speed, dies: Arc::default() }
    }

    async fn may_die(&self) {
        if seldom(40) {
            self.stage.seen().deaths += 1;
            self.dies.store(true, Ordering::Relaxed);
            pending::<()>().await;
        }
    }

    /// Runs to its end, or is dropped where it dies.
    async fn until_death(&self, task: impl Future<Output = ()>) {
        let mut task = pin!(task);
        let alive = poll_fn(|context| match task.as_mut().poll(context) {
            Poll::Pending if !self.dies.load(Ordering::Relaxed) => Poll::Pending,
            Poll::Pending | Poll::Ready(()) => Poll::Ready(()),
        });
        alive.await;
    }

    fn keep(&self, names: &[AccountId]) {
        for name in names {
            let before = self.stage.seen().committed.insert(*name);
            self.stage.must(before, "committed twice");
        }
    }

    async fn serve(self, mut lane: Lane) {
        match self.stage.defect {
            Defect::ClosesOutsideTheLock => {
                while let Some(batch) = take_carelessly(&mut lane) {
                    self.until_death(lane.work(batch, &self)).await;
                }
            }
            Defect::ForgetsWhoWaits => {
                while let Some(batch) = lane.take() {
                    self.until_death(lane.work(batch, &self)).await;
                    if self.dies.load(Ordering::Relaxed) {
                        lane.queues.lock().close(lane.speed);
                        lane.is_closed = true;
                        return;
                    }
                }
            }
            Defect::PassesNobodyOver => {
                while let Some(batch) = take_anybody(&mut lane) {
                    lane.beside().into_iter().for_each(|lane| self.open_lane(lane));
                    self.until_death(lane.work(batch, &self)).await;
                }
            }
            Defect::None
            | Defect::CountsOutsideTheLock
            | Defect::AnswersEarly
            | Defect::RefusesNeighbours => self.until_death(lane.serve(&self)).await,
        }
    }
}

impl Commit for Till {
    async fn commit(&self, groups: &[Group], _: TxSpec) -> Result<Vec<GroupAnswer>, Error> {
        let committing = Committing::begin(self, groups);
        let names = names(groups);
        pause().await;
        self.may_die().await;
        if needs(groups, Payer::Poison) {
            return Err(match self.stage.defect {
                Defect::RefusesNeighbours => Error::Shared(Arc::new(poisoned().into())),
                Defect::None
                | Defect::ClosesOutsideTheLock
                | Defect::CountsOutsideTheLock
                | Defect::ForgetsWhoWaits
                | Defect::AnswersEarly
                | Defect::PassesNobodyOver => poisoned().into(),
            });
        }
        if needs(groups, Payer::Locked) && self.stage.seen().is_locked {
            let timeout = sqlx::Error::Database(Box::new(LockTimeout));
            return Err(db::Error::from(timeout).into());
        }
        if seldom(20) {
            return Err(db::Error::Unavailable(sqlx::Error::WorkerCrashed).into());
        }
        if self.stage.defect == Defect::AnswersEarly {
            let (till, names) = (self.clone(), names.clone());
            self.stage.spawn(async move { till.keep(&names) });
        } else {
            self.keep(&names);
        }
        pause().await;
        self.may_die().await;
        drop(committing);
        let answers = |group: &Group| {
            let refusals = self::names(std::slice::from_ref(group)).into_iter();
            refusals.map(|id| Err(Refusal::Rejected(Rejection::AccountNotFound { id }))).collect()
        };
        Ok(groups.iter().map(|group| Ok(answers(group))).collect())
    }

    async fn locked_elsewhere(&self, ids: &[AccountId]) -> Vec<AccountId> {
        pause().await;
        let is_locked = self.stage.seen().is_locked;
        ids.iter().copied().filter(|id| is_locked && *id == Payer::Locked.id()).collect()
    }

    fn open_lane(&self, lane: Lane) {
        if seldom(60) {
            self.stage.seen().deaths += 1;
            return drop(lane);
        }
        let till = Self::new(&self.stage, lane.speed());
        self.stage.spawn(till.serve(lane));
    }
}

/// [`Lane::take`], with the lock let go of between seeing and closing.
fn take_carelessly(lane: &mut Lane) -> Option<Vec<Job>> {
    let queues = Arc::clone(&lane.queues);
    let mut waiting = queues.lock();
    lane.let_go(waiting.of(lane.speed));
    let batch = waiting.of(lane.speed).take(0, OPTIONS.batch_max, OPTIONS.wait_max);
    if !batch.is_empty() {
        lane.accounts.extend(batch.iter().flat_map(Job::accounts));
        return Some(batch);
    }
    drop(waiting);
    lane.queues.lock().close(lane.speed);
    lane.is_closed = true;
    None
}

/// [`Lane::take`], as if no other lane were working.
fn take_anybody(lane: &mut Lane) -> Option<Vec<Job>> {
    lane.queues.lock().of(lane.speed).busy.clear();
    lane.take()
}

/// [`Queues::push`], with the lock let go of between counting and opening.
fn push_carelessly(queues: &Arc<Queues>, job: Job) -> Option<Lane> {
    let is_new = queues.lock().fast.lanes < OPTIONS.lanes;
    let mut waiting = queues.lock();
    let is_new = is_new || waiting.fast.lanes == 0;
    waiting.fast.orders += job.group.wishes.len();
    waiting.fast.jobs.push_back(job);
    waiting.fast.lanes += usize::from(is_new);
    is_new.then(|| Lane {
        queues: Arc::clone(queues),
        speed: Speed::Fast,
        accounts: Vec::new(),
        is_closed: false,
    })
}

/// A caller who sends a few jobs, one after the other.
async fn call(stage: Arc<Stage>, caller: u8) {
    for number in 0..2 {
        let wishes = (0..thread_rng().gen_range(1..3)).map(|order| {
            let name = AccountId::from_parts(1, [caller, number, order, 0, 0, 0, 0, 0, 0, 0]);
            wish(Payer::drawn(), name)
        });
        let group = Group { wishes: wishes.collect(), mode: Mode::Independent };
        let (answer, answered) = oneshot::channel();
        let job = Job { group: group.clone(), since: Instant::now(), answer };
        let lane = match stage.defect {
            Defect::CountsOutsideTheLock => push_carelessly(&stage.queues, job),
            Defect::None
            | Defect::ClosesOutsideTheLock
            | Defect::ForgetsWhoWaits
            | Defect::AnswersEarly
            | Defect::RefusesNeighbours
            | Defect::PassesNobodyOver => stage.queues.push([job]).pop(),
        };
        lane.into_iter().for_each(|lane| Till::new(&stage, Speed::Fast).open_lane(lane));
        if seldom(8) {
            continue; // and so goes away
        }
        check(&stage, &group, answered.await);
    }
}

/// Compares an answer with what has been committed by now.
fn check(
    stage: &Stage,
    group: &Group,
    answer: Result<Result<GroupAnswer, Error>, oneshot::error::RecvError>,
) {
    let names = names(std::slice::from_ref(group));
    let error = match answer {
        Err(_) => {
            let may_be = stage.seen().deaths > 0;
            return stage.must(may_be, "nobody answered, and no lane has died");
        }
        Ok(Err(error)) => error,
        Ok(Ok(answers)) => {
            let told: Vec<_> = answers.expect("this bank answers each").into_iter().collect();
            let own = names
                .iter()
                .map(|id| Err(Refusal::Rejected(Rejection::AccountNotFound { id: *id })));
            stage.must(own.eq(told), "the answer of somebody else");
            let is_kept = names.iter().all(|name| stage.seen().committed.contains(name));
            return stage.must(is_kept, "answered before the commit");
        }
    };
    let mut error = &error;
    while let Error::Shared(shared) = error {
        error = shared;
    }
    if let Error::Db(error) = error {
        let group = std::slice::from_ref(group);
        let is_poison = matches!(error, db::Error::Inconsistent { .. });
        let is_own = !is_poison || needs(group, Payer::Poison);
        stage.must(is_own, "refused for a neighbour's poison");
        let is_own = !error.is_lock_timeout() || needs(group, Payer::Locked);
        stage.must(is_own, "refused for a neighbour's lock");
    } else {
        stage.must(matches!(error, Error::Overloaded), "refused for no reason");
    }
    stage.seen().refused.extend(names);
}

/// One schedule, from the first caller to the last lane.
async fn play(defect: Defect, shown: Arc<Shown>) {
    let stage = Arc::new(Stage {
        defect,
        shown,
        queues: Queues::new(OPTIONS),
        seen: Plain::new(Seen { is_locked: true, ..Seen::default() }),
        tasks: Plain::default(),
    });
    let callers: Vec<_> = (0..4).map(|number| spawn(call(Arc::clone(&stage), number))).collect();
    pause().await;
    stage.seen().is_locked = false;
    for caller in callers {
        caller.await.expect("nobody aborts it");
    }
    stage.join().await;
    let waiting = stage.queues.lock();
    let (both, deaths) = {
        let seen = stage.seen();
        (seen.refused.intersection(&seen.committed).count(), seen.deaths)
    };
    stage.must(both == 0, "refused, and committed");
    for queue in [&waiting.fast, &waiting.slow] {
        let is_empty = (queue.jobs.len(), queue.orders, queue.lanes) == (0, 0, 0);
        stage.must(is_empty, "left behind");
    }
    stage.must(waiting.stuck.is_empty() || deaths > 0, "stuck for ever");
}

/// Plays so many schedules: how many, and how many lanes committed at a time at most; or which one failed, and why.
fn explore(
    scheduler: impl Scheduler + Send + 'static,
    defect: Defect,
) -> Result<(usize, usize), (usize, String)> {
    let mut config = Config::default();
    config.silence_warnings = true;
    config.ungraceful_shutdown_config.immediately_return_on_panic = true;
    let (played, shown) = (Arc::new(AtomicUsize::new(0)), Arc::<Shown>::default());
    let (counted, told) = (Arc::clone(&played), Arc::clone(&shown));
    // A thread of its own, since the explorer leaves something behind where a schedule has failed.
    let explored = std::thread::spawn(move || {
        Runner::new(scheduler, config).run(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            block_on(play(defect, Arc::clone(&told)));
        })
    });
    let explored = explored.join().map_err(|panic| {
        // The explorer itself finds out who waits for ever.
        let text = panic.downcast_ref::<String>().cloned();
        let found = shown.found.lock().unwrap_or_else(PoisonError::into_inner).map(str::to_owned);
        (played.load(Ordering::Relaxed), found.or(text).unwrap_or_default())
    })?;
    Ok((explored, shown.lanes_most.load(Ordering::Relaxed)))
}

#[test]
fn r28_no_schedule_loses_an_answer_or_gives_one_early() {
    let schedules = env::var("SCHEDULES").ok().and_then(|text| text.parse().ok());
    let half = schedules.unwrap_or(SCHEDULES) / 2;
    let begun_at = Instant::now();
    let at_random = explore(RandomScheduler::new(half), Defect::None);
    let adverse = explore(PctScheduler::new(DEPTH, half), Defect::None);
    // A second lane was there where a whole batch waited.
    let both = Ok((half, 2));
    assert_eq!((at_random, adverse), (both.clone(), both));
    eprintln!("R28: {} schedules in {:.1?}", 2 * half, begun_at.elapsed());
}

#[test]
fn r28_control_each_defect_is_found() {
    // Nobody serves a job, so that its caller waits for ever, or has gone away before.
    const UNSERVED: [&str; 2] = ["deadlock", "left behind"];
    for (defect, found) in [
        (Defect::ClosesOutsideTheLock, UNSERVED),
        (Defect::CountsOutsideTheLock, ["more lanes than allowed"; 2]),
        (Defect::ForgetsWhoWaits, UNSERVED),
        (Defect::AnswersEarly, ["answered before the commit"; 2]),
        (Defect::RefusesNeighbours, ["refused for a neighbour's poison"; 2]),
        (Defect::PassesNobodyOver, ["two lanes on one account"; 2]),
    ] {
        let (schedule, why) = explore(RandomScheduler::new(SCHEDULES), defect).unwrap_err();
        eprintln!("R28, control, {defect:?}: schedule {schedule}: {why}");
        assert!(found.iter().any(|found| why.contains(found)), "{defect:?}: {why}");
    }
}
