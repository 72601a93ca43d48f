//! `DatabaseArgs` and the binary.

use std::path::Path;
use std::process::{Command, Output};

use clap::{CommandFactory, Parser};
use simplebank_localpg::{DataDir, DatabaseArgs, Error};

use crate::support::{Greeting, Place, greeting};

#[derive(Debug, Parser)]
#[command(name = "server")]
struct Arguments {
    #[command(flatten)]
    database: DatabaseArgs,
}

fn parse(arguments: &[&str]) -> DatabaseArgs {
    Arguments::parse_from([&["server"], arguments].concat()).database
}

const BANK: &str = "postgres://u:secret@db.example/bank";
const OTHER: &str = "postgres://u:secret@db.example/other";

#[test]
fn a_given_url_is_used_and_described_without_its_password() {
    for arguments in [
        ["--database-url", BANK, "--db-source", ""],
        ["--database-url", "", "--db-source", BANK],
        ["--database-url", BANK, "--db-source", BANK],
    ] {
        let database = parse(&arguments).open().unwrap();
        assert_eq!(database.url(), BANK);
        assert_eq!(database.describe(), "postgres://db.example/bank");
        assert!(!database.is_local());
        assert!(!format!("{database:?}").contains("secret"));
    }
}

#[test]
fn two_urls_that_differ_are_an_error_that_names_both_and_shows_no_password() {
    let arguments = parse(&["--database-url", BANK, "--db-source", OTHER]);
    let error = arguments.open().unwrap_err();
    assert!(matches!(error, Error::TwoDatabases));
    let text = error.to_string();
    for part in ["--database-url", "DATABASE_URL", "--db-source", "DB_SOURCE"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("secret") && !format!("{arguments:?}").contains("secret"));
}

#[test]
fn without_a_url_the_local_cluster_of_the_data_directory_is_opened() {
    let place = Place::new();
    let directory = place.path().to_str().unwrap();
    let nothing = ["--database-url", "", "--db-source", "", "--data-dir", directory];
    let arguments = parse(&nothing);
    assert_eq!(arguments.data_dir().unwrap(), DataDir::at(directory));

    let database = arguments.open().unwrap();

    assert!(database.is_local());
    assert_eq!(greeting(database.url()), Greeting::Scram);
    assert!(database.describe().starts_with("local PostgreSQL in /"), "{}", database.describe());
    let url = database.url().to_owned();
    database.close().unwrap();
    assert_eq!(greeting(&url), Greeting::Refused);
}

#[test]
fn the_help_names_the_variables_and_hides_their_values() {
    let help = Arguments::command().render_long_help().to_string();
    for part in ["[env: DATABASE_URL]", "[env: DB_SOURCE]", "[env: SIMPLEBANK_DATA_DIR"] {
        assert!(help.contains(part), "{part} is missing in: {help}");
    }
}

fn binary(data_dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simplebank-localpg"))
        .args(arguments)
        .env("SIMPLEBANK_DATA_DIR", data_dir)
        .output()
        .expect("the binary runs")
}

fn said(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("text").trim_end()
}

#[test]
fn run_gives_a_command_a_database_and_exits_with_its_code() {
    let place = Place::new();
    let script = "echo \"$DATABASE_URL\"; exit 42";
    let output = binary(place.path(), &["run", "--", "/bin/sh", "-c", script]);
    assert_eq!(output.status.code(), Some(42));
    assert!(said(&output).starts_with("postgres://postgres@localhost:5432/postgres?host="));
    assert_eq!(greeting(said(&output)), Greeting::Refused);

    let output = binary(place.path(), &["run", "--", "no-such-program"]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("cannot run no-such-program: No such file"), "{complaint}");
}

#[test]
fn start_leaves_a_server_that_status_and_url_find_and_stop_ends() {
    let place = Place::new();
    let output = binary(place.path(), &["status"]);
    assert_eq!((output.status.code(), said(&output)), (Some(3), "there is no cluster yet"));

    assert!(binary(place.path(), &["start"]).status.success());

    assert!(binary(place.path(), &["status"]).status.success());
    let output = binary(place.path(), &["url"]);
    assert_eq!(greeting(said(&output)), Greeting::Scram);
    assert_eq!(said(&binary(place.path(), &["stop"])), "stopped");
    assert_eq!(said(&binary(place.path(), &["stop"])), "not running");
    assert_eq!(binary(place.path(), &["url"]).status.code(), Some(3));
}
