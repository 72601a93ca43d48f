//! What happens once, after the commit that counts.

use std::fmt;

/// Hooks, in the order of their registration; see [`Tx::after_commit`](crate::Tx::after_commit).
#[derive(Default)]
#[must_use = "hooks that are dropped never run"]
pub struct AfterCommit(Vec<Box<dyn FnOnce() + Send>>);

impl fmt::Debug for AfterCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AfterCommit({} hooks)", self.0.len())
    }
}

impl AfterCommit {
    pub(super) fn push(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.0.push(Box::new(hook));
    }

    pub(super) fn append(&mut self, mut later: Self) {
        self.0.append(&mut later.0);
    }

    /// Runs the hooks. For who has joined a transaction of their own and committed it; [`Db::transact`](crate::Db::transact)
    /// does it by itself.
    pub fn run(self) {
        for hook in self.0 {
            hook();
        }
    }
}
