//! Logs: on standard error, as text for people or as JSON for machines.

use std::{
    io::{self, IsTerminal as _},
    panic,
};

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Sends everything that `filter` lets pass to standard error, panics included. The first call counts.
pub fn init(format: LogFormat, filter: EnvFilter) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    // Somebody who embeds this crate may have set up their own logs before.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).try_init(),
    };
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(location, message, "panic");
    }));
}
