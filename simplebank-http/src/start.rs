//! From settings to a server that runs, and back to nothing: what `main` does.
//!
//! 1. Listen, so that a port in use is told before anything is started; who connects now waits a moment.
//! 2. Open the database: the one that was named, or the local one, which is started.
//! 3. Bring the schema up to date, unless it is or nobody wants it, and look whether commits are durable.
//! 4. Say where it is, and serve until SIGTERM or SIGINT; start the local PostgreSQL again should it die.
//! 5. Finish what runs, jobs included, close the pool, give the local PostgreSQL back: it stops if nobody else uses it.

use std::{
    convert::Infallible,
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use simplebank::{
    Bank, CommitterOptions, HashCost, InvalidHashCost, SessionSettings, TokenSettings, Worker,
    db::{self, Db, Migrations, PoolOptions},
    mail::MailError,
    token::TokenMaker,
};
use simplebank_localpg::{Database, DatabaseArgs};
use thiserror::Error;
use tokio::{
    net::TcpListener,
    runtime, select,
    sync::oneshot,
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};
use tracing_subscriber::EnvFilter;

use crate::{
    config::{Config, LogFormat},
    rest::{chain, router_behind},
    server::{self, End, Limits},
    telemetry,
    tokens::{self, Keys},
};

/// The exit code when a setting or the surroundings are wrong: something for a person to put right.
const EXIT_REFUSED: u8 = 2;
/// How long the database may take to accept the first connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the local PostgreSQL is looked after: so long, at most, and the second that it takes to start, it is away.
const LOOK_AFTER_EVERY: Duration = Duration::from_secs(2);
/// How long closing the database connections may take once the requests are done.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the server did not start. The causes follow from the sources, what to do about it from [`Failure::way_out`].
#[derive(Debug, Error)]
enum Failure {
    #[error("cannot listen on {address}, because another program does")]
    InUse { address: SocketAddr },
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("no database")]
    Local(#[source] simplebank_localpg::Error),
    #[error("cannot use {database}")]
    Database { database: String, source: db::Error },
    #[error("{database} did not answer within {} s", CONNECT_TIMEOUT.as_secs())]
    Silent { database: String },
    #[error("{database} is not migrated")]
    NotMigrated { database: String },
    #[error("{database} runs with {settings} off, so a crash can lose money that was acknowledged")]
    NotDurable { database: String, settings: String },
    #[error(transparent)]
    Tokens(#[from] tokens::Error),
    #[error("no data directory")]
    DataDirectory(#[source] simplebank_localpg::Error),
    #[error("no mail")]
    Mail(#[source] MailError),
    #[error("--password-memory, --password-passes or --password-lanes is not usable")]
    HashCost(#[source] InvalidHashCost),
    #[error("no bank")]
    Bank(#[source] simplebank::Error),
    #[error("the operating system refuses to help")]
    System(#[source] io::Error),
}

impl Failure {
    /// What a person can do; `None` where the causes already say it, or nobody knows.
    const fn way_out(&self) -> Option<&'static str> {
        match self {
            Self::InUse { .. } | Self::Listen { .. } => Some(
                "stop the other program, or choose another address with --http-server-address \
                 (HTTP_SERVER_ADDRESS)",
            ),
            Self::Database { .. } | Self::Silent { .. } => Some(
                "start it, or name another with --database-url (DATABASE_URL), or name none to let simplebank run a \
                 local PostgreSQL",
            ),
            Self::NotMigrated { .. } => Some(
                "leave --no-migrate (NO_MIGRATE) out, or run `simplebank migrate up` as the owner of the database",
            ),
            Self::NotDurable { .. } => Some(
                "switch it on, or take the risk with --allow-unsafe-durability (ALLOW_UNSAFE_DURABILITY)",
            ),
            Self::Local(_)
            | Self::Tokens(_)
            | Self::DataDirectory(_)
            | Self::Mail(_)
            | Self::HashCost(_)
            | Self::Bank(_)
            | Self::System(_) => None,
        }
    }
}

/// Reads the settings, serves, and returns when it is over: 0 if in an orderly way, 2 if it could not start.
#[must_use]
pub fn main() -> ExitCode {
    let config = Config::from_process();
    let filter = EnvFilter::new(&config.log_level);
    telemetry::init(config.log_format(), filter);
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(config.server_threads())
        .enable_all()
        .build();
    let outcome =
        runtime.map_err(Failure::System).and_then(|runtime| runtime.block_on(run(config)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(io::stderr(), format_args!("simplebank-http: {}\n", chain(&failure)));
            if let Some(way_out) = failure.way_out() {
                say(io::stderr(), format_args!("What to do: {way_out}\n"));
            }
            ExitCode::from(EXIT_REFUSED)
        }
    }
}

async fn run(config: Config) -> Result<(), Failure> {
    let stop = server::signals().map_err(Failure::System)?;
    let listener = listen(config.http_server_address).await?;
    let keys = Keys::from_settings(&config)?;
    let database = Arc::new(open(config.database.clone()).await?);
    let mut stop = pin!(stop);
    let prepared = select! {
        prepared = prepare(&config, keys, &database) => prepared.map(Some),
        () = &mut stop => Ok(None),
    };
    let served = match prepared {
        Ok(Some((bank, data_directory))) => {
            serve(&config, listener, bank, data_directory.as_deref(), &database, stop).await
        }
        Ok(None) => Ok(()),
        Err(failure) => Err(failure),
    };
    give_back(database).await;
    served
}

/// Serves, and does the bank's jobs, until `stop` is ready.
async fn serve(
    config: &Config,
    listener: TcpListener,
    bank: Bank,
    data_directory: Option<&Path>,
    database: &Arc<Database>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Failure> {
    let address = listener.local_addr().map_err(Failure::System)?;
    let worker = worker(config, &bank, address, data_directory).map_err(Failure::Mail)?;
    announce(config, address, &database.describe(), data_directory);
    let at_work = AtWork::begin(worker);
    let app = router_behind(config.edge(), bank.clone());
    let end = select! {
        end = server::serve(listener, app, limits(config), stop) => end,
        never = look_after(database) => match never {},
    };
    at_work.end(config.shutdown_deadline).await;
    close(&bank, end).await;
    Ok(())
}

/// Who does the bank's jobs here, unless somebody else does.
fn worker(
    config: &Config,
    bank: &Bank,
    address: SocketAddr,
    data_directory: Option<&Path>,
) -> Result<Option<Worker>, MailError> {
    if config.no_worker {
        return Ok(None);
    }
    if !config.mail.reaches_people() && data_directory.is_none() {
        tracing::warn!(
            "NO MAIL IS SENT: set SMTP_URL; until then nobody gets a code or a notice, and jobs that would send one count as done"
        );
    }
    let mailer = config.mail.mailer(data_directory)?;
    let letterhead = config.mail.letterhead(&format!("http://{}", reachable(address)));
    Ok(Some(Worker::new(bank.clone(), mailer, letterhead)))
}

/// A worker that runs beside the server.
struct AtWork {
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl AtWork {
    fn begin(worker: Option<Worker>) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            // A sender that is gone means the same as a message.
            let stopped = async { drop(stopped.await) };
            if let Some(worker) = worker {
                worker.run(stopped).await;
            }
        });
        Self { stop, running }
    }

    /// Lets it finish what it has begun. What isn't done by the deadline is done again when its lease is over.
    async fn end(mut self, deadline: Duration) {
        // Nobody hears it if there is no worker.
        let _ = self.stop.send(());
        if timeout(deadline, &mut self.running).await.is_err() {
            tracing::warn!("jobs were cut off, and will be done again");
            self.running.abort();
        }
    }
}

/// Starts the local PostgreSQL again whenever it has died: nobody else would, as long as this server runs.
async fn look_after(database: &Arc<Database>) -> Infallible {
    loop {
        tokio::time::sleep(LOOK_AFTER_EVERY).await;
        let database = Arc::clone(database);
        match spawn_blocking(move || database.revive()).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => tracing::warn!("the local PostgreSQL had died and was started again"),
            Ok(Err(error)) => {
                tracing::error!(error = chain(&error), "the local PostgreSQL does not start again");
            }
            Err(error) => tracing::error!(%error, "the local PostgreSQL is not looked after"),
        }
    }
}

/// Ends the lease of the local PostgreSQL, which blocks.
async fn give_back(database: Arc<Database>) {
    // Whoever is looking after it at this moment ends the lease, and the runtime waits for that.
    let Some(database) = Arc::into_inner(database) else { return };
    match spawn_blocking(|| database.close()).await {
        Ok(Ok(())) => tracing::debug!("the database is given back"),
        Ok(Err(error)) => {
            tracing::error!(error = chain(&error), "the local PostgreSQL did not stop");
        }
        Err(error) => tracing::error!(%error, "the local PostgreSQL did not stop"),
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|source| {
        if source.kind() == io::ErrorKind::AddrInUse {
            Failure::InUse { address }
        } else {
            Failure::Listen { address, source }
        }
    })
}

async fn open(arguments: DatabaseArgs) -> Result<Database, Failure> {
    let opened = spawn_blocking(move || arguments.open()).await;
    opened.map_err(|error| Failure::System(error.into()))?.map_err(Failure::Local)
}

/// A bank on a database that is fit for it, and the data directory if it was needed.
async fn prepare(
    config: &Config,
    keys: Keys,
    database: &Database,
) -> Result<(Bank, Option<PathBuf>), Failure> {
    let failed = |source| Failure::Database { database: database.describe(), source };
    let not_migrated = || Failure::NotMigrated { database: database.describe() };
    // This is the first connection. Later ones have the pool's timeout.
    let connected = timeout(CONNECT_TIMEOUT, Migrations::connect(database.url())).await;
    let silent = |_| Failure::Silent { database: database.describe() };
    let migrations = connected.map_err(silent)?.map_err(failed)?;
    if !config.no_migrate {
        migrate(migrations).await.map_err(failed)?;
    }
    let options = PoolOptions {
        connections_max: config.database_connections_max,
        acquire_timeout: config.database_wait,
    };
    let db = match Db::connect(database.url(), options).await {
        Ok(db) => db,
        Err(db::Error::NotMigrated(_)) => return Err(not_migrated()),
        Err(source) => return Err(failed(source)),
    };
    let server = db.server().await.map_err(failed)?;
    if server.migrated_to < server.latest_migration {
        return Err(not_migrated());
    }
    check_durability(config, &database.describe(), &server)?;
    let directory = || {
        let directory = config.database.data_dir().and_then(|directory| directory.create());
        directory.map_err(Failure::DataDirectory)
    };
    let is_needed = database.is_local() || keys.needs_file();
    let data_directory = is_needed.then(directory).transpose()?;
    let tokens = keys.maker(config, directory)?;
    Ok((bank(config, db, tokens)?, data_directory))
}

/// Applies the migrations that are missing. If none is, the login needs no right to do so.
async fn migrate(mut migrations: Migrations) -> Result<(), db::Error> {
    let missing = migrations.status().await?.iter().filter(|step| !step.is_applied).count();
    if missing > 0 {
        tracing::info!(missing, "migrating the database");
        migrations.up().await?;
    }
    migrations.close().await
}

fn check_durability(
    config: &Config,
    database: &str,
    server: &db::server::Server,
) -> Result<(), Failure> {
    let settings = server.unsafe_settings().join(", ");
    if settings.is_empty() {
        return Ok(());
    }
    if !config.allow_unsafe_durability {
        return Err(Failure::NotDurable { database: database.to_owned(), settings });
    }
    tracing::warn!(
        settings,
        "UNSAFE: these settings are off, and a crash of the database can lose money that was acknowledged"
    );
    Ok(())
}

fn bank(config: &Config, db: Db, tokens: Box<dyn TokenMaker>) -> Result<Bank, Failure> {
    // In range: the settings allow a year at most.
    let whole = |duration: Duration| duration.try_into().unwrap_or(time::Duration::MAX);
    // Each request has a task of its own.
    let committer = CommitterOptions { callers_serve: true, ..CommitterOptions::default() };
    let builder = Bank::builder(db).tokens(tokens).email_verification(config.email_verification());
    let builder = builder.committer(committer);
    let builder = builder.token_settings(TokenSettings {
        access_duration: whole(config.access_token_duration),
        refresh_duration: whole(config.refresh_token_duration),
        ..TokenSettings::default()
    });
    let builder = builder.session_settings(SessionSettings {
        duration: whole(config.session_duration),
        grace: whole(config.refresh_grace),
        per_user_max: config.sessions_max,
    });
    let memory_kib = config.password_memory.saturating_mul(1024);
    let cost = HashCost::new(memory_kib, config.password_passes, config.password_lanes);
    let builder = builder.hash_cost(cost.map_err(Failure::HashCost)?);
    builder.build().map_err(Failure::Bank)
}

fn limits(config: &Config) -> Limits {
    Limits {
        connections_max: usize::try_from(config.connections_max).unwrap_or(usize::MAX),
        shutdown_deadline: config.shutdown_deadline,
        ..Limits::default()
    }
}

async fn close(bank: &Bank, end: End) {
    match end {
        End::Drained => tracing::info!("all requests were answered"),
        End::CutOff => tracing::warn!("some requests were cut off at the deadline"),
    }
    if timeout(CLOSE_TIMEOUT, bank.db().close()).await.is_err() {
        tracing::warn!("some database connections were cut off");
    }
}

/// Tells people where the bank is and what to do next; machines get a line of their log.
fn announce(config: &Config, address: SocketAddr, database: &str, data_directory: Option<&Path>) {
    let data = data_directory.map_or("-".to_owned(), |path| path.display().to_string());
    let mail = match config.no_worker {
        true => "by `simplebank worker`".to_owned(),
        false => config.mail.describe(data_directory),
    };
    match config.log_format() {
        LogFormat::Json => {
            tracing::info!(%address, database, data_directory = data, mail, "listening");
        }
        LogFormat::Text => {
            say(io::stdout(), format_args!("{}", welcome(address, database, &data, &mail)));
        }
    }
}

/// Where somebody on this machine finds what listens on `address`.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut here = address;
    if address.ip().is_unspecified() {
        here.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    here
}

fn welcome(address: SocketAddr, database: &str, data: &str, mail: &str) -> String {
    let here = reachable(address);
    let version = env!("CARGO_PKG_VERSION");
    format!(
        r#"simplebank {version} listens on http://{address}

  database        {database}
  data directory  {data}
  mail            {mail}
  documentation   http://{here}/docs
  OpenAPI         http://{here}/openapi.json

Register somebody:

  curl http://{here}/v1/users -H 'Content-Type: application/json' -d '{{"username": "alice",
    "password": "correct horse battery", "full_name": "Alice Doe", "email": "alice@example.org"}}'

The bank's own side, such as making somebody a banker, is on the command line: simplebank --help
Stop with Ctrl-C.

"#
    )
}

/// Writes for people. Nobody may be listening, and that is no reason to stop.
fn say(mut to: impl io::Write, text: fmt::Arguments<'_>) {
    let _ = to.write_fmt(text).and_then(|()| to.flush());
}
