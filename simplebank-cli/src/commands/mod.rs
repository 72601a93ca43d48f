//! One file for each command: it asks the bank and writes the answer.

mod account;
mod audit;
mod completions;
mod doctor;
mod entries;
mod holds;
mod import;
mod jobs;
mod locks;
mod migrate;
mod money;
mod statement;
mod token;
mod user;
mod verify;

use simplebank::{
    Bank, Error, Listing, Page, PageLimit,
    core::{
        Principal,
        user::{User, Username},
    },
    db::{self, Db, PoolOptions},
};
use simplebank_localpg::{Database, DatabaseArgs};
use tokio::runtime::Builder;

use crate::{
    args::{Arguments, Command},
    exit::{Code, Failure, remark, with_sources},
    output::{Format, List, Row},
};

/// As whom commands act: whoever has the database's address may do whatever an operator may.
const OPERATOR: Principal = Principal::Operator;

/// A command does one thing at a time; the second connection is for when the first has just broken.
const CONNECTIONS_MAX: u32 = 2;

/// Does what was asked for.
pub(crate) fn run(arguments: Arguments) -> Result<Code, Failure> {
    let format = arguments.format();
    let Arguments { database, command, .. } = arguments;
    match command {
        Command::Migrate(command) => on_database(&database, format, async |database| {
            migrate::run(command, database, format).await
        }),
        Command::User(command) => user::run(command, &database, format),
        Command::Account(command) => {
            on_bank(&database, format, async |bank| account::run(command, bank, format).await)
        }
        Command::Deposit(cash) => money::deposit(cash, &database, format),
        Command::Withdraw(cash) => money::withdraw(cash, &database, format),
        Command::Transfer(transfer) => money::transfer(transfer, &database, format),
        Command::Import(import) => import::run(&import, &database, format),
        Command::Hold(command) => holds::run(command, &database, format),
        Command::Reverse(reverse) => holds::reverse(reverse, &database, format),
        Command::Entries(history) => {
            on_bank(&database, format, async |bank| entries::entries(&history, bank, format).await)
        }
        Command::Transfers(history) => on_bank(&database, format, async |bank| {
            entries::transfers(&history, bank, format).await
        }),
        Command::Statement(of) => {
            on_bank(&database, format, async |bank| statement::run(&of, bank, format).await)
        }
        Command::Job(command) => jobs::run(command, &database, format),
        Command::Worker(mail) => jobs::work(&mail, &database, format),
        Command::Audit(of) => {
            on_bank(&database, format, async |bank| audit::run(&of, bank, format).await)
        }
        Command::Verify => on_bank(&database, format, async |bank| verify::run(bank, format).await),
        Command::Doctor { locks: false } => doctor::run(&database, format),
        Command::Doctor { locks: true } => locks::run(&database, format),
        Command::Token(command) => token::run(command, format),
        Command::Completions { shell } => completions::run(shell),
    }
}

/// Works on the database. A local one is started if it doesn't run and stopped if nobody else uses it; both block, so they
/// happen outside of the runtime.
fn on_database(
    settings: &DatabaseArgs,
    format: Format,
    work: impl AsyncFnOnce(&Database) -> Result<Code, Failure>,
) -> Result<Code, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime)?;
    let database = settings.open().map_err(Failure::NoDatabase)?;
    let done = runtime.block_on(work(&database));
    drop(runtime); // and with it whatever connection is left
    if let Err(error) = database.close() {
        // What was asked for is done or not, whatever becomes of the server; the next command adopts it.
        let warning = format!("the local PostgreSQL goes on running: {}", with_sources(&error));
        remark(format, "warning", &warning);
    }
    done
}

/// Works on the bank in a migrated database.
fn on_bank(
    settings: &DatabaseArgs,
    format: Format,
    work: impl AsyncFnOnce(&Bank) -> Result<Code, Failure>,
) -> Result<Code, Failure> {
    on_database(settings, format, async |database| {
        let db = connect(database).await?;
        let bank = Bank::new(db.clone())?;
        let done = work(&bank).await;
        db.close().await;
        done
    })
}

async fn connect(database: &Database) -> Result<Db, Failure> {
    let failure = |error| {
        if let db::Error::NotMigrated(_) = error {
            return not_migrated(database, "no migrations".to_owned());
        }
        Failure::Connect { database: database.describe(), source: error }
    };
    let db = Db::connect(database.url(), pool_options()).await.map_err(failure)?;
    let server = db.server().await.map_err(failure)?;
    let (has, latest) = (server.migrated_to, server.latest_migration);
    // A newer database is none of our business: migrations keep older programs working.
    if has < latest {
        return Err(not_migrated(database, format!("{has} of {latest} migrations")));
    }
    Ok(db)
}

fn not_migrated(database: &Database, has: String) -> Failure {
    Failure::NotMigrated { database: database.describe(), has }
}

fn pool_options() -> PoolOptions {
    PoolOptions { connections_max: CONNECTIONS_MAX, ..PoolOptions::default() }
}

/// Writes a whole list, page by page, from `cursor` on.
async fn every_page<R: Row, C: Copy>(
    format: Format,
    mut cursor: Option<C>,
    read: impl AsyncFn(Page<C>) -> Result<Listing<R, C>, Error>,
) -> Result<Code, Failure> {
    let mut list = List::new(format);
    loop {
        let Listing { items, next } = read(Page { cursor, limit: PageLimit::MAX }).await?;
        list.page(&items)?;
        if next.is_none() {
            list.end(None)?;
            return Ok(Code::Done);
        }
        cursor = next;
    }
}

/// A listing of what `view` makes of the items.
fn viewed<T, R, C>(listing: Listing<T, C>, view: impl Fn(T) -> R) -> Listing<R, C> {
    Listing { items: listing.items.into_iter().map(view).collect(), next: listing.next }
}

/// The user whom an argument names.
async fn user_named(
    bank: &Bank,
    argument: &'static str,
    username: &Username,
) -> Result<User, Failure> {
    match bank.user_by_name(&OPERATOR, username).await {
        Ok(user) => Ok(user),
        Err(Error::NotFound { .. }) => {
            Err(Failure::NoSuchUser { argument, username: username.clone() })
        }
        Err(error) => Err(error.into()),
    }
}
