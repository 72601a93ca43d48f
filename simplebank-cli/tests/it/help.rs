//! `--help`, `--version` and `completions`.

use std::process::{Command, Stdio};

use crate::{Answer, answer, answer_to, assert_has, simplebank};

fn run(arguments: &[&str]) -> Answer {
    answer(simplebank("").args(arguments))
}

#[test]
fn help_lists_every_command_setting_and_exit_code() {
    let help = run(&["--help"]).ok().stdout;
    assert_has(
        &help,
        &[
            "migrate",
            "user",
            "account",
            "deposit",
            "withdraw",
            "transfer",
            "import",
            "hold",
            "reverse",
            "entries",
            "transfers",
            "statement",
            "job",
            "worker",
            "audit",
            "verify",
            "doctor",
            "token",
            "completions",
            "--json",
            "--database-url",
            "DATABASE_URL",
            "--db-source",
            "DB_SOURCE",
            "--data-dir",
            "SIMPLEBANK_DATA_DIR",
            "SIMPLEBANK_PG_BIN",
            "SIMPLEBANK_PASSWORD",
            "Exit codes:",
            "  0 ",
            "  1 ",
            "  2 ",
            "  3 ",
            "  70 ",
        ],
    );
}

#[test]
fn every_command_explains_itself_and_takes_the_common_settings_behind_it() {
    for command in [
        vec!["migrate", "up"],
        vec!["migrate", "down"],
        vec!["migrate", "status"],
        vec!["user", "create"],
        vec!["user", "list"],
        vec!["user", "set-role"],
        vec!["account", "open"],
        vec!["account", "list"],
        vec!["account", "show"],
        vec!["account", "balance"],
        vec!["account", "freeze"],
        vec!["account", "unfreeze"],
        vec!["account", "limits"],
        vec!["account", "close"],
        vec!["deposit"],
        vec!["withdraw"],
        vec!["transfer"],
        vec!["import"],
        vec!["hold", "place"],
        vec!["hold", "list"],
        vec!["hold", "show"],
        vec!["hold", "capture"],
        vec!["hold", "void"],
        vec!["reverse"],
        vec!["entries"],
        vec!["transfers"],
        vec!["statement"],
        vec!["job", "list"],
        vec!["job", "retry"],
        vec!["job", "drop"],
        vec!["worker"],
        vec!["verify"],
        vec!["doctor"],
        vec!["token", "generate-key"],
        vec!["token", "show-key"],
        vec!["completions"],
    ] {
        let help = run(&[command.as_slice(), &["--help"]].concat()).ok().stdout;
        assert_has(&help, &["Usage: simplebank", "--json", "--database-url", "--data-dir"]);
    }
    for money in [
        ["deposit"].as_slice(),
        &["withdraw"],
        &["transfer"],
        &["hold", "place"],
        &["hold", "capture"],
        &["hold", "void"],
        &["reverse"],
    ] {
        let help = run(&[money, &["--help"]].concat()).ok().stdout;
        assert_has(&help, &["--key <KEY>", "repeat the same command", "exactly once", "--dry-run"]);
    }
    assert_has(
        &run(&["import", "--help"]).stdout,
        &["--key-prefix", "goes on where it was", "--atomic"],
    );
    assert_has(&run(&["user", "create", "--help"]).stdout, &["SIMPLEBANK_PASSWORD"]);
}

#[test]
fn no_command_at_all_is_wrong_usage() {
    let nothing = run(&[]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (2, ""));
    assert_has(&nothing.stderr, &["Usage: simplebank"]);
}

#[test]
fn help_never_shows_what_the_environment_says_about_the_database() {
    let mut command = simplebank("postgres://u:secret@localhost/bank");
    let help = answer(command.env("DB_SOURCE", "postgres://u:secret@localhost/bank").arg("--help"));
    assert!(!help.ok().stdout.contains("secret"));
}

#[test]
fn the_version_is_told() {
    assert_eq!(
        run(&["--version"]).ok().stdout,
        format!("simplebank {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn completions_for_bash_are_a_script_that_bash_reads() {
    let script = run(&["completions", "bash"]).ok().stdout;
    assert_has(&script, &["_simplebank()", "set-role", "--database-url"]);
    // Reads the script from standard input, and defines what it completes with.
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-euc", "source /dev/stdin; declare -F _simplebank"]);
    let read = answer_to(bash.stdin(Stdio::piped()), script.as_bytes()).ok();
    assert_eq!((read.stdout.as_str(), read.stderr.as_str()), ("_simplebank\n", ""));
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert_has(&run(&["completions", shell]).ok().stdout, &["simplebank", "set-role"]);
    }
}
