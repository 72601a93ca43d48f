//! Pages of a list: from a place on, so many at most.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// How many items a page has at most: 1 to 100, by default 20.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(u8);

impl PageLimit {
    /// The longest page.
    pub const MAX: Self = Self(100);

    /// A limit of `items`, or `None` unless that is 1 to 100.
    #[must_use]
    pub fn new(items: u8) -> Option<Self> {
        (1..=Self::MAX.0).contains(&items).then_some(Self(items))
    }

    /// Items.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(20)
    }
}

/// A text is not a page limit.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be a whole number from 1 to 100")]
pub struct InvalidLimit;

impl FromStr for PageLimit {
    type Err = InvalidLimit;

    fn from_str(text: &str) -> Result<Self, InvalidLimit> {
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidLimit);
        }
        text.parse().ok().and_then(Self::new).ok_or(InvalidLimit)
    }
}

impl fmt::Display for PageLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which part of a list is asked for: what comes behind `cursor`, or the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<C> {
    /// The last item that the caller has.
    pub cursor: Option<C>,
    /// How many more to answer with.
    pub limit: PageLimit,
}

impl<C> Default for Page<C> {
    fn default() -> Self {
        Self { cursor: None, limit: PageLimit::default() }
    }
}

/// Part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T, C> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<C>,
}

impl<C> Page<C> {
    /// How many rows to read: one more than asked for tells whether there is another page.
    pub(crate) fn rows(&self) -> i64 {
        i64::from(self.limit.get()) + 1
    }

    /// Makes a listing of what was read; `place` tells an item's place in the list.
    pub(crate) fn listing<T>(&self, mut items: Vec<T>, place: impl Fn(&T) -> C) -> Listing<T, C> {
        let limit = usize::from(self.limit.get());
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = if has_more { items.last().map(place) } else { None };
        Listing { items, next }
    }
}
