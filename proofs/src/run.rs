//! Running proofs one after the other, for the program.

use std::time::{Duration, Instant};

use crate::{PROOFS, Proof, Report, Scale, Trial};

/// Whether the trials without safety nets run as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controls {
    /// They do.
    Run,
    /// They don't, and so the proofs prove less.
    Skip,
}

/// What came of a proof.
#[derive(Debug)]
pub struct Outcome {
    /// Which one.
    pub proof: Proof,
    /// What its trial found.
    pub report: Report,
    /// What its control found, if it has one, and if it ran.
    pub control: Option<Report>,
    /// How long both took.
    pub took: Duration,
}

impl Outcome {
    /// True when a promise was broken, or the control found nothing although the net was gone.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        let is_blind =
            |control: &Report| control.reason_not_run().is_none() && control.violations() == 0;
        self.report.violations() > 0 || self.control.as_ref().is_some_and(is_blind)
    }
}

/// Tries a proof and, where it can run here, its control. A trial that panics has found something.
pub async fn prove(proof: Proof, scale: Scale, controls: Controls) -> Outcome {
    let begun_at = Instant::now();
    let report = guarded((proof.run)(scale)).await.unwrap_or_else(|panic| {
        let mut report = Report::new();
        report.violation(panic);
        report
    });
    let mut control = None;
    if let (Some(tried), Controls::Run, None) = (proof.control, controls, report.reason_not_run()) {
        // A control that didn't come to its end has not shown what it was to show.
        let found = guarded((tried.run)(scale)).await;
        control = Some(found.unwrap_or_else(|panic| {
            let mut report = Report::new();
            report.note(panic);
            report
        }));
    }
    Outcome { proof, report, control, took: begun_at.elapsed() }
}

async fn guarded(trial: Trial) -> Result<Report, String> {
    tokio::spawn(trial).await.map_err(|error| format!("the trial itself failed: {error}"))
}

/// The proofs that a list such as `R5,R7` names, in the order of their numbers.
///
/// # Errors
///
/// Names what is no proof, and all that are.
pub fn select(list: &str) -> Result<Vec<Proof>, String> {
    let wanted: Vec<String> = list.split(',').map(|id| id.trim().to_uppercase()).collect();
    let known = || PROOFS.iter().map(|proof| proof.id);
    if let Some(unknown) = wanted.iter().find(|id| !known().any(|known| known == *id)) {
        let known: Vec<&str> = known().collect();
        return Err(format!("there is no proof {unknown:?}; there are {}", known.join(", ")));
    }
    Ok(PROOFS.iter().filter(|proof| wanted.iter().any(|id| id == proof.id)).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Control;

    fn proof(run: fn(Scale) -> Trial, control: fn(Scale) -> Trial) -> Proof {
        Proof {
            id: "R0",
            fault: "none",
            run,
            control: Some(Control { defect: "all", run: control }),
        }
    }

    fn nothing(_: Scale) -> Trial {
        Box::pin(async { Report::new() })
    }

    fn something(_: Scale) -> Trial {
        Box::pin(async {
            let mut report = Report::new();
            report.violation("one");
            report
        })
    }

    fn panics(_: Scale) -> Trial {
        Box::pin(async { panic!("not to be had") })
    }

    fn elsewhere(_: Scale) -> Trial {
        Box::pin(async { Report::not_run("needs root") })
    }

    async fn fails(run: fn(Scale) -> Trial, control: fn(Scale) -> Trial) -> bool {
        prove(proof(run, control), Scale::Short, Controls::Run).await.is_failure()
    }

    #[tokio::test]
    async fn a_proof_fails_by_a_violation_and_by_a_control_that_finds_nothing() {
        assert!(!fails(nothing, something).await);
        assert!(fails(something, something).await);
        assert!(fails(nothing, nothing).await);
        assert!(fails(panics, something).await);
        assert!(fails(nothing, panics).await);
        assert!(!fails(elsewhere, nothing).await);
        assert!(!fails(nothing, elsewhere).await);
        let without = prove(proof(nothing, nothing), Scale::Short, Controls::Skip).await;
        assert!(!without.is_failure() && without.control.is_none());
    }

    #[test]
    fn a_list_selects_proofs_and_an_unknown_one_is_answered_with_those_there_are() {
        let ids =
            |list| select(list).map(|found| found.iter().map(|proof| proof.id).collect::<Vec<_>>());
        assert_eq!(ids("R2").unwrap(), ["R2"]);
        assert_eq!(ids("r2, R1").unwrap(), ["R1", "R2"]);
        for list in ["R0", "", "R2,", "R1 R2", "R2,X"] {
            let error = ids(list).unwrap_err();
            assert!(error.contains("there is no proof") && error.contains("R1, R2, "), "{error}");
        }
    }
}
