//! The twenty cases, after M. Kleppmann's Hermitage; the table is `test`, with the rows (1, 10) and (2, 20).

use super::{
    Case, Expected,
    Expected::{Happens, Prevented},
    Trace,
};
use crate::script::{
    Act::{Abort, Commit, Run},
    Who::{T1, T2, T3},
};

/// At READ COMMITTED, REPEATABLE READ, SERIALIZABLE.
const NEVER: [Expected; 3] = [Prevented, Prevented, Prevented];
/// What one snapshot for the whole transaction prevents.
const WITHOUT_SNAPSHOT: [Expected; 3] = [Happens, Prevented, Prevented];
/// What only an order of the transactions prevents.
const WITHOUT_ORDER: [Expected; 3] = [Happens, Happens, Prevented];

const READ_1: &str = "select id, value from test where id = 1";
const READ_2: &str = "select id, value from test where id = 2";
const READ_ALL: &str = "select id, value from test order by id";
const READ_20: &str = "select id, value from test where value = 20";
const READ_30: &str = "select id, value from test where value = 30";
const READ_THIRDS: &str = "select id, value from test where value % 3 = 0";
const READ_FIFTHS: &str = "select id, value from test where value % 5 = 0";
const SET_1_TO_11: &str = "update test set value = 11 where id = 1";
const SET_1_TO_12: &str = "update test set value = 12 where id = 1";
const SET_1_TO_101: &str = "update test set value = 101 where id = 1";
const SET_2_TO_18: &str = "update test set value = 18 where id = 2";
const SET_2_TO_21: &str = "update test set value = 21 where id = 2";
const SET_2_TO_22: &str = "update test set value = 22 where id = 2";
const ADD_10_TO_ALL: &str = "update test set value = value + 10";

pub(super) const CASES: [Case; 20] = [
    Case {
        name: "G0",
        what: "dirty write: two transactions write the same two rows",
        expected: NEVER,
        steps: &[
            (T1, Run(SET_1_TO_11)),
            (T2, Run(SET_1_TO_12)),
            // Taken as soon as the one before it has been answered.
            (T2, Run(SET_2_TO_22)),
            (T1, Run(SET_2_TO_21)),
            (T1, Commit),
            (T2, Commit),
        ],
        is_observed: g0,
    },
    Case {
        name: "G1a",
        what: "aborted read: what was rolled back is read",
        expected: NEVER,
        steps: &[
            (T1, Run(SET_1_TO_101)),
            (T2, Run(READ_ALL)),
            (T1, Abort),
            (T2, Run(READ_ALL)),
            (T2, Commit),
        ],
        is_observed: g1_a_or_b,
    },
    Case {
        name: "G1b",
        what: "intermediate read: what was overwritten before its commit is read",
        expected: NEVER,
        steps: &[
            (T1, Run(SET_1_TO_101)),
            (T2, Run(READ_ALL)),
            (T1, Run(SET_1_TO_11)),
            (T1, Commit),
            (T2, Run(READ_ALL)),
            (T2, Commit),
        ],
        is_observed: g1_a_or_b,
    },
    Case {
        name: "G1c",
        what: "circular flow: each reads what the other wrote",
        expected: NEVER,
        steps: &[
            (T1, Run(SET_1_TO_11)),
            (T2, Run(SET_2_TO_22)),
            (T1, Run(READ_2)),
            (T2, Run(READ_1)),
            (T1, Commit),
            (T2, Commit),
        ],
        is_observed: |trace| trace.saw(T1, (2, 22)) && trace.saw(T2, (1, 11)),
    },
    Case {
        name: "OTV",
        what: "observed transaction vanishes: what was seen of it is gone at the next read",
        expected: NEVER,
        steps: &[
            (T1, Run(SET_1_TO_11)),
            (T1, Run("update test set value = 19 where id = 2")),
            (T2, Run(SET_1_TO_12)),
            (T1, Commit),
            (T3, Run(READ_1)),
            (T3, Run(READ_2)),
            (T2, Run(SET_2_TO_18)),
            (T3, Run(READ_2)),
            (T2, Commit),
            (T3, Run(READ_2)),
            (T3, Run(READ_1)),
            (T3, Commit),
        ],
        is_observed: otv,
    },
    Case {
        name: "PMP, read, insert",
        what: "a condition is read twice; meanwhile another inserts a row that meets it",
        expected: WITHOUT_SNAPSHOT,
        steps: &[
            (T1, Run(READ_30)),
            (T2, Run("insert into test (id, value) values (3, 30)")),
            (T2, Commit),
            (T1, Run(READ_THIRDS)),
            (T1, Commit),
        ],
        is_observed: |trace| trace.reads(T1) == [&[][..], &[(3, 30)]],
    },
    Case {
        name: "PMP, read, update",
        what: "a condition is read twice; meanwhile another makes a row meet it",
        expected: WITHOUT_SNAPSHOT,
        steps: &[
            (T1, Run(READ_30)),
            (T2, Run("update test set value = 30 where id = 2")),
            (T2, Commit),
            (T1, Run(READ_THIRDS)),
            (T1, Commit),
        ],
        is_observed: |trace| trace.reads(T1) == [&[][..], &[(2, 30)]],
    },
    Case {
        name: "PMP, write, delete",
        what: "rows that meet a condition are deleted while another changes who meets it",
        expected: WITHOUT_SNAPSHOT,
        steps: &[
            (T1, Run(ADD_10_TO_ALL)),
            (T2, Run("delete from test where value = 20")),
            (T1, Commit),
            (T2, Run(READ_20)),
            (T2, Commit),
        ],
        is_observed: missed_a_row,
    },
    Case {
        name: "PMP, write, update",
        what: "rows that meet a condition are updated while another changes who meets it",
        expected: WITHOUT_SNAPSHOT,
        steps: &[
            (T1, Run(ADD_10_TO_ALL)),
            (T2, Run("update test set value = 0 where value = 20")),
            (T1, Commit),
            (T2, Run(READ_20)),
            (T2, Commit),
        ],
        is_observed: missed_a_row,
    },
    Case {
        name: "P4, waiting",
        what: "lost update: both read a row, then both write it",
        expected: WITHOUT_SNAPSHOT,
        steps: &[
            (T1, Run(READ_1)),
            (T2, Run(READ_1)),
            (T1, Run(SET_1_TO_11)),
            (T2, Run(SET_1_TO_12)),
            (T1, Commit),
            (T2, Commit),
        ],
        is_observed: lost_update,
    },
    Case {
        name: "P4, too late",
        what: "lost update: one writes after the other has committed",
        expected: WITHOUT_SNAPSHOT,
        steps: &[
            (T1, Run(READ_1)),
            (T2, Run(READ_1)),
            (T1, Run(SET_1_TO_11)),
            (T1, Commit),
            (T2, Run(SET_1_TO_12)),
            (T2, Commit),
        ],
        is_observed: lost_update,
    },
    Case {
        name: "G-single",
        what: "read skew: one row is read before, another after somebody wrote both",
        expected: WITHOUT_SNAPSHOT,
        steps: &[
            (T1, Run(READ_1)),
            (T2, Run(READ_ALL)),
            (T2, Run(SET_1_TO_12)),
            (T2, Run(SET_2_TO_18)),
            (T2, Commit),
            (T1, Run(READ_2)),
            (T1, Commit),
        ],
        is_observed: |trace| trace.saw(T1, (1, 10)) && trace.saw(T1, (2, 18)),
    },
    Case {
        name: "G-single, predicate",
        what: "read skew between two conditions",
        expected: WITHOUT_SNAPSHOT,
        steps: &[
            (T1, Run(READ_FIFTHS)),
            (T2, Run("update test set value = 12 where value = 10")),
            (T2, Commit),
            (T1, Run(READ_THIRDS)),
            (T1, Commit),
        ],
        is_observed: |trace| trace.saw(T1, (1, 10)) && trace.saw(T1, (1, 12)),
    },
    Case {
        name: "G-single, write 1",
        what: "read skew between a read and a later delete by condition",
        expected: WITHOUT_SNAPSHOT,
        steps: &[
            (T1, Run(READ_1)),
            (T2, Run(READ_ALL)),
            (T2, Run(SET_1_TO_12)),
            (T2, Run(SET_2_TO_18)),
            (T2, Commit),
            (T1, Run("delete from test where value = 20")),
            (T1, Commit),
        ],
        is_observed: |trace| {
            trace.saw(T1, (1, 10)) && trace.committed(&[T1, T2]) && trace.rows.contains(&(2, 18))
        },
    },
    Case {
        name: "G-single, write 2",
        what: "read skew between a read and an update that waits for the other",
        expected: WITHOUT_SNAPSHOT,
        steps: &[
            (T1, Run(READ_2)),
            (T2, Run(SET_1_TO_12)),
            (T2, Run(SET_2_TO_18)),
            (T1, Run("update test set value = value + 1 where id = 1")),
            (T2, Commit),
            (T1, Commit),
        ],
        is_observed: |trace| {
            trace.saw(T1, (2, 20)) && trace.committed(&[T1, T2]) && trace.rows.contains(&(1, 13))
        },
    },
    Case {
        name: "G2-item",
        what: "write skew: both read two rows, and each writes another one of them",
        expected: WITHOUT_ORDER,
        steps: &[
            (T1, Run(READ_ALL)),
            (T2, Run(READ_ALL)),
            (T1, Run(SET_1_TO_11)),
            (T2, Run(SET_2_TO_21)),
            (T1, Commit),
            (T2, Commit),
        ],
        is_observed: |trace| {
            trace.saw(T1, (2, 20)) && trace.saw(T2, (1, 10)) && trace.committed(&[T1, T2])
        },
    },
    Case {
        name: "G2-item, crosswise",
        what: "write skew: each copies the other's row to its own, and they end up swapped",
        expected: WITHOUT_ORDER,
        steps: &[
            (T1, Run("update test set value = (select value from test where id = 2) where id = 1")),
            (T2, Run("update test set value = (select value from test where id = 1) where id = 2")),
            (T1, Commit),
            (T2, Commit),
        ],
        is_observed: |trace| trace.rows == [(1, 20), (2, 10)],
    },
    Case {
        name: "G2, inserts",
        what: "both find no row that meets a condition, and both insert one",
        expected: WITHOUT_ORDER,
        steps: &[
            (T1, Run(READ_THIRDS)),
            (T2, Run(READ_THIRDS)),
            (T1, Run("insert into test (id, value) values (3, 30)")),
            (T2, Run("insert into test (id, value) values (4, 42)")),
            (T1, Commit),
            (T2, Commit),
        ],
        is_observed: |trace| {
            trace.reads(T1) == [&[]] && trace.reads(T2) == [&[]] && trace.committed(&[T1, T2])
        },
    },
    Case {
        name: "G2, two edges",
        what: "a third, which only reads, sees one without the other (Fekete and others)",
        expected: WITHOUT_ORDER,
        steps: &[
            (T1, Run(READ_ALL)),
            (T2, Run("update test set value = value + 5 where id = 2")),
            (T2, Commit),
            (T3, Run(READ_ALL)),
            (T3, Commit),
            (T1, Run("update test set value = 0 where id = 1")),
            (T1, Commit),
        ],
        is_observed: |trace| {
            trace.reads(T1) == [&[(1, 10), (2, 20)]]
                && trace.reads(T3) == [&[(1, 10), (2, 25)]]
                && trace.committed(&[T1, T2, T3])
        },
    },
    Case {
        name: "G2, sums",
        what: "each inserts the sum of one class of rows into the other class",
        expected: WITHOUT_ORDER,
        steps: &[
            (
                T1,
                Run("insert into test (id, value) select 4, sum(value) from test where id % 2 = 1"),
            ),
            (
                T2,
                Run("insert into test (id, value) select 3, sum(value) from test where id % 2 = 0"),
            ),
            (T1, Commit),
            (T2, Commit),
        ],
        is_observed: |trace| trace.rows.contains(&(4, 10)) && trace.rows.contains(&(3, 20)),
    },
];

/// The rows are from two transactions, though each wrote both.
fn g0(trace: &Trace) -> bool {
    trace.rows == [(1, 11), (2, 22)] || trace.rows == [(1, 12), (2, 21)]
}

fn g1_a_or_b(trace: &Trace) -> bool {
    trace.saw(T2, (1, 101))
}

/// T3 has seen T2's rows, and then T1's, which T2 had overwritten.
fn otv(trace: &Trace) -> bool {
    let seen = trace.reads(T3).concat();
    let mut later = seen.iter().skip_while(|(_, value)| ![12, 18].contains(value));
    later.any(|(_, value)| [11, 19].contains(value))
}

/// T2's statement left a row that met its condition.
fn missed_a_row(trace: &Trace) -> bool {
    trace.reads(T2) == [&[(1, 20)]] && trace.committed(&[T1, T2])
}

/// Both wrote what they made of the same reading, so that one of the two went for nothing.
fn lost_update(trace: &Trace) -> bool {
    trace.saw(T1, (1, 10)) && trace.saw(T2, (1, 10)) && trace.committed(&[T1, T2])
}
