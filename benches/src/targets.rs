//! What is aimed at, as ratios within one run, and what was reached.

use crate::{
    measure::Figures, number::brief, stage::Case, stats::Spread, summary::Summary, system::System,
    workload::Workload,
};

/// A target and what was reached.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Its number.
    pub(crate) number: &'static str,
    /// What is aimed at.
    pub(crate) aim: &'static str,
    /// The ratio reached, with its spread; or who measures it.
    pub(crate) reached: String,
    /// Whether it was, if that was measured.
    pub(crate) verdict: Option<bool>,
}

/// On which side of the limit the ratio is to be.
#[derive(Clone, Copy, Debug)]
enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

impl Limit {
    fn is_kept(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(limit) => ratio >= limit,
            Self::AtMost(limit) => ratio <= limit,
        }
    }
}

const fn rate(figures: &Figures) -> f64 {
    figures.rate
}

const fn p50(figures: &Figures) -> f64 {
    figures.p50_ms
}

const fn p99(figures: &Figures) -> f64 {
    figures.p99_ms
}

/// A figure of one case.
type Of = (Workload, u32, System, fn(&Figures) -> f64);

/// The targets that are a ratio of two figures: number, aim, whose figure, to whose, and the limit.
const RATIOS: [(&str, &str, Of, Of, Limit); 11] = [
    (
        "1a",
        "HTTP at 64 connections: 3 × the course's transaction at 64",
        (Workload::Uniform, 64, System::Http, rate),
        (Workload::Uniform, 64, System::COURSE, rate),
        Limit::AtLeast(3.0),
    ),
    (
        "1b",
        "HTTP at 64: 1.5 × the best single statement at 64",
        (Workload::Uniform, 64, System::Http, rate),
        (Workload::Uniform, 64, System::SINGLE, rate),
        Limit::AtLeast(1.5),
    ),
    (
        "1c",
        "HTTP at 256: 4 × the course's transaction at 64",
        (Workload::Uniform, 256, System::Http, rate),
        (Workload::Uniform, 64, System::COURSE, rate),
        Limit::AtLeast(4.0),
    ),
    (
        "1d",
        "HTTP at 256: 4 × the course's transaction at 256",
        (Workload::Uniform, 256, System::Http, rate),
        (Workload::Uniform, 256, System::COURSE, rate),
        Limit::AtLeast(4.0),
    ),
    (
        "2a",
        "all into one account, HTTP at 64: 0.9 × our own with random accounts",
        (Workload::Hot, 64, System::Http, rate),
        (Workload::Uniform, 64, System::Http, rate),
        Limit::AtLeast(0.9),
    ),
    (
        "2b",
        "accounts by a Zipf law, HTTP at 64: 0.9 × our own with random accounts",
        (Workload::Zipf, 64, System::Http, rate),
        (Workload::Uniform, 64, System::Http, rate),
        Limit::AtLeast(0.9),
    ),
    (
        "2c",
        "all into one account, HTTP at 64: some 40 × the course's transaction, at least 36 ×",
        (Workload::Hot, 64, System::Http, rate),
        (Workload::Hot, 64, System::COURSE, rate),
        Limit::AtLeast(36.0),
    ),
    (
        "3a",
        "HTTP's p99 at 64: at most the course's p50",
        (Workload::Uniform, 64, System::Http, p99),
        (Workload::Uniform, 64, System::COURSE, p50),
        Limit::AtMost(1.0),
    ),
    (
        "3b",
        "the same with all into one account",
        (Workload::Hot, 64, System::Http, p99),
        (Workload::Hot, 64, System::COURSE, p50),
        Limit::AtMost(1.0),
    ),
    (
        "4a",
        "a lone client over HTTP: p50 at most 1.5 × the best single statement's",
        (Workload::Uniform, 1, System::Http, p50),
        (Workload::Uniform, 1, System::SINGLE, p50),
        Limit::AtMost(1.5),
    ),
    (
        "4b",
        "a lone caller in process: the same",
        (Workload::Uniform, 1, System::Bank, p50),
        (Workload::Uniform, 1, System::SINGLE, p50),
        Limit::AtMost(1.5),
    ),
];

/// The targets that other programs measure: number, aim and program.
const ELSEWHERE: [(&str, &str, &str); 3] = [
    ("6", "10^7 entries: 0.9 × the throughput at 10^4", "`simplebank-benches -- growth`"),
    ("7", "10 × every Rust peer at 64 tasks", "`benches/peers`"),
    (
        "8",
        "memory flat over a million transfers; twice the peak load keeps 80 % of the goodput",
        "`simplebank-benches -- memory`",
    ),
];

/// Every target, in order.
pub(crate) fn all(summary: Summary<'_>) -> Vec<Target> {
    let of = |(workload, connections, system, figure): Of| {
        (Case { workload, connections, system }, figure)
    };
    let ratios = RATIOS.into_iter().map(|(number, aim, ours, theirs, limit)| {
        target(number, aim, summary.ratio(of(ours), of(theirs)), limit)
    });
    let elsewhere = ELSEWHERE.into_iter().map(|(number, aim, program)| Target {
        number,
        aim,
        reached: format!("see {program}"),
        verdict: None,
    });
    ratios.chain([best_batch(summary)]).chain(elsewhere).collect()
}

/// The largest batches, by as many callers as serves them best, against the course where it is best.
fn best_batch(summary: Summary<'_>) -> Target {
    let best = |system| {
        let cases = summary
            .cases()
            .into_iter()
            .filter(move |case| case.system == system && case.workload == Workload::Uniform);
        cases.max_by(|a, b| {
            let median = |case| summary.spread(case, rate).map_or(0.0, |spread| spread.median);
            median(*a).total_cmp(&median(*b))
        })
    };
    let ratio = best(System::LARGEST_BATCH)
        .zip(best(System::COURSE))
        .and_then(|(ours, theirs)| summary.times(ours, theirs));
    target(
        "5",
        "in process, batches of 1,000: 8 × the course's transaction where that is fastest",
        ratio,
        Limit::AtLeast(8.0),
    )
}

fn target(number: &'static str, aim: &'static str, ratio: Option<Spread>, limit: Limit) -> Target {
    let reached = |Spread { median, min, max }| {
        format!("{} ({} to {})", brief(median), brief(min), brief(max))
    };
    Target {
        number,
        aim,
        reached: ratio.map_or("not measured".to_owned(), reached),
        verdict: ratio.map(|ratio| limit.is_kept(ratio.median)),
    }
}

/// As a Markdown table.
pub(crate) fn markdown(summary: Summary<'_>) -> String {
    let mut text =
        "| | Target | Reached (lowest to highest round) | |\n|---|---|---|---|\n".to_owned();
    for Target { number, aim, reached, verdict } in all(summary) {
        let verdict = match verdict {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        text.push_str(&format!("| {number} | {aim} | {reached} | {verdict} |\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::tests::measurement;

    #[test]
    fn a_target_is_judged_by_the_median_of_its_ratios() {
        let mut measured = Vec::new();
        for round in 1..=3 {
            measured.push(measurement(round, Workload::Uniform, 64, System::COURSE, 1_000.0));
            measured.push(measurement(
                round,
                Workload::Uniform,
                64,
                System::Http,
                1_500.0 * f64::from(round),
            ));
            measured.push(measurement(round, Workload::Uniform, 1, System::LARGEST_BATCH, 7_000.0));
        }
        let targets = all(Summary(&measured));
        let verdict =
            |number| targets.iter().find(|target| target.number == number).unwrap().verdict;
        assert_eq!(
            (verdict("1a"), verdict("5"), verdict("1b"), verdict("6")),
            (Some(true), Some(false), None, None)
        );
        // p99 of the third round is 28 ms, the course's p50 64 ms; of the first 85 ms, so by the median of 0.67 it is kept.
        assert_eq!(verdict("3a"), Some(true));
        measured.retain(|each| each.round == 1);
        assert_eq!(all(Summary(&measured)).first().unwrap().verdict, Some(false));
    }
}
