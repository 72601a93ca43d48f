//! What can be asked about the past of an account.

use clap::{Args, ValueEnum};
use simplebank::{
    Statement,
    core::{AccountId, Instant, memo::Reference},
};

use super::History;
use crate::output::Format;

pub(super) const STATEMENT_HELP: &str = "\
A statement is written page by page, whole however long it is, and what is posted meanwhile is not in it. The last row of a \
CSV file is the closing balance: without it, the file is not whole. A text in it that a spreadsheet could take for a formula \
gets an apostrophe before it.";

/// Which statement, and how.
#[derive(Debug, Args)]
pub(crate) struct StatementOf {
    /// The account.
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: AccountId,
    /// Where the period begins: a time such as 2026-11-01T00:00:00Z, or a date for midnight in UTC [default: the account's
    /// first entry].
    #[arg(long, value_name = "TIME")]
    from: Option<Instant>,
    /// Where it ends, which is not part of it [default: the account's newest entry].
    #[arg(long, value_name = "TIME")]
    to: Option<Instant>,
    /// How to write it [default: table, or json with --json].
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<StatementFormat>,
}

/// How a statement is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatementFormat {
    /// For people.
    Table,
    /// One JSON document.
    Json,
    /// Comma-separated values (RFC 4180).
    Csv,
}

impl StatementOf {
    pub(crate) const fn period(&self) -> Statement {
        Statement { from: self.from, to: self.to }
    }

    /// What was asked for, here or for all answers.
    pub(crate) fn format(&self, format: Format) -> StatementFormat {
        self.format.unwrap_or(match format {
            Format::Table => StatementFormat::Table,
            Format::Json => StatementFormat::Json,
        })
    }
}

/// Which transfers of an account.
#[derive(Debug, Args)]
pub(crate) struct TransferHistory {
    #[command(flatten)]
    pub(crate) history: History,
    /// Only those that bear exactly this reference.
    #[arg(long, value_name = "REFERENCE")]
    pub(crate) reference: Option<Reference>,
}
