//! How far the clocks of those who issue and those who verify may be apart.

use time::Duration;

/// How much earlier and later than its times say a token is believed, because clocks differ; none by default.
///
/// It makes every token live longer by as much, so it is bounded: a minute is far more than clocks differ that are kept by
/// NTP, and little beside the minutes that an access token lives.
///
/// ```
/// use simplebank_token::Leeway;
///
/// assert_eq!(Leeway::from_seconds(5).map(Leeway::seconds), Some(5));
/// assert_eq!(Leeway::from_seconds(Leeway::SECONDS_MAX + 1), None);
/// assert_eq!(Leeway::default(), Leeway::NONE);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leeway {
    seconds: u8,
}

impl Leeway {
    /// None: a token holds from the very second it begins to the second before it expires.
    pub const NONE: Self = Self { seconds: 0 };

    /// The largest leeway, in seconds.
    pub const SECONDS_MAX: u8 = 60;

    /// So many seconds, or `None` if they are more than [`SECONDS_MAX`](Self::SECONDS_MAX).
    #[must_use]
    pub const fn from_seconds(seconds: u8) -> Option<Self> {
        if seconds <= Self::SECONDS_MAX { Some(Self { seconds }) } else { None }
    }

    /// How many seconds it has.
    #[must_use]
    pub const fn seconds(self) -> u8 {
        self.seconds
    }

    pub(crate) fn duration(self) -> Duration {
        Duration::seconds(self.seconds.into())
    }
}
