//! The crate on a real PostgreSQL, through its public interface.
//!
//! Tests that need another process start this binary again, as `roles::play`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod persistent;
mod processes;
mod roles;
mod support;
mod throwaway;

#[cfg(feature = "clap")]
mod command_line;
