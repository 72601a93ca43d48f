//! R11: an error that the body swallowed, and a constraint that fails only at COMMIT.
//!
//! PostgreSQL answers COMMIT of a failed transaction with success (the tag is ROLLBACK), and sqlx 0.9.0 hands that on. The
//! promise: whoever is told that it succeeded finds their row, and whoever is told otherwise doesn't.

use simplebank::{
    db::{Db, Error, Isolation, Tx, TxSpec},
    testing::TestDatabase,
};
use sqlx::PgConnection;

use crate::{
    Control, Proof, Report, Scale,
    random::{Random, seed},
};

pub(crate) const PROOF: Proof = Proof {
    id: "R11",
    fault: "errors swallowed in the body, deferred constraints failing at COMMIT",
    run: |scale| Box::pin(trial(scale, Commit::Helper)),
    control: Some(Control {
        defect: "sqlx's own commit",
        run: |scale| Box::pin(trial(scale, Commit::Plain)),
    }),
};

#[derive(Clone, Copy)]
enum Commit {
    Helper,
    Plain,
}

/// What a body does after it has written its row.
#[derive(Clone, Copy, Debug)]
enum Defect {
    None,
    SwallowedConstraint,
    SwallowedDivision,
    SwallowedMissingTable,
    DeferredForeignKey,
    DeferredTrigger,
}

const DEFECTS: [Defect; 6] = [
    Defect::None,
    Defect::SwallowedConstraint,
    Defect::SwallowedDivision,
    Defect::SwallowedMissingTable,
    Defect::DeferredForeignKey,
    Defect::DeferredTrigger,
];
const LEVELS: [Isolation; 3] =
    [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable];

const TABLES: &str = "
    create table parents (id int primary key);
    insert into parents values (0);
    create table notes (
        id bigint primary key,
        parent_id int not null references parents (id) deferrable initially deferred,
        text text not null
    );
    create function refuse() returns trigger language plpgsql as $$
    begin raise exception 'refused at the end' using errcode = '23514'; end $$;
    create constraint trigger refuse after insert on notes deferrable initially deferred
        for each row when (new.text = 'refuse') execute function refuse();
    grant select, insert on parents, notes to simplebank_app";

async fn trial(scale: Scale, commit: Commit) -> Report {
    let seed = seed();
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    sqlx::raw_sql(TABLES).execute(&owner).await.expect("tables");
    let mut random = Random::from_seed(seed);
    let mut report = Report::new();
    let count = scale.of(300, 20_000);
    for id in 1..=i64::try_from(count).expect("a small count") {
        let (defect, level) = (*random.pick(&DEFECTS), *random.pick(&LEVELS));
        let told = match commit {
            Commit::Helper => by_helper(database.db(), level, id, defect).await,
            Commit::Plain => by_hand(database.db(), id, defect).await,
        };
        let is_there: bool = sqlx::query_scalar("select exists (select from notes where id = $1)")
            .bind(id)
            .fetch_one(&owner)
            .await
            .expect("the table is there");
        report.expect(told.is_ok() == is_there, || {
            format!("{defect:?} at {level:?}: told {told:?}, and the row is there: {is_there}")
        });
        report.expect(told.is_ok() == matches!(defect, Defect::None), || {
            format!("{defect:?} at {level:?}: told {told:?}")
        });
    }
    report.tried(count, "transactions");
    report.note(format!("seed {seed}"));
    report
}

async fn by_helper(db: &Db, level: Isolation, id: i64, defect: Defect) -> Result<(), Error> {
    db.transact(TxSpec::new("swallow", level), async |tx: &mut Tx<'_>| {
        Ok(write(&mut tx.connection(), id, defect).await?)
    })
    .await
}

async fn by_hand(db: &Db, id: i64, defect: Defect) -> Result<(), Error> {
    #[expect(clippy::disallowed_methods, reason = "the control goes round the door")]
    let mut transaction = db.pool().begin().await?;
    write(&mut transaction, id, defect).await?;
    Ok(transaction.commit().await?)
}

/// Writes a row, suffers the defect and says that all is well.
async fn write(tx: &mut PgConnection, id: i64, defect: Defect) -> Result<(), sqlx::Error> {
    let (parent, text) = match defect {
        Defect::DeferredForeignKey => (1, "orphan"),
        Defect::DeferredTrigger => (0, "refuse"),
        Defect::None
        | Defect::SwallowedConstraint
        | Defect::SwallowedDivision
        | Defect::SwallowedMissingTable => (0, "fine"),
    };
    let insert = "insert into notes (id, parent_id, text) values ($1, $2, $3)";
    sqlx::query(insert).bind(id).bind(parent).bind(text).execute(&mut *tx).await?;
    let swallowed = match defect {
        Defect::SwallowedConstraint => "insert into parents values (0)",
        Defect::SwallowedDivision => "select 1 / 0",
        Defect::SwallowedMissingTable => "select from nowhere",
        Defect::None | Defect::DeferredForeignKey | Defect::DeferredTrigger => return Ok(()),
    };
    let _ = sqlx::raw_sql(swallowed).execute(tx).await;
    Ok(())
}
