//! `docs/security.md` names tests that exist.

use std::path::Path;

const SECURITY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md"));
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The cells of the table's rows: requirement, ASVS, tests, outcome.
fn rows() -> Vec<Vec<&'static str>> {
    let lines = SECURITY.lines().filter(|line| line.starts_with("| "));
    let rows = lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect());
    rows.filter(|row: &Vec<&str>| row.first() != Some(&"Requirement")).collect()
}

/// What stands in backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// True when `path::name` is a test: `path` is a file without its ending, from the root of the repository.
fn exists(test: &str) -> bool {
    let Some((path, name)) = test.split_once("::") else { return false };
    let file = Path::new(ROOT).join(format!("{path}.rs"));
    std::fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("fn {name}(")))
}

#[test]
fn every_requirement_has_an_outcome_and_tests_that_exist() {
    let rows = rows();
    assert!(rows.len() > 60, "{}", rows.len());
    for row in rows {
        let [requirement, asvs, tests, outcome] = row[..] else { panic!("{row:?}") };
        let numbers = asvs.split(", ").filter(|number| *number != "–");
        for number in numbers {
            let parts: Vec<_> = number.strip_prefix('V').unwrap_or("").split('.').collect();
            let is_number = parts.len() == 3 && parts.iter().all(|part| part.parse::<u8>().is_ok());
            assert!(is_number, "{requirement}: {number}");
        }
        let missing: Vec<_> = names(tests).filter(|test| !exists(test)).collect();
        assert!(missing.is_empty(), "{requirement}: {missing:?}");
        let is_met = outcome == "met";
        let is_told = outcome.starts_with("not met: ") || outcome.starts_with("not yet: ");
        assert!(is_met || is_told, "{requirement}: {outcome}");
        assert!(
            !is_met || names(tests).next().is_some(),
            "{requirement} is met, but nothing shows it"
        );
    }
}

/// The control: a test that is none is noticed.
#[test]
fn a_test_that_is_none_does_not_exist() {
    assert!(exists("simplebank-http/tests/it/abuse/table::rows"));
    for none in [
        "simplebank-http/tests/it/abuse/table::columns",
        "simplebank-http/tests/it/none::rows",
        "rows",
    ] {
        assert!(!exists(none), "{none}");
    }
}
