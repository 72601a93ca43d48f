//! Medians over rounds, and ratios within them.

use crate::{
    compare::Measurement,
    measure::Figures,
    stage::Case,
    stats::{Spread, median, spread},
    system::System,
    workload::Workload,
};

/// All measurements, to be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary<'a>(pub(crate) &'a [Measurement]);

impl<'a> Summary<'a> {
    /// Every case that was measured, once, by workload, connections and system.
    pub(crate) fn cases(self) -> Vec<Case> {
        let mut cases = Vec::new();
        for workload in Workload::ALL {
            for connections in self.connections() {
                let all =
                    System::ALL.into_iter().map(|system| Case { workload, connections, system });
                cases.extend(all.filter(|case| self.of(*case).next().is_some()));
            }
        }
        cases
    }

    /// Every number of connections, ascending.
    pub(crate) fn connections(self) -> Vec<u32> {
        let mut connections: Vec<u32> = self.0.iter().map(|each| each.case.connections).collect();
        connections.sort_unstable();
        connections.dedup();
        connections
    }

    /// The figures of a case, by round.
    pub(crate) fn of(self, case: Case) -> impl Iterator<Item = (u32, &'a Figures)> {
        let of_case = self.0.iter().filter(move |each| each.case == case);
        of_case.map(|each| (each.round, &each.figures))
    }

    /// The spread of a figure over the rounds.
    pub(crate) fn spread(self, case: Case, figure: fn(&Figures) -> f64) -> Option<Spread> {
        spread(self.of(case).map(|(_, figures)| figure(figures)))
    }

    /// The median of a figure that isn't always known.
    pub(crate) fn median(self, case: Case, figure: fn(&Figures) -> Option<f64>) -> Option<f64> {
        median(self.of(case).filter_map(|(_, figures)| figure(figures)))
    }

    /// How often a figure of one case is that of another, which may be another figure, in the same round.
    pub(crate) fn ratio(
        self,
        of: (Case, fn(&Figures) -> f64),
        to: (Case, fn(&Figures) -> f64),
    ) -> Option<Spread> {
        let ratios = self.of(of.0).filter_map(|(round, figures)| {
            let (_, other) = self.of(to.0).find(|(other, _)| *other == round)?;
            Some(of.1(figures) / to.1(other))
        });
        spread(ratios)
    }

    /// How many times as many transfers a second one case makes as another does in the same round.
    pub(crate) fn times(self, of: Case, to: Case) -> Option<Spread> {
        self.ratio((of, |figures| figures.rate), (to, |figures| figures.rate))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A measurement with nothing but a rate and latencies.
    pub(crate) fn measurement(
        round: u32,
        workload: Workload,
        connections: u32,
        system: System,
        rate: f64,
    ) -> Measurement {
        let figures = Figures {
            rate,
            p50_ms: f64::from(connections) / rate * 1_000.0,
            p99_ms: f64::from(connections) / rate * 2_000.0,
            per_sync: Some(3.0),
            postgres_us: Some(100.0),
            server_us: None,
            client_us: Some(10.0),
            refused: 0.0,
            acknowledged: 1,
        };
        Measurement { round, case: Case { workload, connections, system }, figures }
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        let of = |round, system, rate| measurement(round, Workload::Uniform, 8, system, rate);
        let measured = [
            of(1, System::COURSE, 100.0),
            of(1, System::Http, 300.0),
            of(2, System::Http, 500.0),
            of(2, System::COURSE, 250.0),
            of(3, System::Http, 900.0),
        ];
        let summary = Summary(&measured);
        let case = |system| Case { workload: Workload::Uniform, connections: 8, system };
        let times = summary.times(case(System::Http), case(System::COURSE)).unwrap();
        assert_eq!((times.min, times.max), (2.0, 3.0));
        assert_eq!(summary.times(case(System::Bank), case(System::COURSE)), None);
        assert_eq!(summary.cases(), [case(System::COURSE), case(System::Http)]);
    }
}
