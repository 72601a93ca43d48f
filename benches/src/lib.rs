//! Benchmarks: `cargo bench -p simplebank-benches`.
