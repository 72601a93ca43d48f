//! Moving money, and what was moved.

mod capture;
mod deposit;
mod find;
mod hold;
mod holds;
mod post_all;
mod reverse;
mod transfer;
mod void;
mod withdraw;

pub use self::{
    deposit::Deposit, hold::PlaceHold, post_all::Member, reverse::Reverse, transfer::Transfer,
    withdraw::Withdrawal,
};
