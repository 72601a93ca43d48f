//! What can be asked about the audit record.

use clap::{Args, ValueEnum};
use simplebank::core::{Instant, audit::Action, user::Username};

use crate::output::Format;

/// Which part of the audit record, and how.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Only what was done by this user, or to them.
    #[arg(long, value_name = "USERNAME")]
    pub(crate) user: Option<Username>,
    /// Only this, such as login_refused.
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: Option<Action>,
    /// Only then or later: a time such as 2026-11-01T00:00:00Z, or a date for midnight in UTC.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Instant>,
    /// Only before then.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Instant>,
    /// How to write it [default: table, or json with --json].
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<AuditFormat>,
}

/// How the record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditFormat {
    /// For people.
    Table,
    /// One JSON document.
    Json,
    /// Comma-separated values (RFC 4180).
    Csv,
}

impl Audit {
    /// What was asked for, here or for all answers.
    pub(crate) fn format(&self, format: Format) -> AuditFormat {
        self.format.unwrap_or(match format {
            Format::Table => AuditFormat::Table,
            Format::Json => AuditFormat::Json,
        })
    }
}
