//! The audit record: who did what that others must be able to look up later, and who was refused.
//!
//! A line is made before the transaction that it tells of, which may run again, and is written within it. Refusals have no
//! transaction of their own, and anybody can cause as many as they like: of those, [`Refusals`] lets a bounded number through
//! and counts the rest.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use simplebank_core::{
    IdempotencyKey, Principal, Rejection, UserId,
    access::Power,
    audit::{Action, Entry, Object, Origin, network},
    transfer::{self, Order},
};
use simplebank_db::{self as db, TxSpec, audit};
use time::OffsetDateTime;

use crate::{Bank, Error, Listing, Page, road::Wish};

const READ_AUDIT: TxSpec = TxSpec::read_committed("read_audit").read_only();
const NOTE_REFUSAL: TxSpec = TxSpec::read_committed("note_refusal");

/// Most refusals that are written down within a minute: with a line of 200 bytes, 30 MB a day at worst.
const PER_MINUTE_MAX: u32 = 100;
/// Most of those that one network, or one user, causes.
const PER_MINUTE_AND_CAUSE_MAX: u32 = 10;

/// Counts the refusals of this minute, so that a flood of them fills no disk. It never holds more causes than refusals are let
/// through.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    /// Since 1970.
    number: i64,
    written: u32,
    written_of: HashMap<Cause, u32>,
    left_out: u32,
}

/// Whom a refusal is counted against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Cause {
    User(UserId),
    Network(Option<IpAddr>),
}

/// What becomes of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admitted {
    /// It is written down, and with it how many were not in a minute before.
    Written {
        left_out: u32,
    },
    Counted,
}

impl Refusals {
    fn admit(&self, cause: Cause, now: OffsetDateTime) -> Admitted {
        // Each change is one assignment: what a panic left behind is whole.
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.unix_timestamp().div_euclid(60);
        let mut left_out = 0;
        if minute.number != number {
            left_out = minute.left_out;
            *minute = Minute { number, ..Minute::default() };
        }
        let of_cause = minute.written_of.get(&cause).copied().unwrap_or_default();
        if minute.written >= PER_MINUTE_MAX || of_cause >= PER_MINUTE_AND_CAUSE_MAX {
            minute.left_out = minute.left_out.saturating_add(1);
            return Admitted::Counted;
        }
        minute.written = minute.written.saturating_add(1);
        minute.written_of.insert(cause, of_cause.saturating_add(1));
        Admitted::Written { left_out }
    }
}

impl Bank {
    /// The record, newest first, for who may look at it. A cursor is the number of a line.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`].
    pub async fn audit(
        &self,
        by: &Principal,
        filter: audit::Filter,
        page: Page<i64>,
    ) -> Result<Listing<audit::Line, i64>, Error> {
        self.require(by, Power::ViewAudit, None).await?;
        let lines = self.db().transact(READ_AUDIT, async |tx| {
            audit::list(tx, &filter, page.cursor, page.rows()).await
        });
        Ok(page.listing(lines.await?, |line| line.number))
    }

    /// A line of the record, to be [written](audit::insert) in the transaction of what it tells of.
    pub(crate) fn line(
        &self,
        actor: impl Into<Option<UserId>>,
        action: Action,
        object: impl Into<Option<Object>>,
    ) -> Entry {
        Entry {
            at: self.now(),
            actor: actor.into(),
            action,
            object: object.into(),
            detail: None,
            origin: self.origin().cloned().unwrap_or_default(),
            times: 1,
        }
    }

    /// A wish, and what the record is to say of it.
    pub(crate) fn wish(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        action: transfer::Action,
    ) -> Wish {
        let wish = Wish::new(by, key, action);
        let note =
            self.action_of(&wish.order).map(|action| Box::new(self.line(by.id(), action, None)));
        Wish { note, ..wish }
    }

    fn action_of(&self, order: &Order) -> Option<Action> {
        let action = Action::of(order)?;
        let is_traffic = matches!(action, Action::Transferred | Action::HoldPlaced);
        (!is_traffic || self.origin().is_some()).then_some(action)
    }

    /// Refuses whoever lacks a power, and writes that down.
    pub(crate) async fn require(
        &self,
        by: &Principal,
        power: Power,
        object: Option<Object>,
    ) -> Result<(), Error> {
        if by.may(power) {
            return Ok(());
        }
        self.note_refusal(Some(by.id()), Action::Refused, object, power.as_str()).await;
        Err(Error::Forbidden)
    }

    /// What was found, or why not; writes down who asked for what is none of their business, or for what does not exist: the two
    /// look alike to them, and here. Refused payments are not written twice: they stand under their key.
    pub(crate) async fn seen<T>(
        &self,
        by: &Principal,
        object: impl Into<Option<Object>>,
        found: Result<T, Error>,
    ) -> Result<T, Error> {
        let is_refusal = match &found {
            Err(Error::Forbidden | Error::NotFound { .. }) => true,
            Err(Error::Rejected(rejection)) => matches!(
                rejection,
                Rejection::AccountNotFound { .. }
                    | Rejection::HoldNotFound { .. }
                    | Rejection::TransferNotFound { .. }
            ),
            Ok(_) | Err(_) => false,
        };
        if let Err(error) = &found
            && is_refusal
            && !by.may(Power::ViewAny)
        {
            self.note_refusal(Some(by.id()), Action::Refused, object.into(), error.code()).await;
        }
        found
    }

    /// Writes a refusal down, if there is room for it. Whoever is refused is told so, whether that succeeds or not.
    pub(crate) async fn note_refusal(
        &self,
        actor: Option<UserId>,
        action: Action,
        object: Option<Object>,
        detail: &str,
    ) {
        let network = self.origin().and_then(|origin| origin.address).map(network);
        let cause = actor.map_or(Cause::Network(network), Cause::User);
        let Admitted::Written { left_out } = self.refusals().admit(cause, self.now()) else {
            return;
        };
        let mut lines = vec![self.line(actor, action, object).with_detail(detail)];
        if left_out > 0 {
            let line = self.line(None, Action::RefusalsLeftOut, None);
            lines.push(Entry { times: left_out, origin: Origin::default(), ..line });
        }
        let noted: Result<(), db::Error> =
            self.db().transact(NOTE_REFUSAL, async |tx| audit::insert_all(tx, &lines).await).await;
        if let Err(error) = noted {
            tracing::error!(%error, %action, "a refusal is missing in the audit record");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn a_flood_of_refusals_is_counted_and_not_kept() {
        let refusals = Refusals::default();
        let cause = |n: u32| Cause::Network(Some(std::net::Ipv4Addr::from(n).into()));
        let admitted =
            (0..1_000_000).filter(|n| refusals.admit(cause(*n), NOW) != Admitted::Counted);
        assert_eq!(admitted.count(), 100);
        let minute = refusals.0.lock().unwrap();
        assert_eq!((minute.written_of.len(), minute.left_out), (100, 999_900));
        drop(minute);
        let later = NOW + time::Duration::minutes(1);
        assert_eq!(refusals.admit(cause(1), later), Admitted::Written { left_out: 999_900 });
        assert_eq!(refusals.admit(cause(1), later), Admitted::Written { left_out: 0 });
    }

    #[test]
    fn one_network_leaves_room_for_the_others() {
        let refusals = Refusals::default();
        let one = |text: &str| {
            let cause = Cause::Network(Some(network(text.parse().unwrap())));
            refusals.admit(cause, NOW) != Admitted::Counted
        };
        let admitted = (0..50).filter(|n| one(&format!("2001:db8:1:2::{n}"))).count();
        assert_eq!(admitted, 10);
        assert!(one("2001:db8:1:3::1") && one("192.0.2.1"));
        assert_eq!(
            network("::ffff:192.0.2.1".parse().unwrap()),
            network("192.0.2.1".parse().unwrap())
        );
    }
}
