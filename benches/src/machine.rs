//! On what and with what a report was made.

use std::{fs, thread::available_parallelism};

use simplebank::ports::{Clock as _, SystemClock};

use crate::{
    Failure,
    cluster::{Cluster, SETTINGS},
};

/// The circumstances of a report.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// The processor's name, as Linux has it.
    processor: String,
    cores: usize,
    postgresql: String,
    /// The day, such as 2026-11-20.
    date: String,
    seed: u64,
}

impl Machine {
    /// This machine, today.
    pub(crate) async fn describe(cluster: &Cluster, seed: u64) -> Result<Self, Failure> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name =
            cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Ok(Self {
            processor: name.map_or("an unnamed processor", |(_, name)| name.trim()).to_owned(),
            cores: available_parallelism().map_or(1, usize::from),
            postgresql: cluster.version().await?,
            date: SystemClock.now().date().to_string(),
            seed,
        })
    }

    /// As a sentence.
    pub(crate) fn sentence(&self) -> String {
        let Self { processor, cores, postgresql, date, seed } = self;
        let settings: Vec<String> =
            SETTINGS.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        format!(
            "Measured on {date}: {processor}, {cores} cores, which clients, server and database share; PostgreSQL {postgresql} with \
             default settings, so durable, but for {}; seed {seed}.",
            settings.join(", ")
        )
    }

    /// In a few words, below a plot.
    pub(crate) fn caption(&self) -> String {
        let Self { processor, cores, postgresql, date, seed: _ } = self;
        format!(
            "{processor}, {cores} cores for clients, server and database; PostgreSQL {postgresql}, durable; {date}"
        )
    }
}
