//! The four phenomena of the SQL standard, at its four levels, in plain SQL: PostgreSQL has a READ UNCOMMITTED, we don't.

use super::{
    Expected,
    Expected::{Happens, Prevented},
    Trace,
};
use crate::script::{
    Act::{Abort, Commit, Run},
    Step,
    Who::{T1, T2},
};

/// The four levels, and how a transaction begins at each.
pub(crate) const LEVELS: [(&str, &str); 4] = [
    ("read uncommitted", "begin isolation level read uncommitted"),
    ("read committed", "begin isolation level read committed"),
    ("repeatable read", "begin isolation level repeatable read"),
    ("serializable", "begin isolation level serializable"),
];

/// What a level is defined by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phenomenon {
    pub(crate) name: &'static str,
    /// At each of [`LEVELS`].
    pub(crate) expected: [Expected; 4],
    pub(super) steps: &'static [Step],
    pub(super) is_observed: fn(&Trace) -> bool,
}

const READ_1: &str = "select id, value from test where id = 1";
const READ_OVER_15: &str = "select id, value from test where value > 15 order by id";

pub(crate) const PHENOMENA: [Phenomenon; 4] = [
    Phenomenon {
        name: "dirty read",
        expected: [Prevented, Prevented, Prevented, Prevented],
        steps: &[
            (T1, Run("update test set value = 101 where id = 1")),
            (T2, Run(READ_1)),
            (T1, Abort),
            (T2, Commit),
        ],
        is_observed: |trace| trace.saw(T2, (1, 101)),
    },
    Phenomenon {
        name: "non-repeatable read",
        expected: [Happens, Happens, Prevented, Prevented],
        steps: &[
            (T1, Run(READ_1)),
            (T2, Run("update test set value = 11 where id = 1")),
            (T2, Commit),
            (T1, Run(READ_1)),
            (T1, Commit),
        ],
        is_observed: |trace| trace.reads(T1) == [&[(1, 10)], &[(1, 11)]],
    },
    Phenomenon {
        name: "phantom read",
        expected: [Happens, Happens, Prevented, Prevented],
        steps: &[
            (T1, Run(READ_OVER_15)),
            (T2, Run("insert into test (id, value) values (3, 30)")),
            (T2, Commit),
            (T1, Run(READ_OVER_15)),
            (T1, Commit),
        ],
        is_observed: |trace| trace.reads(T1) == [&[(2, 20)][..], &[(2, 20), (3, 30)]],
    },
    Phenomenon {
        name: "serialization anomaly",
        expected: [Happens, Happens, Happens, Prevented],
        // As in the course: both insert the sum of all rows. One after the other, the second would be twice the first.
        steps: &[
            (T1, Run("insert into test (id, value) select 3, sum(value) from test")),
            (T2, Run("insert into test (id, value) select 4, sum(value) from test")),
            (T1, Commit),
            (T2, Commit),
        ],
        is_observed: |trace| trace.rows.contains(&(3, 30)) && trace.rows.contains(&(4, 30)),
    },
];
