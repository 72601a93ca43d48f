//! `simplebank`: the bank from the command line, for whoever holds the keys of its database.
//!
//! [`args`] says what can be asked, [`commands`] does it, [`output`] answers on stdout, and [`exit`] turns every failure
//! into a text on stderr and an exit code. Business rules are none here: each command is a use case of the crate `simplebank`.

mod args;
mod commands;
mod exit;
mod output;

use std::process::ExitCode;

fn main() -> ExitCode {
    match args::parse() {
        Ok(arguments) => {
            let format = arguments.format();
            exit::finish(commands::run(arguments), format)
        }
        Err((error, format)) => exit::finish(Err(exit::Failure::Arguments(error)), format),
    }
}
