//! Sessions: from logging in to logging out.

mod authenticate;
mod log_in;
mod log_out;
mod logins;
mod refresh;
mod renew;
mod settings;
mod watch;

pub(crate) use self::logins::Logins;
pub use self::{
    authenticate::Caller,
    log_in::{LogIn, LoggedIn},
    renew::{AccessToken, Renewed},
    settings::SessionSettings,
};
