//! What a proof tried and what it found.

use std::fmt;

/// How much is tried: enough to notice a mistake in CI, or what `docs/reliability.md` claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Seconds.
    Short,
    /// Minutes: the figures in the documentation.
    Full,
}

impl Scale {
    /// `short` or `full`.
    #[must_use]
    pub const fn of(self, short: u64, full: u64) -> u64 {
        match self {
            Self::Short => short,
            Self::Full => full,
        }
    }
}

/// Violations that are kept word by word; the rest is counted.
const KEPT_MAX: usize = 20;

/// What was tried, and what was found that must not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    tried: Vec<String>,
    violations: Vec<String>,
    violations_count: u64,
    not_run: Option<String>,
}

impl Report {
    /// Nothing tried, nothing found.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The proof can't be run here, for this reason.
    #[must_use]
    pub fn not_run(reason: impl Into<String>) -> Self {
        Self { not_run: Some(reason.into()), ..Self::default() }
    }

    /// Says how much was tried, as `50,000 transfers`.
    pub fn tried(&mut self, count: u64, what: &str) {
        self.tried.push(format!("{} {what}", thousands(count)));
    }

    /// Says something else about the trial, as `slowest 812 ms`.
    pub fn note(&mut self, text: impl Into<String>) {
        self.tried.push(text.into());
    }

    /// Says what was found that must not be.
    pub fn violation(&mut self, text: impl Into<String>) {
        self.violations_count = self.violations_count.saturating_add(1);
        if self.violations.len() < KEPT_MAX {
            self.violations.push(text.into());
        }
    }

    /// [`violation`](Self::violation), unless `holds`.
    pub fn expect(&mut self, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.violation(text());
        }
    }

    /// What was tried, joined by commas.
    #[must_use]
    pub fn tried_text(&self) -> String {
        self.tried.join(", ")
    }

    /// How much was found that must not be.
    #[must_use]
    pub const fn violations(&self) -> u64 {
        self.violations_count
    }

    /// Why the proof was not run, if it was not.
    #[must_use]
    pub fn reason_not_run(&self) -> Option<&str> {
        self.not_run.as_deref()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = &self.not_run {
            return write!(f, "not run: {reason}");
        }
        write!(f, "{}: {} violations", self.tried_text(), thousands(self.violations_count))?;
        for violation in &self.violations {
            write!(f, "\n  {violation}")?;
        }
        Ok(())
    }
}

/// 1234567 as `1,234,567`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
