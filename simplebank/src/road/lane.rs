//! What a lane does with a batch: takes it through, in parts where that is needed, and answers everybody in it.

use std::{collections::HashSet, time::Duration};

use simplebank_core::AccountId;
use simplebank_db::{self as db, TxSpec};

use super::{
    Group, GroupAnswer,
    queue::{Job, Lane, Speed},
};
use crate::Error;

/// For a batch that stands alone. A request may wait half a second for a connection, twice, and for a lock: together less
/// than the 2 s in which a locked row is to be told.
pub(super) const POST: TxSpec =
    TxSpec::read_committed("post").lock_timeout(Duration::from_millis(900));
/// For a batch behind which others wait.
const POST_BATCH: TxSpec = POST.lock_timeout(Duration::from_millis(100));

/// How often a part of a batch that failed is tried.
const ATTEMPTS_OF_PARTS: u32 = 2;

/// Where lanes take their batches: the bank, or what explores the schedules of lanes.
pub(super) trait Commit: Send + Sync {
    /// Commits groups together and says what they are to be answered.
    fn commit(
        &self,
        groups: &[Group],
        spec: TxSpec,
    ) -> impl Future<Output = Result<Vec<GroupAnswer>, Error>> + Send;

    /// Those of the accounts that somebody else has locked right now.
    fn locked_elsewhere(&self, ids: &[AccountId]) -> impl Future<Output = Vec<AccountId>> + Send;

    /// Sees to it that a lane is served, beside what is going on.
    fn open_lane(&self, lane: Lane);
}

impl Lane {
    /// Takes batches through until there are none.
    pub(super) async fn serve(mut self, bank: &impl Commit) {
        while let Some(batch) = self.take() {
            self.beside().into_iter().for_each(|lane| bank.open_lane(lane));
            self.work(batch, bank).await;
        }
    }

    /// Takes a batch through, in parts where that is needed, and answers everybody in it.
    ///
    /// What goes into the audit record takes the longer road, and nobody else with it.
    pub(super) async fn work(&self, batch: Vec<Job>, bank: &impl Commit) {
        let is_audited = |job: &Job| job.group.is_audited();
        if !batch.iter().any(is_audited) {
            return self.work_together(batch, bank).await;
        }
        let (audited, plain) = batch.into_iter().partition(is_audited);
        self.work_together(plain, bank).await;
        self.work_together(audited, bank).await;
    }

    async fn work_together(&self, batch: Vec<Job>, bank: &impl Commit) {
        let mut parts = vec![batch];
        let mut is_whole = true;
        while let Some(part) = parts.pop() {
            let spec = self.spec(part.len());
            // The whole has been tried as often as may be; who is to blame is not to keep the others waiting as long again.
            let spec = if is_whole { spec } else { spec.attempts_max(ATTEMPTS_OF_PARTS) };
            if let Err((part, error)) = self.run(part, spec, bank).await {
                parts.extend(self.split(part, error, bank).await);
            }
            is_whole = false;
        }
    }

    /// Takes a part through and answers it; returns one that may succeed in smaller parts, and why it failed.
    async fn run(
        &self,
        mut part: Vec<Job>,
        spec: TxSpec,
        bank: &impl Commit,
    ) -> Result<(), (Vec<Job>, db::Error)> {
        if part.is_empty() {
            return Ok(());
        }
        let groups: Vec<Group> =
            part.iter_mut().map(|job| std::mem::take(&mut job.group)).collect();
        let answered = bank.commit(&groups, spec).await;
        for (job, group) in part.iter_mut().zip(groups) {
            job.group = group;
        }
        match answered {
            Ok(answers) => {
                for (job, answer) in part.into_iter().zip(answers) {
                    job.answer(Ok(answer));
                }
            }
            Err(Error::Db(error)) if error.is_of_content() && part.len() > 1 => {
                return Err((part, error));
            }
            Err(error) => refuse_all(part, error),
        }
        Ok(())
    }

    const fn spec(&self, jobs: usize) -> TxSpec {
        match self.speed() {
            Speed::Fast if jobs > 1 => POST_BATCH,
            Speed::Fast | Speed::Slow => POST,
        }
    }

    /// What is to be tried of a part that failed; the rest of it is answered or moved.
    async fn split(&self, part: Vec<Job>, error: db::Error, bank: &impl Commit) -> Vec<Vec<Job>> {
        let stuck = match error.is_lock_timeout() {
            true => stuck(&part, bank).await,
            false => HashSet::new(),
        };
        let is_of_a_hold = |job: &Job| job.accounts().next().is_none();
        if error.is_lock_timeout()
            && stuck.is_empty()
            && self.speed() == Speed::Fast
            && part.iter().any(is_of_a_hold)
        {
            // Which accounts a hold or a reversal needs is not known here: those wait beside the others.
            let (waiting, free): (Vec<Job>, Vec<Job>) = part.into_iter().partition(is_of_a_hold);
            let lane = self.queues().move_to_slow_lane(waiting, stuck);
            lane.into_iter().for_each(|lane| bank.open_lane(lane));
            return vec![free];
        }
        if stuck.is_empty() {
            let mut first = part;
            let second = first.split_off(first.len() / 2);
            return vec![second, first];
        }
        let (waiting, free): (Vec<Job>, Vec<Job>) =
            part.into_iter().partition(|job| job.accounts().any(|id| stuck.contains(&id)));
        match self.speed() {
            Speed::Fast => {
                let lane = self.queues().move_to_slow_lane(waiting, stuck);
                lane.into_iter().for_each(|lane| bank.open_lane(lane));
            }
            Speed::Slow => refuse_all(waiting, Error::Db(error)),
        }
        vec![free]
    }
}

fn refuse_all(jobs: Vec<Job>, error: Error) {
    let errors = error.for_each_of(jobs.len());
    jobs.into_iter().zip(errors).for_each(|(job, error)| job.answer(Err(error)));
}

/// The accounts of a part that somebody else has locked right now.
async fn stuck(part: &[Job], bank: &impl Commit) -> HashSet<AccountId> {
    let ids: HashSet<AccountId> = part.iter().flat_map(Job::accounts).collect();
    let ids: Vec<AccountId> = ids.into_iter().collect();
    bank.locked_elsewhere(&ids).await.into_iter().collect()
}
