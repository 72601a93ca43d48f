//! What is told of an import: on stderr while it goes on, on stdout at its end.

use std::collections::{BTreeMap, HashSet};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use simplebank::{
    Error,
    core::{TransferId, transfer::Transfer},
};
use time::OffsetDateTime;

use super::rows::{BadRow, Field, Row};
use crate::{
    exit::{say, with_sources},
    output::{Document, Format, pairs},
};

/// What became of the rows.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    rows: u64,
    /// Transfers that happened now.
    accepted: u64,
    /// Transfers that had happened before, under the same keys.
    repeated: u64,
    /// What the bank refused, by code.
    refused: BTreeMap<&'static str, u64>,
    malformed: u64,
    /// Rows of an atomic import that did not happen because of others.
    not_done: u64,
    /// What happened before this is a repetition.
    #[serde(skip)]
    since: Option<OffsetDateTime>,
    /// What the current chunk has come to.
    #[serde(skip)]
    seen: HashSet<TransferId>,
}

impl Report {
    pub(super) fn begin_chunk(&mut self, since: OffsetDateTime) {
        self.since = Some(since);
        self.seen.clear();
    }

    /// A transfer that has happened. It is a repetition if it was decided before its chunk was sent, or has been told before.
    pub(super) fn done(&mut self, transfer: &Transfer) {
        let is_old = self.since.is_some_and(|since| transfer.created_at < since);
        let is_new = self.seen.insert(transfer.id) && !is_old;
        let counter = if is_new { &mut self.accepted } else { &mut self.repeated };
        *counter = counter.saturating_add(1);
        self.rows = self.rows.saturating_add(1);
    }

    pub(super) fn refused(&mut self, code: &'static str) {
        let counter = self.refused.entry(code).or_default();
        *counter = counter.saturating_add(1);
        self.rows = self.rows.saturating_add(1);
    }

    pub(super) fn malformed(&mut self) {
        self.malformed = self.malformed.saturating_add(1);
        self.rows = self.rows.saturating_add(1);
    }

    pub(super) fn not_done(&mut self, rows: usize) {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        self.not_done = self.not_done.saturating_add(rows);
        self.rows = self.rows.saturating_add(rows);
    }

    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) const fn has_malformed(&self) -> bool {
        self.malformed > 0
    }

    /// True when every row has happened.
    pub(super) fn is_clean(&self) -> bool {
        self.refused.is_empty() && self.malformed == 0 && self.not_done == 0
    }
}

impl Document for Report {
    fn text(&self) -> String {
        let mut lines = vec![
            ("rows", self.rows.to_string()),
            ("accepted", self.accepted.to_string()),
            ("repeated", self.repeated.to_string()),
        ];
        for (code, count) in &self.refused {
            lines.push(("refused", format!("{count} {code}")));
        }
        lines.push(("malformed", self.malformed.to_string()));
        if self.not_done > 0 {
            lines.push(("not done", self.not_done.to_string()));
        }
        pairs(&lines)
    }
}

/// Tells how far the import is, and which rows have failed.
pub(super) struct Teller {
    format: Format,
    bar: ProgressBar,
}

/// A row that failed, for programs.
#[derive(Serialize)]
struct Problem<'a> {
    row: u64,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
}

impl Teller {
    /// Draws nothing unless stderr is a terminal.
    pub(super) fn new(format: Format, length_bytes: Option<u64>) -> Self {
        let (bar, template) = match length_bytes {
            Some(length) => {
                (ProgressBar::new(length), "importing {wide_bar} {msg} rows, {eta} left")
            }
            None => (ProgressBar::new_spinner(), "importing {spinner} {msg} rows"),
        };
        let style = ProgressStyle::with_template(template);
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { format, bar }
    }

    pub(super) fn progress(&self, bytes: u64, rows: u64) {
        if !self.bar.is_hidden() {
            self.bar.set_message(rows.to_string());
            self.bar.set_position(bytes);
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    pub(super) fn malformed(&self, bad: &BadRow) {
        for (field, message) in &bad.errors {
            let field = field.map(Field::as_str);
            self.tell(&Problem {
                row: bad.line,
                code: "invalid_input",
                field,
                message,
                idempotency_key: None,
            });
        }
    }

    pub(super) fn refused(&self, row: &Row, error: &Error) {
        self.tell(&Problem {
            row: row.line,
            code: error.code(),
            field: None,
            message: &with_sources(error),
            idempotency_key: Some(row.member.key.as_str()),
        });
    }

    fn tell(&self, problem: &Problem<'_>) {
        let line = match self.format {
            Format::Json => serde_json::to_string(problem).unwrap_or_default(),
            Format::Table => {
                let Problem { row, code, message, .. } = problem;
                let what = problem.field.map(|field| format!(" {field}")).unwrap_or_default();
                format!("row {row}: {code}:{what} {message}")
            }
        };
        self.bar.suspend(|| say(&line));
    }
}
