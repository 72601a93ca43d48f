//! Sessions: everything between logging in and logging out.

use time::OffsetDateTime;

use crate::{SessionId, UserId};

/// A login. It lives until it is revoked or expires, whichever is first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Names the session.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When it was logged out or ended otherwise.
    pub revoked_at: Option<OffsetDateTime>,
    /// When it ends by itself.
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

#[cfg(test)]
mod tests {
    use time::Duration;

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
}
