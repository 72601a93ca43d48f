//! Accounts.

mod balance_at;
mod close;
mod current;
mod entries;
pub(crate) mod find;
mod freeze;
mod limits;
mod notice;
mod open;
mod statement;

pub use self::{
    balance_at::BalanceAt,
    limits::SetLimits,
    open::OpenAccount,
    statement::{Statement, StatementPage, StatementPlace},
};
#[cfg(feature = "testing")]
pub(crate) use self::{
    balance_at::not_open_yet,
    statement::{check_period, unknown_place},
};
