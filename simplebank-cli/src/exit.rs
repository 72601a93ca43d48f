//! How a command ends: an exit code, and on stderr what went wrong and what to do about it.

use std::{
    error::Error as StdError,
    fmt::Display,
    io::{self, Write as _},
    process::ExitCode,
};

use serde::Serialize;
use simplebank::{
    Error, Kind,
    core::{IdempotencyKey, Rejection, user::Username},
    db,
};

use crate::output::Format;

/// The exit codes, as `--help` documents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Done.
    Done,
    /// The bank said no, or something was found wrong.
    No,
    /// Usage, settings, or a database that is not there or not ready.
    Setup,
    /// Not now, or nobody knows: repeat.
    Again,
    /// A defect.
    Internal,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(match code {
            Code::Done => 0,
            Code::No => 1,
            Code::Setup => 2,
            Code::Again => 3,
            Code::Internal => 70,
        })
    }
}

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line can't be read, or asks for help.
    #[error("wrong usage")]
    Arguments(#[source] clap::Error),
    /// An argument that only others can judge is wrong.
    #[error("invalid value '{}' for '{argument}': {reason}", value.escape_debug())]
    Value { argument: &'static str, value: String, reason: String },
    /// The password can't be read, or won't do.
    #[error("password: {0}")]
    Password(String),
    /// There is no password.
    #[error("password: none given")]
    NoPassword,
    /// A token key can't be read, made or used. The key is never part of the text.
    #[error("token key: {0}")]
    TokenKey(String),
    /// Data would be lost, and nobody has agreed to that.
    #[error("this would take back {lost}, and destroy all data in their tables; nothing was done")]
    WouldDestroy { lost: String },
    /// There is no database to speak to.
    #[error("no database")]
    NoDatabase(#[source] simplebank_localpg::Error),
    /// The database does not let us in.
    #[error("cannot connect to {database}")]
    Connect {
        database: String,
        #[source]
        source: db::Error,
    },
    /// The database lacks migrations.
    #[error("{database} is not migrated: it has {has}")]
    NotMigrated { database: String, has: String },
    /// The migrations don't run.
    #[error("the migrations did not run")]
    Migrations(#[source] db::Error),
    /// A user who was named does not exist.
    #[error("there is no user {username}, given as '{argument}'")]
    NoSuchUser { argument: &'static str, username: Username },
    /// Mail can't be sent as it is set.
    #[error("no mail")]
    Mail(#[source] simplebank::mail::MailError),
    /// A use case.
    #[error(transparent)]
    Bank(#[from] Error),
    /// A movement of money.
    #[error("{source}")]
    Money {
        key: IdempotencyKey,
        #[source]
        source: Error,
    },
    /// An import that could not go on.
    #[error("stopped after {rows} rows: {source}")]
    Import {
        rows: u64,
        #[source]
        source: Error,
    },
    /// The answer can't be written.
    #[error("cannot write the answer")]
    Output(#[source] io::Error),
    /// There is no room to run in.
    #[error("cannot start")]
    Runtime(#[source] io::Error),
}

impl Failure {
    /// Says that `argument` is wrong because of `reason`.
    pub(crate) fn value(argument: &'static str, value: impl Display, reason: impl Display) -> Self {
        Self::Value { argument, value: value.to_string(), reason: reason.to_string() }
    }

    /// True when the program that reads the answer has stopped reading it.
    fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    fn exit(&self) -> Code {
        match self {
            Self::Arguments(_)
            | Self::Value { .. }
            | Self::Password(_)
            | Self::NoPassword
            | Self::TokenKey(_)
            | Self::WouldDestroy { .. }
            | Self::NoDatabase(_)
            | Self::NotMigrated { .. }
            | Self::Mail(_)
            | Self::Migrations(_) => Code::Setup,
            Self::Connect { source, .. } if is_overload(source) => Code::Again,
            Self::Connect { .. } => Code::Setup,
            Self::NoSuchUser { .. } => Code::No,
            Self::Bank(error)
            | Self::Money { source: error, .. }
            | Self::Import { source: error, .. } => of_bank(error),
            Self::Output(_) => Code::Again,
            Self::Runtime(_) => Code::Internal,
        }
    }

    /// A stable name for programs: the bank's code where the bank gave the answer.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Arguments(_)
            | Self::Value { .. }
            | Self::Password(_)
            | Self::NoPassword
            | Self::TokenKey(_)
            | Self::Mail(_) => "invalid_input",
            Self::WouldDestroy { .. } => "confirmation_required",
            Self::Connect { source, .. } if is_overload(source) => "overloaded",
            Self::NoDatabase(_) | Self::Connect { .. } => "database_unreachable",
            Self::NotMigrated { .. } => "not_migrated",
            Self::Migrations(_) => "migration_failed",
            Self::NoSuchUser { .. } => "not_found",
            Self::Bank(error)
            | Self::Money { source: error, .. }
            | Self::Import { source: error, .. } => {
                if is_not_migrated(error) {
                    "not_migrated"
                } else {
                    error.code()
                }
            }
            Self::Output(_) => "answer_not_written",
            Self::Runtime(_) => "internal",
        }
    }

    /// What happened and why.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Arguments(error) => one_line(error),
            Self::Value { .. }
            | Self::Password(_)
            | Self::NoPassword
            | Self::TokenKey(_)
            | Self::WouldDestroy { .. }
            | Self::NoDatabase(_)
            | Self::Connect { .. }
            | Self::NotMigrated { .. }
            | Self::Migrations(_)
            | Self::NoSuchUser { .. }
            | Self::Mail(_)
            | Self::Bank(_)
            | Self::Money { .. }
            | Self::Import { .. }
            | Self::Output(_)
            | Self::Runtime(_) => with_sources(self),
        }
    }

    /// The way out, where there is one.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::WouldDestroy { .. } => Some("add --yes to do it".to_owned()),
            Self::NoPassword => Some(
                "use --password-stdin, set SIMPLEBANK_PASSWORD, or run this on a terminal"
                    .to_owned(),
            ),
            Self::Connect { .. } => {
                Some("check DATABASE_URL; `simplebank doctor` tells more".to_owned())
            }
            Self::NotMigrated { .. } => Some(MIGRATE.to_owned()),
            Self::Migrations(_) => Some(
                "it takes the database's owner, and a program as new as the database".to_owned(),
            ),
            Self::NoSuchUser { .. } => Some("`simplebank user list` shows the users".to_owned()),
            Self::Bank(error) => way_out(error),
            Self::Money { key, source } => way_out_with_money(key, source),
            Self::Import { source, .. } if of_bank(source) == Code::Again => {
                Some("repeat the command: what has happened does not happen again".to_owned())
            }
            Self::Import { source, .. } => way_out(source),
            Self::Output(_) => {
                Some("repeat the command; if it moved money, with the same --key".to_owned())
            }
            Self::Arguments(_)
            | Self::Value { .. }
            | Self::Password(_)
            | Self::TokenKey(_)
            | Self::NoDatabase(_)
            | Self::Mail(_)
            | Self::Runtime(_) => None,
        }
    }

    fn key(&self) -> Option<&IdempotencyKey> {
        if let Self::Money { key, .. } = self { Some(key) } else { None }
    }
}

const MIGRATE: &str = "run `simplebank migrate up`";

/// The exit code for what the bank answered.
fn of_bank(error: &Error) -> Code {
    if is_not_migrated(error) {
        return Code::Setup;
    }
    match error.kind() {
        Kind::Invalid => Code::Setup,
        Kind::Unauthenticated
        | Kind::Forbidden
        | Kind::NotFound
        | Kind::Conflict
        | Kind::Rejected => Code::No,
        Kind::TooMany | Kind::Unavailable => Code::Again,
        Kind::Internal => Code::Internal,
    }
}

/// What went wrong, without what it was wrapped in to name one of many, or to be told to many.
fn root_of(mut error: &Error) -> &Error {
    loop {
        error = if let Error::Member { error, .. } = error {
            error
        } else if let Error::Shared(error) = error {
            error
        } else {
            return error;
        };
    }
}

fn is_not_migrated(error: &Error) -> bool {
    matches!(root_of(error), Error::Db(db::Error::NotMigrated(_)))
}

fn is_overload(error: &db::Error) -> bool {
    matches!(error, db::Error::Overload(_))
}

fn way_out(error: &Error) -> Option<String> {
    if is_not_migrated(error) {
        return Some(MIGRATE.to_owned());
    }
    if let Error::Rejected(rejection) = root_of(error) {
        return way_out_of_rejection(rejection);
    }
    (of_bank(error) == Code::Again).then(|| "repeat the command".to_owned())
}

fn way_out_with_money(key: &IdempotencyKey, error: &Error) -> Option<String> {
    if of_bank(error) == Code::Again {
        return Some(format!("repeat the command with --key {key}: the money moves once"));
    }
    if let Error::KeyReused = root_of(error) {
        return Some("use another key, or none, for another request".to_owned());
    }
    let way_out = way_out(error)?;
    Some(format!("{way_out}; this answer stays under its key, so ask again with another one"))
}

fn way_out_of_rejection(rejection: &Rejection) -> Option<String> {
    match rejection {
        Rejection::AccountNotFound { .. } => {
            Some("`simplebank account list` shows the accounts".to_owned())
        }
        Rejection::AccountFrozen { id } => {
            Some(format!("`simplebank account unfreeze {id}` opens it again"))
        }
        Rejection::CurrencyMismatch { id } => {
            Some(format!("`simplebank account show {id}` tells its currency"))
        }
        Rejection::InsufficientFunds { id } => {
            Some(format!("`simplebank account show {id}` tells its balance"))
        }
        Rejection::AccountExists { .. } => {
            Some("`simplebank account list --owner USERNAME` shows it".to_owned())
        }
        Rejection::UsernameTaken { .. } => Some("choose another one".to_owned()),
        Rejection::TransferLimitExceeded { id } => {
            Some(format!("`simplebank account limits {id} --transfer-limit` sets another limit"))
        }
        Rejection::DailyLimitExceeded { id } => Some(format!(
            "`simplebank account show {id}` tells what was spent today, `simplebank account limits {id} --daily-limit` \
             sets another limit"
        )),
        Rejection::HoldNotFound { .. } => {
            Some("`simplebank hold list ACCOUNT` shows the holds of an account".to_owned())
        }
        Rejection::HoldResolved { id } | Rejection::CaptureExceedsHold { id } => {
            Some(format!("`simplebank hold show {id}` tells what became of it"))
        }
        Rejection::HoldExpired { .. } => {
            Some("`simplebank hold place` places another one".to_owned())
        }
        Rejection::TransferNotFound { .. } => {
            Some("`simplebank transfers ACCOUNT` shows the transfers of an account".to_owned())
        }
        Rejection::NotReversible { .. } => {
            Some("`simplebank transfer` moves the money back by a transfer of its own".to_owned())
        }
        Rejection::ReversalExceedsTransfer { .. } => {
            Some("give back less; without an amount, all that is left is given back".to_owned())
        }
        Rejection::AccountNotEmpty { id } => {
            Some(format!("`simplebank account show {id}` tells what has to be paid out, or in"))
        }
        Rejection::AccountHasHolds { id } => {
            Some(format!("`simplebank hold list {id}` shows the holds to capture or to void"))
        }
        Rejection::LimitBelowUse { id } => {
            Some(format!("`simplebank account show {id}` tells its balance and what is held"))
        }
        Rejection::AccountClosed { .. } => {
            Some("`simplebank account list` shows the others".to_owned())
        }
        Rejection::HoldBindsPayer { .. } => Some("who is to be paid, or the bank, can".to_owned()),
        Rejection::SameAccount => Some("name two accounts".to_owned()),
        Rejection::BalanceOutOfRange { .. } => Some("move less".to_owned()),
    }
}

/// The error and its causes; what a cause only repeats is left out.
pub(crate) fn with_sources(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}

/// What clap has to say, without its "error:" and its usage.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let text = text.split("\n\nUsage:").next().unwrap_or(text);
    let text = text.split("\n\nFor more information").next().unwrap_or(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An error for programs.
#[derive(Serialize)]
struct Problem<'a> {
    code: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
}

/// Tells on stderr what went wrong; returns the exit code.
pub(crate) fn finish(result: Result<Code, Failure>, format: Format) -> ExitCode {
    let failure = match result {
        Ok(code) => return code.into(),
        // Whoever read the answer has read enough.
        Err(failure) if failure.is_broken_pipe() => return Code::Done.into(),
        Err(failure) => failure,
    };
    if let Failure::Arguments(error) = &failure {
        if !error.use_stderr() {
            let _ = error.print(); // --help and --version: nobody reading it is no failure
            return Code::Done.into();
        }
        if format == Format::Table {
            let _ = error.print();
            return failure.exit().into();
        }
    }
    tell(&failure, format);
    failure.exit().into()
}

fn tell(failure: &Failure, format: Format) {
    match format {
        Format::Table => {
            say(&format!("error: {}", failure.message()));
            if let Some(hint) = failure.hint() {
                say(&format!("hint: {hint}"));
            }
        }
        Format::Json => {
            let problem = Problem {
                code: failure.code(),
                message: failure.message(),
                hint: failure.hint(),
                idempotency_key: failure.key().map(IdempotencyKey::as_str),
            };
            say(&serde_json::to_string(&problem).unwrap_or_default());
        }
    }
}

/// Tells on stderr what is worth knowing beside the answer.
pub(crate) fn remark(format: Format, name: &str, value: &str) {
    match format {
        Format::Table => say(&format!("{}: {value}", name.replace('_', " "))),
        Format::Json => say(&serde_json::json!({ name: value }).to_string()),
    }
}

/// Writes a line to stderr. Nobody reading it is no reason to fail.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests;
