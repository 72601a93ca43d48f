//! Which keys a maker has: one that signs, and more that verify.

use std::fmt;

use thiserror::Error;

use crate::{PublicKey, SecretKey, SymmetricKey};

/// A key that makes tokens: [`SymmetricKey`] or [`SecretKey`].
pub trait ActiveKey: fmt::Debug + Clone + sealed::Sealed {
    /// The key that verifies what this one makes, and is all that has to be kept of it later: the same key, or the public half.
    type Verifying: fmt::Debug + Clone;

    /// The key that verifies what this one makes.
    fn verifying(&self) -> Self::Verifying;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::SymmetricKey {}
    impl Sealed for super::SecretKey {}
}

impl ActiveKey for SymmetricKey {
    type Verifying = Self;

    fn verifying(&self) -> Self {
        self.clone()
    }
}

impl ActiveKey for SecretKey {
    type Verifying = PublicKey;

    fn verifying(&self) -> PublicKey {
        self.public_key()
    }
}

/// The keys of a maker: the active one signs, and it and all others verify.
///
/// Tokens name their key by an id that is computed from it, and a maker looks for that name among the keys of its ring and
/// nowhere else. A ring without others is made of a key by `into()`.
///
/// # Rotation
///
/// With one server: make the new key active, accept the old one, and drop the old one when the last token that it made has
/// expired. With several: have all of them accept the new key first, since a token may be shown to a server other than the one
/// that issued it.
///
/// ```
/// use simplebank_token::{KeyRing, PasetoPublic, SecretKey};
///
/// let (old, new) = (SecretKey::generate()?, SecretKey::generate()?);
///
/// let announced = KeyRing::new(old.clone()).accepting(&new)?; // 1. on every server
/// let rotated = KeyRing::new(new.clone()).accepting(&old)?; // 2. nobody is logged out
/// let done = KeyRing::new(new); // 3. after the longest life of a token
/// let maker = PasetoPublic::new(done);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyRing<K: ActiveKey> {
    active: K,
    verifying: Vec<K::Verifying>,
}

/// A ring has [`KeyRing::KEYS_MAX`] keys and takes no more.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("token keys are too many: at most {max}", max = KeyRing::<SymmetricKey>::KEYS_MAX)]
pub struct RingFull;

impl<K: ActiveKey> KeyRing<K> {
    /// The most keys in a ring. Names are looked up one after the other; a rotation a week, with refresh tokens that live for
    /// thirty days, needs six.
    pub const KEYS_MAX: usize = 16;

    /// A ring of one key.
    #[must_use]
    pub fn new(active: K) -> Self {
        Self { verifying: vec![active.verifying()], active }
    }

    /// The same ring with one more key whose tokens are accepted, though none are made with it.
    ///
    /// # Errors
    ///
    /// [`RingFull`] when there are [`KEYS_MAX`](Self::KEYS_MAX) already.
    pub fn accepting(mut self, key: impl Into<K::Verifying>) -> Result<Self, RingFull> {
        if self.verifying.len() >= Self::KEYS_MAX {
            return Err(RingFull);
        }
        self.verifying.push(key.into());
        Ok(self)
    }

    /// The key that signs.
    #[must_use]
    pub const fn active(&self) -> &K {
        &self.active
    }

    /// The keys that verify, beginning with that of the active one.
    #[must_use]
    pub fn verifying(&self) -> &[K::Verifying] {
        &self.verifying
    }

    /// What `prepare` makes of each key that verifies, under the name by which tokens call it.
    pub(crate) fn by_name<P>(
        &self,
        name: impl Fn(&K::Verifying) -> String,
        prepare: impl Fn(&K::Verifying) -> P,
    ) -> ByName<P> {
        ByName(self.verifying.iter().map(|key| (name(key), prepare(key))).collect())
    }
}

impl<K: ActiveKey> From<K> for KeyRing<K> {
    fn from(active: K) -> Self {
        Self::new(active)
    }
}

impl<K: ActiveKey> From<&K> for KeyRing<K> {
    fn from(active: &K) -> Self {
        Self::new(active.clone())
    }
}

/// Keys under their names: the exact text in which a token of theirs names them, encoded as tokens have it.
///
/// A name is compared and never parsed, so that nothing in it, whatever a forger wrote there, is read by anybody.
#[derive(Clone, Debug)]
pub(crate) struct ByName<P>(Vec<(String, P)>);

impl<P> ByName<P> {
    /// The key of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&P> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, key)| key)
    }
}
