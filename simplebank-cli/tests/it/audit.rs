//! `simplebank audit`, and freezing users.

use crate::{Bank, assert_has, fields};

#[tokio::test]
async fn what_was_done_is_listed_for_people_programs_and_spreadsheets() {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    bank.run(&["deposit", &alice, "10", "EUR"]).ok();
    bank.run(&["transfer", "--from", &alice, "--to", &bob, "1", "EUR"]).ok();
    bank.run(&["withdraw", &alice, "1", "EUR", "--dry-run"]).ok();
    bank.run(&["user", "set-role", "bob", "banker"]).ok();
    bank.run(&["user", "freeze", "bob"]).ok();

    let all = bank.json(&["audit"]);
    let items = all["items"].as_array().unwrap();
    let actions: Vec<_> = items.iter().map(|item| item["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["user_frozen", "role_set", "transferred", "deposited"]);
    assert_eq!(
        fields(&items[0]),
        [
            "action",
            "actor",
            "address",
            "at",
            "detail",
            "object_id",
            "object_kind",
            "request_id",
            "times"
        ]
    );
    assert_eq!(items[0]["actor"], "operator");
    let table = bank.run(&["audit", "--action", "role_set"]).ok().stdout;
    assert_has(&table, &["role_set", "operator", "user ", "depositor to banker"]);
    assert!(!table.contains("user_frozen"), "{table}");
    let csv = bank.run(&["audit", "--user", "bob", "--format", "csv"]).ok().stdout;
    let lines: Vec<_> = csv.split("\r\n").collect();
    assert_eq!(lines[0], "at,actor,action,object_kind,object_id,detail,address,request_id,times");
    assert_eq!((lines.len(), lines[3]), (4, ""));
    assert_has(lines[1], &[",operator,user_frozen,user,"]);
    let none = bank.json(&["audit", "--until", "2026-01-01"]);
    assert_eq!(none["items"], serde_json::json!([]));
    for wrong in [["--action", "x"], ["--since", "x"], ["--user", "A"], ["--user", "nobody"]] {
        let refused = bank.run(&[&["audit"], wrong.as_slice()].concat());
        assert!([1, 2].contains(&refused.code) && refused.stdout.is_empty(), "{refused:?}");
    }
}

#[tokio::test]
async fn a_user_is_frozen_and_let_in_again() {
    let bank = Bank::new().await;
    bank.user("alice");
    assert!(bank.json(&["user", "freeze", "alice"])["frozen_at"].is_string());
    let real = simplebank::Bank::new(bank.database.db().clone()).unwrap();
    let log_in = || simplebank::LogIn {
        username: "alice".to_owned(),
        password: crate::PASSWORD.into(),
        user_agent: None,
    };
    assert_eq!(real.log_in(log_in()).await.unwrap_err().code(), "user_frozen");
    assert!(bank.json(&["user", "unfreeze", "alice"])["frozen_at"].is_null());
    real.log_in(log_in()).await.unwrap();
    assert_eq!(bank.run(&["user", "freeze", "operator"]).code, 1);
}
