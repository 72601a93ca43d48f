//! Keys: read from a setting or made at random, refused when weak, never printed, wiped when dropped.

mod ed25519;
mod jwk;
mod paserk;
mod symmetric;
#[cfg(test)]
mod vectors;
mod weak;

use thiserror::Error;

pub use self::{
    ed25519::{PublicKey, SecretKey},
    symmetric::SymmetricKey,
};

/// The longest text of a key that is looked at, in bytes: a JWK of ours has some 200, and one with certificates in it is not.
const TEXT_BYTES_MAX: usize = 2048;

/// How to do better; what is said of the bytes of a key ends with it.
const MAKE_ONE: &str = "make a random one, such as `openssl rand -hex 32` for a shared key";

/// A text or some bytes are not a key that may be used. The key itself is never part of the message.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// It has none of the forms of a [`SymmetricKey`].
    #[error(
        "token key has {bytes} bytes, and is none of: 64 hex digits, PASERK k4.local, JWK oct, 32 characters; {}",
        MAKE_ONE
    )]
    Length {
        /// The length that it has.
        bytes: usize,
    },
    /// It has 64 characters, and not all of them are hex digits.
    #[error("token key has 64 characters that are not all hex digits; {}", MAKE_ONE)]
    Hex,
    /// It has none of the forms of a [`SecretKey`].
    #[error("token key is none of: PASERK k4.secret, JWK OKP with Ed25519 and a secret half")]
    NotSecret,
    /// It has none of the forms of a [`PublicKey`]; a secret key is none, since it has no business there.
    #[error("token key is none of: PASERK k4.public, JWK OKP with Ed25519 without its secret half")]
    NotPublic,
    /// It begins as a PASERK, but what follows is not a key of the right length in unpadded base64url.
    #[error("token key begins as PASERK and is not one; {}", MAKE_ONE)]
    Paserk,
    /// It begins as a JWK, but is not one for this use: `kty`, `crv`, `alg`, `use`, `key_ops` or the length is another, or a
    /// member is missing, repeated or not unpadded base64url.
    #[error("token key begins as JWK and is none for this use; {}", MAKE_ONE)]
    Jwk,
    /// Its public half does not belong to its secret one.
    #[error("token key has two halves that do not belong together")]
    Halves,
    /// It is no point of Ed25519's curve, or one for which signatures can be made without the secret half.
    #[error("token key is not the public half of any good key")]
    Point,
    /// It is a published example: of a course, an RFC or a specification.
    #[error("token key is a published example; {}", MAKE_ONE)]
    WellKnown,
    /// Its bytes ascend or descend, or most of them are one away from their neighbour.
    #[error("token key is a sequence; {}", MAKE_ONE)]
    Sequence,
    /// Its first 1 to 16 bytes are repeated to the end.
    #[error("token key repeats itself; {}", MAKE_ONE)]
    Repetition,
    /// It has fewer than 12 different bytes.
    #[error("token key has fewer than {} different bytes; {}", weak::DISTINCT_BYTES_MIN, MAKE_ONE)]
    Monotony,
    /// The operating system gave no randomness for a fresh key.
    #[error("no randomness for a token key")]
    Randomness(#[source] getrandom::Error),
}
