//! The wire's contract, on a real PostgreSQL and over real connections.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy allows both in `#[test]` functions, but not in the functions that those share"
)]

mod abuse;
mod access;
mod batch;
mod binary;
mod browser;
mod connections;
mod documents;
mod dry_run;
mod endpoints;
mod holds;
mod input;
mod limits;
mod money;
mod pages;
mod promises;
mod reversals;
mod sessions;
mod statements;
mod support;
mod verification;
