//! The binary: reads the settings, serves, and says why it could not.

use std::process::ExitCode;

fn main() -> ExitCode {
    simplebank_http::start::main()
}
