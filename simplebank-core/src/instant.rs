//! Moments that somebody asks about.

use std::{fmt, str::FromStr};

use thiserror::Error;
use time::{
    Date, Duration, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339,
    macros::format_description,
};

/// A moment in UTC, in the years 1 to 9999, in whole microseconds: what is finer is cut off, as it is where times are kept.
///
/// ```
/// use simplebank_core::Instant;
///
/// let midnight: Instant = "2026-11-20".parse()?;
/// assert_eq!(midnight, "2026-11-20T01:00:00+01:00".parse()?);
/// assert_eq!(midnight.to_string(), "2026-11-20T00:00:00Z");
/// # Ok::<_, simplebank_core::instant::InvalidInstant>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(OffsetDateTime);

impl Instant {
    /// The moment `time`, or `None` outside of the years 1 to 9999 in UTC.
    #[must_use]
    pub fn new(time: OffsetDateTime) -> Option<Self> {
        let time = time.checked_to_offset(UtcOffset::UTC)?;
        let whole = time.replace_microsecond(time.microsecond()).ok()?;
        (1..=9999).contains(&whole.year()).then_some(Self(whole))
    }

    /// The moment as a time, in UTC.
    #[must_use]
    pub const fn time(self) -> OffsetDateTime {
        self.0
    }

    /// The last time that is kept apart from this moment and before it.
    #[must_use]
    pub fn just_before(self) -> OffsetDateTime {
        // The year 0 has room for it.
        self.0.checked_sub(Duration::MICROSECOND).unwrap_or(self.0)
    }
}

/// A text is not a moment.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "must be a time such as 2026-11-20T08:00:00Z, or a date such as 2026-11-20, which stands for midnight in UTC"
)]
pub struct InvalidInstant;

impl FromStr for Instant {
    type Err = InvalidInstant;

    /// Reads RFC 3339 with a capital `T`, or a date alone.
    fn from_str(text: &str) -> Result<Self, InvalidInstant> {
        const DATE: &[time::format_description::BorrowedFormatItem<'_>] =
            format_description!("[year]-[month]-[day]");
        let time = match text.as_bytes().get(10) {
            None => Date::parse(text, DATE).ok().map(|date| date.midnight().assume_utc()),
            Some(b'T') => OffsetDateTime::parse(text, &Rfc3339).ok(),
            Some(_) => None,
        };
        time.and_then(Self::new).ok_or(InvalidInstant)
    }
}

impl fmt::Display for Instant {
    /// Writes RFC 3339, with as many places of a second as it needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.format(&Rfc3339).map_err(|_| fmt::Error)?;
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_dates_are_read_and_nothing_else() {
        for (text, reads) in [
            ("2026-11-20", "2026-11-20T00:00:00Z"),
            ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z"),
            ("2026-11-20T08:00:00.123456789+01:00", "2026-11-20T07:00:00.123456Z"),
            ("2026-12-31T23:59:60Z", "2026-12-31T23:59:59.999999Z"),
            ("0001-01-01", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(text.parse::<Instant>().unwrap().to_string(), reads, "{text}");
        }
        for bad in [
            "",
            "now",
            "0",
            "1763625600",
            "2026-11",
            "2026-11-20 ",
            "2026-11-20T",
            "2026-11-20T08:00:00",
            "2026-11-20 08:00:00Z",
            "2026-11-20T08:00:00 01:00",
            "2026-02-29",
            "2026-11-20T25:00:00Z",
            "20261120",
            "+2026-11-20",
            "-0001-01-01",
            "0000-12-31",
            // In UTC these are of the years 0 and 10000.
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "10000-01-01",
            "2026-11-20T08:00:00Z\0",
            "２０２６-11-20",
        ] {
            assert_eq!(bad.parse::<Instant>(), Err(InvalidInstant), "{bad:?}");
        }
    }

    #[test]
    fn what_is_just_before_is_a_microsecond_earlier_at_either_end() {
        for text in ["0001-01-01", "2026-11-20", "9999-12-31T23:59:59.999999Z"] {
            let instant: Instant = text.parse().unwrap();
            assert_eq!(instant.just_before() + Duration::MICROSECOND, instant.time());
        }
    }
}
