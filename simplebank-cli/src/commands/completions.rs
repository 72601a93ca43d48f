//! `simplebank completions`.

use clap_complete::{Shell, generate};

use crate::{
    args,
    exit::{Code, Failure},
    output,
};

pub(super) fn run(shell: Shell) -> Result<Code, Failure> {
    // Into memory first: the generator would panic where the output is closed.
    let mut script = Vec::new();
    generate(shell, &mut args::command(), "simplebank", &mut script);
    output::last(&String::from_utf8_lossy(&script))?;
    Ok(Code::Done)
}
