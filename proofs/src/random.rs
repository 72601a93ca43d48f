//! Random numbers that can be drawn again: each trial names its seed.

/// SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of `seed`.
    pub(crate) const fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound - 1`; `bound` is 1 or more.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).expect("a bound of 1 or more")
    }

    /// One of `items`, which are not none.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let count = u64::try_from(items.len()).expect("a count fits into 64 bits");
        let index = usize::try_from(self.below(count)).expect("less than the count");
        items.get(index).expect("less than the count")
    }

    /// Numbers that are independent of these, for somebody who draws at the same time.
    pub(crate) const fn split(&mut self) -> Self {
        Self(self.next())
    }
}

/// The seed that `PROOFS_SEED` names, to run a trial again, or a fresh one.
pub(crate) fn seed() -> u64 {
    let named = std::env::var("PROOFS_SEED").ok();
    if let Some(text) = named.filter(|text| !text.is_empty()) {
        return text.parse().expect("PROOFS_SEED is a number");
    }
    #[expect(clippy::disallowed_methods, reason = "the door by which randomness enters")]
    let seed = getrandom::u64();
    seed.expect("the system gives random numbers")
}
