//! The persistent cluster, used by one process.

use std::fs::{self, OpenOptions};
use std::io::Write;

use simplebank_localpg::{Error, Left, LocalPostgres, Status};

use crate::roles::Actor;
use crate::support::{
    Greeting, Place, greeting, is_root, kill, mode, parts, query_one, set_mode, wait_until,
};

fn is_running(place: &Place) -> bool {
    matches!(LocalPostgres::status(place.path()).unwrap(), Status::Running { .. })
}

#[test]
fn the_first_start_makes_a_cluster_that_asks_for_its_password() {
    let place = Place::new();
    assert_eq!(LocalPostgres::status(place.path()).unwrap(), Status::NoCluster);

    let postgres = LocalPostgres::start(place.path()).unwrap();

    assert_eq!(greeting(postgres.url()), Greeting::Scram);
    assert_eq!(mode(&place.path().join("postgres/password")), 0o600);
    assert_eq!(mode(&place.in_cluster("")), 0o700);
    let password = fs::read_to_string(place.path().join("postgres/password")).unwrap();
    assert!(password.len() >= 32 && postgres.url().contains(&password));
    assert!(!format!("{postgres:?}").contains(&password));
    let status = LocalPostgres::status(place.path()).unwrap();
    assert!(!format!("{status:?}").contains(&password));
    assert!(matches!(status, Status::Running { url, .. } if url == postgres.url()));
    assert_eq!(postgres.stop().unwrap(), Left::Stopped);
    assert_eq!(LocalPostgres::status(place.path()).unwrap(), Status::Stopped);
}

#[test]
fn the_data_outlives_a_restart_and_the_durable_settings_cannot_be_changed_by_a_file() {
    let place = Place::new();
    drop(LocalPostgres::start(place.path()).unwrap());
    assert!(!is_running(&place));
    // Without a password, so that the client of these tests can come in.
    fs::write(place.in_cluster("pg_hba.conf"), "local all all trust\n").unwrap();
    let mut conf =
        OpenOptions::new().append(true).open(place.in_cluster("postgresql.conf")).unwrap();
    conf.write_all(
        b"fsync=off\nfull_page_writes=off\nsynchronous_commit=off\nlisten_addresses='*'",
    )
    .unwrap();

    let postgres = LocalPostgres::start(place.path()).unwrap();
    for setting in ["fsync", "full_page_writes", "synchronous_commit", "data_checksums"] {
        assert_eq!(query_one(postgres.url(), &format!("show {setting}")), "on", "{setting}");
    }
    assert_eq!(query_one(postgres.url(), "show listen_addresses"), "");
    assert_eq!(query_one(postgres.url(), "show server_encoding"), "UTF8");
    assert_eq!(query_one(postgres.url(), "select current_database()"), "simplebank");
    query_one(postgres.url(), "create table kept as select 7 as n; select n from kept");
    postgres.stop().unwrap();

    let postgres = LocalPostgres::start(place.path()).unwrap();
    assert_eq!(query_one(postgres.url(), "select n from kept"), "7");
}

#[test]
fn the_socket_of_a_long_path_moves_and_is_found_again() {
    let place = Place::new();
    set_mode(place.path(), 0o711);
    let long = place.path().join("a".repeat(60)).join("b, 'c' \"$d\"".repeat(5));

    let postgres = LocalPostgres::start(&long).unwrap();

    let (socket_dir, _) = parts(postgres.url());
    assert!(socket_dir.starts_with("/tmp"), "{socket_dir:?}");
    assert_eq!(mode(&socket_dir), 0o700);
    assert_eq!(greeting(postgres.url()), Greeting::Scram);
    let second = LocalPostgres::start(&long).unwrap();
    assert_eq!(second.url(), postgres.url());
    drop(postgres);
    assert_eq!(second.stop().unwrap(), Left::Stopped);
    assert!(!socket_dir.exists());
}

#[test]
fn a_pid_file_whose_number_belongs_to_a_stranger_fools_nobody() {
    let place = Place::new();
    drop(LocalPostgres::start(place.path()).unwrap());
    let stranger = std::process::id();
    let text = format!("{stranger}\n/elsewhere\n1\n5432\n/nowhere\n\n0 0\nready   \n");
    fs::write(place.in_cluster("postmaster.pid"), text).unwrap();
    assert_eq!(LocalPostgres::status(place.path()).unwrap(), Status::Stopped);

    let postgres = LocalPostgres::start(place.path()).unwrap();

    assert_eq!(greeting(postgres.url()), Greeting::Scram);
}

#[test]
fn a_server_that_was_killed_is_started_again() {
    let place = Place::new();
    let lost = LocalPostgres::start(place.path()).unwrap();
    let Status::Running { pid, .. } = LocalPostgres::status(place.path()).unwrap() else {
        panic!("it runs");
    };
    kill(u32::try_from(pid).unwrap());
    wait_until("the server is gone", || greeting(lost.url()) == Greeting::Refused);

    let postgres = LocalPostgres::start(place.path()).unwrap();

    assert_eq!(greeting(postgres.url()), Greeting::Scram);
    assert_eq!(lost.stop().unwrap(), Left::InUse);
    assert_eq!(postgres.stop().unwrap(), Left::Stopped);
}

#[test]
fn a_kept_server_outlives_its_users_until_it_is_stopped() {
    let place = Place::new();
    LocalPostgres::start(place.path()).unwrap().keep_running().unwrap();
    let user = LocalPostgres::start(place.path()).unwrap();
    assert!(matches!(LocalPostgres::stop_server(place.path()), Err(Error::InUse { .. })));
    assert_eq!(user.stop().unwrap(), Left::Kept);
    assert!(is_running(&place));

    assert!(LocalPostgres::stop_server(place.path()).unwrap());

    assert!(!is_running(&place));
    assert!(!LocalPostgres::stop_server(place.path()).unwrap());
    drop(LocalPostgres::start(place.path()).unwrap());
    assert!(!is_running(&place), "it is not kept any more");
}

#[test]
fn a_server_that_does_not_start_fails_with_its_own_words() {
    let place = Place::new();
    drop(LocalPostgres::start(place.path()).unwrap());
    fs::write(place.in_cluster("postgresql.conf"), "no_such_setting = 1\n").unwrap();

    let error = LocalPostgres::start(place.path()).unwrap_err();

    assert!(matches!(error, Error::Failed { .. }), "{error}");
    assert!(error.to_string().contains("no_such_setting"), "{error}");
}

#[test]
fn a_cluster_of_a_version_that_is_not_installed_is_a_clear_error() {
    let place = Place::new();
    drop(LocalPostgres::start(place.path()).unwrap());
    fs::write(place.in_cluster("PG_VERSION"), "99\n").unwrap();

    let error = LocalPostgres::start(place.path()).unwrap_err().to_string();

    assert!(error.contains("made by PostgreSQL 99"), "{error}");
}

#[test]
fn a_lost_password_file_is_a_clear_error_and_no_reason_for_a_new_cluster() {
    let place = Place::new();
    drop(LocalPostgres::start(place.path()).unwrap());
    fs::remove_file(place.path().join("postgres/password")).unwrap();

    let error = LocalPostgres::start(place.path()).unwrap_err();

    assert!(matches!(error, Error::PasswordMissing { .. }), "{error}");
    assert!(place.in_cluster("PG_VERSION").exists());
}

#[test]
fn a_closed_directory_on_the_way_is_named_with_the_user_and_the_way_out() {
    if !is_root() {
        eprintln!("does not apply: only root runs PostgreSQL as another user");
        return;
    }
    let place = Place::new();
    let closed = place.path().join("closed");
    fs::create_dir(&closed).unwrap();
    set_mode(place.path(), 0o711);
    set_mode(&closed, 0o700);

    let error = LocalPostgres::start(&closed.join("data")).unwrap_err();

    assert!(
        matches!(&error, Error::NotSearchable { directory, .. } if *directory == closed),
        "{error}"
    );
    let text = error.to_string();
    for part in ["postgres", "--data-dir", "SIMPLEBANK_DATA_DIR", "DATABASE_URL"] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    assert_eq!(mode(&closed), 0o700, "what is not ours has not been opened");
}

#[test]
fn a_named_directory_without_the_programs_is_a_clear_error() {
    let place = Place::new();
    let line = Actor::searcher(place.path()).line();
    assert!(line.starts_with("error SIMPLEBANK_PG_BIN names "), "{line}");
    assert!(line.contains("lacks initdb, pg_ctl, postgres"), "{line}");
}
