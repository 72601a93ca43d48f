//! Programs to read and run: `cargo run -p simplebank-examples --example quickstart`.
