//! Holds: money that one account has promised to another and that has not moved yet.
//!
//! Held money is still in the account that pays, and no longer available to anything else. A hold ends once: captured, in
//! full or in part, voided, or expired when its time has come.

use std::fmt;

use time::{Duration, OffsetDateTime};

use crate::{AccountId, Amount, Currency, HoldId, Memo, TransferId, UserId};

/// How long a hold lasts: 1 second to 31 days, in whole seconds; 7 days by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lasting(u32);

impl Lasting {
    /// The longest: 31 days.
    pub const MAX: Self = Self(31 * 24 * 60 * 60);

    /// A hold of so many seconds, or `None` if that is none or more than [`MAX`](Self::MAX).
    #[must_use]
    pub const fn from_seconds(seconds: u32) -> Option<Self> {
        if seconds >= 1 && seconds <= Self::MAX.0 { Some(Self(seconds)) } else { None }
    }

    /// In seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.0
    }

    /// When a hold ends that is placed at `now`; never later than time can tell.
    #[must_use]
    pub fn from(self, now: OffsetDateTime) -> OffsetDateTime {
        now.saturating_add(Duration::seconds(i64::from(self.0)))
    }
}

impl Default for Lasting {
    fn default() -> Self {
        Self(7 * 24 * 60 * 60)
    }
}

/// Money that is promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Names the hold.
    pub id: HoldId,
    /// Who is to pay.
    pub from_account_id: AccountId,
    /// Who is to be paid.
    pub to_account_id: AccountId,
    /// How much at most.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// What it says about itself; the transfer of its capture says the same.
    pub memo: Memo,
    /// Who placed it.
    pub created_by: UserId,
    /// When it was placed.
    pub created_at: OffsetDateTime,
    /// From when on it holds nothing any more.
    pub expires_at: OffsetDateTime,
    /// What has become of it.
    pub state: State,
}

/// What has become of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It holds.
    Open,
    /// The money has moved.
    Captured {
        /// By this transfer.
        transfer_id: TransferId,
        /// So much of it; the rest was let go.
        amount: Amount,
        /// At this time.
        at: OffsetDateTime,
    },
    /// It was let go.
    Voided {
        /// At this time.
        at: OffsetDateTime,
    },
    /// Its time was over.
    Expired,
}

impl State {
    /// The stable names.
    pub const NAMES: [&str; 4] = ["open", "captured", "voided", "expired"];

    /// The stable name: `open`, `captured`, `voided` or `expired`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Captured { .. } => "captured",
            Self::Voided { .. } => "voided",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Hold {
    /// True when it holds nothing any more at `now`, whether or not that has been written down.
    #[must_use]
    pub fn is_due(&self, now: OffsetDateTime) -> bool {
        self.state == State::Open && self.expires_at <= now
    }

    /// The hold as it is at `now`: expired, if its time is over.
    #[must_use]
    pub fn at(self, now: OffsetDateTime) -> Self {
        if self.is_due(now) { Self { state: State::Expired, ..self } } else { self }
    }

    /// The hold as it was placed, whatever has become of it.
    #[must_use]
    pub fn as_placed(self) -> Self {
        Self { state: State::Open, ..self }
    }

    /// True when one of the two sides is `account`.
    #[must_use]
    pub fn touches(&self, account: AccountId) -> bool {
        self.from_account_id == account || self.to_account_id == account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn hold(state: State) -> Hold {
        Hold {
            id: HoldId::from_parts(1, [1; 10]),
            from_account_id: AccountId::from_parts(1, [2; 10]),
            to_account_id: AccountId::from_parts(1, [3; 10]),
            amount: Amount::MIN,
            currency: "EUR".parse().unwrap(),
            memo: Memo::NONE,
            created_by: UserId::OPERATOR,
            created_at: NOW,
            expires_at: NOW + Duration::MINUTE,
            state,
        }
    }

    fn ends() -> [State; 3] {
        let transfer_id = TransferId::from_parts(1, [4; 10]);
        [
            State::Captured { transfer_id, amount: Amount::MIN, at: NOW },
            State::Voided { at: NOW },
            State::Expired,
        ]
    }

    #[test]
    fn a_hold_lasts_a_second_to_31_days() {
        for bad in [0, 31 * 86_400 + 1, u32::MAX] {
            assert_eq!(Lasting::from_seconds(bad), None, "{bad}");
        }
        for good in [1, 31 * 86_400] {
            let lasting = Lasting::from_seconds(good).unwrap();
            assert_eq!(lasting.seconds(), good);
            assert_eq!(lasting.from(NOW) - NOW, Duration::seconds(i64::from(good)));
        }
        assert_eq!(Lasting::default().from(NOW) - NOW, Duration::WEEK);
    }

    #[test]
    fn an_open_hold_is_expired_from_its_end_on_and_an_ended_one_stays_as_it_is() {
        let open = hold(State::Open);
        let last = open.expires_at - Duration::NANOSECOND;
        assert_eq!(open.clone().at(last), open);
        assert_eq!(open.clone().at(open.expires_at), hold(State::Expired));
        for state in ends() {
            let ended = hold(state);
            assert!(!ended.is_due(ended.expires_at));
            assert_eq!(ended.clone().at(ended.expires_at), ended);
            assert_eq!(ended.as_placed(), open);
        }
    }

    #[test]
    fn every_state_has_its_name() {
        let states = [State::Open].into_iter().chain(ends());
        assert!(states.map(|state| state.to_string()).eq(State::NAMES));
    }
}
