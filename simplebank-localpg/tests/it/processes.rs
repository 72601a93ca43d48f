//! The persistent cluster, shared and abandoned by processes.

use std::fs;

use simplebank_localpg::{Left, LocalPostgres, Status};

use crate::roles::Actor;
use crate::support::{Greeting, Place, greeting, wait_until};

fn server(place: &Place) -> i32 {
    match LocalPostgres::status(place.path()).unwrap() {
        Status::Running { pid, .. } => pid,
        other @ (Status::NoCluster | Status::Stopped) => panic!("{other:?}"),
    }
}

#[test]
fn processes_that_start_at_once_share_one_server_and_the_last_to_leave_stops_it() {
    let place = Place::new();
    let mut first = Actor::user(place.path());
    let mut second = Actor::user(place.path());
    let url = first.line();
    assert_eq!(second.line(), url);
    let pid = server(&place);

    first.leave();
    assert_eq!(greeting(&url), Greeting::Scram);
    assert_eq!(server(&place), pid);

    second.leave();
    assert_eq!(greeting(&url), Greeting::Refused);
    assert_eq!(LocalPostgres::status(place.path()).unwrap(), Status::Stopped);
}

#[test]
fn a_server_left_by_a_killed_process_is_adopted_and_stopped() {
    let place = Place::new();
    let mut owner = Actor::user(place.path());
    let url = owner.line();
    let pid = server(&place);
    owner.kill();
    assert_eq!(greeting(&url), Greeting::Scram);

    let postgres = LocalPostgres::start(place.path()).unwrap();

    assert_eq!(postgres.url(), url);
    assert_eq!(server(&place), pid);
    assert_eq!(postgres.stop().unwrap(), Left::Stopped);
    assert_eq!(greeting(&url), Greeting::Refused);
}

#[test]
fn a_killed_user_does_not_count_when_the_last_one_leaves() {
    let place = Place::new();
    let mut killed = Actor::user(place.path());
    killed.line();
    let postgres = LocalPostgres::start(place.path()).unwrap();
    killed.kill();
    assert_eq!(postgres.stop().unwrap(), Left::Stopped);
}

#[test]
fn an_interrupted_initialisation_is_repaired_by_the_next_start() {
    for step in ["password", "data/PG_VERSION", "data/base/1", "data/global/pg_control"] {
        let place = Place::new();
        let owner = Actor::user(place.path());
        let base = place.path().join("postgres");
        let unfinished = || {
            fs::read_dir(&base)
                .into_iter()
                .flatten()
                .filter_map(Result::ok)
                .map(|entry| entry.path())
                .filter(|path| path.display().to_string().contains("/initialising-"))
                .collect::<Vec<_>>()
        };
        wait_until(step, || unfinished().iter().any(|path| path.join(step).exists()));
        owner.kill();
        assert!(!unfinished().is_empty(), "{step}: the kill came too late");
        assert_eq!(LocalPostgres::status(place.path()).unwrap(), Status::NoCluster);

        let postgres = LocalPostgres::start(place.path()).unwrap();

        assert_eq!(greeting(postgres.url()), Greeting::Scram);
        assert_eq!(unfinished(), Vec::<std::path::PathBuf>::new());
        assert_eq!(postgres.stop().unwrap(), Left::Stopped);
    }
}

#[test]
fn a_start_that_was_killed_halfway_is_taken_over() {
    let place = Place::new();
    drop(LocalPostgres::start(place.path()).unwrap());
    let starter = Actor::user(place.path());
    wait_until("a server appears", || place.in_cluster("postmaster.pid").exists());
    starter.kill();

    let postgres = LocalPostgres::start(place.path()).unwrap();

    assert_eq!(greeting(postgres.url()), Greeting::Scram);
    assert_eq!(postgres.stop().unwrap(), Left::Stopped);
}
