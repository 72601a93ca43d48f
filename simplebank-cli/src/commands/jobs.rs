//! `simplebank job` and `simplebank worker`.

use std::path::PathBuf;

use serde::Serialize;
use simplebank::{
    Bank, Worker,
    core::{Job, JobId},
    mail::MailArgs,
    ports::{Clock as _, SystemClock},
};
use simplebank_localpg::DatabaseArgs;
use time::OffsetDateTime;
use tokio::signal::unix::{SignalKind, signal};

use super::{OPERATOR, every_page, on_bank, viewed};
use crate::{
    args::{self, JobOf},
    exit::{Code, Failure, remark},
    output::{self, Column, Format, Row, instant, number, text},
};

pub(super) fn run(
    command: args::Job,
    settings: &DatabaseArgs,
    format: Format,
) -> Result<Code, Failure> {
    match command {
        args::Job::List => on_bank(settings, format, async |bank| list(bank, format).await),
        args::Job::Retry(JobOf { id }) => on_bank(settings, format, async |bank| {
            bank.retry_job(&OPERATOR, id).await?;
            told(format, id, "retried")
        }),
        args::Job::Drop(JobOf { id }) => on_bank(settings, format, async |bank| {
            bank.drop_job(&OPERATOR, id).await?;
            told(format, id, "dropped")
        }),
    }
}

async fn list(bank: &Bank, format: Format) -> Result<Code, Failure> {
    let now = SystemClock.now();
    every_page(format, None, async |page| {
        Ok(viewed(bank.jobs(&OPERATOR, page).await?, |job| JobRow::new(job, now)))
    })
    .await
}

fn told(format: Format, id: JobId, state: &'static str) -> Result<Code, Failure> {
    output::one(format, &Told { id: id.to_string(), state })?;
    Ok(Code::Done)
}

/// Works until it is told to stop.
pub(super) fn work(
    mail: &MailArgs,
    settings: &DatabaseArgs,
    format: Format,
) -> Result<Code, Failure> {
    begin_log(format);
    let folder = if mail.reaches_people() { None } else { Some(data_directory(settings)?) };
    let mailer = mail.mailer(folder.as_deref()).map_err(Failure::Mail)?;
    let letterhead = mail.letterhead("http://127.0.0.1:8080");
    on_bank(settings, format, async |bank| {
        let mut signals = [SignalKind::interrupt(), SignalKind::terminate()]
            .map(|kind| signal(kind).map_err(Failure::Runtime));
        let [Ok(interrupt), Ok(terminate)] = &mut signals else {
            let [first, second] = signals;
            return first.and(second).map(|_| Code::Done);
        };
        let whereto = mail.describe(folder.as_deref());
        remark(format, "note", &format!("doing the bank's jobs; mail goes to {whereto}"));
        let stop = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        Worker::new(bank.clone(), mailer, letterhead).run(stop).await;
        Ok(Code::Done)
    })
}

fn data_directory(settings: &DatabaseArgs) -> Result<PathBuf, Failure> {
    settings.data_dir().and_then(|directory| directory.create()).map_err(Failure::NoDatabase)
}

/// What the worker meets goes to stderr.
fn begin_log(format: Format) {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false);
    match format {
        Format::Table => log.init(),
        Format::Json => log.json().flatten_event(true).init(),
    }
}

/// A job. What it is about is for the database alone.
#[derive(Debug, Serialize)]
struct JobRow {
    id: String,
    kind: String,
    queue: &'static str,
    state: &'static str,
    attempts: u32,
    attempts_max: u32,
    due_at: String,
    created_at: String,
    last_error: Option<String>,
}

impl JobRow {
    fn new(job: Job, now: OffsetDateTime) -> Self {
        Self {
            id: job.id.to_string(),
            state: job.state(now).as_str(),
            kind: job.kind,
            queue: job.queue.as_str(),
            attempts: job.attempts,
            attempts_max: job.attempts_max,
            due_at: instant(job.due_at),
            created_at: instant(job.created_at),
            last_error: job.last_error,
        }
    }
}

impl Row for JobRow {
    const COLUMNS: &'static [Column] = &[
        text("id", 36),
        text("kind", 12),
        text("queue", 8),
        text("state", 7),
        number("attempts", 8),
        text("due_at", 27),
        text("last_error", 0),
    ];

    fn cells(&self) -> Vec<String> {
        // A mail server chose these words, and a terminal would obey what is in them.
        let error = self.last_error.as_deref().unwrap_or("-").escape_debug().to_string();
        vec![
            self.id.clone(),
            self.kind.clone(),
            self.queue.to_owned(),
            self.state.to_owned(),
            format!("{} of {}", self.attempts, self.attempts_max),
            self.due_at.clone(),
            error,
        ]
    }
}

/// What became of a job.
#[derive(Debug, Serialize)]
struct Told {
    id: String,
    state: &'static str,
}

impl Row for Told {
    const COLUMNS: &'static [Column] = &[text("id", 36), text("state", 8)];

    fn cells(&self) -> Vec<String> {
        vec![self.id.clone(), self.state.to_owned()]
    }
}
