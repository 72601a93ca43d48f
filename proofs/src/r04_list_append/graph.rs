//! Who comes before whom: a graph of dependencies, and the worst kind of cycle in each of its knots.
//!
//! A *knot* is a strongly connected component with a cycle in it. Its kind, from the strictest down (A. Adya, "Weak
//! Consistency", 1999; A. Cerone, A. Gotsman, "Analysing Snapshot Isolation", 2018):
//!
//! | Kind | A cycle of | Forbidden from |
//! |---|---|---|
//! | G0 | writes over writes | READ COMMITTED |
//! | G1c | those and reads of writes | READ COMMITTED |
//! | G-single | those and exactly one write over what was read, as in a lost update | REPEATABLE READ |
//! | G-nonadjacent | those and several such, no two in a row | REPEATABLE READ |
//! | G2 | those and two such in a row, as in write skew | SERIALIZABLE |

use std::collections::BTreeSet;

/// Why one transaction comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dependency {
    /// The other wrote over what the one wrote.
    WriteWrite,
    /// The other read what the one wrote.
    WriteRead,
    /// The other wrote over what the one read.
    ReadWrite,
}

/// What kind of cycle was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cycle {
    G0,
    G1c,
    GSingle,
    GNonadjacent,
    G2,
}

/// Dependencies between transactions 0, 1, 2, …
#[derive(Clone, Debug)]
pub(super) struct Graph {
    edges: Vec<BTreeSet<(usize, Dependency)>>,
}

impl Graph {
    /// Without edges.
    pub(super) fn new(nodes: usize) -> Self {
        Self { edges: vec![BTreeSet::new(); nodes] }
    }

    /// `from` comes before `to`. Nobody comes before themselves: such an edge is left out.
    pub(super) fn add(&mut self, from: usize, dependency: Dependency, to: usize) {
        if from != to {
            self.edges.get_mut(from).expect("a node of the graph").insert((to, dependency));
        }
    }

    pub(super) fn edges_count(&self) -> usize {
        self.edges.iter().map(BTreeSet::len).sum()
    }

    /// The kind of each knot, and who is in it in ascending order.
    pub(super) fn knots(&self) -> Vec<(Cycle, Vec<usize>)> {
        let all = |_: Dependency| true;
        let knots = self.components(all).into_iter().filter(|nodes| nodes.len() > 1);
        knots.map(|nodes| (self.kind(&nodes), nodes)).collect()
    }

    /// The strictest kind of a cycle within a knot.
    fn kind(&self, nodes: &[usize]) -> Cycle {
        let knot = self.within(nodes);
        if knot.has_cycle(|dependency| dependency == Dependency::WriteWrite) {
            return Cycle::G0;
        }
        if knot.has_cycle(|dependency| dependency != Dependency::ReadWrite) {
            return Cycle::G1c;
        }
        if knot.has_single() {
            return Cycle::GSingle;
        }
        // No cycle of the doubled graph consists of ww and wr only: that was G1c.
        if knot.without_adjacent_read_writes().has_cycle(|_| true) {
            return Cycle::GNonadjacent;
        }
        Cycle::G2
    }

    /// The knot alone, its nodes renumbered.
    fn within(&self, nodes: &[usize]) -> Self {
        let mut knot = Self::new(nodes.len());
        for (number, node) in nodes.iter().enumerate() {
            for (to, dependency) in self.edges_of(*node) {
                if let Ok(to) = nodes.binary_search(to) {
                    knot.add(number, *dependency, to);
                }
            }
        }
        knot
    }

    fn edges_of(&self, node: usize) -> &BTreeSet<(usize, Dependency)> {
        self.edges.get(node).expect("a node of the graph")
    }

    fn has_cycle(&self, counts: impl Fn(Dependency) -> bool) -> bool {
        self.components(counts).iter().any(|nodes| nodes.len() > 1)
    }

    /// True when a transaction that wrote over what another read comes before that one by ww and wr alone.
    fn has_single(&self) -> bool {
        self.edges.iter().enumerate().any(|(reader, edges)| {
            edges.iter().any(|(writer, dependency)| {
                *dependency == Dependency::ReadWrite && self.reaches(*writer, reader)
            })
        })
    }

    /// True when ww and wr lead from `from` to `to`.
    fn reaches(&self, from: usize, to: usize) -> bool {
        let (mut seen, mut open) = (BTreeSet::from([from]), vec![from]);
        while let Some(node) = open.pop() {
            if node == to {
                return true;
            }
            for (next, dependency) in self.edges_of(node) {
                if *dependency != Dependency::ReadWrite && seen.insert(*next) {
                    open.push(*next);
                }
            }
        }
        false
    }

    /// Each node twice: as reached by ww or wr, and as reached by rw, from where no rw goes on. A cycle here is one without
    /// two rw in a row there.
    fn without_adjacent_read_writes(&self) -> Self {
        let nodes = self.edges.len();
        let mut doubled = Self::new(2 * nodes);
        for (from, edges) in self.edges.iter().enumerate() {
            for (to, dependency) in edges {
                if *dependency == Dependency::ReadWrite {
                    doubled.add(from, *dependency, nodes + to);
                } else {
                    doubled.add(from, *dependency, *to);
                    doubled.add(nodes + from, *dependency, *to);
                }
            }
        }
        doubled
    }

    /// The strongly connected components of the edges that count, each in ascending order (R. Tarjan, "Depth-first search and
    /// linear graph algorithms", 1972; with a stack of its own, since chains of transactions are long).
    fn components(&self, counts: impl Fn(Dependency) -> bool) -> Vec<Vec<usize>> {
        let successors = self.edges.iter().map(|edges| {
            let counted = edges.iter().filter(|(_, dependency)| counts(*dependency));
            counted.map(|(to, _)| *to).collect()
        });
        Tarjan::new(successors.collect()).run()
    }
}

/// Where a depth-first search stands.
struct Tarjan {
    successors: Vec<Vec<usize>>,
    /// When each node was met, from 1; 0 if it was not.
    met: Vec<usize>,
    /// The earliest that each node leads back to.
    low: Vec<usize>,
    /// Who belongs to no component yet.
    stack: Vec<usize>,
    on_stack: Vec<bool>,
    clock: usize,
    components: Vec<Vec<usize>>,
}

#[expect(clippy::indexing_slicing, reason = "all vectors have an element for each node")]
impl Tarjan {
    fn new(successors: Vec<Vec<usize>>) -> Self {
        let nodes = successors.len();
        Self {
            successors,
            met: vec![0; nodes],
            low: vec![0; nodes],
            stack: Vec::new(),
            on_stack: vec![false; nodes],
            clock: 0,
            components: Vec::new(),
        }
    }

    fn run(mut self) -> Vec<Vec<usize>> {
        for root in 0..self.successors.len() {
            if self.met[root] == 0 {
                self.search(root);
            }
        }
        self.components
    }

    fn search(&mut self, root: usize) {
        self.meet(root);
        // Who is being looked at, and which successor comes next.
        let mut path = vec![(root, 0)];
        while let Some((node, next)) = path.pop() {
            if let Some(successor) = self.successors[node].get(next).copied() {
                path.push((node, next + 1));
                if self.met[successor] == 0 {
                    self.meet(successor);
                    path.push((successor, 0));
                } else if self.on_stack[successor] {
                    self.low[node] = self.low[node].min(self.met[successor]);
                }
                continue;
            }
            if let Some((parent, _)) = path.last() {
                self.low[*parent] = self.low[*parent].min(self.low[node]);
            }
            if self.low[node] == self.met[node] {
                self.close(node);
            }
        }
    }

    fn meet(&mut self, node: usize) {
        self.clock += 1;
        self.met[node] = self.clock;
        self.low[node] = self.clock;
        self.stack.push(node);
        self.on_stack[node] = true;
    }

    /// Takes the component of which `node` was met first off the stack.
    fn close(&mut self, node: usize) {
        let mut component = Vec::new();
        while let Some(member) = self.stack.pop() {
            self.on_stack[member] = false;
            component.push(member);
            if member == node {
                break;
            }
        }
        component.sort_unstable();
        self.components.push(component);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Cycle, Dependency, Graph};
    use Dependency::{ReadWrite as Rw, WriteRead as Wr, WriteWrite as Ww};

    type Edge = (usize, Dependency, usize);

    fn graph(edges: &[Edge]) -> Graph {
        let nodes = edges.iter().map(|(from, _, to)| from.max(to) + 1).max().unwrap_or(0);
        let mut graph = Graph::new(nodes);
        for (from, dependency, to) in edges {
            graph.add(*from, *dependency, *to);
        }
        graph
    }

    #[test]
    fn each_kind_of_cycle_is_told_by_its_strictest() {
        let expected: [(Cycle, &[Edge]); 8] = [
            (Cycle::G0, &[(0, Ww, 1), (1, Ww, 0)]),
            (Cycle::G0, &[(0, Ww, 1), (1, Ww, 2), (2, Ww, 0), (1, Rw, 0)]),
            (Cycle::G1c, &[(0, Ww, 1), (1, Wr, 0)]),
            (Cycle::G1c, &[(0, Wr, 1), (1, Wr, 0)]),
            (Cycle::GSingle, &[(0, Ww, 1), (1, Rw, 0)]),
            (Cycle::GSingle, &[(0, Wr, 1), (1, Ww, 2), (2, Rw, 0), (1, Rw, 2), (2, Rw, 1)]),
            (Cycle::GNonadjacent, &[(0, Rw, 1), (1, Wr, 2), (2, Rw, 3), (3, Ww, 0)]),
            (Cycle::G2, &[(0, Rw, 1), (1, Rw, 2), (2, Wr, 0)]),
        ];
        for (kind, edges) in expected {
            let knots = graph(edges).knots();
            let nodes: Vec<usize> = (0..graph(edges).edges.len()).collect();
            assert_eq!(knots, [(kind, nodes)], "{edges:?}");
        }
    }

    #[test]
    fn knots_are_found_one_by_one_and_chains_are_none() {
        let edges = [(0, Ww, 1), (1, Rw, 0), (1, Ww, 2), (2, Wr, 3), (3, Rw, 4), (4, Rw, 3)];
        let mut knots = graph(&edges).knots();
        knots.sort();
        assert_eq!(knots, [(Cycle::GSingle, vec![0, 1]), (Cycle::G2, vec![3, 4])]);
    }

    #[test]
    fn a_long_chain_does_not_overflow_the_stack() {
        let edges: Vec<_> = (0..200_000).map(|node| (node, Ww, node + 1)).collect();
        assert_eq!(graph(&edges).knots(), []);
    }

    proptest! {
        /// Who is in a knot with whom, found by asking each pair whether one reaches the other.
        #[test]
        fn components_are_those_who_reach_each_other(edges in prop::collection::vec((0_usize..9, 0_usize..9), 0..20)) {
            let mut found = Graph::new(9);
            for (from, to) in edges {
                found.add(from, Ww, to);
            }
            let mut expected: Vec<Vec<usize>> = (0..9)
                .map(|one| (0..9).filter(|other| found.reaches(one, *other) && found.reaches(*other, one)).collect())
                .collect();
            expected.sort();
            expected.dedup();
            let mut components = found.components(|_| true);
            components.sort();
            prop_assert_eq!(components, expected);
        }
    }
}
