//! Moving money, and what was moved.

mod deposit;
mod find;
mod transfer;
mod withdraw;

pub use self::{deposit::Deposit, transfer::Transfer, withdraw::Withdrawal};
