//! The server of a test process: chosen once, with a migrated template to copy databases from.

use std::{
    io::Write as _,
    process::{Child, Command, Stdio},
    time::Duration,
};

use simplebank_localpg::ThrowawayCluster;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions,
};
use testcontainers::{
    GenericImage, ImageExt as _, core::IntoContainerPort as _, runners::AsyncRunner as _,
};
use tokio::{sync::OnceCell, time::Instant};

use super::Failure;
use crate::Migrations;

/// The image when `TEST_POSTGRES_IMAGE` is not set.
const DEFAULT_IMAGE: &str = "docker.io/library/postgres:17";
/// A container must answer within this time.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The server of this process, which lives as long as the process does.
pub(super) struct Server {
    pub(super) options: PgConnectOptions,
    pub(super) template: String,
    /// Tells this process's databases from those of others on the same server.
    pub(super) run: String,
    _keeper: Keeper,
}

/// What ends the server with the process.
#[expect(dead_code, reason = "held, not read")]
enum Keeper {
    Nobody,
    Cluster(ThrowawayCluster),
    Container(Child),
}

impl Server {
    pub(super) async fn execute(&self, sql: String) -> Result<(), Failure> {
        execute(&self.options.clone().database("postgres"), sql).await
    }
}

pub(super) async fn execute(options: &PgConnectOptions, sql: String) -> Result<(), Failure> {
    let mut connection = options.connect().await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

pub(super) async fn server() -> Result<&'static Server, Failure> {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER.get_or_try_init(start).await
}

async fn start() -> Result<Server, Failure> {
    let (options, keeper) = choose().await?;
    let options = options.disable_statement_logging();
    let template = template(&options).await?;
    let run = format!("{}_{:x}", std::process::id(), crate::tx::jitter(u64::from(u32::MAX)));
    Ok(Server { options, template, run, _keeper: keeper })
}

async fn choose() -> Result<(PgConnectOptions, Keeper), Failure> {
    if let Some(url) = setting("TEST_DATABASE_URL") {
        say("tests run on the server that TEST_DATABASE_URL names");
        return Ok((url.parse()?, Keeper::Nobody));
    }
    match setting("TEST_POSTGRES").as_deref() {
        None | Some("local") => {}
        Some("docker") => match container().await {
            Ok(found) => return Ok(found),
            Err(error) => say(&format!("TEST_POSTGRES=docker, but Docker gave no server: {error}")),
        },
        Some(other) => {
            return Err(format!("TEST_POSTGRES={other}: expected docker or local").into());
        }
    }
    let cluster = tokio::task::spawn_blocking(ThrowawayCluster::start).await??;
    say(&format!("tests run on a throw-away cluster in {}", cluster.directory().display()));
    Ok((cluster.url("postgres").parse()?, Keeper::Cluster(cluster)))
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Writes past the test harness, which shows what a test prints only if the test fails.
pub(super) fn say(text: &str) {
    // A test doesn't fail for want of a terminal.
    let _ = writeln!(std::io::stderr(), "{text}");
}

async fn container() -> Result<(PgConnectOptions, Keeper), Failure> {
    let image = setting("TEST_POSTGRES_IMAGE").unwrap_or_else(|| DEFAULT_IMAGE.to_owned());
    let (name, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
    let password = format!("{:x}", crate::tx::jitter(u64::MAX - 1));
    let container = GenericImage::new(name, tag)
        .with_exposed_port(5432.tcp())
        .with_env_var("POSTGRES_PASSWORD", &password)
        .with_startup_timeout(START_TIMEOUT)
        .start()
        .await?;
    let port = container.get_host_port_ipv4(5432).await?;
    let keeper = remove_with_process(container.id())?;
    // The keeper removes it when the process ends in whatever way; dropping it here would remove it now.
    std::mem::forget(container);
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username("postgres")
        .password(&password)
        .database("postgres");
    wait_until_ready(&options).await?;
    say(&format!("tests run in a container of {image}"));
    Ok((options, Keeper::Container(keeper)))
}

/// Starts a shell that waits for its input to end, as it does when this process ends in whatever way, and then removes the
/// container.
fn remove_with_process(id: &str) -> Result<Child, Failure> {
    let script = r#"trap '' INT TERM HUP; read -r _; exec docker rm --force --volumes "$0""#;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, id])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(shell.spawn()?)
}

async fn wait_until_ready(options: &PgConnectOptions) -> Result<(), Failure> {
    let give_up_at = Instant::now() + START_TIMEOUT;
    loop {
        match options.connect().await {
            Ok(connection) => return Ok(connection.close().await?),
            Err(error) if Instant::now() > give_up_at => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// The name of a migrated database to copy from, made once per server and schema; several processes may ask at once.
async fn template(options: &PgConnectOptions) -> Result<String, Failure> {
    /// Any number that nobody else locks: "simplebk" in ASCII.
    const LOCK: i64 = 0x7369_6d70_6c65_626b;
    let name = format!("simplebank_test_template_{:016x}", crate::migrate::fingerprint());
    let mut admin = options.clone().database("postgres").connect().await?;
    sqlx::query("select pg_advisory_lock($1)").bind(LOCK).execute(&mut admin).await?;
    let exists: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(&name)
            .fetch_one(&mut admin)
            .await?;
    if !exists {
        make_template(options, &mut admin, &name).await?;
    }
    admin.close().await?; // and with it the lock
    Ok(name)
}

/// Migrates under another name and renames at the end, so that a half-made template is never copied.
async fn make_template(
    options: &PgConnectOptions,
    admin: &mut PgConnection,
    name: &str,
) -> Result<(), Failure> {
    let draft = format!("{name}_draft");
    for sql in [
        format!("drop database if exists {draft} with (force)"),
        format!("create database {draft}"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *admin).await?;
    }
    let mut migrations =
        Migrations::connect(options.clone().database(&draft).to_url_lossy().as_str()).await?;
    migrations.up().await?;
    migrations.close().await?;
    let rename = format!("alter database {draft} rename to {name}");
    let give_up_at = Instant::now() + START_TIMEOUT;
    // The server may take a moment to notice that the connection is gone.
    while let Err(error) = sqlx::raw_sql(AssertSqlSafe(rename.clone())).execute(&mut *admin).await {
        if Instant::now() > give_up_at {
            return Err(error.into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
