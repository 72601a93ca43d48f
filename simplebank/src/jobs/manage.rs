//! Looking at jobs, trying dead letters again, and giving jobs up: for the operator.

use simplebank_core::{Job, JobId, Principal, access::Power};
use simplebank_db::{TxSpec, jobs};

use crate::{Bank, Error, Listing, Page, access::require};

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
        require(by, Power::ManageJobs)?;
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
        require(by, Power::ManageJobs)?;
        let now = self.now();
        let is_done =
            self.db().transact(RETRY_JOB, async |tx| jobs::retry(tx, id, now).await).await?;
        if is_done { Ok(()) } else { Err(Error::NotFound { what: "idle job" }) }
    }

    /// Gives a job up: it is deleted.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] but for the operator; [`Error::NotFound`] if there is none that nobody is at.
    pub async fn drop_job(&self, by: &Principal, id: JobId) -> Result<(), Error> {
        require(by, Power::ManageJobs)?;
        let now = self.now();
        let is_done =
            self.db().transact(DROP_JOB, async |tx| jobs::drop(tx, id, now).await).await?;
        if is_done { Ok(()) } else { Err(Error::NotFound { what: "idle job" }) }
    }
}
