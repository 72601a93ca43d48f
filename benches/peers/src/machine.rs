//! What the figures were made on.

use std::{fs, thread};

use sqlx::PgConnection;

use crate::Failure;

/// The processor, the cores, the kernel and PostgreSQL with its settings of durability.
pub(crate) async fn describe(admin: &mut PgConnection) -> Result<String, Failure> {
    let server: String = sqlx::query_scalar("show server_version").fetch_one(&mut *admin).await?;
    let durability: String = sqlx::query_scalar(
        "select string_agg(name || ' ' || setting, ', ' order by name) from pg_settings
         where name in ('fsync', 'full_page_writes', 'synchronous_commit')",
    )
    .fetch_one(admin)
    .await?;
    let cores = thread::available_parallelism()?;
    let kernel = read("/proc/sys/kernel/osrelease");
    Ok(format!(
        "{}, {cores} cores, Linux {}, PostgreSQL {server} ({durability})",
        processor(),
        kernel.trim()
    ))
}

fn processor() -> String {
    let found = read("/proc/cpuinfo");
    let model = found.lines().find(|line| line.starts_with("model name"));
    let name = model.and_then(|line| line.split_once(": "));
    name.map_or_else(|| "an unnamed processor".to_owned(), |(_, name)| name.to_owned())
}

/// The file's text, or nothing where there is no such file.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
