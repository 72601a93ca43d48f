//! What clients saw: the transactions of a run, each with its operations in order.

use std::collections::BTreeMap;

/// Names a list.
pub(super) type Key = i32;
/// What is appended; no two operations of a history append the same.
pub(super) type Value = i32;

/// One operation of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Added a value to the end of a list.
    Append(Key, Value),
    /// Saw a list.
    Read(Key, Vec<Value>),
}

/// How a run of a transaction's body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The client was told that it has happened.
    Committed,
    /// It was rolled back, by the body's own wish or for a serialization failure.
    Aborted,
}

/// One run of a transaction's body, as far as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) fate: Fate,
    pub(super) operations: Vec<Operation>,
}

/// All attempts, and the lists at the end. Each list shows in which order values were appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    pub(super) attempts: Vec<Attempt>,
    pub(super) lists: BTreeMap<Key, Vec<Value>>,
}

impl History {
    /// Numbers and operations of what was committed.
    pub(super) fn committed(&self) -> impl Iterator<Item = (usize, &[Operation])> {
        self.attempts
            .iter()
            .enumerate()
            .filter(|(_, attempt)| attempt.fate == Fate::Committed)
            .map(|(number, attempt)| (number, &*attempt.operations))
    }
}
