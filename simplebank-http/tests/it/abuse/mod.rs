//! What an attacker tries, over the network, and what he gets: the answer that the documents promise, and no change.
//!
//! `docs/security.md` lists every requirement with its tests, those of other modules included; [`table`] compares.

mod authentication;
mod authorization;
mod browser;
mod http1;
mod http2;
mod input;
mod leaks;
mod money;
mod resources;
mod routes;
mod table;
mod tokens;
