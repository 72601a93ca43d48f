//! The checker, on histories written by hand: each anomaly, and nothing else, is found.

use std::collections::BTreeMap;

use proptest::prelude::*;
use simplebank::db::Isolation;

use super::{
    check::{Anomaly, check},
    graph::Cycle,
    history::{Attempt, Fate, History, Key, Operation, Value},
};

fn append(key: Key, value: Value) -> Operation {
    Operation::Append(key, value)
}

fn read(key: Key, list: &[Value]) -> Operation {
    Operation::Read(key, list.to_vec())
}

fn committed(operations: &[Operation]) -> Attempt {
    Attempt { fate: Fate::Committed, operations: operations.to_vec() }
}

fn aborted(operations: &[Operation]) -> Attempt {
    Attempt { fate: Fate::Aborted, operations: operations.to_vec() }
}

/// The anomalies of a history, in their order.
fn found(attempts: &[Attempt], lists: &[(Key, &[Value])]) -> Vec<Anomaly> {
    let lists = lists.iter().map(|(key, list)| (*key, list.to_vec())).collect();
    let findings = check(&History { attempts: attempts.to_vec(), lists });
    let mut anomalies: Vec<Anomaly> =
        findings.anomalies.into_iter().map(|(anomaly, _)| anomaly).collect();
    anomalies.sort();
    anomalies.dedup();
    anomalies
}

#[test]
fn a_serial_history_has_none() {
    let attempts = [
        committed(&[append(1, 10), read(1, &[10]), append(1, 11)]),
        aborted(&[read(1, &[10, 11]), append(1, 12), read(1, &[10, 11, 12])]),
        committed(&[read(1, &[10, 11]), append(2, 20), read(1, &[10, 11])]),
        committed(&[read(2, &[20]), append(1, 13), read(1, &[10, 11, 13])]),
    ];
    assert_eq!(found(&attempts, &[(1, &[10, 11, 13]), (2, &[20])]), []);
}

#[test]
fn a_value_that_was_rolled_back_is_g1a() {
    let (writer, reader) = (aborted(&[append(1, 10)]), committed(&[read(1, &[10])]));
    assert_eq!(found(&[writer.clone(), reader], &[(1, &[])]), [Anomaly::G1a, Anomaly::Order]);
    assert_eq!(found(&[writer], &[(1, &[10])]), [Anomaly::G1a]);
}

#[test]
fn the_middle_of_a_transaction_is_g1b() {
    let writer = committed(&[append(1, 10), append(1, 11)]);
    let reader = committed(&[read(1, &[10])]);
    let found = found(&[writer, reader], &[(1, &[10, 11])]);
    assert!(found.contains(&Anomaly::G1b), "{found:?}");
}

#[test]
fn the_middle_of_ones_own_transaction_is_not_g1b() {
    let writer = committed(&[append(1, 10), read(1, &[10]), append(1, 11)]);
    assert_eq!(found(&[writer], &[(1, &[10, 11])]), []);
}

#[test]
fn a_value_from_nowhere_a_doubled_and_a_lost_one_are_found() {
    let writer = committed(&[append(1, 10)]);
    assert_eq!(found(std::slice::from_ref(&writer), &[(1, &[10, 99])]), [Anomaly::Unwritten]);
    assert_eq!(found(std::slice::from_ref(&writer), &[(1, &[10, 10])]), [Anomaly::Doubled]);
    assert_eq!(found(&[writer], &[(1, &[])]), [Anomaly::Lost]);
}

#[test]
fn two_orders_of_the_same_values_are_found() {
    let attempts = [
        committed(&[append(1, 10)]),
        committed(&[append(1, 11)]),
        committed(&[read(1, &[11])]),
        committed(&[read(1, &[11, 10])]),
    ];
    assert_eq!(found(&attempts, &[(1, &[10, 11])]), [Anomaly::Order]);
}

#[test]
fn an_own_write_that_is_not_seen_is_found() {
    let attempts = [committed(&[append(1, 10)]), committed(&[append(1, 11), read(1, &[10])])];
    let found = found(&attempts, &[(1, &[10, 11])]);
    assert!(found.contains(&Anomaly::OwnWrite), "{found:?}");
}

#[test]
fn a_list_that_changes_between_two_reads_is_unrepeatable() {
    let attempts =
        [committed(&[append(1, 10)]), committed(&[read(1, &[]), append(2, 20), read(1, &[10])])];
    let expected = [Anomaly::Unrepeatable, Anomaly::Cycle(Cycle::GSingle)];
    assert_eq!(found(&attempts, &[(1, &[10]), (2, &[20])]), expected);
}

#[test]
fn lists_that_were_written_in_opposite_orders_are_g0() {
    let attempts =
        [committed(&[append(1, 10), append(2, 20)]), committed(&[append(1, 11), append(2, 21)])];
    let lists: [(Key, &[Value]); 2] = [(1, &[10, 11]), (2, &[21, 20])];
    assert_eq!(found(&attempts, &lists), [Anomaly::Cycle(Cycle::G0)]);
}

#[test]
fn two_who_read_each_other_are_g1c() {
    let attempts =
        [committed(&[append(1, 10), read(2, &[20])]), committed(&[append(2, 20), read(1, &[10])])];
    assert_eq!(found(&attempts, &[(1, &[10]), (2, &[20])]), [Anomaly::Cycle(Cycle::G1c)]);
}

#[test]
fn a_lost_update_and_a_read_skew_are_g_single() {
    let lost_update =
        [committed(&[read(1, &[]), append(1, 10)]), committed(&[read(1, &[]), append(1, 11)])];
    assert_eq!(found(&lost_update, &[(1, &[10, 11])]), [Anomaly::Cycle(Cycle::GSingle)]);
    let read_skew =
        [committed(&[append(1, 10), append(2, 20)]), committed(&[read(1, &[]), read(2, &[20])])];
    let lists: [(Key, &[Value]); 2] = [(1, &[10]), (2, &[20])];
    assert_eq!(found(&read_skew, &lists), [Anomaly::Cycle(Cycle::GSingle)]);
}

#[test]
fn a_long_fork_is_g_nonadjacent() {
    // Two writers, and two readers who see them in opposite orders.
    let attempts = [
        committed(&[append(1, 10)]),
        committed(&[append(2, 20)]),
        committed(&[read(1, &[10]), read(2, &[])]),
        committed(&[read(1, &[]), read(2, &[20])]),
    ];
    let expected = [Anomaly::Cycle(Cycle::GNonadjacent)];
    assert_eq!(found(&attempts, &[(1, &[10]), (2, &[20])]), expected);
}

#[test]
fn write_skew_is_g2() {
    let attempts = [
        committed(&[read(1, &[]), read(2, &[]), append(1, 10)]),
        committed(&[read(1, &[]), read(2, &[]), append(2, 20)]),
    ];
    assert_eq!(found(&attempts, &[(1, &[10]), (2, &[20])]), [Anomaly::Cycle(Cycle::G2)]);
}

#[test]
fn what_a_level_forbids_a_stronger_one_forbids() {
    let cycles = [Cycle::G0, Cycle::G1c, Cycle::GSingle, Cycle::GNonadjacent, Cycle::G2];
    let forbidden = |level| {
        cycles.into_iter().filter(|cycle| Anomaly::Cycle(*cycle).is_forbidden_at(level)).count()
    };
    let levels = [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable];
    assert_eq!(levels.map(forbidden), [2, 4, 5]);
}

/// What a transaction is to do: append to a list or read it, and in the end commit or not.
type Plan = (Vec<(Key, bool)>, bool);

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let steps = prop::collection::vec((0..3_i32, any::<bool>()), 1..6);
    prop::collection::vec((steps, prop::bool::weighted(0.8)), 0..30)
}

/// Runs plans one after the other, in memory.
fn run_serially(plans: &[Plan]) -> History {
    let (mut attempts, mut lists, mut next) = (Vec::new(), BTreeMap::new(), 0);
    for (steps, commits) in plans {
        let mut draft: BTreeMap<Key, Vec<Value>> = lists.clone();
        let mut operations = Vec::new();
        for (key, appends) in steps {
            let list = draft.entry(*key).or_default();
            operations.push(if *appends {
                next += 1;
                list.push(next);
                append(*key, next)
            } else {
                read(*key, list)
            });
        }
        attempts.push(if *commits { committed(&operations) } else { aborted(&operations) });
        if *commits {
            lists = draft;
        }
    }
    History { attempts, lists }
}

proptest! {
    #[test]
    fn no_serial_history_has_an_anomaly(plans in plans()) {
        prop_assert_eq!(check(&run_serially(&plans)).anomalies, []);
    }

    /// Two neighbours in a list change places: who saw the list, or both lists, tells.
    #[test]
    fn the_order_of_a_serial_history_can_not_be_changed_unnoticed(plans in plans(), key in 0..3_i32) {
        let mut history = run_serially(&plans);
        let all = (vec![(key, false)], true);
        let mut with_reader = plans;
        with_reader.push(all);
        let seen = run_serially(&with_reader);
        history.attempts = seen.attempts;
        let Some(list) = history.lists.get_mut(&key).filter(|list| list.len() > 1) else { return Ok(()) };
        list.swap(0, 1);
        let found = check(&history).anomalies;
        prop_assert!(found.iter().any(|(anomaly, _)| *anomaly == Anomaly::Order), "{:?}", found);
    }
}
