//! Workers: what is left of those that are killed, and how they wait, stop and share.

use std::sync::Arc;

use async_trait::async_trait;
use simplebank::{
    Bank, Tick, Worker, WorkerOptions,
    core::JobId,
    db::{Db, PoolOptions},
    mail::{Mail, MailError, Mailer, Smtp},
    testing::{TestDatabase, drop_after},
};
use time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::{
    mail::{World, letterhead, smtp},
    registration,
    smtp_server::Mood,
};

/// R24: the worker is killed right after each of its steps; what it had not begun is not begun by it. What kill -9 leaves is what
/// a future leaves that is dropped: rows, and perhaps a mail.
#[tokio::test]
async fn killed_between_any_two_steps_a_worker_loses_nothing() {
    for (step, mails_expected) in [(Step::Claim, 1), (Step::MakeCode, 1), (Step::Send, 2)] {
        let world = World::new().await;
        world.test.user("alice").await;
        let mut owner = world.test.owner().await.acquire().await.unwrap();
        if step == Step::Claim {
            // Making a code waits for the request's row.
            let lock = "begin; select from simplebank.email_verifications for update";
            sqlx::raw_sql(lock).execute(&mut *owner).await.unwrap();
        }
        let (reached, mut heard) = mpsc::unbounded_channel();
        let stuck = Stuck { step, reached, smtp: smtp(&world.server) };
        let worker = Worker::new(world.bank().clone(), stuck, letterhead());
        let killed = tokio::spawn(async move { worker.tick().await });
        match step {
            Step::Claim => while world.jobs().await[0].attempts == 0 {},
            Step::MakeCode | Step::Send => heard.recv().await.unwrap(),
        }
        killed.abort();
        assert!(killed.await.unwrap_err().is_cancelled(), "{step:?}");
        sqlx::raw_sql("rollback").execute(&mut *owner).await.unwrap();
        // Until its lease is over, the job is still the dead worker's.
        assert!(matches!(world.worker.tick().await.unwrap(), Tick::Idle(Some(_))), "{step:?}");
        world.work_it_off().await;
        let mails = world.server.received();
        assert_eq!(mails.len(), mails_expected, "{step:?}");
        assert_eq!(mails[0].header("Message-ID"), mails[mails.len() - 1].header("Message-ID"));
        // Whoever shows one mail of those with the same id may show the first.
        world.verify(&mails[0]).await.unwrap();
        assert_eq!(world.jobs().await, []);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Claim,
    MakeCode,
    Send,
}

/// Tells when a step is done, and does no other.
#[derive(Debug)]
struct Stuck {
    step: Step,
    reached: mpsc::UnboundedSender<()>,
    smtp: Smtp,
}

#[async_trait]
impl Mailer for Stuck {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        if self.step == Step::Send {
            self.smtp.send(mail).await?;
        }
        self.reached.send(()).unwrap();
        std::future::pending().await
    }
}

/// R24 again, at every await point there is, wherever that may be.
#[tokio::test]
async fn dropped_at_any_of_its_await_points_a_worker_loses_nothing() {
    let world = World::new().await;
    let mut killed = 0;
    // More than it needs, which differs from run to run.
    for polls in 1..=30 {
        let name = format!("user{polls}");
        world.test.user(&name).await;
        let before = world.server.received().len();
        let ended = drop_after(polls, world.worker.tick()).await;
        killed += usize::from(ended.is_none());
        world.work_it_off().await;
        let mails = world.server.received().split_off(before);
        assert!(!mails.is_empty(), "lost after {polls} polls");
        let id = mails[0].header("Message-ID");
        assert!(mails.iter().all(|mail| mail.header("Message-ID") == id));
        assert!(mails.iter().all(|mail| mail.to == [format!("{name}@example.org")]));
        world.verify(&mails[polls % mails.len()]).await.unwrap();
        assert!(world.is_verified(&name).await);
        assert_eq!(world.jobs().await, []);
    }
    assert!(killed > 4, "it was killed {killed} times only");
}

/// The control of the above: what keeps a job for ever loses it. (What keeps it for no time at all gives it to two: see the tests
/// `jobs` of `simplebank-db`.)
#[tokio::test]
async fn without_the_end_of_the_lease_a_job_is_lost_and_within_it_nobody_else_takes_it() {
    let world = World::new().await;
    world.test.user("alice").await;
    world.server.set_mood(Mood::Silent);
    let at_it = |lease| {
        let worker = world.worker(WorkerOptions { lease, ..WorkerOptions::default() });
        tokio::spawn(async move { worker.tick().await })
    };
    let claimed = async || {
        while !world.jobs().await[0].is_leased {
            tokio::task::yield_now().await;
        }
    };
    // For ever: killed, and nobody comes.
    let forever = at_it(Duration::days(36_500));
    claimed().await;
    forever.abort();
    world.test.clock.advance(Duration::DAY);
    assert!(matches!(world.worker.tick().await.unwrap(), Tick::Idle(Some(_))));
    world.server.set_mood(Mood::Good);
    assert!(world.server.received().is_empty());

    // A lease keeps the second worker away while the first is at it.
    let world = World::new().await;
    world.test.user("alice").await;
    world.server.set_mood(Mood::Silent);
    let first = tokio::spawn({
        let worker = world.worker.clone();
        async move { worker.tick().await }
    });
    while world.jobs().await[0].attempts == 0 {
        tokio::task::yield_now().await;
    }
    world.server.set_mood(Mood::Good);
    assert!(matches!(world.worker.tick().await.unwrap(), Tick::Idle(Some(_))));
    first.abort();
}

#[tokio::test]
async fn several_workers_side_by_side_send_each_mail_once() {
    let world = World::new().await;
    for number in 0..20 {
        world.test.user(&format!("user{number}")).await;
    }
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let worker = world.worker.clone();
        workers
            .spawn(async move { while !matches!(worker.tick().await.unwrap(), Tick::Idle(_)) {} });
    }
    workers.join_all().await;
    world.work_it_off().await;
    let mut ids: Vec<String> =
        world.server.received().iter().map(|mail| mail.header("Message-ID").to_owned()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), world.server.received().len()), (20, 20));
}

/// Tells when a mail is on its way, and lets it go when there is room.
#[derive(Clone, Debug)]
struct Gate {
    started: mpsc::UnboundedSender<JobId>,
    room: Arc<Semaphore>,
}

#[async_trait]
impl Mailer for Gate {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        self.started.send(mail.job).unwrap();
        self.room.acquire().await.unwrap().forget();
        Ok(())
    }
}

#[tokio::test]
async fn a_worker_that_is_stopped_finishes_what_it_has_begun_and_begins_nothing() {
    let world = World::new().await;
    for name in ["alice", "bob"] {
        world.test.user(name).await;
    }
    let (started, mut heard) = mpsc::unbounded_channel();
    let gate = Gate { started, room: Arc::new(Semaphore::new(0)) };
    let one = WorkerOptions { lanes: 1, ..WorkerOptions::default() };
    let worker = Worker::new(world.bank().clone(), gate.clone(), letterhead()).options(one);
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(async move { worker.run(async { drop(stopped.await) }).await });
    let begun = heard.recv().await.unwrap();
    stop.send(()).unwrap();
    tokio::task::yield_now().await;
    assert!(!running.is_finished());
    gate.room.add_permits(2);
    running.await.unwrap();
    let [left] = &world.jobs().await[..] else { panic!("one is left") };
    assert_ne!(left.id, begun);
    assert_eq!((left.attempts, left.is_leased), (0, false));
    heard.try_recv().unwrap_err();
}

/// Panics with the first mail, and tells of the others.
#[derive(Debug)]
struct Panics {
    has_panicked: std::sync::atomic::AtomicBool,
    sent: mpsc::UnboundedSender<JobId>,
}

#[async_trait]
impl Mailer for Panics {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let is_first = !self.has_panicked.swap(true, std::sync::atomic::Ordering::Relaxed);
        assert!(!is_first, "the first mail");
        self.sent.send(mail.job).unwrap();
        Ok(())
    }
}

#[tokio::test]
async fn a_job_that_panics_keeps_no_other_from_being_done() {
    let world = World::new().await;
    for name in ["alice", "bob"] {
        world.test.user(name).await;
        world.test.clock.advance(Duration::SECOND);
    }
    let [alices, bobs] = &world.jobs().await[..] else { panic!("there are two jobs") };
    let (sent, mut heard) = mpsc::unbounded_channel();
    let mailer = Panics { has_panicked: false.into(), sent };
    let one = WorkerOptions { lanes: 1, ..WorkerOptions::default() };
    let worker = Worker::new(world.bank().clone(), mailer, letterhead()).options(one);
    let running = tokio::spawn(async move { worker.run(std::future::pending()).await });
    assert_eq!(heard.recv().await.unwrap(), bobs.id);
    // When its lease is over, it is tried again.
    world.test.clock.advance(Duration::MINUTE);
    world.test.user("carol").await;
    assert_eq!(heard.recv().await.unwrap(), alices.id);
    running.abort();
}

/// A worker that hears of a job whether it is told of it or looks for itself.
async fn a_running_worker_finds_a_job(look_every: Duration, is_told: bool) {
    let world = World::new().await;
    if !is_told {
        let sql = "alter table simplebank.jobs disable trigger jobs_tell";
        sqlx::query(sql).execute(&world.test.owner().await).await.unwrap();
    }
    let (started, mut heard) = mpsc::unbounded_channel();
    let gate = Gate { started, room: Arc::new(Semaphore::new(10)) };
    let options = WorkerOptions { look_every, ..WorkerOptions::default() };
    let worker = Worker::new(world.bank().clone(), gate, letterhead()).options(options);
    let running = tokio::spawn(async move { worker.run(std::future::pending()).await });
    for name in ["alice", "bob", "carol"] {
        world.test.user(name).await;
        let found = tokio::time::timeout(std::time::Duration::from_secs(20), heard.recv());
        found.await.expect("the worker never woke");
    }
    running.abort();
}

#[tokio::test]
async fn a_worker_is_woken_by_a_commit() {
    a_running_worker_finds_a_job(Duration::HOUR, true).await;
}

#[tokio::test]
async fn a_worker_that_is_told_nothing_looks_for_itself() {
    a_running_worker_finds_a_job(Duration::milliseconds(10), false).await;
}

#[tokio::test]
async fn a_worker_takes_none_of_the_banks_connections_for_listening() {
    let database = TestDatabase::new().await;
    let one = PoolOptions { connections_max: 1, ..PoolOptions::default() };
    let db = Db::connect(&database.url(), one).await.unwrap();
    let bank = Bank::new(db).unwrap();
    let (started, mut heard) = mpsc::unbounded_channel();
    let gate = Gate { started, room: Arc::new(Semaphore::new(10)) };
    let worker = Worker::new(bank.clone(), gate, letterhead());
    let running = tokio::spawn(async move { worker.run(std::future::pending()).await });
    bank.register(registration("alice")).await.unwrap();
    heard.recv().await.unwrap();
    bank.register(registration("bob")).await.unwrap();
    running.abort();
}
