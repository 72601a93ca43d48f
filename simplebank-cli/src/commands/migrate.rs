//! `simplebank migrate`.

use simplebank::db::{Migration, Migrations};
use simplebank_localpg::Database;

use crate::{
    args::Migrate,
    exit::{Code, Failure},
    output::{Format, List, MigrationRow},
};

pub(super) async fn run(
    command: Migrate,
    database: &Database,
    format: Format,
) -> Result<Code, Failure> {
    let mut migrations = Migrations::connect(database.url())
        .await
        .map_err(|error| Failure::Connect { database: database.describe(), source: error })?;
    match command {
        Migrate::Up => migrations.up().await.map_err(Failure::Migrations)?,
        Migrate::Down { to, yes } => down(&mut migrations, to, yes).await?,
        Migrate::Status => {}
    }
    let steps = migrations.status().await.map_err(Failure::Migrations)?;
    // All is done; a connection that breaks now harms nobody.
    let _ = migrations.close().await;
    let rows: Vec<MigrationRow> = steps.into_iter().map(MigrationRow::from).collect();
    let mut list = List::new(format);
    list.page(&rows)?;
    list.end(None)?;
    Ok(Code::Done)
}

async fn down(migrations: &mut Migrations, to: i64, yes: bool) -> Result<(), Failure> {
    let steps = migrations.status().await.map_err(Failure::Migrations)?;
    if to != 0 && !steps.iter().any(|step| step.version == to) {
        return Err(Failure::value("--to <VERSION>", to, "there is no such migration"));
    }
    let lost: Vec<&Migration> =
        steps.iter().filter(|step| step.is_applied && step.version > to).collect();
    if lost.is_empty() {
        return Ok(());
    }
    if !yes {
        let lost: Vec<String> =
            lost.iter().map(|step| format!("{} {}", step.version, step.description)).collect();
        let lost = format!("the migrations {}", lost.join(", "));
        return Err(Failure::WouldDestroy { lost });
    }
    migrations.down(to).await.map_err(Failure::Migrations)
}
