//! Who does the jobs.
//!
//! A worker has some lanes. Each takes one job at a time:
//!
//! 1. It claims the next job that is due, for as long as a lease: one transaction.
//! 2. It does the job, which may have transactions of its own and speak to others.
//! 3. It deletes the job, or gives it back with the reason and the time for the next attempt: one transaction.
//!
//! Whatever kills it in between loses nothing: when the lease is over, the job is taken again.

use std::{
    error::Error as StdError,
    fmt::{self, Display},
    future::Future,
    pin::pin,
    sync::Arc,
};

use simplebank_core::{
    Job, JobId,
    job::{Backoff, Next},
};
use simplebank_db::{
    TxSpec,
    jobs::{self, Claimed, Listener},
};
use time::{Duration, OffsetDateTime};
use tokio::{sync::watch, task::JoinSet};
use uuid::Uuid;

use super::{KINDS, Work};
use crate::{
    Bank, Error,
    mail::{Letterhead, Mail, Mailer},
    ports::random_bytes,
};

const CLAIM_JOB: TxSpec = TxSpec::read_committed("claim_job");
const COMPLETE_JOB: TxSpec = TxSpec::read_committed("complete_job");
const FAIL_JOB: TxSpec = TxSpec::read_committed("fail_job");

/// How much of an error is kept, in characters.
const ERROR_LENGTH_MAX: usize = 1_000;

/// How a [`Worker`] works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerOptions {
    /// How many jobs it does at a time: 2 by default.
    pub lanes: u8,
    /// For how long a job is its own: a minute by default. A mail that takes more than half of it is given up. When the
    /// worker is killed, the job waits for the rest of it.
    pub lease: Duration,
    /// How long it waits at most before it looks for jobs, whether it was told of any or not: 5 s by default.
    pub look_every: Duration,
    /// How long it waits before it tries again what failed.
    pub backoff: Backoff,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            lanes: 2,
            lease: Duration::MINUTE,
            look_every: Duration::seconds(5),
            backoff: Backoff::default(),
        }
    }
}

/// Does the bank's jobs. Clones share everything.
#[derive(Clone, Debug)]
pub struct Worker {
    bank: Bank,
    mailer: Arc<dyn Mailer>,
    letterhead: Letterhead,
    options: WorkerOptions,
}

/// What came of looking for a job once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// None is due; if one will be, then at that time.
    Idle(Option<OffsetDateTime>),
    /// It was done.
    Done(JobId),
    /// It was not, and this is what becomes of it.
    Failed(JobId, Next),
    /// It took longer than its lease, so it is somebody else's by now.
    Late(JobId),
}

/// Why a job was not done.
#[derive(Debug)]
pub(super) struct Failed {
    reason: String,
    is_for_good: bool,
}

impl Failed {
    /// It may be done another time.
    pub(super) fn for_now(error: impl StdError) -> Self {
        Self { reason: reason(&error), is_for_good: false }
    }

    /// It will never be done as it stands.
    pub(super) fn for_good(error: impl StdError) -> Self {
        Self { reason: reason(&error), is_for_good: true }
    }
}

/// An error and its causes, cut to what is kept, without what no text column holds.
fn reason(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.chars().filter(|character| *character != '\0').take(ERROR_LENGTH_MAX).collect()
}

/// A mail took too long.
#[derive(Debug)]
struct TookTooLong;

impl Display for TookTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the mail took longer than half of the lease")
    }
}

impl StdError for TookTooLong {}

impl Worker {
    /// A worker for `bank`, whose mails are carried by `mailer` and signed as `letterhead` says.
    pub fn new(bank: Bank, mailer: impl Mailer + 'static, letterhead: Letterhead) -> Self {
        Self { bank, mailer: Arc::new(mailer), letterhead, options: WorkerOptions::default() }
    }

    /// Works by `options`.
    #[must_use]
    pub fn options(self, options: WorkerOptions) -> Self {
        Self { options, ..self }
    }

    pub(super) fn bank(&self) -> &Bank {
        &self.bank
    }

    pub(super) fn letterhead(&self) -> &Letterhead {
        &self.letterhead
    }

    /// Claims the next job that is due and does it.
    ///
    /// # Errors
    ///
    /// [`Error::Db`], [`Error::Randomness`] when jobs can't be claimed or their outcome not be reported; they are taken again
    /// when their lease is over.
    pub async fn tick(&self) -> Result<Tick, Error> {
        let Some(Claimed { job, lease }) = self.claim().await? else {
            let kinds = kinds();
            let due =
                self.bank.db().transact(CLAIM_JOB, async |tx| jobs::next_due(tx, &kinds).await);
            return Ok(Tick::Idle(due.await?));
        };
        match self.perform(&job).await {
            Ok(()) => {
                let complete =
                    async |tx: &mut simplebank_db::Tx<'_>| jobs::complete(tx, job.id, lease).await;
                let is_mine = self.bank.db().transact(COMPLETE_JOB, complete).await?;
                Ok(if is_mine { Tick::Done(job.id) } else { Tick::Late(job.id) })
            }
            Err(failed) => self.give_back(&job, lease, &failed).await,
        }
    }

    async fn claim(&self) -> Result<Option<Claimed>, Error> {
        let (now, kinds) = (self.bank.now(), kinds());
        let lease = Uuid::from_bytes(random_bytes()?);
        let until = now.saturating_add(self.options.lease);
        let claimed = self.bank.db().transact(CLAIM_JOB, async |tx| {
            let lost = jobs::bury_lost(tx, now).await?;
            Ok::<_, simplebank_db::Error>((jobs::claim(tx, &kinds, lease, now, until).await?, lost))
        });
        let (claimed, lost) = claimed.await?;
        if lost > 0 {
            tracing::error!(lost, "jobs became dead letters, since no worker outlived them");
        }
        Ok(claimed)
    }

    async fn perform(&self, job: &Job) -> Result<(), Failed> {
        match Work::read(&job.payload).map_err(Failed::for_good)? {
            Work::VerifyEmail { verification_id } => {
                self.verify_email(job.id, &verification_id).await
            }
            Work::PasswordChanged { user_id, email, changed_at } => {
                self.password_changed(job.id, &user_id, &email, changed_at).await
            }
        }
    }

    async fn give_back(&self, job: &Job, lease: Uuid, failed: &Failed) -> Result<Tick, Error> {
        let now = self.bank.now();
        let random = u32::from_ne_bytes(random_bytes()?);
        let Failed { reason, is_for_good } = failed;
        let next = match is_for_good {
            true => Next::Dead,
            false => self.options.backoff.next(job.attempts, job.attempts_max, now, random),
        };
        // The reason may name people, so it stays in the database.
        match next {
            Next::Dead => {
                tracing::error!(job = %job.id, kind = job.kind, "a job became a dead letter")
            }
            Next::RetryAt(at) => {
                tracing::warn!(job = %job.id, kind = job.kind, attempts = job.attempts, again_at = %at, "a job failed");
            }
        }
        let fail = async |tx: &mut simplebank_db::Tx<'_>| {
            jobs::fail(tx, job.id, lease, reason, next, now).await
        };
        let is_mine = self.bank.db().transact(FAIL_JOB, fail).await?;
        Ok(if is_mine { Tick::Failed(job.id, next) } else { Tick::Late(job.id) })
    }

    /// Hands a mail over, and gives up early enough for the outcome to be reported within the lease.
    pub(super) async fn send(&self, mail: &Mail) -> Result<(), Failed> {
        let patience = self.options.lease.unsigned_abs() / 2;
        match tokio::time::timeout(patience, self.mailer.send(mail)).await {
            Ok(sent) => sent.map_err(Failed::for_now),
            Err(_) => Err(Failed::for_now(TookTooLong)),
        }
    }

    /// Works until `stop` is ready; then the jobs that were begun are finished, and no other is.
    ///
    /// Whoever can't wait for that drops the future: what was begun is done again, by whoever comes, when its lease is over.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let (wake, woken) = watch::channel(());
        let (end, ended) = watch::channel(false);
        let mut lanes = JoinSet::new();
        for _ in 0..self.options.lanes.max(1) {
            lanes.spawn(self.clone().serve(woken.clone(), ended.clone()));
        }
        let mut stop = pin!(stop);
        let ears = tokio::spawn(self.clone().listen(wake));
        tokio::select! {
            () = &mut stop => {}
            // A lane ends only when it is told, or by a defect, which is not to end the others.
            _ = lanes.join_next() => {
                tracing::error!("a lane of the worker has ended");
                stop.await;
            }
        }
        ears.abort();
        // Nobody listens any more if all lanes have ended.
        let _ = end.send(true);
        while lanes.join_next().await.is_some() {}
    }

    /// One lane: a job after the other, and waiting when there is none.
    async fn serve(self, mut woken: watch::Receiver<()>, mut ended: watch::Receiver<bool>) {
        while !*ended.borrow() {
            // Whatever is enqueued from here on wakes it again.
            woken.mark_unchanged();
            let pause = match self.guarded_tick().await {
                Ok(Tick::Idle(due)) => self.pause_until(due),
                Ok(Tick::Done(_) | Tick::Failed(..) | Tick::Late(_)) => continue,
                Err(Error::Stopped(error)) if error.is_panic() => {
                    // The job's lease runs out; if it always does that, it becomes a dead letter.
                    tracing::error!("a job panicked");
                    continue;
                }
                Err(error) => {
                    tracing::warn!(error = reason(&error), "no job can be done at the moment");
                    self.options.look_every
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause.unsigned_abs()) => {}
                Ok(()) = woken.changed() => {}
                _ = ended.changed() => {}
            }
        }
    }

    /// [`tick`](Self::tick) in a task of its own, so that a panic ends the job and not the lane.
    async fn guarded_tick(&self) -> Result<Tick, Error> {
        let worker = self.clone();
        // Of one task; when this future is dropped, so is that.
        let mut task = JoinSet::new();
        task.spawn(async move { worker.tick().await });
        match task.join_next().await {
            Some(ended) => ended.map_err(Error::Stopped)?,
            None => Ok(Tick::Idle(None)),
        }
    }

    /// Until the next job is due, but not longer than between two looks, nor so short that looking is all it does.
    fn pause_until(&self, due: Option<OffsetDateTime>) -> Duration {
        const SHORTEST: Duration = Duration::milliseconds(10);
        let longest = self.options.look_every.max(SHORTEST);
        due.map_or(longest, |due| (due - self.bank.now()).clamp(SHORTEST, longest))
    }

    /// Wakes the lanes when something was enqueued. Without a connection they still look every now and then.
    async fn listen(self, wake: watch::Sender<()>) {
        loop {
            if let Ok(mut listener) = Listener::connect(self.bank.db()).await {
                // What was enqueued before it listened.
                wake.send_replace(());
                while listener.wait().await.is_ok() {
                    wake.send_replace(());
                }
            }
            tracing::debug!("not told of jobs at the moment");
            tokio::time::sleep(self.options.look_every.unsigned_abs()).await;
        }
    }
}

fn kinds() -> [String; KINDS.len()] {
    KINDS.map(str::to_owned)
}
