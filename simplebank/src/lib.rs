//! A bank you can embed: it moves money on PostgreSQL exactly once.
//!
//! A [`Bank`] is a database and its use cases. Each is one method, one file and one transaction:
//!
//! | | |
//! |---|---|
//! | users | [`register`](Bank::register), [`me`](Bank::me), [`user_by_name`](Bank::user_by_name), [`users`](Bank::users), [`set_role`](Bank::set_role), [`request_email_verification`](Bank::request_email_verification), [`verify_email`](Bank::verify_email), [`verify_own_email`](Bank::verify_own_email), [`change_password`](Bank::change_password) |
//! | sessions | [`log_in`](Bank::log_in), [`authenticate`](Bank::authenticate), [`renew`](Bank::renew), [`log_out`](Bank::log_out), [`log_out_by`](Bank::log_out_by), [`log_out_everywhere`](Bank::log_out_everywhere), [`own_sessions`](Bank::own_sessions), [`end_session`](Bank::end_session) |
//! | accounts | [`open_account`](Bank::open_account), [`account`](Bank::account), [`accounts`](Bank::accounts), [`entries`](Bank::entries), [`balance_at`](Bank::balance_at), [`statement`](Bank::statement), [`freeze`](Bank::freeze), [`unfreeze`](Bank::unfreeze), [`set_limits`](Bank::set_limits), [`close_account`](Bank::close_account) |
//! | money | [`deposit`](Bank::deposit), [`withdraw`](Bank::withdraw), [`transfer`](Bank::transfer), [`post_all`](Bank::post_all), [`place_hold`](Bank::place_hold), [`capture`](Bank::capture), [`void`](Bank::void), [`hold_by_id`](Bank::hold_by_id), [`holds`](Bank::holds), [`reverse`](Bank::reverse), [`dry_run`](Bank::dry_run), [`transfer_by_id`](Bank::transfer_by_id), [`transfers`](Bank::transfers), [`transfers_by_reference`](Bank::transfers_by_reference) |
//! | ledger | [`verify`](Bank::verify) |
//! | jobs | [`jobs`](Bank::jobs), [`retry_job`](Bank::retry_job), [`drop_job`](Bank::drop_job); a [`Worker`] does them |
//!
//! Every movement of money carries an [`IdempotencyKey`](core::IdempotencyKey) that its caller chose: sent again, it gives
//! the same answer and has no second effect, whatever happened in between. [`transfer_in`](Bank::transfer_in) and its
//! siblings do the same inside a transaction of your own, so that your rows and our transfer commit or vanish together.
//!
//! ```no_run
//! use simplebank::{Bank, Transfer, core::{Amount, Memo, Principal}, db::{Db, PoolOptions}};
//!
//! # async fn example(alice: simplebank::core::AccountId, bob: simplebank::core::AccountId) -> Result<(), Box<dyn std::error::Error>> {
//! let bank = Bank::new(Db::connect("postgres://localhost/simplebank", PoolOptions::default()).await?)?;
//! let euro = "EUR".parse()?;
//! let rent = Transfer { from_account_id: alice, to_account_id: bob, amount: Amount::parse("850", euro)?, currency: euro, memo: Memo::NONE };
//! let receipt = bank.transfer(&Principal::Operator, "rent-2026-11".parse()?, rent).await?;
//! println!("{} left", receipt.account.balance.to_decimal(euro));
//! # Ok(())
//! # }
//! ```

mod access;
mod accounts;
mod bank;
pub mod csv;
mod error;
mod jobs;
mod ledger;
pub mod mail;
mod page;
pub mod password;
pub mod ports;
mod road;
mod sessions;
#[cfg(feature = "testing")]
pub mod testing;
mod transfers;
mod users;

pub use simplebank_core as core;
pub use simplebank_db as db;
pub use simplebank_token as token;

pub use self::{
    accounts::{BalanceAt, OpenAccount, SetLimits, Statement, StatementPage, StatementPlace},
    bank::{Bank, Builder, TokenSettings},
    error::{Error, FieldError, Kind},
    jobs::{Tick, Worker, WorkerOptions},
    ledger::{Progress, Report},
    page::{Listing, Page, PageLimit},
    password::{HashCost, InvalidHashCost, NewPassword},
    road::{Mode, Receipt, ReceiptAccount, committer::CommitterOptions},
    sessions::{AccessToken, Caller, LogIn, LoggedIn, Renewed, SessionSettings},
    transfers::{Deposit, Member, PlaceHold, Reverse, Transfer, Withdrawal},
    users::{ChangePassword, EmailVerification, Register},
};
