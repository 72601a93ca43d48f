//! What is promised when things go wrong, tried.
//!
//! Each proof of [`PROOFS`] runs a fault against the real thing and reports what it found that must not be; its control is the
//! same trial with the safety net removed, and must find something. The tests run all of them at [`Scale::Short`]; the
//! binary runs them at [`Scale::Full`] and prints the table of `docs/reliability.md`.

mod bank;
mod http;
pub mod isolation;
mod load;
mod lock_story;
pub mod markers;
mod payments;
mod r01_bank_load;
mod r02_hermitage;
mod r03_ssi_exhausted;
mod r04_list_append;
mod r05_kill_postgres;
mod r06_power_cut;
mod r07_cut_commit;
mod r08_xid_reuse;
mod r09_terminate;
mod r10_aborted_requests;
mod r11_swallowed;
mod r12_lock_order;
mod r13_contention;
mod r14_one_key;
mod r16_poisoned;
mod r20_overload;
mod r27_model;
mod r30_parties;
mod random;
mod report;
pub mod run;
mod script;
pub mod table;
mod wish;

use std::{future::Future, pin::Pin};

pub use report::{Report, Scale, thousands};

/// A variable of the environment that makes the binary a server, for proofs that need processes of their own: it runs the
/// program of `simplebank-http`, which takes its settings from the environment.
pub const SERVE: &str = "SIMPLEBANK_PROOFS_SERVE";

/// A trial on its way.
pub type Trial = Pin<Box<dyn Future<Output = Report> + Send>>;

/// A promise and how it is tried.
#[derive(Clone, Copy, Debug)]
pub struct Proof {
    /// Its number, `R1` and so on.
    pub id: &'static str,
    /// What is done to the bank.
    pub fault: &'static str,
    /// Tries it; a report without violations is the promise kept.
    pub run: fn(Scale) -> Trial,
    /// The same without the safety net.
    pub control: Option<Control>,
}

/// A trial that must fail, or the proof proves nothing.
#[derive(Clone, Copy, Debug)]
pub struct Control {
    /// The seeded defect.
    pub defect: &'static str,
    /// Tries it; its report must have violations.
    pub run: fn(Scale) -> Trial,
}

/// Every proof, in the order of its number.
pub const PROOFS: &[Proof] = &[
    r01_bank_load::PROOF,
    r02_hermitage::PROOF,
    r03_ssi_exhausted::PROOF,
    r04_list_append::PROOF,
    r05_kill_postgres::PROOF,
    r06_power_cut::PROOF,
    r07_cut_commit::PROOF,
    r08_xid_reuse::PROOF,
    r09_terminate::PROOF,
    r10_aborted_requests::PROOF,
    r11_swallowed::PROOF,
    r12_lock_order::PROOF,
    r13_contention::PROOF,
    r14_one_key::PROOF,
    r16_poisoned::PROOF,
    r20_overload::PROOF,
    r27_model::PROOF,
    r30_parties::PROOF,
];
