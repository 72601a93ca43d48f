//! What is to happen and what has happened: the state that a proxy shares with its connections.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::watch;

use super::{
    fault::{Fault, Occasion},
    statement::Contents,
};

/// What has passed through a proxy since it began. Flights are counted when they arrive, also those that a fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// How often a client sent something and waited: simple queries and Syncs, those without a statement included.
    pub round_trips: u64,
    /// BEGIN, with whatever was sent along with it.
    pub begins: u64,
    /// COMMIT, with whatever was sent along with it.
    pub commits: u64,
    /// ROLLBACK, with whatever was sent along with it; not those to a savepoint.
    pub rollbacks: u64,
    /// Simple queries and executions of prepared statements that are none of the others.
    pub statements: u64,
}

/// The state, behind one lock that tells of changes.
#[derive(Debug, Default)]
pub(super) struct Plan(watch::Sender<State>);

#[derive(Debug, Default)]
struct State {
    armed: VecDeque<Armed>,
    counts: Counts,
    hits: u64,
    /// Faults that have met their occasion and aren't known to have struck.
    claimed: u64,
    /// Struck faults whose delayed or late message hasn't arrived.
    held: u64,
    is_refusing: bool,
}

#[derive(Clone, Copy, Debug)]
struct Armed {
    fault: Fault,
    /// Statements since it became the first in the queue.
    statements: u32,
}

impl Plan {
    pub(super) fn arm(&self, fault: Fault) {
        self.0.send_modify(|state| state.armed.push_back(Armed { fault, statements: 0 }));
    }

    pub(super) fn disarm(&self) {
        self.0.send_modify(|state| state.armed.clear());
    }

    pub(super) fn hits(&self) -> u64 {
        self.0.borrow().hits
    }

    pub(super) fn counts(&self) -> Counts {
        self.0.borrow().counts
    }

    pub(super) fn refuse(&self, is_refusing: bool) {
        self.0.send_modify(|state| state.is_refusing = is_refusing);
    }

    pub(super) fn is_refusing(&self) -> bool {
        self.0.borrow().is_refusing
    }

    pub(super) async fn struck(&self) {
        self.wait(|state| state.armed.is_empty() && state.claimed == 0).await;
    }

    pub(super) async fn settled(&self) {
        self.wait(|state| state.armed.is_empty() && state.claimed == 0 && state.held == 0).await;
    }

    async fn wait(&self, is_reached: impl FnMut(&State) -> bool) {
        // An error would mean that the sender is gone, and it is `self`.
        let _ = self.0.subscribe().wait_for(is_reached).await;
    }

    pub(super) fn count(&self, contents: Contents) {
        self.0.send_modify(|state| {
            let counts = &mut state.counts;
            counts.round_trips += 1;
            counts.begins += u64::from(contents.begins);
            counts.commits += u64::from(contents.commits);
            counts.rollbacks += u64::from(contents.rolls_back);
            counts.statements += u64::from(contents.is_plain());
        });
    }

    /// The fault that strikes now, if the first in the queue does.
    pub(super) fn claim(self: &Arc<Self>, occasion: Occasion) -> Option<Claim> {
        let mut claimed = None;
        self.0.send_if_modified(|state| {
            let Some(first) = state.armed.front_mut() else { return false };
            first.statements += u32::from(occasion == Occasion::Statement);
            if first.fault.fits(occasion, first.statements) {
                claimed = state.armed.pop_front();
                state.claimed += 1;
            }
            claimed.is_some()
        });
        claimed.map(|armed| Claim { plan: Arc::clone(self), armed, has_struck: false })
    }

    /// Keeps [`settled`](Self::settled) waiting for as long as the result lives.
    pub(super) fn hold(self: &Arc<Self>) -> Held {
        self.0.send_modify(|state| state.held += 1);
        Held(Arc::clone(self))
    }
}

/// A fault on its way to strike. Dropped before it has, it goes back to the head of the queue.
#[derive(Debug)]
pub(super) struct Claim {
    plan: Arc<Plan>,
    armed: Armed,
    has_struck: bool,
}

impl Claim {
    pub(super) const fn fault(&self) -> Fault {
        self.armed.fault
    }

    pub(super) fn struck(mut self) {
        self.has_struck = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.plan.0.send_modify(|state| {
            state.claimed -= 1;
            if self.has_struck {
                state.hits += 1;
            } else {
                state.armed.push_front(self.armed);
            }
        });
    }
}

/// Something that will arrive later, or never.
#[derive(Debug)]
pub(super) struct Held(Arc<Plan>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.held -= 1);
    }
}
