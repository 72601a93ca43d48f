//! Changing the limits of an account.

use time::Date;

use super::{Account, Limits, OverdraftLimit, Status};
use crate::{Amount, Balance, Currency, Rejection, money::InvalidAmount};

/// What becomes of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// There is none from now on.
    Remove,
    /// It is this from now on.
    Set(T),
}

impl<T> Change<T> {
    /// What is left of `limit`.
    pub fn apply(self, limit: Option<T>) -> Option<T> {
        match self {
            Self::Keep => limit,
            Self::Remove => None,
            Self::Set(limit) => Some(limit),
        }
    }
}

impl<T> Change<T> {
    /// What a text asks for: `none` for no limit any more, or a limit that `parse` reads. No text asks for no change.
    ///
    /// # Errors
    ///
    /// Those of `parse`.
    pub fn parse<E>(
        text: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Self, E> {
        match text {
            None => Ok(Self::Keep),
            Some("none") => Ok(Self::Remove),
            Some(text) => parse(text).map(Self::Set),
        }
    }
}

impl OverdraftLimit {
    /// Reads a limit in major units as [`Amount::parse`] does; zero is one, too.
    ///
    /// # Errors
    ///
    /// [`InvalidAmount`] says what is wrong.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, InvalidAmount> {
        match Amount::parse(text, currency) {
            Ok(amount) => Ok(Self(amount.minor())),
            Err(InvalidAmount::NotPositive) if !text.starts_with('-') => Ok(Self::NONE),
            Err(error) => Err(error),
        }
    }
}

/// What becomes of the limits of an account. The default changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitChanges {
    /// How far below zero the balance may go; once removed, not at all.
    pub overdraft: Change<OverdraftLimit>,
    /// How much may go out at a time; once removed, any amount.
    pub per_transfer: Change<Amount>,
    /// How much may go out on one day, in UTC; once removed, any amount. What has gone out today counts towards a new one.
    pub per_day: Change<Amount>,
}

impl Account {
    /// The account as it is after a change of its limits. To be called when holds whose time is over have been let go of.
    ///
    /// # Errors
    ///
    /// [`Rejection::AccountClosed`]; [`Rejection::LimitBelowUse`] for a lower overdraft limit than what the account owes, or
    /// has promised beyond what it has.
    pub fn with_limits(self, changes: LimitChanges) -> Result<Self, Rejection> {
        match self.status {
            // A limit may be set before an account is unfrozen.
            Status::Open | Status::Frozen => {}
            Status::Closed => return Err(Rejection::AccountClosed { id: self.id }),
        }
        let overdraft_limit =
            changes.overdraft.apply(Some(self.overdraft_limit)).unwrap_or(OverdraftLimit::NONE);
        if overdraft_limit < self.overdraft_limit && self.free() < overdraft_limit.floor() {
            return Err(Rejection::LimitBelowUse { id: self.id });
        }
        let limits = Limits {
            per_transfer: changes.per_transfer.apply(self.limits.per_transfer),
            per_day: changes.per_day.apply(self.limits.per_day),
        };
        Ok(Self { overdraft_limit, limits, ..self })
    }

    /// How much counts towards the daily limit on `today`.
    #[must_use]
    pub fn counted_on(&self, today: Date) -> Balance {
        // A count never goes back to a day before.
        self.spent_on(self.spent.map_or(today, |spent| spent.day.max(today)))
    }

    /// The balance without what is promised of it.
    fn free(&self) -> Balance {
        Balance::from_minor(self.balance.minor().saturating_sub(self.held.minor()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::OffsetDateTime;

    use super::*;
    use crate::{
        AccountId, UserId,
        account::{Owner, Spent},
    };

    fn account(balance: i64, held: i64, overdraft: i64, limits: Limits, status: Status) -> Account {
        Account {
            id: AccountId::from_parts(1, [1; 10]),
            owner: Owner::Customer {
                id: UserId::from_parts(1, [1; 10]),
                username: "alice".parse().unwrap(),
            },
            currency: "EUR".parse().unwrap(),
            balance: Balance::from_minor(balance),
            version: 7,
            revision: 3,
            held: Balance::from_minor(held),
            overdraft_limit: OverdraftLimit::from_minor(overdraft).unwrap(),
            limits,
            notice_from: None,
            spent: Some(Spent {
                day: OffsetDateTime::UNIX_EPOCH.date(),
                amount: Balance::from_minor(5),
                allowed: limits.per_day,
            }),
            status,
            created_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn minors() -> impl Strategy<Value = i64> {
        prop_oneof![4 => 0..2_000_i64, 1 => Just(i64::MAX), 1 => 0..=i64::MAX]
    }

    fn amounts() -> impl Strategy<Value = Amount> {
        minors().prop_map(|minor| Amount::from_minor(minor.max(1)).unwrap())
    }

    fn changes<T: Clone + std::fmt::Debug + 'static>(
        value: impl Strategy<Value = T> + 'static,
    ) -> impl Strategy<Value = Change<T>> {
        prop_oneof![Just(Change::Keep), Just(Change::Remove), value.prop_map(Change::Set)]
    }

    prop_compose! {
        /// An account that is within its limit.
        fn accounts()(
            overdraft in minors(),
            balance in prop_oneof![-2_000..2_000_i64, Just(i64::MAX), any::<i64>()],
            held in minors(),
            per_transfer in proptest::option::of(amounts()),
            per_day in proptest::option::of(amounts()),
            status in prop_oneof![8 => Just(Status::Open), 1 => Just(Status::Frozen), 1 => Just(Status::Closed)],
        ) -> Account {
            let balance = balance.max(-overdraft);
            let room = i128::from(balance) + i128::from(overdraft);
            let held = i64::try_from(i128::from(held).min(room)).unwrap();
            account(balance, held, overdraft, Limits { per_transfer, per_day }, status)
        }
    }

    prop_compose! {
        fn limit_changes()(
            overdraft in changes(minors().prop_map(|minor| OverdraftLimit::from_minor(minor).unwrap())),
            per_transfer in changes(amounts()),
            per_day in changes(amounts()),
        ) -> LimitChanges {
            LimitChanges { overdraft, per_transfer, per_day }
        }
    }

    /// What the account needs of an overdraft, counted with more bits than it is kept in.
    fn need(account: &Account) -> i128 {
        i128::from(account.held.minor()) - i128::from(account.balance.minor())
    }

    proptest! {
        #[test]
        fn limits_are_what_was_asked_for_or_nothing_changes(before in accounts(), changes in limit_changes()) {
            let wanted = match changes.overdraft {
                Change::Keep => before.overdraft_limit,
                Change::Remove => OverdraftLimit::NONE,
                Change::Set(limit) => limit,
            };
            let is_enough = need(&before) <= i128::from(wanted.minor());
            match before.clone().with_limits(changes) {
                Err(Rejection::AccountClosed { .. }) => prop_assert_eq!(before.status, Status::Closed),
                Err(Rejection::LimitBelowUse { .. }) => prop_assert!(!is_enough),
                Err(other) => prop_assert!(false, "{:?}", other),
                Ok(after) => {
                    prop_assert!(is_enough, "below its limit: {:?}", after);
                    prop_assert_eq!(after.overdraft_limit, wanted);
                    for (change, old, new) in [
                        (changes.per_transfer, before.limits.per_transfer, after.limits.per_transfer),
                        (changes.per_day, before.limits.per_day, after.limits.per_day),
                    ] {
                        let wanted = match change {
                            Change::Keep => old,
                            Change::Remove => None,
                            Change::Set(limit) => Some(limit),
                        };
                        prop_assert_eq!(new, wanted);
                    }
                    let (overdraft_limit, limits) = (before.overdraft_limit, before.limits);
                    prop_assert_eq!(Account { overdraft_limit, limits, ..after.clone() }, before);
                    prop_assert_eq!(after.clone().with_limits(changes), Ok(after), "twice is once");
                }
            }
        }

        #[test]
        fn changing_nothing_is_never_refused(before in accounts()) {
            prop_assume!(before.status != Status::Closed);
            prop_assert_eq!(before.clone().with_limits(LimitChanges::default()), Ok(before));
        }
    }

    #[test]
    fn changes_are_read_from_texts() {
        let euro: Currency = "EUR".parse().unwrap();
        let overdraft = |text| Change::parse(text, |text| OverdraftLimit::parse(text, euro));
        let limit = |minor| Change::Set(OverdraftLimit::from_minor(minor).unwrap());
        for (text, change) in [
            (None, Change::Keep),
            (Some("none"), Change::Remove),
            (Some("12.5"), limit(1250)),
            (Some("0"), limit(0)),
            (Some("0.00"), limit(0)),
        ] {
            assert_eq!(overdraft(text), Ok(change), "{text:?}");
        }
        for text in ["", "-1", "-0", "None", " 1", "1.234", "x", "9".repeat(40).as_str()] {
            assert!(overdraft(Some(text)).is_err(), "{text}");
        }
        assert!(Change::parse(Some("0"), |text| Amount::parse(text, euro)).is_err());
    }

    #[test]
    fn what_counts_today_is_what_was_spent_today_or_on_a_later_clock() {
        let spent = account(0, 0, 0, Limits::default(), Status::Open);
        let day = OffsetDateTime::UNIX_EPOCH.date();
        let counted = |day| spent.counted_on(day).minor();
        assert_eq!(counted(day), 5);
        assert_eq!(counted(day.previous_day().unwrap()), 5);
        assert_eq!(counted(day.next_day().unwrap()), 0);
    }

    #[test]
    fn an_overdraft_can_be_lowered_to_what_is_owed_and_held_and_no_further() {
        let overdraft = |minor| LimitChanges {
            overdraft: Change::Set(OverdraftLimit::from_minor(minor).unwrap()),
            ..LimitChanges::default()
        };
        let used = account(-30, 20, 100, Limits::default(), Status::Open);
        assert!(used.clone().with_limits(overdraft(50)).is_ok());
        let refused = Err(Rejection::LimitBelowUse { id: used.id });
        assert_eq!(used.clone().with_limits(overdraft(49)), refused);
        let removed = LimitChanges { overdraft: Change::Remove, ..LimitChanges::default() };
        assert_eq!(used.with_limits(removed), refused);
        assert!(account(20, 20, 100, Limits::default(), Status::Open).with_limits(removed).is_ok());
    }
}
