//! `simplebank-localpg`: the local PostgreSQL by hand.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};
use simplebank_localpg::{DataDir, Error, LocalPostgres, Status, ThrowawayCluster};

/// Runs a local PostgreSQL, without set-up.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// Directory of the persistent cluster [default: /var/lib/simplebank as root, otherwise
    /// $XDG_DATA_HOME/simplebank or ~/.local/share/simplebank].
    #[arg(long, global = true, value_name = "DIRECTORY", env = "SIMPLEBANK_DATA_DIR")]
    data_dir: Option<OsString>,
}

#[derive(Subcommand)]
enum Action {
    /// Runs a command with DATABASE_URL naming a throw-away cluster, and exits with its code.
    Run {
        /// The command and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
    /// Starts the persistent cluster and leaves it running.
    Start,
    /// Stops the persistent cluster.
    Stop,
    /// Tells whether the persistent cluster runs: exits with 0 if it does, with 3 if not.
    Status,
    /// Prints the URL of the persistent cluster, with its password, if it runs.
    Url,
}

/// The exit code for "it does not run", as `pg_ctl status` has it.
const NOT_RUNNING: u8 = 3;

fn main() -> ExitCode {
    let Arguments { action, data_dir } = Arguments::parse();
    let data_dir = match data_dir.filter(|given| !given.is_empty()) {
        Some(given) => Ok(DataDir::at(given)),
        None => DataDir::find(),
    };
    let done = match action {
        Action::Run { command } => run(&command),
        Action::Start => data_dir.and_then(|data_dir| start(&data_dir)),
        Action::Stop => data_dir.and_then(|data_dir| stop(&data_dir)),
        Action::Status => data_dir.and_then(|data_dir| status(&data_dir)),
        Action::Url => data_dir.and_then(|data_dir| url(&data_dir)),
    };
    done.unwrap_or_else(|error| {
        let reason = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        eprintln!("error: {error}{reason}");
        ExitCode::FAILURE
    })
}

fn run(command: &[OsString]) -> Result<ExitCode, Error> {
    let Some((program, arguments)) = command.split_first() else { return Ok(ExitCode::FAILURE) };
    let cluster = ThrowawayCluster::start()?;
    let status = Command::new(program)
        .args(arguments)
        .env("DATABASE_URL", cluster.url("postgres"))
        .status()
        .map_err(|source| Error::Command { program: program.clone(), source })?;
    drop(cluster);
    // As a shell has it: a command that a signal ended has the code 128 + the signal's number.
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

fn start(data_dir: &DataDir) -> Result<ExitCode, Error> {
    let postgres = LocalPostgres::start(data_dir.path())?;
    let said = format!("running in {}", postgres.directory().display());
    postgres.keep_running()?;
    Ok(say(&said))
}

fn stop(data_dir: &DataDir) -> Result<ExitCode, Error> {
    let ran = LocalPostgres::stop_server(data_dir.path())?;
    Ok(say(if ran { "stopped" } else { "not running" }))
}

fn status(data_dir: &DataDir) -> Result<ExitCode, Error> {
    match LocalPostgres::status(data_dir.path())? {
        Status::Running { pid, url: _ } => Ok(say(&format!("running as process {pid}"))),
        Status::Stopped => Ok(not_running("not running")),
        Status::NoCluster => Ok(not_running("there is no cluster yet")),
    }
}

fn url(data_dir: &DataDir) -> Result<ExitCode, Error> {
    match LocalPostgres::status(data_dir.path())? {
        Status::Running { pid: _, url } => Ok(say(&url)),
        Status::Stopped | Status::NoCluster => {
            eprintln!("not running");
            Ok(ExitCode::from(NOT_RUNNING))
        }
    }
}

fn not_running(text: &str) -> ExitCode {
    say(text);
    ExitCode::from(NOT_RUNNING)
}

/// Prints a line for the caller. Nobody reading it is no reason to fail.
fn say(text: &str) -> ExitCode {
    let _ = writeln!(io::stdout(), "{text}");
    ExitCode::SUCCESS
}
