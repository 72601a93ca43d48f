//! What a transfer costs: `cargo run --release -p simplebank-benches -- compare`.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]
#![expect(clippy::float_arithmetic, reason = "ratios of measured figures")]

mod arguments;
mod batches;
mod cluster;
mod compare;
mod course;
mod cpu;
mod growth;
mod http_client;
mod in_process;
mod login;
mod machine;
mod measure;
mod memory;
mod number;
mod pgbench;
mod plans;
mod plot;
mod random;
mod report;
mod server_process;
mod stage;
mod stats;
mod summary;
mod system;
mod targets;
mod verify_process;
mod workload;
mod world;

use std::{error::Error, process::ExitCode};

use clap::Parser as _;
use mimalloc::MiMalloc;

use crate::arguments::{Arguments, Command};

/// As the server has it, which runs in this program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Why something could not be measured.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    if let Some(ended) = server_process::serve_if_asked().or_else(verify_process::verify_if_asked) {
        return ended;
    }
    let arguments = Arguments::parse();
    match measure(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn measure(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Compare(options) => compare::run(&options).await,
        Command::Growth(options) => growth::run(&options).await,
        Command::Memory(options) => memory::run(&options).await,
        Command::Login(options) => login::run(&options).await,
    }
}
