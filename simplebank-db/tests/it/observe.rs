//! What transactions tell the outside.

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use simplebank_db::{
    Error, PoolOptions, TxSpec,
    testing::{Fault, Proxy, Strike, TestDatabase},
};
use tokio::sync::Notify;

#[tokio::test]
async fn attempts_retries_unknown_outcomes_and_times_are_told_by_name() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let database = TestDatabase::new().await;
    let proxy = Proxy::start(&database.url()).await;
    let db = simplebank_db::Db::connect(&proxy.url(), PoolOptions::default()).await.unwrap();
    let spec = TxSpec::serializable("observed");

    proxy.arm(Fault::CommitFails("40001"));
    proxy.arm(Fault::BeforeCommit(Strike::Cut));
    db.transact(spec, async |tx| {
        sqlx::raw_sql("select 1").execute(tx.connection()).await?;
        Ok::<_, Error>(())
    })
    .confirm(async |_| Ok(None))
    .await
    .unwrap();
    let refused = db.transact(spec, async |_| Err::<(), _>(Error::NotPostgres)).await;
    assert!(refused.is_err());
    drop(std::future::IntoFuture::into_future(db.transact(spec, async |_| Ok::<_, Error>(()))));
    let is_begun = Notify::new();
    let dropped = db.transact(spec, async |_| {
        is_begun.notify_one();
        std::future::pending::<Result<(), Error>>().await
    });
    tokio::select! {
        outcome = async { dropped.await } => panic!("{outcome:?}"),
        () = is_begun.notified() => {}
    }

    let mut told: Vec<String> = Vec::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let key = key.key();
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let value = match value {
            DebugValue::Counter(count) => count.to_string(),
            DebugValue::Histogram(values) => format!("{} times", values.len()),
            DebugValue::Gauge(_) => "a gauge".to_owned(),
        };
        told.push(format!("{} {} {value}", key.name(), labels.join(" ")));
    }
    told.sort();
    assert_eq!(
        told,
        [
            "simplebank_tx_attempts_total name=observed 5",
            "simplebank_tx_pool_wait_seconds name=observed 6 times",
            "simplebank_tx_retries_total name=observed sqlstate=40001 1",
            "simplebank_tx_retries_total name=observed sqlstate=connection 1",
            "simplebank_tx_seconds name=observed outcome=dropped 1 times",
            "simplebank_tx_seconds name=observed outcome=error 1 times",
            "simplebank_tx_seconds name=observed outcome=ok 1 times",
            "simplebank_tx_unknown_total name=observed outcome=not_committed 1",
        ]
    );
}
