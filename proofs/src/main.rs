//! Runs the proofs and prints the table of `docs/reliability.md`; or measures `docs/isolation.md`.
#![expect(clippy::print_stdout, reason = "this is what the program is for")]

use std::{fs, path::PathBuf, process::ExitCode};

use clap::{ArgAction, Parser, Subcommand};
use simplebank::testing::TestDatabase;
use simplebank_proofs::{
    PROOFS, Proof, SERVE, Scale,
    isolation::{self, Measured},
    markers,
    run::{self, Controls},
    table::{self, Circumstances},
};
use time::OffsetDateTime;
use tokio::runtime::Runtime;

/// Tries what is promised when things go wrong: every proof in full, which takes a while. Build it with --release.
///
/// Exits with 1 if a promise was broken, or if a control found nothing although its safety net was gone.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Tries less: seconds for each proof, as the tests do.
    #[arg(long)]
    short: bool,
    /// Only these proofs, such as R5,R7.
    #[arg(long, value_name = "PROOFS", value_parser = Selection::parse, conflicts_with = "write")]
    only: Option<Selection>,
    /// Whether each proof is also tried without its safety net, and must fail.
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    controls: bool,
    /// Writes the table into this document, between `<!-- proofs: table -->` and `<!-- end -->`.
    #[arg(long, value_name = "DOCUMENT")]
    write: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures what docs/isolation.md says, and writes it there.
    Isolation,
}

#[derive(Clone, Debug)]
struct Selection(Vec<Proof>);

impl Selection {
    fn parse(list: &str) -> Result<Self, String> {
        run::select(list).map(Self)
    }
}

fn main() -> ExitCode {
    if std::env::var_os(SERVE).is_some() {
        return simplebank_http::start::main();
    }
    match Runtime::new() {
        Ok(runtime) => runtime.block_on(run()),
        Err(error) => {
            eprintln!("error: the operating system refuses to help: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Some(Command::Isolation) => measure_isolation().await,
        None => prove(arguments).await,
    };
    done.unwrap_or_else(|failure| {
        eprintln!("error: {failure}");
        ExitCode::from(2)
    })
}

async fn measure_isolation() -> Result<ExitCode, String> {
    let path = isolation::document();
    let document = read(&path)?;
    let measured = Measured::now().await?;
    write(&path, &measured.write_into(&document)?)?;
    println!("docs/isolation.md says what was measured");
    Ok(ExitCode::SUCCESS)
}

async fn prove(arguments: Arguments) -> Result<ExitCode, String> {
    let (scale, form) =
        if arguments.short { (Scale::Short, "short") } else { (Scale::Full, "full") };
    let controls = if arguments.controls { Controls::Run } else { Controls::Skip };
    let proofs = arguments.only.map_or_else(|| PROOFS.to_vec(), |Selection(proofs)| proofs);
    // Told now rather than in an hour.
    if let Some(path) = &arguments.write {
        markers::content(&read(path)?, table::MARKER)?;
    }
    let circumstances = circumstances(form).await;
    println!("{}\n", circumstances.sentence());
    let mut outcomes = Vec::new();
    for proof in proofs {
        let outcome = run::prove(proof, scale, controls).await;
        println!("{}, {} ({:.1?}): {}", proof.id, proof.fault, outcome.took, outcome.report);
        if let (Some(control), Some(report)) = (&proof.control, &outcome.control) {
            println!("{}, control, {}: {report}", proof.id, control.defect);
        }
        outcomes.push(outcome);
    }
    let text = format!("{}\n\n{}", circumstances.sentence(), table::markdown(&outcomes));
    println!("\n{text}");
    if let Some(path) = &arguments.write {
        write(path, &markers::replace(&read(path)?, table::MARKER, &text)?)?;
    }
    let is_failure = outcomes.iter().any(run::Outcome::is_failure);
    Ok(if is_failure { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn circumstances(form: &'static str) -> Circumstances {
    #[expect(clippy::disallowed_methods, reason = "the date in the table's heading")]
    let now = OffsetDateTime::now_utc();
    let server = TestDatabase::new().await.db().server().await.expect("the server answers");
    Circumstances {
        form,
        date: now.date().to_string(),
        postgresql: server.version,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn read(path: &PathBuf) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn write(path: &PathBuf, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
