//! Throw-away clusters.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use simplebank_localpg::{Error, ThrowawayCluster};

use crate::roles::Actor;
use crate::support::{Greeting, Place, greeting, mode, query_one, set_mode, wait_until};

#[test]
fn a_throwaway_cluster_answers_and_is_gone_when_dropped() {
    let cluster = ThrowawayCluster::start().unwrap();
    let url = cluster.url("postgres");
    let directory = cluster.directory().to_owned();
    assert_eq!(query_one(&url, "select 6 * 7"), "42");
    assert_eq!(query_one(&url, "show fsync"), "off");
    assert_eq!(query_one(&url, "show max_connections"), "200");
    assert_eq!(query_one(&url, "show listen_addresses"), "");
    assert_eq!(query_one(&url, "show server_encoding"), "UTF8");
    assert_eq!(mode(&directory), 0o700);

    drop(cluster);

    assert!(!directory.exists());
    assert_eq!(greeting(&url), Greeting::Refused);
}

#[test]
fn a_durable_one_survives_a_crash_with_the_settings_asked_for() {
    let options = ThrowawayCluster::options().durable().setting("application_name", "it's");
    let cluster = options.setting("max_connections", "17").start().unwrap();
    let url = cluster.url("postgres");
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        assert_eq!(query_one(&url, &format!("show {setting}")), "on", "{setting}");
    }
    assert_eq!(query_one(&url, "show max_connections"), "17");
    assert_eq!(query_one(&url, "show application_name"), "it's");
    query_one(&url, "create table kept as select 7 as n; select n from kept");

    cluster.crash().unwrap();
    assert_eq!(greeting(&url), Greeting::Refused);
    assert!(matches!(cluster.crash(), Err(Error::Throwaway { verb: "crash", .. })));
    cluster.resume().unwrap();

    assert_eq!(query_one(&url, "select n from kept"), "7");
    let log = fs::read_to_string(cluster.directory().join("log")).unwrap();
    assert!(log.contains("automatic recovery in progress"), "{log}");
    assert!(!log.contains("shutdown request"), "it was asked, not killed: {log}");
}

#[test]
fn a_cluster_is_made_where_it_is_asked_for() {
    let place = Place::new();
    set_mode(place.path(), 0o1777);

    let cluster = ThrowawayCluster::options().directory(place.path()).start().unwrap();

    assert_eq!(cluster.directory().parent(), Some(place.path()));
    assert_eq!(query_one(&cluster.url("postgres"), "select 6 * 7"), "42");
    let refused = ThrowawayCluster::options().directory("/no such place").start();
    assert!(matches!(refused, Err(Error::Throwaway { verb: "start", .. })));
}

#[test]
fn a_wrong_setting_fails_with_the_servers_words() {
    let error = ThrowawayCluster::options().setting("no_such_setting", "1").start().unwrap_err();
    assert!(error.to_string().contains("no_such_setting"), "{error}");
}

#[test]
fn a_crashed_cluster_is_removed_too() {
    let cluster = ThrowawayCluster::start().unwrap();
    let directory = cluster.directory().to_owned();
    cluster.crash().unwrap();
    drop(cluster);
    assert!(!directory.exists());
}

#[test]
fn a_cluster_in_a_static_vanishes_when_the_process_exits() {
    let place = Place::new();
    set_mode(place.path(), 0o1777);
    let mut owner = Actor::throwaway(place.path());
    let directory = PathBuf::from(owner.line());
    assert!(directory.exists());

    owner.leave();

    wait_until("the directory is gone", || !directory.exists());
}

#[test]
fn a_cluster_vanishes_when_its_owner_is_killed() {
    let place = Place::new();
    set_mode(place.path(), 0o1777);
    let mut owner = Actor::throwaway(place.path());
    let directory = PathBuf::from(owner.line());
    assert!(directory.starts_with(place.path()));
    let pid = fs::read_to_string(directory.join("data/postmaster.pid")).unwrap();
    let pid = pid.lines().next().unwrap().to_owned();
    assert!(is_alive(&pid));

    owner.kill();

    wait_until("the directory is gone", || !directory.exists());
    wait_until("the server is gone", || !is_alive(&pid));
}

#[test]
fn a_cluster_vanishes_when_its_owner_is_killed_in_the_middle_of_making_it() {
    for step in ["data", "data/PG_VERSION", "data/base/1", "data/postmaster.pid"] {
        let place = Place::new();
        set_mode(place.path(), 0o1777);
        let owner = Actor::throwaway(place.path());
        let entries = || fs::read_dir(place.path()).unwrap().filter_map(Result::ok);
        wait_until(step, || entries().any(|entry| entry.path().join(step).exists()));

        owner.kill();

        wait_until("nothing is left", || entries().next().is_none());
    }
}

/// Signal 0 would fail for a process of another user; `ps` tells of all, and a zombie counts as dead.
fn is_alive(pid: &str) -> bool {
    let output = Command::new("ps").args(["-o", "stat=", "-p", pid]).output();
    let state = String::from_utf8(output.expect("ps runs").stdout).unwrap();
    !state.trim().is_empty() && !state.starts_with('Z')
}
