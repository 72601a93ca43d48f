//! How many there are of something right now.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// A number that goes up with each [`Counted`] and down with its end. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<AtomicU32>);

impl Counter {
    pub(crate) fn number(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of those that a [`Counter`] counts.
#[derive(Debug)]
pub(crate) struct Counted(Counter);

impl Counted {
    pub(crate) fn one_more(counter: &Counter) -> Self {
        counter.0.fetch_add(1, Ordering::Relaxed);
        Self(counter.clone())
    }

    /// How many there are, this one included.
    pub(crate) fn number(&self) -> u32 {
        self.0.number()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
