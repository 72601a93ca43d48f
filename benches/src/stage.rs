//! Where measurements are made: a PostgreSQL, a bank with customers, and each system in its turn.

use std::{ffi::OsString, sync::Arc, time::Duration};

use tokio::task::spawn_blocking;

use crate::{
    Failure,
    arguments::Common,
    cluster::Cluster,
    course, http_client, in_process,
    measure::{Figures, Log, Meters, Schedule},
    number::{brief, rounded},
    pgbench::{self, Pgbench},
    random::Random,
    server_process::ServerProcess,
    system::System,
    workload::{Chooser, Workload},
    world::World,
};

/// The databases from which others are copied.
pub(crate) const COURSE_TEMPLATE: &str = "course_template";
pub(crate) const BANK_TEMPLATE: &str = "bank_template";
/// For how long a server, or a bank in process, lets every account pay the next, by 64 callers, before it is measured: then it knows the
/// customers and accounts, as one does that has not just been started.
const ACQUAINTANCE: Schedule =
    Schedule { warm_up: Duration::ZERO, counted: Duration::from_secs(2) };
/// The databases of a round.
pub(crate) const COURSE: &str = "course";
pub(crate) const BANK: &str = "bank";

/// What a figure is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) workload: Workload,
    pub(crate) connections: u32,
    pub(crate) system: System,
}

/// What doesn't change from measurement to measurement.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) world: Arc<World>,
    pub(crate) accounts: u32,
    pgbench: Option<Pgbench>,
    schedule: Schedule,
    server_flags: Vec<OsString>,
}

/// What was told, and the meters before and after.
type Measured = Result<(Log, Meters, Meters), Failure>;

impl Stage {
    /// Starts PostgreSQL, makes the customers, and looks for what `systems` need.
    pub(crate) async fn set(
        common: &Common,
        schedule: Schedule,
        systems: &[System],
        random: Random,
    ) -> Result<Self, Failure> {
        let directory = common.directory.clone();
        let cluster = spawn_blocking(move || Cluster::start(directory.as_deref())).await??;
        let needs_pgbench = systems.iter().any(|system| matches!(system, System::Course(_)));
        let pgbench = needs_pgbench.then(|| Pgbench::find(&cluster)).transpose()?;
        let accounts = common.accounts;
        course::create(&cluster, COURSE_TEMPLATE, accounts).await?;
        let world = Arc::new(World::create(&cluster, BANK_TEMPLATE, accounts, random).await?);
        let server_flags = common.server.clone();
        Ok(Self { cluster, pgbench, world, accounts, schedule, server_flags })
    }

    /// Makes a database anew as a copy of another.
    pub(crate) async fn renew(&self, template: &str, name: &str) -> Result<(), Failure> {
        self.cluster.drop_database(name).await?;
        self.cluster.copy(template, name).await
    }

    /// Measures a case; what is ours uses the bank's database `bank`, and pgbench that of the course.
    pub(crate) async fn measure(
        &self,
        case: Case,
        bank: &str,
        mut random: Random,
    ) -> Result<Figures, Failure> {
        let keys = format!("{:016x}", random.next());
        let seed = random.next() >> 1;
        let chooser = Chooser::new(case.workload, self.accounts, random);
        let measured = match case.system {
            System::Course(form) => self.by_pgbench(case, form, seed).await,
            System::Http => self.over_http(case, bank, chooser, keys).await,
            System::Bank | System::Batch(_) => self.in_process(case, bank, chooser, keys).await,
        };
        let Case { workload, connections, system } = case;
        let name = |error| {
            format!(
                "{} with {connections} connections, {}: {error}",
                system.name(),
                workload.name()
            )
        };
        let (log, before, after) = measured.map_err(name)?;
        Ok(Figures::new(log, self.schedule, before, after))
    }

    /// Starts a server on a database.
    pub(crate) async fn serve(&self, database: &str) -> Result<ServerProcess, Failure> {
        let (url, token_key, flags) =
            (self.cluster.url(database), self.world.token_key.clone(), self.server_flags.clone());
        spawn_blocking(move || ServerProcess::start(&url, &token_key, &flags)).await?
    }

    /// A load for a server that runs.
    pub(crate) fn http_load(
        &self,
        server: &ServerProcess,
        connections: u32,
        chooser: Chooser,
        keys: String,
    ) -> http_client::Load {
        http_client::Load {
            address: server.address(),
            world: Arc::clone(&self.world),
            connections,
            chooser,
            keys,
            schedule: self.schedule,
        }
    }

    async fn by_pgbench(&self, case: Case, form: course::Form, seed: u64) -> Measured {
        let pgbench = self.pgbench.clone().ok_or("pgbench was not looked for")?;
        let load = pgbench::Load {
            url: self.cluster.url(COURSE),
            script: course::script(form, case.workload),
            accounts: self.accounts,
            connections: case.connections,
            seed,
            schedule: self.schedule,
        };
        let before = Meters::before(&self.cluster, None).await?;
        let log = spawn_blocking(move || pgbench.run(&load)).await??;
        let after = Meters::of_processors(&self.cluster, None);
        Ok((log, before, after.and_after(&self.cluster).await?))
    }

    async fn over_http(&self, case: Case, bank: &str, chooser: Chooser, keys: String) -> Measured {
        let server = self.serve(bank).await?;
        // Whoever pays whom later.
        let mut chooser = chooser;
        let (everybody, theirs) = (chooser.split_in_turn(), format!("{keys}-earlier"));
        let earlier = http_client::Load {
            schedule: ACQUAINTANCE,
            ..self.http_load(&server, 64, everybody, theirs)
        };
        let earlier = spawn_blocking(move || http_client::run(&earlier)).await??.acknowledged;
        let load = self.http_load(&server, case.connections, chooser, keys);
        let pid = Some(server.pid());
        let before = Meters::before(&self.cluster, pid).await?;
        let log = spawn_blocking(move || http_client::run(&load)).await??;
        let log = Log { earlier, ..log };
        let after = Meters::of_processors(&self.cluster, pid);
        spawn_blocking(move || server.stop()).await??;
        Ok((log, before, after.and_after(&self.cluster).await?))
    }

    async fn in_process(&self, case: Case, bank: &str, chooser: Chooser, keys: String) -> Measured {
        let url = self.cluster.url(bank);
        let bank = match case.system {
            System::Batch(size) => {
                in_process::open_for(&url, size.saturating_mul(case.connections)).await?
            }
            System::Course(_) | System::Http | System::Bank => in_process::open(&url).await?,
        };
        let mut chooser = chooser;
        let earlier = in_process::Load {
            bank: bank.clone(),
            world: Arc::clone(&self.world),
            tasks: 64,
            chooser: chooser.split_in_turn(),
            keys: format!("{keys}-earlier"),
            schedule: ACQUAINTANCE,
        };
        let load = in_process::Load {
            tasks: case.connections,
            chooser,
            keys,
            schedule: self.schedule,
            ..earlier.clone()
        };
        // Who brings batches knows everybody after a second.
        let earlier = match case.system {
            System::Bank => in_process::run(&earlier, System::Bank).await?.acknowledged,
            System::Batch(_) | System::Course(_) | System::Http => 0,
        };
        let before = Meters::before(&self.cluster, None).await?;
        let log = Log { earlier, ..in_process::run(&load, case.system).await? };
        let after = Meters::of_processors(&self.cluster, None);
        bank.db().close().await;
        Ok((log, before, after.and_after(&self.cluster).await?))
    }
}

/// Prints a measurement as a line.
pub(crate) fn tell(case: Case, figures: &Figures) {
    let Case { workload, connections, system } = case;
    let or_none = |figure: Option<f64>| figure.map_or("-".to_owned(), brief);
    println!(
        "  {:<8} {connections:>4} {:<11} {:>8}/s  p50 {:>7} ms  p99 {:>7} ms  {:>6} per sync  PostgreSQL {:>5}, server {:>5}, \
         client {:>5} us each{}",
        workload.name(),
        system.name(),
        rounded(figures.rate),
        brief(figures.p50_ms),
        brief(figures.p99_ms),
        or_none(figures.per_sync),
        or_none(figures.postgres_us),
        or_none(figures.server_us),
        or_none(figures.client_us),
        if figures.refused > 0.0 {
            format!("  refused {:.1} %", figures.refused * 100.0)
        } else {
            String::new()
        },
    );
}
