//! Random numbers that can be drawn again: each run names its seed.

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

    /// Random bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(self.next().to_le_bytes().get(..chunk.len()).unwrap_or_default());
        }
        bytes
    }

    /// Numbers that are independent of these, for somebody who draws at the same time.
    pub(crate) const fn split(&mut self) -> Self {
        Self(self.next())
    }
}

/// A fresh seed.
pub(crate) fn seed() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the door by which randomness enters")]
    let seed = getrandom::u64();
    seed.expect("the system gives random numbers")
}
