//! Sessions: everything between logging in and logging out.

use std::fmt;

use time::{Duration, OffsetDateTime};

use crate::{SessionId, UserId, text::is_deceptive};

/// A login. It lives until it is revoked or expires, whichever is first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Names the session.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When it was logged out or ended otherwise.
    pub revoked_at: Option<OffsetDateTime>,
    /// When it ends by itself, however often it is renewed.
    pub expires_at: OffsetDateTime,
    /// When the user logged in.
    pub created_at: OffsetDateTime,
}

impl Session {
    /// True when the session can be used at `now`.
    #[must_use]
    pub fn is_live(&self, now: OffsetDateTime) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

/// A session as its user sees it among their others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// Names the session.
    pub id: SessionId,
    /// When the user logged in.
    pub created_at: OffsetDateTime,
    /// When it was last renewed, or else begun.
    pub renewed_at: OffsetDateTime,
    /// When it ends unless it is renewed.
    pub idle_ends_at: OffsetDateTime,
    /// When it ends even so.
    pub expires_at: OffsetDateTime,
    /// What the user logged in with.
    pub user_agent: Option<UserAgent>,
}

/// What a program calls itself, which nobody has checked: at most 200 characters, none of them deceptive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAgent(String);

impl UserAgent {
    /// The most characters that are kept.
    pub const CHARACTERS_MAX: usize = 200;

    /// What can be kept of a text; `None` if that is nothing.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let kept = text.trim().chars().filter(|character| !is_deceptive(*character));
        let kept: String = kept.take(Self::CHARACTERS_MAX).collect();
        (!kept.is_empty()).then_some(Self(kept))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Which of its session's refresh tokens somebody has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The newest.
    Newest,
    /// The one before.
    Previous,
    /// An earlier one, or one that this session never had.
    Other,
}

/// What becomes of a session whose genuine refresh token was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The token is spent, and another one takes its place.
    Rotate,
    /// The token was spent a moment ago, and nobody has shown its successor since: that is told once more, since the answer may have
    /// been lost, or several were asked for at once.
    Repeat,
    /// The token was spent: two have it, one of them a thief, and nobody knows which. The session ends.
    End,
}

impl Renewal {
    /// What becomes of the session at `now`, if its newest token was made at `renewed_at` and the one before may be shown for `grace`
    /// after that.
    #[must_use]
    pub fn judge(
        shown: Shown,
        renewed_at: OffsetDateTime,
        now: OffsetDateTime,
        grace: Duration,
    ) -> Self {
        match shown {
            Shown::Newest => Self::Rotate,
            Shown::Previous if now < renewed_at.saturating_add(grace) => Self::Repeat,
            Shown::Previous | Shown::Other => Self::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_session_ends_by_time_or_by_being_revoked() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let end = start.checked_add(Duration::HOUR).expect("1970 has a second hour");
        let mut session = Session {
            id: SessionId::from_parts(0, [0; 10]),
            user_id: UserId::OPERATOR,
            revoked_at: None,
            expires_at: end,
            created_at: start,
        };
        assert!(session.is_live(start));
        assert!(!session.is_live(end));
        session.revoked_at = Some(start);
        assert!(!session.is_live(start));
    }

    #[test]
    fn user_agents_are_cut_to_what_can_be_shown() {
        for (text, kept) in [
            ("curl/8.5.0", Some("curl/8.5.0")),
            (" a\tb\u{202e}c\0 ", Some("abc")),
            ("", None),
            (" \u{200b}\n", None),
        ] {
            assert_eq!(UserAgent::new(text).as_ref().map(UserAgent::as_str), kept, "{text:?}");
        }
        let long = UserAgent::new(&"é".repeat(1_000)).expect("something is kept");
        assert_eq!(long.as_str().chars().count(), UserAgent::CHARACTERS_MAX);
    }

    /// Refresh tokens of one session as their holders see them: by number, 0 being that of the log-in.
    struct Model {
        newest: usize,
        renewed_at: OffsetDateTime,
        is_live: bool,
    }

    impl Model {
        fn show(&mut self, token: usize, now: OffsetDateTime, grace: Duration) -> Option<usize> {
            if !self.is_live {
                return None;
            }
            let shown = match self.newest.checked_sub(token) {
                Some(0) => Shown::Newest,
                Some(1) => Shown::Previous,
                Some(_) | None => Shown::Other,
            };
            match Renewal::judge(shown, self.renewed_at, now, grace) {
                Renewal::Rotate => {
                    self.newest = self.newest.saturating_add(1);
                    self.renewed_at = now;
                    Some(self.newest)
                }
                Renewal::Repeat => Some(self.newest),
                Renewal::End => {
                    self.is_live = false;
                    None
                }
            }
        }
    }

    proptest! {
        /// A thief who holds one token, spent or not, and its owner who goes on: as soon as both have shown what they hold later than
        /// within the grace, nobody has the session.
        #[test]
        fn a_thief_and_an_owner_never_both_go_on(before in 0..5_usize, after in 1..5_usize, thief_first in any::<bool>()) {
            let (grace, start) = (Duration::seconds(10), OffsetDateTime::UNIX_EPOCH);
            let later = |step: usize| start.saturating_add(Duration::MINUTE.saturating_mul(i32::try_from(step).unwrap_or(0)));
            let mut session = Model { newest: 0, renewed_at: start, is_live: true };
            let mut owners = 0;
            for step in 1..=before {
                owners = session.show(owners, later(step), grace).expect("nobody else has shown a token");
            }
            let stolen = owners;
            let mut thiefs = stolen;
            if thief_first {
                for step in 1..=after {
                    thiefs = session.show(thiefs, later(before.saturating_add(step)), grace).expect("nobody else has");
                }
                prop_assert_eq!(session.show(owners, later(20), grace), None);
                prop_assert_eq!(session.show(thiefs, later(21), grace), None);
            } else {
                for step in 1..=after {
                    owners = session.show(owners, later(before.saturating_add(step)), grace).expect("nobody else has");
                }
                prop_assert_eq!(session.show(stolen, later(20), grace), None);
                prop_assert_eq!(session.show(owners, later(21), grace), None);
            }
        }

        /// Whatever is shown within the grace by clients that all hold the newest token, they get the same one.
        #[test]
        fn those_who_renew_at_once_get_the_same_token(others in proptest::collection::vec(0..10_000_i64, 1..10)) {
            let (grace, start) = (Duration::seconds(10), OffsetDateTime::UNIX_EPOCH);
            let mut session = Model { newest: 3, renewed_at: start, is_live: true };
            let first = session.show(3, start, grace);
            for ms in others {
                prop_assert_eq!(session.show(3, start.saturating_add(Duration::milliseconds(ms)), grace), first);
            }
            // The grace has an end.
            prop_assert_eq!(session.show(3, start.saturating_add(grace), grace), None);
        }
    }
}
