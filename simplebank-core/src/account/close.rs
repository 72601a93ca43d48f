//! Closing an account.

use time::OffsetDateTime;

use super::{Account, Owner, Status};
use crate::{Balance, Hold, Principal, Rejection, access::Power, hold::State};

impl Account {
    /// The account as it is after `by` has closed it for good; closing twice is the same as once. To be called when holds
    /// whose time is over at `now` have been let go of, with a hold that may still hold something of it, or for it, if there
    /// is one.
    ///
    /// A frozen account is for the bank alone to close, or its owner would be free to begin anew.
    ///
    /// # Errors
    ///
    /// [`Rejection::AccountNotFound`] for an account that is not the caller's, unless they may close any;
    /// [`Rejection::AccountFrozen`]; [`Rejection::AccountNotEmpty`]; [`Rejection::AccountHasHolds`].
    pub fn close(
        self,
        by: &Principal,
        hold: Option<&Hold>,
        now: OffsetDateTime,
    ) -> Result<Self, Rejection> {
        let id = self.id;
        let is_banks_to_close = by.may(Power::CloseAnyAccount) && self.owner != Owner::Cash;
        let is_own = self.is_owned_by(by.id()) && by.may(Power::CloseOwnAccount);
        if !is_banks_to_close && !is_own {
            return Err(Rejection::AccountNotFound { id });
        }
        match self.status {
            Status::Closed => return Ok(self),
            Status::Frozen if !is_banks_to_close => return Err(Rejection::AccountFrozen { id }),
            Status::Open | Status::Frozen => {}
        }
        if self.balance != Balance::ZERO {
            return Err(Rejection::AccountNotEmpty { id });
        }
        let holds =
            |hold: &Hold| hold.touches(id) && hold.state == State::Open && !hold.is_due(now);
        if self.held != Balance::ZERO || hold.is_some_and(holds) {
            return Err(Rejection::AccountHasHolds { id });
        }
        Ok(Self { status: Status::Closed, ..self })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::Duration;

    use super::*;
    use crate::{
        AccountId, Amount, HoldId, Memo, Role, TransferId, UserId,
        account::{Limits, OverdraftLimit},
        transfer::{Action, Book, Order, Terms, decide_one},
    };

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn account_id(n: u8) -> AccountId {
        AccountId::from_parts(1, [n; 10])
    }

    fn user(n: u8, role: Role) -> Principal {
        let id = UserId::from_parts(2, [n; 10]);
        Principal::User { id, username: "somebody".parse().unwrap(), role }
    }

    /// Account 0 is the bank's own.
    fn account(n: u8, status: Status, balance: i64, held: i64) -> Account {
        let owner = match n {
            0 => Owner::Cash,
            n => Owner::Customer {
                id: user(n, Role::Depositor).id(),
                username: "somebody".parse().unwrap(),
            },
        };
        Account {
            id: account_id(n),
            owner,
            currency: "EUR".parse().unwrap(),
            balance: Balance::from_minor(balance),
            version: 0,
            revision: 0,
            held: Balance::from_minor(held),
            overdraft_limit: OverdraftLimit::NONE,
            limits: Limits::default(),
            spent: None,
            notice_from: None,
            status,
            created_at: NOW,
        }
    }

    fn hold(from: u8, to: u8, state: State, expires_at: OffsetDateTime) -> Hold {
        Hold {
            id: HoldId::from_parts(3, [3; 10]),
            from_account_id: account_id(from),
            to_account_id: account_id(to),
            amount: Amount::MIN,
            currency: "EUR".parse().unwrap(),
            memo: Memo::NONE,
            created_by: user(from, Role::Depositor).id(),
            created_at: NOW - Duration::DAY,
            expires_at,
            state,
        }
    }

    fn statuses() -> impl Strategy<Value = Status> {
        prop_oneof![Just(Status::Open), Just(Status::Frozen), Just(Status::Closed)]
    }

    fn callers() -> impl Strategy<Value = Principal> {
        prop_oneof![
            (1..4_u8).prop_map(|n| user(n, Role::Depositor)),
            (1..4_u8).prop_map(|n| user(n, Role::Banker)),
            Just(Principal::Operator),
        ]
    }

    fn holds() -> impl Strategy<Value = Option<Hold>> {
        let states =
            prop_oneof![Just(State::Open), Just(State::Expired), Just(State::Voided { at: NOW })];
        let times = (-2..3_i64).prop_map(|hours| NOW + Duration::hours(hours));
        proptest::option::of(
            (0..4_u8, 0..4_u8, states, times).prop_map(|(a, b, state, at)| hold(a, b, state, at)),
        )
    }

    proptest! {
        #[test]
        fn only_an_empty_account_without_promises_is_closed_by_who_may(
            by in callers(), n in 0..4_u8, status in statuses(), balance in -1..2_i64, held in 0..2_i64, hold in holds(),
        ) {
            let before = account(n, status, balance, held);
            let is_owner = before.is_owned_by(by.id());
            let is_bank = matches!(by, Principal::Operator | Principal::User { role: Role::Banker, .. });
            let binds = hold.as_ref().is_some_and(|hold| {
                hold.touches(account_id(n)) && hold.state == State::Open && hold.expires_at > NOW
            });
            let id = before.id;
            match before.clone().close(&by, hold.as_ref(), NOW) {
                Ok(after) => {
                    prop_assert!(n != 0 && (is_owner || is_bank));
                    prop_assert!(status != Status::Frozen || is_bank);
                    prop_assert!(status == Status::Closed || (balance == 0 && held == 0 && !binds));
                    prop_assert_eq!(&after, &Account { status: Status::Closed, ..before });
                    prop_assert_eq!(after.clone().close(&by, hold.as_ref(), NOW), Ok(after), "twice is once");
                }
                Err(refusal) => {
                    let is_right = match refusal.code() {
                        "account_not_found" => n == 0 || (!is_owner && !is_bank),
                        "account_frozen" => status == Status::Frozen && !is_bank,
                        "account_not_empty" => status != Status::Closed && balance != 0,
                        "account_has_holds" => status != Status::Closed && (held != 0 || binds),
                        _ => false,
                    };
                    prop_assert!(is_right, "{:?}", refusal);
                    prop_assert_eq!(refusal.subject(), Some(id.as_uuid()));
                }
            }
        }
    }

    #[test]
    fn a_closed_account_neither_pays_nor_receives() {
        let closed = account(1, Status::Open, 0, 0).close(&Principal::Operator, None, NOW).unwrap();
        let rich = account(2, Status::Open, 100, 0);
        for (from, to) in [(1, 2), (2, 1)] {
            let mut book: Book = [closed.clone(), rich.clone()].into_iter().collect();
            let terms = Terms {
                from_account_id: account_id(from),
                to_account_id: account_id(to),
                amount: Amount::MIN,
                currency: "EUR".parse().unwrap(),
                memo: Memo::NONE,
            };
            let action = Action::Transfer { id: TransferId::from_parts(4, [4; 10]), terms };
            let order = Order { ordered_by: Principal::Operator, action };
            let refused = Err(Rejection::AccountClosed { id: closed.id });
            assert_eq!(decide_one(&mut book, &order, NOW), refused);
        }
        let refused = Err(Rejection::AccountClosed { id: closed.id });
        assert_eq!(closed.clone().unfreeze(), refused);
        assert_eq!(closed.freeze(), refused);
    }
}
