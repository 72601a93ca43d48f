//! Runs pgbench and reads its log of single transactions.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::available_parallelism,
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    Failure,
    cluster::Cluster,
    measure::{Log, Schedule},
    number::micros,
};

/// A pgbench that is there.
#[derive(Clone, Debug)]
pub(crate) struct Pgbench {
    program: PathBuf,
}

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) url: String,
    pub(crate) script: String,
    pub(crate) accounts: u32,
    pub(crate) connections: u32,
    pub(crate) seed: u64,
    pub(crate) schedule: Schedule,
}

/// A line of the log: when a transaction ended, and how long it took. `None` for one that failed.
type Line = (Duration, Option<Duration>);

impl Pgbench {
    /// The one beside the server's programs, or else the one in `PATH`.
    pub(crate) fn find(cluster: &Cluster) -> Result<Self, Failure> {
        let beside = cluster.programs().join("pgbench");
        let program = if beside.is_file() { beside } else { PathBuf::from("pgbench") };
        let answer = Command::new(&program).arg("--version").stdout(Stdio::null()).status();
        match answer {
            Ok(status) if status.success() => Ok(Self { program }),
            Ok(_) | Err(_) => Err(format!(
                "there is no pgbench, neither in {} nor in PATH; install it (Debian: apt-get install postgresql, which has it; \
                 elsewhere: postgresql-contrib), or leave it out with --only http,bank,batch-1000",
                cluster.programs().display()
            )
            .into()),
        }
    }

    /// Runs a load to its end; blocks.
    pub(crate) fn run(&self, load: &Load) -> Result<Log, Failure> {
        let directory = TempDir::with_prefix("simplebank-pgbench-")?;
        let script = directory.path().join("script.sql");
        fs::write(&script, &load.script)?;
        let threads =
            available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
        let output = Command::new(&self.program)
            .args(["--no-vacuum", "--protocol=prepared", "--log"])
            .arg(format!("--log-prefix={}", directory.path().join("log").display()))
            .arg(format!("--file={}", script.display()))
            .arg(format!("--define=accounts={}", load.accounts))
            .arg(format!("--client={}", load.connections))
            .arg(format!("--jobs={}", threads.min(load.connections)))
            .arg(format!("--time={}", load.schedule.whole().as_secs()))
            .arg(format!("--random-seed={}", load.seed))
            .arg(&load.url)
            .output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("pgbench failed: {}", said.trim()).into());
        }
        evaluate(&lines(directory.path())?, load.schedule)
    }
}

fn lines(directory: &Path) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log.")) {
            continue;
        }
        for line in BufReader::new(File::open(&path)?).lines() {
            let line = line?;
            let parsed = parse(&line)
                .ok_or_else(|| format!("pgbench logged {line:?}, which is not understood"))?;
            lines.push(parsed);
        }
    }
    Ok(lines)
}

/// Reads `client transaction time script epoch_s epoch_us`.
fn parse(line: &str) -> Option<Line> {
    let mut fields = line.split_whitespace().skip(2);
    let took = fields.next()?;
    let mut number = || fields.next()?.parse::<u64>().ok();
    let (_script, seconds, microseconds) = (number()?, number()?, number()?);
    let ended_at = Duration::from_secs(seconds) + Duration::from_micros(microseconds);
    if took == "failed" {
        return Some((ended_at, None));
    }
    Some((ended_at, Some(Duration::from_micros(took.parse().ok()?))))
}

/// Counts what ended after warming up and before the time was over; pgbench lets the last ones end after it.
fn evaluate(lines: &[Line], schedule: Schedule) -> Result<Log, Failure> {
    let begins =
        lines.iter().filter_map(|(ended_at, took)| Some(ended_at.saturating_sub((*took)?)));
    let begun_at = begins.min().ok_or("pgbench logged no transaction")?;
    let (from, until) = (begun_at + schedule.warm_up, begun_at + schedule.whole());
    let mut log = Log::default();
    for (ended_at, took) in lines {
        match took {
            None => log.refused += 1,
            Some(took) => {
                log.acknowledged += 1;
                if (from..=until).contains(ended_at) {
                    log.latencies_us.push(micros(*took));
                }
            }
        }
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_while_it_counts_is_counted() {
        let schedule =
            Schedule { warm_up: Duration::from_secs(1), counted: Duration::from_secs(2) };
        let text = "0 1 500 0 1000 500\n1 1 700 0 1001 0\n0 2 400 0 1002 0\n1 2 failed 0 1002 5\n0 3 900 0 1004 0\n";
        let lines: Vec<Line> = text.lines().map(|line| parse(line).unwrap()).collect();
        let log = evaluate(&lines, schedule).unwrap();
        assert_eq!((log.acknowledged, log.refused), (4, 1));
        assert_eq!(log.latencies_us, [700, 400]);
        assert_eq!(parse("0 1 x 0 1000 500"), None);
    }
}
