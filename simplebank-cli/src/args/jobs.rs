//! Jobs, and who does them.

use clap::{Args, Subcommand};
use simplebank::core::JobId;

pub(super) const WORKER_HELP: &str = "\
The server does jobs itself, unless it is started with --no-worker. Any number of workers may run side by side, and be killed at any \
time: what they had begun is done again by another one after a minute. SIGTERM and Ctrl-C let them finish what they have begun.";

/// What is to be done with jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// Lists all jobs that are not done: waiting, running, and dead letters with their last error.
    List,
    /// Makes a job due now, with all its attempts before it.
    Retry(JobOf),
    /// Gives a job up: it is deleted.
    Drop(JobOf),
}

/// A job that nobody is at.
#[derive(Debug, Args)]
pub(crate) struct JobOf {
    /// The job's id.
    #[arg(value_name = "JOB")]
    pub(crate) id: JobId,
}
