//! `Bank::verify` in a process of its own, so that its memory can be told.

use std::{
    env, fs,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

use crate::{Failure, in_process, number::thousands, server_process::this_program};

/// The environment variable that makes this program verify the database that it names.
const VERIFIES: &str = "SIMPLEBANK_BENCHES_VERIFIES";

/// Verifies, if this process is to do that.
pub(crate) fn verify_if_asked() -> Option<ExitCode> {
    let url = env::var(VERIFIES).ok()?;
    Some(match verify(&url) {
        Ok(found) => {
            println!("{found}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    })
}

/// Verifies a ledger; says how many rows, how long and how much memory. Fails if the ledger is not whole; blocks.
pub(crate) fn run(url: &str) -> Result<String, Failure> {
    let output =
        Command::new(this_program()?).env(VERIFIES, url).stderr(Stdio::inherit()).output()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        Ok(said)
    } else {
        Err(format!("the ledger was not verified: {said}").into())
    }
}

#[tokio::main]
async fn verify(url: &str) -> Result<String, Failure> {
    let bank = in_process::open(url).await?;
    let begun_at = Instant::now();
    let report = bank.verify(|_| ()).await?;
    let took = begun_at.elapsed();
    if let Some(violation) = report.violation {
        return Err(format!("{violation:?}").into());
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .map_or("unknown memory", str::trim);
    Ok(format!(
        "{} rows in {:.1} s with at most {most}",
        thousands(report.rows),
        took.as_secs_f64()
    ))
}
