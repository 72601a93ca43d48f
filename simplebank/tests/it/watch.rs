//! A login that is kept is not read again, and yet ends within a second, whoever ends it.

use std::time::{Duration, Instant};

use simplebank::{
    Bank, LoggedIn,
    core::{Principal, Role},
    testing::kill_backends,
};
use sqlx::PgPool;

use crate::{
    TestBank,
    sessions::{access, log_in},
};

/// How long a login that has ended may be believed, with as much again for a machine that is busy.
const BOUND: Duration = Duration::from_secs(2);

/// A bank that knows a login for longer than it would believe it without listening, and the way to ask it again.
struct Known {
    tested: TestBank,
    owner: PgPool,
    login: LoggedIn,
}

impl Known {
    async fn new() -> Self {
        let tested = TestBank::new().await;
        tested.user("alice").await;
        let login = log_in(&tested, "alice").await;
        let owner = tested.owner().await;
        let known = Self { tested, owner, login };
        assert!(known.is_believed_for(BOUND).await);
        known
    }

    async fn is_believed(&self) -> bool {
        match self.tested.bank.authenticate_recent(access(&self.login)).await {
            Ok(_) => true,
            Err(error) => error.code() != "unauthenticated",
        }
    }

    /// Whether the login is believed for so long, without a pause.
    async fn is_believed_for(&self, time: Duration) -> bool {
        let begun_at = Instant::now();
        while begun_at.elapsed() < time {
            if !self.is_believed().await {
                return false;
            }
            tokio::task::yield_now().await;
        }
        true
    }

    /// Ends all sessions behind the bank's back.
    async fn end(&self) {
        let sql = "update simplebank.sessions set revoked_at = created_at";
        sqlx::raw_sql(sql).execute(&self.owner).await.unwrap();
    }

    async fn tells(&self, is_told: bool) {
        let sql = if is_told { "enable" } else { "disable" };
        let sql = format!("alter table simplebank.sessions {sql} trigger sessions_tell");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&self.owner).await.unwrap();
    }
}

#[tokio::test]
async fn what_anybody_ends_is_heard() {
    let known = Known::new().await;
    known.end().await;
    assert!(!known.is_believed_for(BOUND).await);
}

/// The control: the login is kept, and it is the notice that ends it.
#[tokio::test]
async fn what_nobody_tells_is_not_heard() {
    let known = Known::new().await;
    known.tells(false).await;
    known.end().await;
    assert!(known.is_believed_for(BOUND).await);
}

/// Nothing of ours deletes sessions; whoever cleans the table up ends them as well. Each with its control.
#[tokio::test]
async fn sessions_that_somebody_deletes_are_heard_of() {
    for (sql, trigger) in [
        ("delete from simplebank.sessions", "sessions_tell_deletion"),
        ("truncate simplebank.sessions cascade", "sessions_tell_truncation"),
    ] {
        for is_told in [true, false] {
            let known = Known::new().await;
            let verb = if is_told { "enable" } else { "disable" };
            let set = format!("alter table simplebank.sessions {verb} trigger {trigger}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(&known.owner).await.unwrap();
            sqlx::raw_sql(sql).execute(&known.owner).await.unwrap();
            assert_eq!(known.is_believed_for(BOUND).await, !is_told, "{sql}");
        }
    }
}

#[tokio::test]
async fn who_can_not_listen_reads_again() {
    let known = Known::new().await;
    known.tells(false).await;
    known.end().await;
    kill_backends(&known.owner).await.unwrap();
    assert!(!known.is_believed_for(BOUND).await);
}

#[tokio::test]
async fn a_role_that_another_process_has_changed_is_heard() {
    let known = Known::new().await;
    let elsewhere = Bank::builder(known.tested.database.db().clone()).build().unwrap();
    let user = known.tested.bank.authenticate(access(&known.login)).await.unwrap().user;
    elsewhere.set_role(&Principal::Operator, user.id, Role::Banker).await.unwrap();
    let begun_at = Instant::now();
    loop {
        let caller = known.tested.bank.authenticate_recent(access(&known.login)).await.unwrap();
        if caller.user.role == Role::Banker {
            break;
        }
        assert!(begun_at.elapsed() < BOUND);
        tokio::task::yield_now().await;
    }
}
