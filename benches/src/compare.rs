//! The comparison: rounds of everything, interleaved, each on databases of its own; what was told is compared with what is stored
//! after every round.

use crate::{
    Failure,
    arguments::Compare,
    course,
    machine::Machine,
    measure::Figures,
    random::{self, Random},
    report,
    stage::{BANK, BANK_TEMPLATE, COURSE, COURSE_TEMPLATE, Case, Stage, tell},
    system::System,
    workload::Workload,
    world,
};

/// One measurement of one round.
#[derive(Clone, Debug)]
pub(crate) struct Measurement {
    pub(crate) round: u32,
    pub(crate) case: Case,
    pub(crate) figures: Figures,
}

/// Runs the comparison and writes its report.
pub(crate) async fn run(options: &Compare) -> Result<(), Failure> {
    let seed = options.common.seed.unwrap_or_else(random::seed);
    println!("seed {seed}");
    let mut random = Random::from_seed(seed);
    let cases = cases(options);
    let systems: Vec<System> = cases.iter().map(|case| case.system).collect();
    let stage = Stage::set(&options.common, options.schedule(), &systems, random.split()).await?;
    let machine = Machine::describe(&stage.cluster, seed).await?;
    println!("{}\n", machine.sentence());
    let mut measurements = Vec::new();
    for number in 1..=options.rounds {
        println!("round {number} of {}", options.rounds);
        measurements.extend(round(&stage, number, &cases, &mut random).await?);
    }
    report::write(&options.write, &machine, options, &measurements)
}

/// What is to be measured in each round: the systems side by side for each workload and number of connections.
fn cases(options: &Compare) -> Vec<Case> {
    let systems = System::ALL
        .into_iter()
        .filter(|system| options.only.is_empty() || options.only.contains(system));
    let systems: Vec<System> = systems.collect();
    let workloads = Workload::ALL.into_iter();
    let workloads = workloads
        .filter(|workload| options.workloads.is_empty() || options.workloads.contains(workload));
    let mut cases = Vec::new();
    for workload in workloads {
        for connections in options.connections.iter().copied() {
            let takers = systems.iter().copied().filter(|system| system.takes(connections));
            cases.extend(takers.map(|system| Case { workload, connections, system }));
        }
    }
    cases
}

/// The cases in another order each round, so that none always comes after the same one; those of one workload and number of
/// connections stay together.
fn rotated(cases: &[Case], round: u32) -> Vec<Case> {
    let mut order = cases.to_vec();
    for group in
        order.chunk_by_mut(|a, b| a.workload == b.workload && a.connections == b.connections)
    {
        let length = group.len();
        group.rotate_left(usize::try_from(round).unwrap_or(0) % length);
    }
    order
}

async fn round(
    stage: &Stage,
    number: u32,
    cases: &[Case],
    random: &mut Random,
) -> Result<Vec<Measurement>, Failure> {
    stage.renew(COURSE_TEMPLATE, COURSE).await?;
    stage.renew(BANK_TEMPLATE, BANK).await?;
    stage.cluster.execute("postgres", "checkpoint").await?;
    let mut measurements = Vec::new();
    let (mut course, mut bank) = (0, 0);
    for case in rotated(cases, number) {
        let figures = stage.measure(case, BANK, random.split()).await?;
        tell(case, &figures);
        match case.system {
            System::Course(_) => course += figures.acknowledged,
            System::Http | System::Bank | System::Batch(_) => bank += figures.acknowledged,
        }
        measurements.push(Measurement { round: number, case, figures });
    }
    course::check(&stage.cluster, COURSE, stage.accounts, course).await?;
    world::check(&stage.cluster, BANK, bank).await?;
    Ok(measurements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_has_every_case_in_another_order_beside_its_rivals() {
        let case = |workload, system| Case { workload, connections: 8, system };
        let of = |workload| {
            [System::COURSE, System::Http, System::Bank].map(|system| case(workload, system))
        };
        let cases = [of(Workload::Uniform), of(Workload::Hot)].concat();
        let systems = |round| {
            rotated(&cases, round).iter().map(|case| case.system.name()).collect::<Vec<_>>()
        };
        assert_eq!(systems(1), ["http", "bank", "course", "http", "bank", "course"]);
        assert_eq!(systems(3), systems(6));
        let first = rotated(&cases, 2);
        assert_eq!(
            first.iter().take(3).filter(|case| case.workload == Workload::Uniform).count(),
            3
        );
    }
}
