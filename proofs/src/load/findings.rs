//! What was found that must not be, by invariant.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::Report;

/// Violations, each under the number of the invariant that it breaks: `I1` and so on.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<(&'static str, String)>);

impl Findings {
    /// Adds one.
    pub(crate) fn add(&mut self, invariant: &'static str, text: impl Into<String>) {
        self.0.push((invariant, text.into()));
    }

    /// The invariants that are broken.
    #[cfg(test)]
    pub(super) fn invariants(&self) -> std::collections::BTreeSet<&'static str> {
        self.0.iter().map(|(invariant, _)| *invariant).collect()
    }

    /// Puts them into a report, with a count for each invariant.
    pub(crate) fn into_report(self, report: &mut Report) {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (invariant, text) in self.0 {
            let count = counts.entry(invariant).or_default();
            *count = count.saturating_add(1);
            report.violation(format!("{invariant}: {text}"));
        }
        if counts.is_empty() {
            return;
        }
        let mut broken = String::from("broken");
        for (invariant, count) in counts {
            let _ = write!(broken, " {invariant} × {count}"); // writing to a String can't fail
        }
        report.note(broken);
    }
}
