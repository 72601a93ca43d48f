//! The pure half of a bank: values in, decisions out.
//!
//! Nothing here waits, reads a clock, draws a random number or knows of a database. What may happen is decided here;
//! the crate `simplebank` makes it happen.
//!
//! - [`Currency`], [`Amount`] and [`Balance`]: money as `i64` minor units, checked, exact to and from [`Decimal`].
//! - [`account`]: customer and system accounts and their limits.
//! - [`transfer`]: the decision that turns an [`Order`](transfer::Order) into a [`Posting`](transfer::Posting) whose two
//!   entries sum to zero, into a [`Hold`], or into a [`Rejection`].
//! - [`hold`]: money that is promised and not yet moved.
//! - [`statement`], [`Instant`]: an account's history between two moments.
//! - [`ledger`]: the invariants of a finished ledger, checked row by row.
//! - [`user`], [`session`], [`access`]: who somebody is and what they may do.
//! - [`verification`]: showing that an e-mail address is one's own.
//! - [`job`]: work for later, and when to try it again.
//! - [`Rejection`]: every business "no", with its stable code.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod access;
pub mod account;
pub mod currency;
pub mod hold;
pub mod id;
pub mod idempotency;
pub mod instant;
pub mod job;
pub mod ledger;
pub mod memo;
pub mod money;
pub mod password;
pub mod rejection;
pub mod session;
pub mod statement;
pub mod text;
pub mod transfer;
pub mod user;
pub mod verification;

pub use access::{Principal, Role};
pub use account::Account;
pub use currency::Currency;
pub use hold::Hold;
pub use id::{AccountId, HoldId, JobId, SessionId, TokenId, TransferId, UserId, VerificationId};
pub use idempotency::IdempotencyKey;
pub use instant::Instant;
pub use job::Job;
pub use memo::Memo;
pub use money::{Amount, Balance};
pub use rejection::Rejection;
pub use rust_decimal::Decimal;
