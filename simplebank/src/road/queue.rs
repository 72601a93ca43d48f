//! The committer's queues: what waits, and the lanes that serve it.
//!
//! Whatever concerns a queue happens under one lock. A lane closes under the same lock under which it has found nothing to do,
//! so a job that comes at that moment either is found or opens a lane of its own: none is left behind.
//!
//! Two lanes never work on the same account: they would only wait for each other in the database. A lane passes over whoever
//! needs an account of another's batch, and whoever comes after them for one of theirs, so that those who meet on an account
//! keep their order.

#[cfg(not(test))]
use std::sync::{Mutex, MutexGuard};
#[cfg(test)]
mod batches;
#[cfg(test)]
mod explored;

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

// In the crate's own tests the lock is that of an explorer of schedules, which is of no use outside of it.
#[cfg(test)]
use shuttle::sync::{Mutex, MutexGuard};
use simplebank_core::AccountId;
use tokio::sync::oneshot;

use super::{Group, GroupAnswer, committer::CommitterOptions};
use crate::Error;

/// Where an answer comes from; nothing comes if the lane that was to give it has died.
pub(super) type Answered = oneshot::Receiver<Result<GroupAnswer, Error>>;

/// What one caller waits for.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) group: Group,
    pub(super) since: Instant,
    pub(super) answer: oneshot::Sender<Result<GroupAnswer, Error>>,
}

impl Job {
    pub(super) fn accounts(&self) -> impl Iterator<Item = AccountId> {
        self.group.wishes.iter().flat_map(|wish| wish.order.accounts())
    }

    pub(super) fn answer(self, answer: Result<GroupAnswer, Error>) {
        // Who has gone away misses nothing.
        let _gone = self.answer.send(answer);
    }

    fn needs_one_of(&self, accounts: &HashSet<AccountId>) -> bool {
        self.accounts().any(|id| accounts.contains(&id))
    }
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Orders in all jobs.
    orders: usize,
    lanes: usize,
    /// What the lanes are working on.
    busy: HashSet<AccountId>,
}

impl Queue {
    /// The oldest jobs that need no busy account: as many as make up `orders_max`, or one that has more by itself; or none, if
    /// they are fewer orders than `orders_min`. Those that have waited for longer than `wait_max` are refused: none of them takes
    /// the place of another in the batch.
    fn take(&mut self, orders_min: usize, orders_max: usize, wait_max: Duration) -> Vec<Job> {
        let mut seen = Vec::new();
        let mut barred = self.busy.clone();
        let mut orders = 0_usize;
        while let Some(job) = self.jobs.pop_front() {
            if job.since.elapsed() > wait_max {
                self.orders = self.orders.saturating_sub(job.group.wishes.len());
                job.answer(Err(Error::Overloaded));
                continue;
            }
            if job.needs_one_of(&barred) {
                barred.extend(job.accounts());
                seen.push((job, false));
                continue;
            }
            let more = orders.saturating_add(job.group.wishes.len());
            if more > orders_max && orders > 0 {
                self.jobs.push_front(job);
                break;
            }
            orders = more;
            seen.push((job, true));
        }
        let is_enough = orders >= orders_min;
        let mut batch = Vec::new();
        for (job, is_free) in seen.into_iter().rev() {
            if is_free && is_enough {
                batch.push(job);
            } else {
                self.jobs.push_front(job);
            }
        }
        batch.reverse();
        self.orders = self.orders.saturating_sub(if is_enough { orders } else { 0 });
        self.busy.extend(batch.iter().flat_map(Job::accounts));
        batch
    }
}

#[derive(Debug, Default)]
struct Waiting {
    fast: Queue,
    slow: Queue,
    /// Accounts that somebody else had locked for long: who needs one of them waits in the slow lane.
    stuck: HashSet<AccountId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speed {
    Fast,
    Slow,
}

impl Waiting {
    fn of(&mut self, speed: Speed) -> &mut Queue {
        match speed {
            Speed::Fast => &mut self.fast,
            Speed::Slow => &mut self.slow,
        }
    }

    /// Counts a lane less that has found nothing to do.
    fn close(&mut self, speed: Speed) {
        let queue = self.of(speed);
        queue.lanes = queue.lanes.saturating_sub(1);
        if speed == Speed::Slow {
            self.stuck.clear();
        }
    }
}

#[derive(Debug)]
pub(super) struct Queues {
    options: CommitterOptions,
    waiting: Mutex<Waiting>,
}

impl Queues {
    pub(super) fn new(options: CommitterOptions) -> Arc<Self> {
        Arc::new(Self { options, waiting: Mutex::default() })
    }

    pub(super) const fn options(&self) -> &CommitterOptions {
        &self.options
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Jobs are moved whole; a panic between two moves is not possible.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    const fn lanes_max(&self, speed: Speed) -> usize {
        match speed {
            // None would leave everybody waiting.
            Speed::Fast if self.options.lanes == 0 => 1,
            Speed::Fast => self.options.lanes,
            Speed::Slow => 1,
        }
    }

    /// Puts jobs into the queues, or refuses those for which they are full; returns the lanes that must be served for them.
    pub(super) fn push(self: &Arc<Self>, jobs: impl IntoIterator<Item = Job>) -> Vec<Lane> {
        let mut waiting = self.lock();
        let lanes = jobs.into_iter().filter_map(|job| {
            let speed = if job.needs_one_of(&waiting.stuck) { Speed::Slow } else { Speed::Fast };
            self.put(waiting.of(speed), speed, job)
        });
        lanes.collect()
    }

    /// Moves jobs that need one of the `stuck` accounts, as whoever comes with such a need from now on.
    pub(super) fn move_to_slow_lane(
        self: &Arc<Self>,
        jobs: Vec<Job>,
        stuck: HashSet<AccountId>,
    ) -> Option<Lane> {
        let mut waiting = self.lock();
        waiting.stuck.extend(stuck);
        // There is one slow lane at most.
        jobs.into_iter().fold(None, |lane, job| {
            let opened = self.put(&mut waiting.slow, Speed::Slow, job);
            lane.or(opened)
        })
    }

    fn put(self: &Arc<Self>, queue: &mut Queue, speed: Speed, job: Job) -> Option<Lane> {
        let orders = queue.orders.saturating_add(job.group.wishes.len());
        if orders > self.options.queue_max && queue.orders > 0 {
            job.answer(Err(Error::Overloaded));
            return None;
        }
        queue.orders = orders;
        // Who must wait for another lane's batch is found by that lane afterwards.
        let is_stopped = queue.lanes > 0 && job.needs_one_of(&queue.busy);
        queue.jobs.push_back(job);
        let needs_lane = queue.lanes < self.lanes_max(speed) && !is_stopped;
        needs_lane.then(|| self.lane(queue, speed))
    }

    fn lane(self: &Arc<Self>, queue: &mut Queue, speed: Speed) -> Lane {
        queue.lanes = queue.lanes.saturating_add(1);
        Lane { queues: Arc::clone(self), speed, accounts: Vec::new(), is_closed: false }
    }
}

/// A lane that is open. It closes itself when there is nothing to do; dropped before that, by a panic or a runtime that ends,
/// it leaves nobody waiting.
#[derive(Debug)]
#[must_use = "whoever waits is served by it"]
pub(super) struct Lane {
    queues: Arc<Queues>,
    speed: Speed,
    /// What it is working on.
    accounts: Vec<AccountId>,
    is_closed: bool,
}

impl Lane {
    pub(super) const fn speed(&self) -> Speed {
        self.speed
    }

    pub(super) fn queues(&self) -> &Arc<Queues> {
        &self.queues
    }

    /// Takes the next batch out of the queue; `None`, and the lane is closed, when there is nothing to do.
    ///
    /// A lane beyond those that there always may be finds nothing to do in less than half a batch.
    pub(super) fn take(&mut self) -> Option<Vec<Job>> {
        let queues = Arc::clone(&self.queues);
        let mut waiting = queues.lock();
        let CommitterOptions { batch_max, wait_max, .. } = queues.options;
        let queue = waiting.of(self.speed);
        self.let_go(queue);
        let is_beyond = queue.lanes > self.queues.lanes_max(self.speed);
        let orders_min = if is_beyond { batch_max.div_ceil(2) } else { 0 };
        let batch = queue.take(orders_min, batch_max, wait_max);
        if batch.is_empty() {
            waiting.close(self.speed);
            self.is_closed = true;
            return None;
        }
        self.accounts.extend(batch.iter().flat_map(Job::accounts));
        Some(batch)
    }

    /// A lane more, beyond those that there always may be, if a whole batch waits.
    pub(super) fn beside(&self) -> Option<Self> {
        let mut waiting = self.queues.lock();
        let queue = waiting.of(self.speed);
        let may_be = self.speed == Speed::Fast && queue.lanes <= self.queues.lanes_max(self.speed);
        let is_needed = queue.orders >= self.queues.options.batch_max;
        (may_be && is_needed).then(|| self.queues.lane(queue, self.speed))
    }

    fn let_go(&mut self, queue: &mut Queue) {
        for id in self.accounts.drain(..) {
            queue.busy.remove(&id);
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if self.is_closed {
            return;
        }
        let queues = Arc::clone(&self.queues);
        let mut waiting = queues.lock();
        let queue = waiting.of(self.speed);
        self.let_go(queue);
        queue.lanes = queue.lanes.saturating_sub(1);
        if queue.lanes == 0 {
            // Nobody may wait for a lane that does not come.
            queue.jobs.clear();
            queue.orders = 0;
        }
    }
}
