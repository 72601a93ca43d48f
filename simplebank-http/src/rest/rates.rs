//! How often somebody may ask: by address and by name where passwords and codes are tried, and by user everywhere else.
//!
//! Each limit is a table whose size never changes (docs/adr/0014-rate-limits.md). A key has two places in it, which nobody can
//! foresee, and is turned away only where both are used up: whoever shares one of them with a crowd still has the other.

use std::{
    fmt,
    hash::{BuildHasher as _, Hash, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::http::Method;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore},
};
use simplebank::core::{UserId, audit::network};

use super::problem::Refusal;

/// Places of each of the two rows: 128 KiB. Where a thousand others have used theirs up, one in 270 is turned away with them.
const PLACES: u16 = 1 << 14;

/// What is tried by who is not known yet, or has something to guess: limited by the client's network.
pub(super) const ENTRIES: [(Method, &str); 8] = [
    (Method::PUT, "/v1/users/me/email"),
    (Method::POST, "/v1/users/me/password"),
    (Method::POST, "/v1/users"),
    (Method::POST, "/v1/users/login"),
    (Method::POST, "/v1/tokens/renew_access"),
    (Method::POST, "/v1/verify-email"),
    (Method::POST, "/v1/users/me/verify_email"),
    (Method::POST, "/v1/users/me/verification_codes"),
];

/// How much is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Logins, registrations, renewals and codes from one network in a minute: a single IPv4 address, or 64 bits of IPv6. Of
    /// logins with one name, a sixth of it from one network, and as much from all those that the name is new to. 60 by default.
    pub entries_per_minute: NonZeroU32,
    /// Requests of one user in a second. 10,000 by default.
    pub requests_per_second: NonZeroU32,
}

impl Default for RateLimits {
    fn default() -> Self {
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self { entries_per_minute: at_least_one(60), requests_per_second: at_least_one(10_000) }
    }
}

/// What everybody has asked lately.
pub(super) struct Rates<C: Clock = MonotonicClock> {
    entries: Table<C>,
    names_from: Table<C>,
    names: Table<C>,
    users: Table<C>,
    known: Known,
    keys: RandomState,
}

impl Rates {
    pub(super) fn new(limits: RateLimits) -> Self {
        Self::with_clock(limits, &MonotonicClock)
    }
}

impl<C: Clock + Clone> Rates<C> {
    fn with_clock(limits: RateLimits, clock: &C) -> Self {
        let RateLimits { entries_per_minute, requests_per_second } = limits;
        let sixth = NonZeroU32::new(entries_per_minute.get() / 6).unwrap_or(NonZeroU32::MIN);
        Self {
            entries: Table::new(Quota::per_minute(entries_per_minute), clock),
            names_from: Table::new(Quota::per_minute(sixth), clock),
            names: Table::new(Quota::per_minute(entries_per_minute), clock),
            users: Table::new(Quota::per_second(requests_per_second), clock),
            known: Known::default(),
            keys: RandomState::new(),
        }
    }

    /// Counts somebody who tries to get in.
    pub(super) fn enter(&self, address: Option<IpAddr>) -> Result<(), Refusal> {
        self.entries.take(self.key(address.map(network)))
    }

    /// Counts a login with a name. An attacker from elsewhere can use up what strangers have, but not what those have who have
    /// logged in from their network before.
    pub(super) fn log_in(&self, name: &str, address: Option<IpAddr>) -> Result<(), Refusal> {
        let key = self.key((name, address.map(network)));
        self.names_from.take(key)?;
        if self.known.has(key) {
            return Ok(());
        }
        self.names.take(self.key(name))
    }

    /// Remembers that a login with a name succeeded.
    pub(super) fn logged_in(&self, name: &str, address: Option<IpAddr>) {
        self.known.put(self.key((name, address.map(network))));
    }

    /// Counts a request of a user.
    pub(super) fn ask(&self, user: UserId) -> Result<(), Refusal> {
        self.users.take(self.key(user))
    }

    /// A number that only this process can make of it: nobody chooses whose places they share.
    fn key(&self, of: impl Hash) -> u64 {
        self.keys.hash_one(of)
    }
}

impl<C: Clock> fmt::Debug for Rates<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").finish_non_exhaustive()
    }
}

/// A limit, for any number of keys.
struct Table<C: Clock>(RateLimiter<usize, Places, C, NoOpMiddleware<C::Instant>>);

impl<C: Clock + Clone> Table<C> {
    fn new(quota: Quota, clock: &C) -> Self {
        let places = (0..usize::from(PLACES) * 2).map(|_| InMemoryState::default()).collect();
        Self(RateLimiter::new(quota, Places(places), clock.clone()))
    }

    fn take(&self, key: u64) -> Result<(), Refusal> {
        let clock = self.0.clock();
        let waits = places(key).map(|place| match self.0.check_key(&place) {
            Ok(()) => None,
            Err(refused) => Some(refused.wait_time_from(clock.now())),
        });
        match waits {
            [Some(first), Some(second)] => Err(Refusal::TooOften { wait: first.min(second) }),
            [_, None] | [None, _] => Ok(()),
        }
    }
}

/// Where a key is, one place in each row.
fn places(key: u64) -> [usize; 2] {
    let place = |bits: u64| usize::try_from(bits % u64::from(PLACES)).unwrap_or_default();
    [place(key), usize::from(PLACES) + place(key >> 32)]
}

struct Places(Box<[InMemoryState]>);

impl StateStore for Places {
    type Key = usize;

    fn measure_and_replace<T, F, E>(&self, place: &usize, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let state = self.0.get(*place).expect("a place is less than the number of them");
        state.measure_and_replace(&NotKeyed::NonKey, decide)
    }
}

/// Names, each with a network from which it has logged in; the newer one where two have the same place.
struct Known(Box<[AtomicU64]>);

impl Default for Known {
    fn default() -> Self {
        Self((0..PLACES).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Known {
    fn place(&self, key: u64) -> &AtomicU64 {
        let [place, _] = places(key);
        self.0.get(place).expect("a place is less than the number of them")
    }

    fn has(&self, key: u64) -> bool {
        self.place(key).load(Ordering::Relaxed) == key
    }

    fn put(&self, key: u64) {
        self.place(key).store(key, Ordering::Relaxed);
    }
}

/// Whole seconds, rounded up: who comes back then is let in.
pub(super) fn seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(1)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn rates(clock: &FakeRelativeClock) -> Rates<FakeRelativeClock> {
        Rates::with_clock(RateLimits::default(), clock)
    }

    fn address(n: u32) -> Option<IpAddr> {
        Some(Ipv4Addr::from(n).into())
    }

    /// A path that no route has would limit nobody.
    #[test]
    fn every_entry_is_a_route() {
        use crate::rest::{sessions, users, verification};
        let routes = users::routes().merge(sessions::routes()).merge(verification::routes());
        let routes = routes.into_openapi().paths.paths;
        for (method, path) in ENTRIES {
            let is_route = routes.get(path).is_some_and(|item| match method {
                Method::PUT => item.put.is_some(),
                _ => item.post.is_some(),
            });
            assert!(is_route, "{method} {path}");
        }
    }

    #[test]
    fn who_waits_as_long_as_they_are_told_is_let_in_once() {
        let clock = FakeRelativeClock::default();
        let rates = rates(&clock);
        assert_eq!((0..100).filter(|_| rates.enter(address(1)).is_ok()).count(), 60);
        let Err(Refusal::TooOften { wait }) = rates.enter(address(1)) else { panic!() };
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        clock.advance(wait);
        rates.enter(address(1)).unwrap();
        rates.enter(address(1)).unwrap_err();
        // The control: somebody else has not waited.
        rates.enter(address(2)).unwrap();
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let rates = rates(&FakeRelativeClock::default());
        let of = |n: u16| Some(format!("2001:db8:0:7:{n:x}::1").parse().unwrap());
        assert_eq!((0..1_000).filter(|n| rates.enter(of(*n)).is_ok()).count(), 60);
        rates.enter(Some("2001:db8:0:8::1".parse().unwrap())).unwrap();
    }

    #[test]
    fn an_attacker_from_everywhere_does_not_lock_the_owner_out() {
        let rates = rates(&FakeRelativeClock::default());
        rates.log_in("alice", address(1)).unwrap();
        rates.logged_in("alice", address(1));
        let tried = (2..10_000).filter(|n| rates.log_in("alice", address(*n)).is_ok());
        assert_eq!(tried.count(), 59);
        // From a network that nobody knows she is out as long as that goes on; from her own she is not.
        rates.log_in("alice", address(10_001)).unwrap_err();
        rates.log_in("alice", address(1)).unwrap();
        // And from one network a name has ten tries, whoever it is.
        let rates = super::tests::rates(&FakeRelativeClock::default());
        rates.logged_in("bob", address(1));
        assert_eq!((0..100).filter(|_| rates.log_in("bob", address(1)).is_ok()).count(), 10);
    }

    /// However many keys come, nothing grows, and those who share a place with some of them are let in by the other.
    #[test]
    fn a_million_clients_take_no_more_room_than_one() {
        let rates = rates(&FakeRelativeClock::default());
        let places = |table: &Table<_>| std::mem::size_of_val(table);
        let before = places(&rates.entries);
        for n in 0..1_000_000 {
            let _ = rates.enter(address(n));
        }
        assert_eq!(places(&rates.entries), before);
        // A thousand that have used theirs up.
        let rates = super::tests::rates(&FakeRelativeClock::default());
        for n in 0..1_000 {
            while rates.enter(address(n)).is_ok() {}
        }
        let innocent = (1_000_000..1_010_000).filter(|n| rates.enter(address(*n)).is_ok()).count();
        assert!(innocent > 9_800, "{innocent}");
    }
}
