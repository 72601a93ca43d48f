//! The report: tables in Markdown, a plot, and every single figure as CSV.

use std::{fs, path::Path};

use crate::{
    Failure,
    arguments::Compare,
    compare::Measurement,
    machine::Machine,
    number::{brief, rounded},
    plot,
    stage::Case,
    stats::Spread,
    summary::Summary,
    system::System,
    targets,
    workload::Workload,
};

/// Prints the report and writes it into `directory`.
pub(crate) fn write(
    directory: &Path,
    machine: &Machine,
    options: &Compare,
    measurements: &[Measurement],
) -> Result<(), Failure> {
    let summary = Summary(measurements);
    let text = markdown(machine, options, summary);
    println!("\n{text}");
    let written = fs::create_dir_all(directory)
        .and_then(|()| fs::write(directory.join("compare.md"), &text))
        .and_then(|()| {
            fs::write(directory.join("compare.svg"), plot::svg(summary, &machine.caption()))
        })
        .and_then(|()| fs::write(directory.join("compare.csv"), csv(measurements)));
    written.map_err(|error| format!("cannot write into {}: {error}", directory.display()))?;
    println!("written into {}: compare.md, compare.svg, compare.csv", directory.display());
    Ok(())
}

fn markdown(machine: &Machine, options: &Compare, summary: Summary<'_>) -> String {
    let mut text = format!(
        "# The comparison\n\n`cargo run --release -p simplebank-benches -- compare --rounds {} --seconds {}`\n\n{} \
         {} rounds of {} s each after {} s to warm up, interleaved; medians, with the lowest and the highest round in brackets; \
         {} accounts. Each server, and each bank in process but for batches, has served 64 callers for two seconds before, by whom \
         every account pays the next in turn, so that it knows the customers and accounts. After each round all ledgers were right, and had exactly what had been \
         acknowledged.\n",
        options.rounds,
        options.seconds,
        machine.sentence(),
        options.rounds,
        options.seconds,
        options.warm_up,
        rounded(f64::from(options.common.accounts)),
    );
    if !options.common.server.is_empty() {
        let flags: Vec<_> =
            options.common.server.iter().map(|flag| flag.to_string_lossy()).collect();
        text.push_str(&format!("\nThe server had the flags `{}`.\n", flags.join(" ")));
    }
    text.push_str("\n![Transfers per second](compare.svg)\n");
    for workload in Workload::ALL {
        if summary.cases().iter().any(|case| case.workload == workload) {
            text.push_str(&format!(
                "\n## Transfers per second, {}\n\n{}",
                workload.title(),
                rates(summary, workload)
            ));
        }
    }
    text.push_str(&format!("\n## Targets\n\n{}", targets::markdown(summary)));
    text.push_str(&format!("\n## Everything\n\n{EXPLANATION}\n\n{}", details(summary)));
    text
}

const EXPLANATION: &str = "Latencies are milliseconds, as the client sees them; a batch's are those of the whole call. *Per sync*: \
transfers for each flush of the log to disk; PostgreSQL tells of flushes up to a second late, so some from before are counted \
too. *µs*: processor time for each transfer, of PostgreSQL, of the HTTP server, and of who \
makes the load, which in process includes the bank itself. For batches the bank's queue has room for all its callers; \
otherwise all of the bank's settings are the defaults.";

/// Systems down, connections across.
fn rates(summary: Summary<'_>, workload: Workload) -> String {
    let connections = summary.connections();
    let mut text = "| |".to_owned();
    for connections in &connections {
        text.push_str(&format!(" {connections} |"));
    }
    text.push_str(&format!("\n|---|{}\n", "---:|".repeat(connections.len())));
    for system in System::ALL {
        let case = |connections| Case { workload, connections, system };
        let cells: Vec<Option<Spread>> = connections
            .iter()
            .map(|connections| summary.spread(case(*connections), |figures| figures.rate))
            .collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        text.push_str(&format!("| {} |", system.title()));
        for cell in cells {
            text.push_str(&format!(" {} |", cell.map_or(String::new(), ranged)));
        }
        text.push('\n');
    }
    text
}

fn ranged(Spread { median, min, max }: Spread) -> String {
    format!("{} ({}–{})", rounded(median), rounded(min), rounded(max))
}

/// A row for each case.
fn details(summary: Summary<'_>) -> String {
    let mut text = "| Workload | Connections | System | Transfers/s | × course | × single | p50 | p99 | Per sync | PostgreSQL µs | Server µs | \
                    Client µs | Refused |\n|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for case in summary.cases() {
        let rival = |system| summary.times(case, Case { system, ..case }).map(|times| times.median);
        let figures = [
            rival(System::COURSE),
            rival(System::SINGLE),
            summary.median(case, |figures| Some(figures.p50_ms)),
            summary.median(case, |figures| Some(figures.p99_ms)),
            summary.median(case, |figures| figures.per_sync),
            summary.median(case, |figures| figures.postgres_us),
            summary.median(case, |figures| figures.server_us),
            summary.median(case, |figures| figures.client_us),
        ];
        let cells: Vec<String> = figures
            .into_iter()
            .map(|figure| figure.filter(|figure| figure.is_finite()).map_or(String::new(), brief))
            .collect();
        let refused = summary.median(case, |figures| Some(figures.refused * 100.0)).unwrap_or(0.0);
        let refused = if refused > 0.0 { format!("{refused:.1} %") } else { String::new() };
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {refused} |\n",
            case.workload.name(),
            case.connections,
            case.system.name(),
            summary.spread(case, |figures| figures.rate).map_or(String::new(), ranged),
            cells.join(" | ")
        ));
    }
    text
}

/// Every figure of every round.
fn csv(measurements: &[Measurement]) -> String {
    let mut text = "round,workload,connections,system,transfers_per_s,p50_ms,p99_ms,per_sync,postgres_us,server_us,client_us,refused,\
                    acknowledged\n"
        .to_owned();
    for Measurement { round, case, figures } in measurements {
        let optional =
            |figure: Option<f64>| figure.map_or(String::new(), |figure| format!("{figure:.3}"));
        text.push_str(&format!(
            "{round},{},{},{},{:.1},{:.3},{:.3},{},{},{},{},{:.5},{}\n",
            case.workload.name(),
            case.connections,
            case.system.name(),
            figures.rate,
            figures.p50_ms,
            figures.p99_ms,
            optional(figures.per_sync),
            optional(figures.postgres_us),
            optional(figures.server_us),
            optional(figures.client_us),
            figures.refused,
            figures.acknowledged,
        ));
    }
    text
}
