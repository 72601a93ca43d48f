//! `simplebank verify`.

use std::sync::OnceLock;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use simplebank::{
    Bank, Error, Progress, Report,
    core::ledger::{Invariant, Violation},
    db,
};

use crate::{
    exit::{Code, Failure, with_sources},
    output::{self, Column, Format, Row, text},
};

/// From how many rows on it takes long enough, about a second, to be watched.
const LONG_LEDGER_ROWS: u64 = 100_000;

pub(super) async fn run(bank: &Bank, format: Format) -> Result<Code, Failure> {
    let watch = Watch::default();
    let report = bank.verify(|progress| watch.tell(progress)).await;
    watch.finish();
    let verdict = verdict(report)?;
    match format {
        Format::Table => output::last(&verdict.text())?,
        Format::Json => output::json(&verdict)?,
    }
    Ok(if verdict.ok { Code::Done } else { Code::No })
}

/// A progress bar on stderr, if that is a terminal and the ledger is long.
#[derive(Debug, Default)]
struct Watch(OnceLock<Option<ProgressBar>>);

impl Watch {
    fn tell(&self, Progress { done, total }: Progress) {
        let bar = self.0.get_or_init(|| (total >= LONG_LEDGER_ROWS).then(|| bar(total)));
        if let Some(bar) = bar {
            bar.set_position(done);
        }
    }

    fn finish(&self) {
        if let Some(Some(bar)) = self.0.get() {
            bar.finish_and_clear();
        }
    }
}

/// Draws nothing unless stderr is a terminal.
fn bar(total: u64) -> ProgressBar {
    let template = "verifying {wide_bar} {human_pos} of {human_len} rows, {eta} left";
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::new(total);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// What came out, in the order of the invariants.
#[derive(Debug, Serialize)]
struct Verdict {
    ok: bool,
    /// How many rows were checked; `None` when checking stopped at a bad one.
    rows: Option<u64>,
    invariants: Vec<InvariantRow>,
    /// The first bad row.
    violation: Option<Finding>,
}

#[derive(Debug, Serialize)]
struct InvariantRow {
    code: &'static str,
    promise: &'static str,
    result: &'static str,
}

impl Row for InvariantRow {
    const COLUMNS: &'static [Column] = &[text("code", 4), text("result", 7), text("promise", 0)];

    fn cells(&self) -> Vec<String> {
        [self.code, self.result, self.promise].map(str::to_owned).into()
    }
}

/// A bad row.
#[derive(Debug, Serialize)]
struct Finding {
    /// Which promise it breaks; `None` when it can't even be read.
    invariant: Option<&'static str>,
    row: String,
    what: String,
}

/// Also a row that nobody can read is a finding, not a failure of the check.
fn verdict(report: Result<Report, Error>) -> Result<Verdict, Failure> {
    match report {
        Ok(Report { rows, violation: None }) => Ok(Verdict {
            ok: true,
            rows: Some(rows),
            invariants: invariants(|_| "ok"),
            violation: None,
        }),
        Ok(Report { violation: Some(violation), .. }) => {
            let Violation { invariant, row, what } = violation;
            let result = |other| if other == invariant { "BROKEN" } else { "unknown" };
            let finding = Finding { invariant: Some(invariant.code()), row: row.to_string(), what };
            Ok(broken(invariants(result), finding))
        }
        Err(Error::Db(error)) if matches!(error, db::Error::Inconsistent { .. }) => {
            let finding = Finding {
                invariant: None,
                row: "a row that cannot be read".to_owned(),
                what: with_sources(&error),
            };
            Ok(broken(invariants(|_| "unknown"), finding))
        }
        Err(error) => Err(error.into()),
    }
}

fn broken(invariants: Vec<InvariantRow>, finding: Finding) -> Verdict {
    Verdict { ok: false, rows: None, invariants, violation: Some(finding) }
}

fn invariants(result: impl Fn(Invariant) -> &'static str) -> Vec<InvariantRow> {
    let row = |invariant: Invariant| InvariantRow {
        code: invariant.code(),
        promise: invariant.promise(),
        result: result(invariant),
    };
    Invariant::ALL.into_iter().map(row).collect()
}

impl Verdict {
    fn text(&self) -> String {
        let table = output::table(&self.invariants, true);
        let end = match (&self.violation, self.rows) {
            (Some(Finding { invariant, row, what }), _) => {
                let code = invariant.map(|code| format!("{code}: ")).unwrap_or_default();
                format!(
                    "the first bad row: {code}{row}: {what}; what comes after it was not checked"
                )
            }
            (None, rows) => format!("{} rows checked", rows.unwrap_or_default()),
        };
        format!("{table}\n{end}\n")
    }
}
