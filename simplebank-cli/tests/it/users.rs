//! `simplebank user`.

use crate::{Bank, PASSWORD, answer, answer_to, assert_has, fields};

const CREATE: [&str; 8] = [
    "user",
    "create",
    "--username",
    "alice",
    "--full-name",
    "Alice Doe",
    "--email",
    "alice@example.org",
];

#[tokio::test]
async fn a_user_is_created_and_listed_as_json_and_as_a_table() {
    let bank = Bank::new().await;
    let mut create = bank.command(&CREATE);
    let table = answer(create.env("SIMPLEBANK_PASSWORD", PASSWORD)).ok();
    assert_has(
        &table.stdout,
        &["username", "alice", "Alice Doe", "alice@example.org", "depositor"],
    );
    assert_eq!(table.stderr, "");

    let list = bank.json(&["user", "list"]);
    assert_eq!(list["next_cursor"], serde_json::Value::Null);
    let users = list["items"].as_array().unwrap();
    assert_eq!(users.len(), 1, "without the operator");
    assert_eq!(
        fields(&users[0]),
        [
            "created_at",
            "email",
            "email_verified_at",
            "full_name",
            "id",
            "password_changed_at",
            "role",
            "username"
        ]
    );
    assert_eq!(users[0]["full_name"], "Alice Doe");
    assert!(users[0]["created_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(bank.run(&["user", "list"]).ok().stdout, table.stdout);
}

#[tokio::test]
async fn a_password_comes_from_standard_input_and_its_line_break_does_not_count() {
    let bank = Bank::new().await;
    let create = [CREATE.as_slice(), &["--password-stdin", "--json"]].concat();
    let made = answer_to(&mut bank.command(&create), format!("{PASSWORD}\r\n").as_bytes()).ok();
    assert_eq!(made.json()["username"], "alice");

    // The hash fits the password without the line break, and no other.
    let real = simplebank::Bank::new(bank.database.db().clone()).unwrap();
    for (password, fits) in [(PASSWORD, true), ("correct horse battery\r", false)] {
        let log_in = simplebank::LogIn {
            username: "alice".to_owned(),
            password: password.into(),
            user_agent: None,
        };
        assert_eq!(real.log_in(log_in).await.is_ok(), fits, "{password:?}");
    }
}

#[tokio::test]
async fn a_bad_password_is_refused_and_nobody_is_created() {
    let bank = Bank::new().await;
    let before = bank.everything().await;
    let from_stdin = [CREATE.as_slice(), &["--password-stdin"]].concat();
    let too_long = "x".repeat(129);
    for input in [
        "",
        "\n",
        "short",
        &too_long,
        &"x".repeat(5_000),
        "with a\ttab in its middle",
        "two\nlines of password",
    ] {
        let refused = answer_to(&mut bank.command(&from_stdin), input.as_bytes());
        assert_eq!(refused.code, 2, "{refused:?}");
        assert_has(&refused.stderr, &["error: password: must "]);
    }
    let not_utf8 = answer_to(&mut bank.command(&from_stdin), b"\xff fifteen letters");
    assert_eq!(not_utf8.code, 2, "{not_utf8:?}");
    assert_has(&not_utf8.stderr, &["error: password: cannot be read"]);

    let short = answer(bank.command(&CREATE).env("SIMPLEBANK_PASSWORD", "short"));
    assert_eq!(short.code, 2);
    assert_has(&short.stderr, &["password: must have 15 to 128 characters, has 5"]);
    let none = bank.run(&CREATE);
    assert_eq!(none.code, 2);
    assert_has(&none.stderr, &["password: none given", "--password-stdin", "SIMPLEBANK_PASSWORD"]);
    assert_eq!(bank.everything().await, before);
}

#[tokio::test]
async fn a_password_is_never_an_argument() {
    let bank = Bank::new().await;
    let refused = bank.run(&[CREATE.as_slice(), &["--password", PASSWORD]].concat());
    assert_eq!(refused.code, 2);
    assert!(!refused.stderr.contains(PASSWORD), "{refused:?}");
}

#[tokio::test]
async fn a_taken_name_is_refused() {
    let bank = Bank::new().await;
    bank.user("alice");
    let mut again = bank.command(&[CREATE.as_slice(), &["--json"]].concat());
    let refused = answer(again.env("SIMPLEBANK_PASSWORD", PASSWORD));
    assert_eq!(refused.code, 1);
    assert_eq!(refused.error()["code"], "username_taken");
    assert_eq!(refused.stdout, "");
}

#[tokio::test]
async fn a_role_is_set_and_set_back() {
    let bank = Bank::new().await;
    bank.user("alice");
    assert_eq!(bank.json(&["user", "set-role", "alice", "banker"])["role"], "banker");
    assert_has(&bank.run(&["user", "list"]).stdout, &["banker"]);
    assert_has(&bank.run(&["user", "set-role", "alice", "depositor"]).ok().stdout, &["depositor"]);
}

#[tokio::test]
async fn neither_a_stranger_nor_the_operator_gets_a_role() {
    let bank = Bank::new().await;
    let before = bank.everything().await;
    for name in ["nobody", "operator"] {
        let refused = bank.run(&["user", "set-role", name, "depositor"]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert_eq!(refused.stdout, "");
    }
    let refused = bank.run(&["user", "set-role", "nobody", "banker"]);
    assert_has(&refused.stderr, &["no user nobody", "<USERNAME>", "hint: `simplebank user list`"]);
    assert_eq!(bank.everything().await, before);
}

#[tokio::test]
async fn a_list_of_many_users_is_whole_and_one_document() {
    let bank = Bank::new().await;
    bank.tamper(
        "insert into simplebank.users (id, username, password_hash, full_name, email, role, password_changed_at, created_at)
         select gen_random_uuid(), 'user_' || n, '!', 'User ' || n, 'u@example.org', 'depositor', now(), now()
         from generate_series(1, 205) n",
    )
    .await;
    let list = bank.json(&["user", "list"]);
    let mut names: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|user| user["username"].to_string()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 205);
    let table = bank.run(&["user", "list"]).ok().stdout;
    assert_eq!(table.lines().count(), 206, "one header and a line for each");
}
