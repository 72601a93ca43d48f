//! Accounts.

mod entries;
pub(crate) mod find;
mod freeze;
mod open;

pub use self::open::OpenAccount;
