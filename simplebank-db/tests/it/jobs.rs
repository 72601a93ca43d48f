//! The queue: who gets which job when, and what is left of those whose worker has gone.

use simplebank_core::{
    Job, JobId,
    job::{Next, Queue, State},
};
use simplebank_db::{
    Db, Error, TxSpec,
    jobs::{self, Claimed, Listener},
    testing::TestDatabase,
};
use sqlx::AssertSqlSafe;
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

const TEST: TxSpec = TxSpec::read_committed("test");
const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);
const LEASE: Duration = Duration::MINUTE;

fn job(number: u8) -> Job {
    Job {
        id: JobId::from_parts(1, [number; 10]),
        kind: "greet".to_owned(),
        queue: Queue::Default,
        payload: r#"{"name": "alice"}"#.to_owned(),
        unique_key: None,
        attempts: 0,
        attempts_max: 3,
        due_at: NOW,
        is_leased: false,
        last_error: None,
        dead_at: None,
        created_at: NOW,
    }
}

fn lease(number: u8) -> Uuid {
    Uuid::from_bytes([number; 16])
}

async fn enqueue(db: &Db, job: &Job) -> bool {
    db.transact(TEST, async |tx| jobs::enqueue(tx, job).await).await.unwrap()
}

async fn claim(db: &Db, with: u8, now: OffsetDateTime) -> Option<Claimed> {
    let kinds = ["greet".to_owned()];
    let claim = async |tx: &mut simplebank_db::Tx<'_>| {
        jobs::claim(tx, &kinds, lease(with), now, now + LEASE).await
    };
    db.transact(TEST, claim).await.unwrap()
}

async fn complete(db: &Db, id: JobId, with: u8) -> bool {
    db.transact(TEST, async |tx| jobs::complete(tx, id, lease(with)).await).await.unwrap()
}

async fn fail(db: &Db, id: JobId, with: u8, next: Next) -> bool {
    let fail = async |tx: &mut simplebank_db::Tx<'_>| {
        jobs::fail(tx, id, lease(with), "no luck", next, NOW).await
    };
    db.transact(TEST, fail).await.unwrap()
}

async fn all(db: &Db) -> Vec<Job> {
    db.transact(TEST, async |tx| jobs::list(tx, None, 100).await).await.unwrap()
}

#[tokio::test]
async fn what_was_enqueued_is_read_back_and_done_once() {
    let database = TestDatabase::new().await;
    let db = database.db();
    assert!(enqueue(db, &job(1)).await);
    assert_eq!(all(db).await, [job(1)]);
    let claimed = claim(db, 1, NOW).await.unwrap();
    let expected = Job { attempts: 1, due_at: NOW + LEASE, is_leased: true, ..job(1) };
    assert_eq!(claimed, Claimed { job: expected.clone(), lease: lease(1) });
    assert_eq!(expected.state(NOW), State::Running);
    assert_eq!(claim(db, 2, NOW).await, None);
    assert!(complete(db, job(1).id, 1).await);
    assert!(!complete(db, job(1).id, 1).await);
    assert_eq!(all(db).await, []);
}

#[tokio::test]
async fn critical_jobs_go_first_then_the_oldest_and_none_before_its_time() {
    let database = TestDatabase::new().await;
    let db = database.db();
    let later = NOW + Duration::HOUR;
    for job in [
        Job { due_at: NOW - Duration::HOUR, ..job(1) },
        Job { due_at: NOW - Duration::HOUR * 2, ..job(2) },
        Job { queue: Queue::Critical, ..job(3) },
        Job { queue: Queue::Critical, due_at: later, ..job(4) },
        Job { kind: "nobody_knows".to_owned(), queue: Queue::Critical, ..job(5) },
    ] {
        assert!(enqueue(db, &job).await);
    }
    let mut order = Vec::new();
    for with in 1..=3 {
        order.push(claim(db, with, NOW).await.unwrap().job.id);
    }
    assert_eq!(order, [job(3).id, job(2).id, job(1).id]);
    assert_eq!(claim(db, 4, NOW).await, None);
    for id in order {
        assert!(
            complete(
                db,
                id,
                if id == job(3).id {
                    1
                } else if id == job(2).id {
                    2
                } else {
                    3
                }
            )
            .await
        );
    }
    let kinds = ["greet".to_owned()];
    let due = db.transact(TEST, async |tx| jobs::next_due(tx, &kinds).await).await.unwrap();
    assert_eq!(due, Some(later));
    assert_eq!(claim(db, 4, later).await.unwrap().job.id, job(4).id);
    assert_eq!(all(db).await.len(), 2, "what no worker knows stays");
}

#[tokio::test]
async fn what_another_transaction_is_taking_is_skipped_not_waited_for() {
    let database = TestDatabase::new().await;
    let db = database.db();
    for number in 1..=2 {
        assert!(enqueue(db, &job(number)).await);
    }
    let kinds = ["greet".to_owned()];
    let inside = async |tx: &mut simplebank_db::Tx<'_>| {
        let first = jobs::claim(tx, &kinds, lease(1), NOW, NOW + LEASE).await?;
        // Meanwhile, on another connection.
        let second = claim(db, 2, NOW).await;
        let third = claim(db, 3, NOW).await;
        Ok::<_, Error>((first, second, third))
    };
    let (first, second, third) = db.transact(TEST, inside).await.unwrap();
    assert_eq!(first.unwrap().job.id, job(1).id);
    assert_eq!(second.unwrap().job.id, job(2).id);
    assert_eq!(third, None);
}

#[tokio::test]
async fn whoever_comes_back_after_the_lease_changes_nothing() {
    let database = TestDatabase::new().await;
    let db = database.db();
    enqueue(db, &job(1)).await;
    claim(db, 1, NOW).await.unwrap();
    assert_eq!(claim(db, 2, NOW + LEASE - Duration::MICROSECOND).await, None);
    let again = claim(db, 2, NOW + LEASE).await.unwrap();
    assert_eq!(again.job.attempts, 2);
    assert!(!complete(db, job(1).id, 1).await);
    assert!(!fail(db, job(1).id, 1, Next::Dead).await);
    assert_eq!(all(db).await, [again.job]);
    assert!(complete(db, job(1).id, 2).await);

    // The control: a lease of no time keeps nobody away, and two are at it.
    enqueue(db, &job(2)).await;
    let kinds = ["greet".to_owned()];
    for with in [1, 2] {
        let claim = async |tx: &mut simplebank_db::Tx<'_>| {
            jobs::claim(tx, &kinds, lease(with), NOW, NOW).await
        };
        assert!(db.transact(TEST, claim).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_job_that_failed_is_tried_again_later_and_in_the_end_a_dead_letter() {
    let database = TestDatabase::new().await;
    let db = database.db();
    enqueue(db, &job(1)).await;
    claim(db, 1, NOW).await.unwrap();
    let later = NOW + Duration::SECOND;
    assert!(fail(db, job(1).id, 1, Next::RetryAt(later)).await);
    assert_eq!(claim(db, 2, NOW).await, None);
    let again = claim(db, 2, later).await.unwrap().job;
    assert_eq!((again.attempts, again.last_error.as_deref()), (2, Some("no luck")));
    assert!(fail(db, job(1).id, 2, Next::Dead).await);
    assert_eq!(claim(db, 3, later + Duration::DAY).await, None);
    let dead = &all(db).await[0];
    assert_eq!((dead.state(NOW), dead.last_error.as_deref()), (State::Dead, Some("no luck")));
}

#[tokio::test]
async fn a_job_that_kills_its_workers_becomes_a_dead_letter_too() {
    let database = TestDatabase::new().await;
    let db = database.db();
    enqueue(db, &job(1)).await;
    let mut now = NOW;
    for with in 1..=3 {
        claim(db, with, now).await.unwrap();
        now += LEASE;
    }
    assert_eq!(claim(db, 4, now).await, None);
    let bury =
        async |now| db.transact(TEST, async |tx| jobs::bury_lost(tx, now).await).await.unwrap();
    assert_eq!(bury(now - Duration::SECOND).await, 0, "its last worker may still be at it");
    assert_eq!(bury(now).await, 1);
    assert_eq!(all(db).await[0].state(now), State::Dead);
    assert!(!complete(db, job(1).id, 3).await);
}

#[tokio::test]
async fn one_job_of_a_key_waits_at_a_time() {
    let database = TestDatabase::new().await;
    let db = database.db();
    let keyed = |number| Job { unique_key: Some("alice".to_owned()), ..job(number) };
    assert!(enqueue(db, &keyed(1)).await);
    assert!(!enqueue(db, &keyed(2)).await);
    assert!(enqueue(db, &Job { kind: "part".to_owned(), ..keyed(3) }).await);
    assert!(enqueue(db, &Job { unique_key: Some("bob".to_owned()), ..job(4) }).await);
    claim(db, 1, NOW).await.unwrap();
    assert!(fail(db, job(1).id, 1, Next::Dead).await);
    // A dead letter keeps nobody away, and can't come back while another one waits.
    assert!(enqueue(db, &keyed(2)).await);
    let retry =
        async |id| db.transact(TEST, async |tx| jobs::retry(tx, id, NOW).await).await.unwrap();
    assert!(!retry(job(1).id).await);
    claim(db, 2, NOW).await.unwrap();
    assert!(complete(db, job(2).id, 2).await);
    assert!(retry(job(1).id).await);
    let back = all(db).await.into_iter().find(|found| found.id == job(1).id).unwrap();
    assert_eq!((back.attempts, back.dead_at, back.state(NOW)), (0, None, State::Waiting));
}

#[tokio::test]
async fn nobody_retries_or_drops_what_somebody_is_at() {
    let database = TestDatabase::new().await;
    let db = database.db();
    enqueue(db, &job(1)).await;
    claim(db, 1, NOW).await.unwrap();
    let retry = async |now| {
        db.transact(TEST, async |tx| jobs::retry(tx, job(1).id, now).await).await.unwrap()
    };
    let drop = async |now| {
        db.transact(TEST, async |tx| jobs::drop(tx, job(1).id, now).await).await.unwrap()
    };
    assert!(!retry(NOW).await && !drop(NOW).await);
    assert!(retry(NOW + LEASE).await);
    assert!(!complete(db, job(1).id, 1).await, "the lease ended with the retry");
    assert!(drop(NOW).await);
    assert!(!drop(NOW).await && !retry(NOW).await);
}

#[tokio::test]
async fn a_job_is_told_of_when_its_transaction_commits_and_not_before() {
    let database = TestDatabase::new().await;
    let db = database.db();
    let mut listener = Listener::connect(db).await.unwrap();
    let heard = tokio::spawn(async move {
        listener.wait().await.unwrap();
    });
    let refused = db.transact(TEST, async |tx| {
        jobs::enqueue(tx, &job(1)).await?;
        Err::<(), _>(Error::Torn)
    });
    refused.await.unwrap_err();
    assert_eq!(all(db).await, []);
    assert!(!heard.is_finished());
    let enqueued = db.transact(TEST, async |tx| {
        jobs::enqueue(tx, &job(2)).await?;
        // Had the one that was rolled back been told of, or this one, it would be known by now.
        assert!(!heard.is_finished());
        Ok::<_, Error>(())
    });
    enqueued.await.unwrap();
    heard.await.unwrap();
}

#[tokio::test]
async fn what_is_no_job_is_not_stored() {
    let database = TestDatabase::new().await;
    let db = database.db();
    for (bad, constraint) in [
        (Job { kind: "Greet".to_owned(), ..job(1) }, "jobs_kind_check"),
        (Job { unique_key: Some(String::new()), ..job(1) }, "jobs_unique_key_check"),
        (Job { attempts_max: 0, ..job(1) }, "jobs_attempts_max_check"),
        (Job { attempts_max: 101, ..job(1) }, "jobs_attempts_max_check"),
    ] {
        let error = db.transact(TEST, async |tx| jobs::enqueue(tx, &bad).await).await.unwrap_err();
        assert!(format!("{error:?}").contains(constraint), "{error:?}");
    }
    let no_json = Job { payload: "{".to_owned(), ..job(1) };
    db.transact(TEST, async |tx| jobs::enqueue(tx, &no_json).await).await.unwrap_err();
    assert_eq!(all(db).await, []);
    // What a job is never changes, not even for its worker.
    for column in ["id", "kind", "queue", "payload", "unique_key", "attempts_max", "created_at"] {
        let sql = format!("update simplebank.jobs set {column} = {column}");
        let refused = crate::schema::refusal(db.pool(), &sql).await.map(|(code, _)| code);
        assert_eq!(refused.as_deref(), Some("42501"), "{column}");
    }
    let allowed = "update simplebank.jobs set attempts = attempts, due_at = due_at, lease = lease";
    sqlx::raw_sql(AssertSqlSafe(allowed)).execute(db.pool()).await.unwrap();
}
