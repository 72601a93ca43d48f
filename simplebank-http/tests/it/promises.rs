//! What the documents promise is what the program has.

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use simplebank::core::Rejection;
use simplebank_http::{EDGE_CODES, config::Config};

const ERRORS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md"));
const README: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));

/// The first words in backticks of a table's rows.
fn first_column(text: &str) -> Vec<&str> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).collect()
}

#[test]
fn every_code_is_documented_and_every_documented_code_exists() {
    let (shared, command_line) = ERRORS.split_once("## Only on the command line").unwrap();
    assert!(!command_line.is_empty());
    let documented = first_column(shared);
    let known: BTreeSet<&str> = Rejection::CODES
        .iter()
        .copied()
        .chain(simplebank::Error::CODES)
        .chain(EDGE_CODES)
        .collect();
    assert_eq!(documented.iter().copied().collect::<BTreeSet<_>>(), known);
    assert_eq!(documented.len(), known.len(), "a code is documented twice");
}

#[test]
fn the_readme_lists_every_setting_with_its_variable_and_default() {
    let (_, table) = README.split_once("<!-- The test `promises` ").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let command = Config::command();
    let mut flags = Vec::new();
    for argument in command.get_arguments() {
        let Some(variable) = argument.get_env().and_then(|name| name.to_str()) else { continue };
        let flag = format!("--{}", argument.get_long().unwrap());
        let row = table.lines().find(|line| line.starts_with(&format!("| `{flag}` |")));
        let row = row.unwrap_or_else(|| panic!("the README does not list {flag}"));
        assert!(row.contains(&format!("| `{variable}` |")), "{row}");
        for default in argument.get_default_values().iter().filter_map(|value| value.to_str()) {
            // A switch is off unless it is given.
            assert!(default == "false" || row.contains(&format!("| `{default}` |")), "{row}");
        }
        flags.push(flag);
    }
    assert_eq!(first_column(table), flags, "the README lists them in the order of --help");
}
