//! Jobs: work that is done after the transaction that asked for it, at least once.

use std::{fmt, str::FromStr};

use thiserror::Error;
use time::{Duration, OffsetDateTime};

use crate::JobId;

/// Which jobs go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Somebody waits for it. As long as one of these is due, no other job is begun.
    Critical,
    /// Everything else.
    Default,
}

impl Queue {
    /// Every queue, in the order in which they are served.
    pub const ALL: [Self; 2] = [Self::Critical, Self::Default];

    /// The stable name: `critical` or `default`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Default => "default",
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text is not a queue.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not a queue: expected critical or default")]
pub struct InvalidQueue;

impl FromStr for Queue {
    type Err = InvalidQueue;

    fn from_str(text: &str) -> Result<Self, InvalidQueue> {
        Self::ALL.into_iter().find(|queue| queue.as_str() == text).ok_or(InvalidQueue)
    }
}

/// Work that is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Names the job.
    pub id: JobId,
    /// What is to be done.
    pub kind: String,
    /// How urgent it is.
    pub queue: Queue,
    /// What to do it with: JSON.
    pub payload: String,
    /// Of those with the same kind and key, only one waits at a time.
    pub unique_key: Option<String>,
    /// How often it was begun.
    pub attempts: u32,
    /// How often it may be begun.
    pub attempts_max: u32,
    /// Not before; while somebody is at it, the end of their lease.
    pub due_at: OffsetDateTime,
    /// Whether somebody is at it, or was when their time ran out.
    pub is_leased: bool,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// Since when nobody tries any more.
    pub dead_at: Option<OffsetDateTime>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
}

/// How it stands with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// For its time, or for a worker.
    Waiting,
    /// Somebody is at it.
    Running,
    /// It failed too often: it is for a person to look at.
    Dead,
}

impl State {
    /// The stable name: `waiting`, `running` or `dead`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Dead => "dead",
        }
    }
}

impl Job {
    /// How it stands at `now`.
    #[must_use]
    pub fn state(&self, now: OffsetDateTime) -> State {
        match self.dead_at {
            Some(_) => State::Dead,
            None if self.is_leased && now < self.due_at => State::Running,
            None => State::Waiting,
        }
    }
}

/// What becomes of a job after an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is tried again, not before that time.
    RetryAt(OffsetDateTime),
    /// It is a dead letter.
    Dead,
}

/// How long to wait between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest pause after the first attempt; it doubles with each.
    pub first: Duration,
    /// The longest pause of all.
    pub max: Duration,
}

impl Default for Backoff {
    /// 10 s, 20 s, 40 s, … up to an hour: ten attempts take up to 85 minutes.
    fn default() -> Self {
        Self { first: Duration::seconds(10), max: Duration::HOUR }
    }
}

impl Backoff {
    /// What becomes of a job whose attempt number `attempts` of `attempts_max` has failed at `now`; `random` spreads those that
    /// failed together.
    #[must_use]
    pub fn next(self, attempts: u32, attempts_max: u32, now: OffsetDateTime, random: u32) -> Next {
        if attempts >= attempts_max {
            return Next::Dead;
        }
        match now.checked_add(self.pause(attempts, random)) {
            Some(at) => Next::RetryAt(at),
            None => Next::Dead,
        }
    }

    /// The pause after attempt number `attempts`: between a half of `first`, doubled with each attempt but at most `max`, and
    /// the whole of it, as `random` says. Never nothing, so that nobody who is in trouble is asked at once by everybody.
    #[must_use]
    pub fn pause(self, attempts: u32, random: u32) -> Duration {
        let [first, max] = [self.first, self.max].map(|pause| pause.max(Duration::ZERO));
        let doublings = attempts.saturating_sub(1);
        // 2^31 times anything above a microsecond is more than half an hour: further doublings change nothing.
        let factor = 2_i32.checked_pow(doublings).unwrap_or(i32::MAX);
        let longest = first.checked_mul(factor).unwrap_or(max).min(max);
        let half_ms = i64::try_from(longest.whole_milliseconds())
            .unwrap_or(i64::MAX)
            .checked_div(2)
            .unwrap_or(0);
        let share = i128::from(half_ms)
            .saturating_mul(i128::from(random))
            .checked_div(i128::from(u32::MAX))
            .unwrap_or(0);
        // A share of an i64 is one.
        let jitter_ms = i64::try_from(share).unwrap_or(half_ms);
        Duration::milliseconds(half_ms.saturating_add(jitter_ms))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn queue_names_are_read_back_and_sort_as_they_are_served() {
        for queue in Queue::ALL {
            assert_eq!(queue.to_string().parse(), Ok(queue));
        }
        assert_eq!("urgent".parse::<Queue>(), Err(InvalidQueue));
        // The claim orders by the name.
        assert!(Queue::ALL.is_sorted_by_key(|queue| queue.as_str()));
    }

    #[test]
    fn the_last_attempt_makes_a_dead_letter() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let backoff = Backoff::default();
        assert_eq!(backoff.next(10, 10, now, 0), Next::Dead);
        assert_eq!(backoff.next(1, 10, now, 0), Next::RetryAt(now + Duration::seconds(5)));
        assert_eq!(backoff.next(1, 10, now, u32::MAX), Next::RetryAt(now + Duration::seconds(10)));
    }

    proptest! {
        #[test]
        fn pauses_stay_between_a_half_and_the_whole_of_what_doubles(
            first_ms in 2_i64..100_000, more_ms in 0_i64..100_000_000, attempts in 1_u32..200, random: u32,
        ) {
            let backoff = Backoff { first: Duration::milliseconds(first_ms), max: Duration::milliseconds(first_ms + more_ms) };
            let pause = backoff.pause(attempts, random);
            let longest = (0..attempts - 1).fold(i128::from(first_ms), |longest, _| (longest * 2).min(1 << 60));
            let longest = longest.min(i128::from(first_ms + more_ms));
            prop_assert!(pause.whole_milliseconds() <= longest);
            prop_assert!(pause.whole_milliseconds() >= longest / 2);
            prop_assert!(pause > Duration::ZERO);
            // More attempts and more bad luck never shorten it.
            prop_assert!(backoff.pause(attempts + 1, random) >= pause);
            prop_assert!(backoff.pause(attempts, random.saturating_add(1)) >= pause);
        }

        #[test]
        fn a_job_is_tried_exactly_as_often_as_it_may(attempts_max in 1_u32..100, random: u32) {
            let now = OffsetDateTime::UNIX_EPOCH;
            let retries = (1..).take_while(|attempts| Backoff::default().next(*attempts, attempts_max, now, random) != Next::Dead);
            prop_assert_eq!(retries.count(), usize::try_from(attempts_max).unwrap() - 1);
        }
    }
}
