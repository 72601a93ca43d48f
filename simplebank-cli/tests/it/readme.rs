//! The README's session does what it says, as it stands.

use std::{path::Path, process::Command};

use crate::server::{LeftOver, Server, own_settings};

const README: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));
const ADDRESS: &str = "127.0.0.1:8080";
const COMMAND_LINE: &str = "cargo run --quiet --package simplebank-cli --";

/// The block after the comment that names this test.
fn session() -> &'static str {
    let (_, rest) =
        README.split_once("<!-- The test `readme` ").expect("the README marks its session");
    let (_, rest) = rest.split_once("```sh\n").expect("a block of shell follows");
    rest.split_once("```").expect("the block ends").0
}

#[test]
fn the_readmes_session_works_when_pasted() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("the README's session was NOT RUN: it needs curl, and there is none");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let _left_over = LeftOver(home.path());
    let server = Server::start(home.path());
    assert!(
        session().contains(ADDRESS) && session().contains(COMMAND_LINE),
        "the session has changed its words"
    );
    let script = session()
        .replace(ADDRESS, server.address())
        .replace(COMMAND_LINE, &format!("'{}'", env!("CARGO_BIN_EXE_simplebank")));
    let script = format!("set -euo pipefail\n{script}");
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let output = own_settings(&mut bash, home.path()).output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");

    // The two answers to the same key are the same bytes.
    let answers: Vec<&str> = stdout.lines().filter(|line| line.contains("from_entry")).collect();
    assert!(
        matches!(answers[..], [first, second] if first == second && first.contains("87.50")),
        "{stdout}"
    );
    // Bob's entries, as a table.
    assert!(stdout.contains("12.50"), "{stdout}");
    assert!(stdout.contains("I1") && stdout.contains("I5"), "{stdout}");
}
