//! What is compared.

use clap::{ValueEnum, builder::PossibleValue};

use crate::course;

/// Sizes of batches.
const BATCHES: [u32; 3] = [10, 100, 1_000];
/// Beyond so many callers at a time, batches are no measure of batches: the queue would be.
const BATCH_CALLERS_MAX: u32 = 8;

/// Something that makes transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// pgbench with the course's statements.
    Course(course::Form),
    /// Our HTTP server.
    Http,
    /// `Bank` in this process, one transfer a call.
    Bank,
    /// `Bank::post_all` in this process, with so many transfers a call.
    Batch(u32),
}

impl System {
    /// Every system, in the order of tables.
    pub(crate) const ALL: [Self; 7] = [
        Self::COURSE,
        Self::SINGLE,
        Self::Http,
        Self::Bank,
        Self::Batch(BATCHES[0]),
        Self::Batch(BATCHES[1]),
        Self::Batch(BATCHES[2]),
    ];
    /// The course's transaction.
    pub(crate) const COURSE: Self = Self::Course(course::Form::Transaction);
    /// The best single statement.
    pub(crate) const SINGLE: Self = Self::Course(course::Form::Single);
    /// The largest batches.
    pub(crate) const LARGEST_BATCH: Self = Self::Batch(BATCHES[2]);

    /// What it is, for tables and plots.
    pub(crate) fn title(self) -> String {
        match self {
            Self::Course(course::Form::Transaction) => {
                "the course's transaction (pgbench)".to_owned()
            }
            Self::Course(course::Form::Single) => "best single statement (pgbench)".to_owned(),
            Self::Http => "simplebank over HTTP".to_owned(),
            Self::Bank => "simplebank in process".to_owned(),
            Self::Batch(size) => format!(
                "simplebank in process, batches of {}",
                crate::number::thousands(size.into())
            ),
        }
    }

    /// A short name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Course(course::Form::Transaction) => "course",
            Self::Course(course::Form::Single) => "single",
            Self::Http => "http",
            Self::Bank => "bank",
            Self::Batch(10) => "batch-10",
            Self::Batch(100) => "batch-100",
            Self::Batch(_) => "batch-1000",
        }
    }

    /// Whether so many connections, or callers, make sense.
    pub(crate) const fn takes(self, connections: u32) -> bool {
        match self {
            Self::Course(_) | Self::Http | Self::Bank => true,
            Self::Batch(_) => connections <= BATCH_CALLERS_MAX,
        }
    }
}

impl ValueEnum for System {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}
