//! Passwords: which are taken, how they are kept, and what ends when they change.

use simplebank::{
    Bank, Caller, ChangePassword, Error, HashCost, LogIn, LoggedIn, Register,
    db::{Db, PoolOptions},
    testing::{Fault, Proxy, Strike},
};
use time::Duration;

use crate::{
    PASSWORD, TestBank, code,
    mail::World,
    password, registration,
    sessions::{access, log_in},
};

const NEW: &str = "staple battery horse";

fn change(current: &str, new: &str) -> ChangePassword {
    ChangePassword { current: current.into(), new: password(new) }
}

async fn try_log_in(bank: &Bank, password: &str) -> Result<LoggedIn, Error> {
    let password = password.into();
    bank.log_in(LogIn { username: "alice".to_owned(), password, user_agent: None }).await
}

async fn caller(bank: &Bank, login: &LoggedIn) -> Caller {
    bank.authenticate(access(login)).await.unwrap()
}

async fn hash(test: &TestBank) -> String {
    let sql = "select password_hash from simplebank.users where username = 'alice'";
    sqlx::query_scalar(sql).fetch_one(test.bank.db().pool()).await.unwrap()
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions_at_once_and_is_told_by_mail() {
    let world = World::new().await;
    let test = &world.test;
    test.user("alice").await;
    test.user("bob").await;
    world.work_it_off().await;
    let (mine, other, bobs) =
        (log_in(test, "alice").await, log_in(test, "alice").await, log_in(test, "bob").await);
    test.bank.authenticate_recent(access(&other)).await.unwrap();
    test.clock.advance(Duration::MINUTE);
    let me = caller(&test.bank, &mine).await;
    test.bank.change_password(&me, change(PASSWORD, NEW)).await.unwrap();

    assert_eq!(code(test.bank.authenticate_recent(access(&other)).await), "unauthenticated");
    assert_eq!(code(test.bank.authenticate(access(&other)).await), "unauthenticated");
    assert_eq!(code(test.bank.renew(other.refresh_token).await), "unauthenticated");
    let me = caller(&test.bank, &mine).await;
    assert!(me.user.password_changed_at > me.user.created_at);
    test.bank.renew(mine.refresh_token).await.unwrap();
    caller(&test.bank, &bobs).await;
    assert_eq!(code(try_log_in(&test.bank, PASSWORD).await), "wrong_credentials");
    try_log_in(&test.bank, NEW).await.unwrap();

    world.work_it_off().await;
    let mails = world.server.received();
    assert_eq!(mails.len(), 3);
    let told = &mails[2];
    assert_eq!(told.header("To"), "alice@example.org");
    assert_eq!(told.header("Subject"), "Your password has changed");
    for secret in [PASSWORD, NEW, "http"] {
        assert!(!told.text.contains(secret), "{}", told.text);
    }
    assert!(told.text.contains("alice") && told.text.contains("01 Jan 2026"));
}

#[tokio::test]
async fn who_does_not_know_the_password_changes_nothing() {
    let world = World::new().await;
    let test = &world.test;
    test.user("alice").await;
    world.work_it_off().await;
    let (mine, other) = (log_in(test, "alice").await, log_in(test, "alice").await);
    let before = hash(test).await;
    let me = caller(&test.bank, &mine).await;
    for wrong in ["", NEW, "correct horse batterY", &"x".repeat(10_000)] {
        let refused = test.bank.change_password(&me, change(wrong, NEW)).await;
        assert_eq!(code(refused), "wrong_password");
    }
    // Nor does who wants one that is made of their own words.
    let own = change(PASSWORD, "alice@example.org");
    let refused = test.bank.change_password(&me, own).await.unwrap_err();
    let Error::Invalid { fields } = refused else { panic!("{refused:?}") };
    assert_eq!(fields[0].field, "new_password");
    assert_eq!(hash(test).await, before);
    caller(&test.bank, &other).await;
    assert_eq!(world.jobs().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_change_it_at_once_one_has_not_known_it() {
    let test = TestBank::new().await;
    test.user("alice").await;
    let me = caller(&test.bank, &log_in(&test, "alice").await).await;
    let other = "a third one, as long";
    let (first, second) = tokio::join!(
        test.bank.change_password(&me, change(PASSWORD, NEW)),
        test.bank.change_password(&me, change(PASSWORD, other)),
    );
    let (kept, lost, refused) =
        if first.is_ok() { (NEW, other, second) } else { (other, NEW, first) };
    assert_eq!(code(refused), "wrong_password");
    try_log_in(&test.bank, kept).await.unwrap();
    assert_eq!(code(try_log_in(&test.bank, lost).await), "wrong_credentials");
}

/// Whoever has shown the old password a moment before it changed gets no session with it.
#[tokio::test(flavor = "multi_thread")]
async fn no_session_begins_with_a_password_that_is_no_more() {
    let test = TestBank::new().await;
    test.user("alice").await;
    let owner = test.owner().await;
    let first = hash(&test).await;
    loop {
        let mut changing = owner.acquire().await.unwrap();
        let lock = "begin; select from simplebank.users where username = 'alice' for no key update";
        sqlx::raw_sql(lock).execute(&mut *changing).await.unwrap();
        let bank = test.bank.clone();
        let logging_in = tokio::spawn(async move { try_log_in(&bank, PASSWORD).await });
        let waiting = "select exists (select from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock')";
        while !sqlx::query_scalar::<_, bool>(waiting).fetch_one(&owner).await.unwrap()
            && !logging_in.is_finished()
        {}
        let end =
            "update simplebank.users set password_hash = '!' where username = 'alice'; commit";
        sqlx::raw_sql(end).execute(&mut *changing).await.unwrap();
        match code(logging_in.await.unwrap()) {
            // It has waited for the lock for too long, on a machine that is busy.
            "overloaded" => {}
            code => break assert_eq!(code, "wrong_credentials"),
        }
        let again = "update simplebank.users set password_hash = $1 where username = 'alice'";
        sqlx::query(again).bind(&first).execute(&mut *changing).await.unwrap();
    }
    let sessions: i64 = sqlx::query_scalar("select count(*) from simplebank.sessions")
        .fetch_one(&owner)
        .await
        .unwrap();
    assert_eq!(sessions, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_commit_changes_it_once_and_tells_it_once() {
    for fault in
        [Fault::BeforeCommit(Strike::Cut), Fault::DuringCommit, Fault::AfterCommit(Strike::Cut)]
    {
        let test = TestBank::new().await;
        test.user("alice").await;
        let proxy = Proxy::start(&test.database.url()).await;
        let db = Db::connect(&proxy.url(), PoolOptions::default()).await.unwrap();
        let bank = Bank::builder(db).clock(test.clock.clone()).build().unwrap();
        let login = try_log_in(&bank, PASSWORD).await.unwrap();
        let me = caller(&bank, &login).await;
        proxy.arm(fault);
        bank.change_password(&me, change(PASSWORD, NEW)).await.unwrap();
        assert_eq!(proxy.hits(), 1, "{fault:?}");
        try_log_in(&test.bank, NEW).await.unwrap();
        let told = "select count(*) from simplebank.jobs where kind = 'password_changed'";
        let told: i64 = sqlx::query_scalar(told).fetch_one(&test.owner().await).await.unwrap();
        assert_eq!(told, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_hash_that_was_cheap_is_made_anew_when_its_user_logs_in() {
    let test = TestBank::new().await;
    test.user("alice").await;
    let with = |memory_kib: u32, passes: u32| {
        let cost = HashCost::new(memory_kib, passes, 1).unwrap();
        Bank::builder(test.database.db().clone()).hash_cost(cost).build().unwrap()
    };
    let first = hash(&test).await;
    assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
    let dearer = with(20 * 1024, 3);
    assert_eq!(code(try_log_in(&dearer, NEW).await), "wrong_credentials");
    assert_eq!(hash(&test).await, first, "who does not know it makes nothing anew");
    let login = try_log_in(&dearer, PASSWORD).await.unwrap();
    let second = hash(&test).await;
    assert!(second.starts_with("$argon2id$v=19$m=20480,t=3,p=1$"), "{second}");
    // That is no change of the password.
    let user = caller(&dearer, &login).await.user;
    assert_eq!(user.password_changed_at, user.created_at);
    // Neither the same cost nor a lower one makes it anew, and it fits everywhere.
    for bank in [dearer, with(20 * 1024, 2), test.bank.clone()] {
        try_log_in(&bank, PASSWORD).await.unwrap();
        assert_eq!(hash(&test).await, second);
    }
}

#[tokio::test]
async fn nobody_registers_with_a_password_of_their_own_words() {
    let test = TestBank::new().await;
    let command = Register { password: password("somebodyalice_org"), ..registration("alice") };
    let Error::Invalid { fields } = test.bank.register(command).await.unwrap_err() else {
        panic!("it was taken")
    };
    assert_eq!(fields[0].field, "password");
    // The control: it is as good as any for somebody else.
    let command = Register {
        password: password("somebodyalice_org"),
        full_name: "Carol King".parse().unwrap(),
        ..registration("carol")
    };
    test.bank.register(command).await.unwrap();
}
