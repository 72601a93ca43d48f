//! `simplebank user`.

use std::{
    env,
    io::{self, IsTerminal as _, Read as _},
};

use secrecy::{ExposeSecret as _, SecretString};
use simplebank::{
    Bank, NewPassword, Register,
    core::{self, Role, user::Username},
};
use simplebank_localpg::DatabaseArgs;

use super::{OPERATOR, every_page, on_bank, user_named, viewed};
use crate::{
    args::User,
    exit::{Code, Failure},
    output::{self, Format, UserRow},
};

/// No password is longer: 128 characters of up to 4 bytes, and a line break. One byte more is read, to be refused.
const PASSWORD_BYTES_MAX: u64 = 128 * 4 + 2;

const PASSWORD_VARIABLE: &str = "SIMPLEBANK_PASSWORD";

pub(super) fn run(command: User, settings: &DatabaseArgs, format: Format) -> Result<Code, Failure> {
    match command {
        User::Create { username, full_name, email, password_stdin } => {
            // Before anything is connected to: typing takes a while.
            let password = if password_stdin { from_stdin() } else { from_elsewhere() }?;
            let password = new_password(&password)?;
            let command = Register { username, password, full_name, email };
            on_bank(settings, format, async |bank| create(bank, command, format).await)
        }
        User::List => on_bank(settings, format, async |bank| list(bank, format).await),
        User::SetRole { username, role } => {
            on_bank(settings, format, async |bank| set_role(bank, &username, role, format).await)
        }
        User::Freeze { username } => on_bank(settings, format, async |bank| {
            let user = user_named(bank, "<USERNAME>", &username).await?;
            shown(bank.freeze_user(&OPERATOR, user.id).await?, format)
        }),
        User::Unfreeze { username } => on_bank(settings, format, async |bank| {
            let user = user_named(bank, "<USERNAME>", &username).await?;
            shown(bank.unfreeze_user(&OPERATOR, user.id).await?, format)
        }),
    }
}

fn shown(user: core::user::User, format: Format) -> Result<Code, Failure> {
    output::one(format, &UserRow::from(user))?;
    Ok(Code::Done)
}

async fn create(bank: &Bank, command: Register, format: Format) -> Result<Code, Failure> {
    let user = bank.register(command).await?;
    output::one(format, &UserRow::from(user))?;
    Ok(Code::Done)
}

async fn list(bank: &Bank, format: Format) -> Result<Code, Failure> {
    every_page(format, None, async |page| {
        Ok(viewed(bank.users(&OPERATOR, page).await?, UserRow::from))
    })
    .await
}

async fn set_role(
    bank: &Bank,
    username: &Username,
    role: Role,
    format: Format,
) -> Result<Code, Failure> {
    let user = user_named(bank, "<USERNAME>", username).await?;
    bank.set_role(&OPERATOR, user.id, role).await?;
    let user = user_named(bank, "<USERNAME>", username).await?;
    output::one(format, &UserRow::from(user))?;
    Ok(Code::Done)
}

fn new_password(text: &SecretString) -> Result<NewPassword, Failure> {
    text.expose_secret().parse().map_err(|reason| Failure::Password(format!("{reason}")))
}

fn from_stdin() -> Result<SecretString, Failure> {
    let mut text = String::new();
    io::stdin().lock().take(PASSWORD_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| {
        Failure::Password(format!("cannot be read from standard input: {error}"))
    })?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).into())
}

fn from_elsewhere() -> Result<SecretString, Failure> {
    if let Some(text) = env::var_os(PASSWORD_VARIABLE) {
        let unreadable = |_| Failure::Password(format!("{PASSWORD_VARIABLE} is not UTF-8"));
        return text.into_string().map(SecretString::from).map_err(unreadable);
    }
    if io::stdin().is_terminal() { from_terminal() } else { Err(Failure::NoPassword) }
}

fn from_terminal() -> Result<SecretString, Failure> {
    let ask = |prompt| {
        rpassword::prompt_password(prompt).map(SecretString::from).map_err(|error| {
            Failure::Password(format!("cannot be read from the terminal: {error}"))
        })
    };
    let first = ask("Password: ")?;
    // Refused before it is typed again.
    new_password(&first)?;
    let second = ask("Password, again: ")?;
    if first.expose_secret() == second.expose_secret() {
        Ok(first)
    } else {
        Err(Failure::Password("the two differ".to_owned()))
    }
}
