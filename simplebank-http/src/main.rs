//! The binary: reads the settings, serves, and says why it could not.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request is some hundred allocations, made and freed by different threads.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    simplebank_http::start::main()
}
