//! Two questions about a server that lives long: does its memory grow with what it has done, and what is left of its throughput
//! when more is asked of it than it can do?

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::task::spawn_blocking;

use crate::{
    Failure,
    arguments::Memory,
    cpu, http_client,
    machine::Machine,
    measure::{Figures, Log},
    number::{brief, float, rounded, thousands},
    random::{self, Random},
    server_process::ServerProcess,
    stage::{BANK, BANK_TEMPLATE, Case, Stage, tell},
    system::System,
    workload::{Chooser, Workload},
    world,
};

/// How often memory is looked at while a load runs.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// Among how many connections the peak is looked for; a server takes 1,024.
const PEAK_CONNECTIONS: [u32; 4] = [32, 64, 128, 256];
/// As many connections as the server takes, nearly.
const MOST_CONNECTIONS: u32 = 1_000;
/// Tasks that call a bank in process at a time: ten times what its queue holds. Those that are refused come back every three
/// seconds, which is some 12,000 calls a second on top of what the bank does.
const TASKS: u32 = 40_000;
/// Up to here the server is filling what it keeps: as a share of all transfers.
const FILLING: f64 = 0.2;

/// What memory was in use after so many transfers, at most.
#[derive(Clone, Copy, Debug)]
struct Sample {
    transfers: u64,
    bytes: u64,
}

/// Runs both trials and writes their report.
pub(crate) async fn run(options: &Memory) -> Result<(), Failure> {
    let seed = options.common.seed.unwrap_or_else(random::seed);
    println!("seed {seed}");
    let mut random = Random::from_seed(seed);
    let stage =
        Stage::set(&options.common, options.schedule(), &[System::Http], random.split()).await?;
    let machine = Machine::describe(&stage.cluster, seed).await?;
    println!("{}\n", machine.sentence());
    stage.renew(BANK_TEMPLATE, BANK).await?;
    let (samples, acknowledged) = long_life(&stage, options, &mut random).await?;
    let (overload, more) = overload(&stage, &mut random).await?;
    world::check(&stage.cluster, BANK, acknowledged + more).await?;
    let text = format!(
        "# Memory and overload\n\n`cargo run --release -p simplebank-benches -- memory`\n\n{}\n\n{}\n{overload}",
        machine.sentence(),
        growth(&samples),
    );
    println!("\n{text}");
    fs::create_dir_all(&options.write)?;
    fs::write(options.write.join("memory.md"), text)?;
    println!("written into {}: memory.md", options.write.display());
    Ok(())
}

/// One server makes all transfers, in legs with new connections each; its memory is watched.
async fn long_life(
    stage: &Stage,
    options: &Memory,
    random: &mut Random,
) -> Result<(Vec<Sample>, u64), Failure> {
    let server = stage.serve(BANK).await?;
    let mut samples = Vec::new();
    let mut transfers = 0;
    while transfers < options.transfers {
        let (log, bytes) =
            leg(stage, &server, options.connections, Workload::Uniform, random).await?;
        transfers += log.acknowledged;
        let bytes = bytes.ok_or("the server's memory is not known here: there is no /proc")?;
        println!("  {:>9} transfers: {:.1} MiB", thousands(transfers), mebibytes(bytes));
        samples.push(Sample { transfers, bytes });
    }
    spawn_blocking(move || server.stop()).await??;
    Ok((samples, transfers))
}

/// A load on a server that runs, and the most memory that it had meanwhile.
async fn leg(
    stage: &Stage,
    server: &ServerProcess,
    connections: u32,
    workload: Workload,
    random: &mut Random,
) -> Result<(Log, Option<u64>), Failure> {
    let keys = format!("{:016x}", random.next());
    let chooser = Chooser::new(workload, stage.accounts, random.split());
    let load = stage.http_load(server, connections, chooser, keys);
    let pid = server.pid();
    let is_over = Arc::new(AtomicBool::new(false));
    let watch = {
        let is_over = Arc::clone(&is_over);
        thread::spawn(move || {
            let mut most = cpu::resident_bytes(pid);
            while !is_over.load(Ordering::Relaxed) {
                thread::sleep(SAMPLE_EVERY);
                most = most.max(cpu::resident_bytes(pid));
            }
            most
        })
    };
    let log = spawn_blocking(move || http_client::run(&load)).await;
    is_over.store(true, Ordering::Relaxed);
    let most = watch.join().map_err(|_| "watching memory failed")?;
    Ok((log??, most))
}

fn mebibytes(bytes: u64) -> f64 {
    float(bytes) / f64::from(1 << 20)
}

/// The report on memory: what it was, and by how much it still grew once everything that is kept had been filled.
fn growth(samples: &[Sample]) -> String {
    let mut text = "## The server's memory\n\nThe most that it had in RAM during each leg, all legs by one process.\n\n\
                    | Transfers | MiB |\n|---:|---:|\n"
        .to_owned();
    for Sample { transfers, bytes } in samples {
        text.push_str(&format!("| {} | {:.1} |\n", thousands(*transfers), mebibytes(*bytes)));
    }
    let Some(last) = samples.last() else { return text };
    let filled =
        samples.iter().find(|sample| float(sample.transfers) >= FILLING * float(last.transfers));
    if let Some(filled) = filled.filter(|filled| filled.transfers < last.transfers) {
        let bytes = float(last.bytes) - float(filled.bytes);
        let ratio = float(last.bytes) / float(filled.bytes);
        text.push_str(&format!(
            "\nFrom {} transfers on it grew to {} × of what it was, {:.1} bytes for each transfer.\n",
            thousands(filled.transfers),
            brief(ratio),
            bytes / float(last.transfers - filled.transfers)
        ));
    }
    text
}

/// Measures the peak, and then what is left of it when twice as many ask, when as many ask as can connect, and when more call in
/// process than the queue holds. Whoever is refused waits as long as he is told to.
async fn overload(stage: &Stage, random: &mut Random) -> Result<(String, u64), Failure> {
    let mut text = "## More than it can do\n\nGoodput is what was acknowledged. Every other answer was a 503 with Retry-After, and \
                    was followed by the wait that it asks for; in process, by as long a one.\n\n\
                    | | Callers | Goodput/s | Of the peak | Refused | p99 ms |\n|---|---:|---:|---:|---:|---:|\n"
        .to_owned();
    let mut acknowledged = 0;
    for (system, loads, most) in [
        (System::Http, PEAK_CONNECTIONS.as_slice(), MOST_CONNECTIONS),
        (System::Bank, PEAK_CONNECTIONS.as_slice(), TASKS),
    ] {
        let mut measured: Vec<(u32, Figures)> = Vec::new();
        for connections in loads {
            measured.push((*connections, measure(stage, system, *connections, random).await?));
        }
        let rate = |(_, figures): &(u32, Figures)| figures.rate;
        let peak = measured
            .iter()
            .max_by(|a, b| rate(a).total_cmp(&rate(b)))
            .cloned()
            .ok_or("nothing was measured")?;
        for connections in [peak.0 * 2, most] {
            measured.push((connections, measure(stage, system, connections, random).await?));
        }
        for (connections, figures) in &measured {
            acknowledged += figures.acknowledged;
            text.push_str(&format!(
                "| {} | {} | {} | {:.2} | {:.1} % | {} |\n",
                system.title(),
                thousands((*connections).into()),
                rounded(figures.rate),
                figures.rate / peak.1.rate,
                figures.refused * 100.0,
                brief(figures.p99_ms)
            ));
        }
    }
    Ok((text, acknowledged))
}

async fn measure(
    stage: &Stage,
    system: System,
    connections: u32,
    random: &mut Random,
) -> Result<Figures, Failure> {
    let case = Case { workload: Workload::Uniform, connections, system };
    let figures = stage.measure(case, BANK, random.split()).await?;
    tell(case, &figures);
    Ok(figures)
}
