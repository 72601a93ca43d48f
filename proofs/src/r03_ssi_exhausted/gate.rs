//! Where those who are slow wait in the middle of their transactions.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::timeout};

/// A gate that all pass once it has been opened. Clones are one gate.
#[derive(Clone, Debug)]
pub(super) struct Gate(Arc<Sides>);

#[derive(Debug)]
struct Sides {
    /// A permit for each who has arrived.
    arrived: Semaphore,
    /// Never has a permit: closing it opens the gate.
    open: Semaphore,
}

/// Who has not arrived by then will not.
const ARRIVAL_MAX: Duration = Duration::from_secs(60);

impl Gate {
    pub(super) fn new() -> Self {
        Self(Arc::new(Sides { arrived: Semaphore::new(0), open: Semaphore::new(0) }))
    }

    /// Arrives, and goes on when the gate is opened.
    pub(super) async fn pass(&self) {
        self.0.arrived.add_permits(1);
        // Its only end is that the semaphore is closed.
        drop(self.0.open.acquire().await);
    }

    /// Waits until `count` have arrived.
    pub(super) async fn wait_for(&self, count: usize) {
        let count = u32::try_from(count).expect("a few");
        let arrived = timeout(ARRIVAL_MAX, self.0.arrived.acquire_many(count)).await;
        drop(arrived.expect("whoever is slow reads within a minute"));
    }

    pub(super) fn open(&self) {
        self.0.open.close();
    }
}
