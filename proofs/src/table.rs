//! The table of `docs/reliability.md`.

use crate::{Report, run::Outcome, thousands};

/// The name of the table's place in a document.
pub const MARKER: &str = "proofs: table";

/// Under what circumstances the table was made.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// `full` or `short`.
    pub form: &'static str,
    /// The day, as 2026-11-20.
    pub date: String,
    /// The server's version.
    pub postgresql: String,
    /// How many processors there were.
    pub cores: usize,
}

impl Circumstances {
    /// As a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { form, date, postgresql, cores } = self;
        format!("The {form} form, run on {date} with PostgreSQL {postgresql} on {cores} cores.")
    }
}

/// The outcomes as a Markdown table.
#[must_use]
pub fn markdown(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| Proof | What is done to the bank | What was tried | Violations | Control, and what it found | Seconds |\n\
         |---|---|---|---|---|---|\n",
    );
    for outcome in outcomes {
        let (tried, violations) = match outcome.report.reason_not_run() {
            Some(reason) => (format!("not run: {reason}"), "-".to_owned()),
            None => (outcome.report.tried_text(), thousands(outcome.report.violations())),
        };
        let tenths = outcome.took.as_millis() / 100;
        let seconds = format!("{}.{}", tenths / 10, tenths % 10);
        let cells = [
            outcome.proof.id,
            outcome.proof.fault,
            &tried,
            &violations,
            &control(outcome),
            &seconds,
        ];
        text.push_str(&format!("| {} |\n", cells.map(cell).join(" | ")));
    }
    text
}

fn control(outcome: &Outcome) -> String {
    let Some(control) = &outcome.proof.control else { return "none".to_owned() };
    format!("{}: {}", control.defect, outcome.control.as_ref().map_or("not run".to_owned(), found))
}

fn found(control: &Report) -> String {
    match (control.reason_not_run(), control.violations()) {
        (Some(reason), _) => format!("not run: {reason}"),
        (None, 0) => format!("**found nothing** ({})", control.tried_text()),
        (None, 1) => "1 violation".to_owned(),
        (None, count) => format!("{} violations", thousands(count)),
    }
}

/// A text that stays within its cell.
fn cell(text: &str) -> String {
    let one_line: Vec<&str> = text.split_whitespace().collect();
    one_line.join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Control, Proof};

    const PROOF: Proof = Proof {
        id: "R0",
        fault: "this | that",
        run: |_| Box::pin(async { Report::new() }),
        control: Some(Control { defect: "no net", run: |_| Box::pin(async { Report::new() }) }),
    };

    fn line(report: Report, control: Option<Report>) -> String {
        let outcome =
            Outcome { proof: PROOF, report, control, took: Duration::from_millis(12_345) };
        markdown(&[outcome]).lines().last().unwrap().to_owned()
    }

    fn report(count: u64, violations: u64) -> Report {
        let mut report = Report::new();
        report.tried(count, "kills");
        report.note("slowest\n812 ms");
        for _ in 0..violations {
            report.violation("lost");
        }
        report
    }

    #[test]
    fn a_line_says_what_was_tried_and_what_was_found() {
        assert_eq!(
            line(report(1_000, 0), Some(report(1, 1_234))),
            r"| R0 | this \| that | 1,000 kills, slowest 812 ms | 0 | no net: 1,234 violations | 12.3 |"
        );
        assert!(line(report(1, 2), Some(report(1, 1))).contains("| 2 | no net: 1 violation |"));
    }

    #[test]
    fn what_was_not_run_and_what_found_nothing_is_said() {
        let elsewhere = line(Report::not_run("needs root"), None);
        assert_eq!(
            elsewhere,
            r"| R0 | this \| that | not run: needs root | - | no net: not run | 12.3 |"
        );
        assert!(line(report(1, 0), Some(report(1, 0))).contains("no net: **found nothing**"));
        let part = line(report(1, 0), Some(Report::not_run("needs root")));
        assert!(part.contains("no net: not run: needs root"), "{part}");
    }
}
