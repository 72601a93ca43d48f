//! How long sessions live, and how many.

use time::Duration;

/// How long sessions live, and how many of them a user may have. How long one lives that is not renewed is
/// [`TokenSettings::refresh_duration`](crate::TokenSettings::refresh_duration).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// How long a session lives, however often it is renewed: 90 days by default.
    pub duration: Duration,
    /// How long after a renewal the refresh token that it has spent may be shown again, by somebody who has lost the answer: 10
    /// seconds by default.
    pub grace: Duration,
    /// How many sessions a user may have at a time: 20 by default. When a further one begins, the oldest ends.
    pub per_user_max: u32,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self { duration: Duration::days(90), grace: Duration::seconds(10), per_user_max: 20 }
    }
}
