//! Looking at jobs, trying dead letters again, and giving jobs up: for the operator.

use simplebank_core::{
    Job, JobId, Principal,
    access::Power,
    audit::{Action, Object},
};
use simplebank_db::{self as db, TxSpec, audit, jobs};

use crate::{Bank, Error, Listing, Page};

const LIST_JOBS: TxSpec = TxSpec::read_committed("list_jobs").read_only();
const RETRY_JOB: TxSpec = TxSpec::read_committed("retry_job");
const DROP_JOB: TxSpec = TxSpec::read_committed("drop_job");

impl Bank {
    /// All jobs that are not done, in the order in which they were asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] but for the operator.
    pub async fn jobs(
        &self,
        by: &Principal,
        page: Page<JobId>,
    ) -> Result<Listing<Job, JobId>, Error> {
        self.require(by, Power::ManageJobs, None).await?;
        let jobs = self
            .db()
            .transact(LIST_JOBS, async |tx| jobs::list(tx, page.cursor, page.rows()).await)
            .await?;
        Ok(page.listing(jobs, |job| job.id))
    }

    /// Makes a job due now, with all its attempts before it.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] but for the operator; [`Error::NotFound`] if there is none that nobody is at.
    pub async fn retry_job(&self, by: &Principal, id: JobId) -> Result<(), Error> {
        let job = Object::Job(id);
        self.require(by, Power::ManageJobs, Some(job)).await?;
        let (now, line) = (self.now(), self.line(by.id(), Action::JobRetried, job));
        let done = self.db().transact(RETRY_JOB, async |tx| {
            let is_done = jobs::retry(tx, id, now).await?;
            if is_done {
                audit::insert(tx, &line).await?;
            }
            Ok::<_, db::Error>(is_done)
        });
        let is_done = done.await?;
        if is_done { Ok(()) } else { Err(Error::NotFound { what: "idle job" }) }
    }

    /// Gives a job up: it is deleted.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] but for the operator; [`Error::NotFound`] if there is none that nobody is at.
    pub async fn drop_job(&self, by: &Principal, id: JobId) -> Result<(), Error> {
        let job = Object::Job(id);
        self.require(by, Power::ManageJobs, Some(job)).await?;
        let (now, line) = (self.now(), self.line(by.id(), Action::JobDropped, job));
        let done = self.db().transact(DROP_JOB, async |tx| {
            let is_done = jobs::drop(tx, id, now).await?;
            if is_done {
                audit::insert(tx, &line).await?;
            }
            Ok::<_, db::Error>(is_done)
        });
        let is_done = done.await?;
        if is_done { Ok(()) } else { Err(Error::NotFound { what: "idle job" }) }
    }
}
