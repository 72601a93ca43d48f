//! Every proof in short form, with its control.

mod isolation;

use std::io::{self, Write as _};

use simplebank_proofs::{PROOFS, Proof, Scale};
use tokio::sync::Mutex;

fn proof(id: &str) -> &'static Proof {
    PROOFS.iter().find(|proof| proof.id == id).expect("the proof is listed")
}

/// Held by the proof that runs: each brings a load of its own, and some have deadlines to keep.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Runs a proof and, where it can run here, its control.
async fn prove(id: &str) {
    let _alone = ALONE.lock().await;
    let proof = proof(id);
    let report = (proof.run)(Scale::Short).await;
    eprintln!("{id}, {}: {report}", proof.fault);
    assert_eq!(report.violations(), 0, "{id}: {report}");
    if let Some(reason) = report.reason_not_run() {
        // Past the harness, which shows what a test prints only if it fails: nothing is left out silently.
        let _ = writeln!(io::stderr(), "{id} was not run: {reason}");
    }
    if let (Some(control), None) = (&proof.control, report.reason_not_run()) {
        let report = (control.run)(Scale::Short).await;
        eprintln!("{id}, control, {}: {report}", control.defect);
        assert!(report.violations() > 0, "the control of {id} found nothing: {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r01_a_bank_under_load_breaks_no_promise() {
    prove("R1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r03_limits_hold_while_serializable_does_not() {
    prove("R3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r04_histories_show_nothing_that_their_level_forbids() {
    prove("R4").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r02_each_level_lets_through_what_it_is_known_to_and_nothing_else() {
    prove("R2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r10_aborted_requests_lose_and_tear_nothing() {
    prove("R10").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r12_opposing_transfers_never_deadlock_and_lose_nothing() {
    prove("R12").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r05_a_killed_postgresql_loses_doubles_and_halves_nothing() {
    prove("R5").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r06_a_power_cut_loses_nothing_acknowledged() {
    prove("R6").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r07_a_cut_around_commit_is_settled_with_one_effect() {
    prove("R7").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r08_a_number_that_is_used_again_gives_no_false_answer() {
    prove("R8").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r09_terminated_sessions_break_no_promise() {
    prove("R9").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r14_a_key_used_by_many_at_once_has_one_effect_and_one_answer() {
    prove("R14").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r13_a_crowd_on_one_row_is_served() {
    prove("R13").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r11_what_failed_is_never_reported_as_success() {
    prove("R11").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r16_poison_harms_nobody_else_and_no_answer_is_early() {
    prove("R16").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r20_twice_the_peak_load_is_served_or_refused() {
    prove("R20").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r27_random_operations_get_the_same_answers_in_memory_and_on_postgresql() {
    prove("R27").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r30_two_processes_and_an_embedder_break_no_promise_together() {
    prove("R30").await;
}
