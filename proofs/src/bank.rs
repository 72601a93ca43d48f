//! Customers for the trials: opened through the bank, as anybody would.

use std::time::Duration;

use futures_util::future;
use simplebank::{
    Bank, Deposit, Error, Kind, OpenAccount, Receipt, Register, Transfer,
    core::{AccountId, Amount, Currency, IdempotencyKey, Memo, Principal},
    db::{Db, PoolOptions, TxSpec},
};
use sqlx::{AssertSqlSafe, postgres::PgPoolOptions};

/// A depositor and their account in EUR.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    /// Who pays.
    pub(crate) principal: Principal,
    /// The account.
    pub(crate) account: AccountId,
}

/// A pool may be busy for long when many clients share two cores; that is not what is tried.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(60);
/// Every customer's.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// How often a client sends the same thing: more than a minute of timeouts.
pub(crate) const SENT_MAX: u64 = 100;

/// The migrated database at `url` as the application sees it, with this many connections.
pub(crate) async fn connect(url: &str, connections_max: u32) -> Db {
    let options = PoolOptions { connections_max, acquire_timeout: ACQUIRE_TIMEOUT };
    Db::connect(url, options).await.expect("the database answers")
}

/// A bank on the migrated database at `url`, with this many connections.
pub(crate) async fn open(url: &str, connections_max: u32) -> Bank {
    Bank::new(connect(url, connections_max).await).expect("the system gives random numbers")
}

/// A pool that acts as whoever owns the tables at `url`.
pub(crate) async fn owner(url: &str, connections_max: u32) -> sqlx::PgPool {
    let options =
        PgPoolOptions::new().max_connections(connections_max).acquire_timeout(ACQUIRE_TIMEOUT);
    options.connect(url).await.expect("the database answers")
}

/// Lets deadlocks be found long before anybody gives up waiting for a lock, in sessions that begin from now on; returns the
/// owner's pool.
pub(crate) async fn hurry_deadlocks(url: &str) -> sqlx::PgPool {
    const TIMEOUT: &str = "10ms";
    let before = owner(url, 1).await;
    let sql = "select current_database()::text";
    let name: String = sqlx::query_scalar(sql).fetch_one(&before).await.expect("it answers");
    let sql = format!("alter database {name} set deadlock_timeout = '{TIMEOUT}'");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&before).await.expect("the login is a superuser");
    before.close().await;
    let owner = owner(url, 1).await;
    let sql = "select current_setting('deadlock_timeout')";
    let timeout: String = sqlx::query_scalar(sql).fetch_one(&owner).await.expect("it answers");
    assert_eq!(timeout, TIMEOUT, "settings of a database are those of its new sessions");
    owner
}

/// Opens `count` customers' accounts with `minor` cents in each; call it once for each database.
pub(crate) async fn customers(bank: &Bank, count: usize, minor: i64) -> Vec<Customer> {
    // One after the other: passwords are hashed on as many cores as there are, and more at a time are refused.
    let mut opened = Vec::with_capacity(count);
    for number in 0..count {
        opened.push(customer(bank, number).await);
    }
    let deposits = opened.iter().enumerate().map(|(number, customer)| {
        deposit(bank, customer.account, key(&format!("opening-{number}")), minor)
    });
    if minor > 0 {
        future::join_all(deposits).await;
    }
    opened
}

/// The name under which a customer logs in, by their place among [`customers`].
pub(crate) fn username(number: usize) -> String {
    format!("customer{number}")
}

async fn customer(bank: &Bank, number: usize) -> Customer {
    let username = username(number);
    let registration = Register {
        username: username.parse().expect("letters and digits"),
        password: PASSWORD.parse().expect("long enough"),
        full_name: "Some Body".parse().expect("a name"),
        email: format!("{username}@example.org").parse().expect("an address"),
    };
    let user = bank.register(registration).await.expect("the name is free");
    let principal = user.principal();
    let command = OpenAccount { owner: user.id, currency: euro() };
    let account = bank.open_account(&principal, command).await.expect("they have none").id;
    Customer { principal, account }
}

/// Pays `minor` cents in.
pub(crate) async fn deposit(bank: &Bank, account_id: AccountId, key: IdempotencyKey, minor: i64) {
    let command = Deposit { account_id, amount: amount(minor), currency: euro(), memo: Memo::NONE };
    for _ in 0..SENT_MAX {
        match bank.deposit(&Principal::Operator, key.clone(), command.clone()).await {
            Err(error) if error.kind() == Kind::Unavailable => {}
            answer => return drop(answer.expect("nobody refuses cash")),
        }
    }
    panic!("the bank is unavailable");
}

/// Transfers as a client does who sends the same again under the same key for as long as they are told to try later; returns
/// the answer, and how often it was sent again.
pub(crate) async fn transfer_until_settled(
    bank: &Bank,
    by: &Principal,
    key: IdempotencyKey,
    command: Transfer,
) -> (Result<Receipt, Error>, u64) {
    let mut again = 0;
    loop {
        match bank.transfer(by, key.clone(), command.clone()).await {
            Err(error) if error.kind() == Kind::Unavailable && again < SENT_MAX => again += 1,
            answer => return (answer, again),
        }
    }
}

/// The same, each time inside a transaction of the caller's, as an embedder does it: past the committer.
pub(crate) async fn transfer_in_until_settled(
    bank: &Bank,
    by: &Principal,
    key: IdempotencyKey,
    command: Transfer,
) -> (Result<Receipt, Error>, u64) {
    let mut again = 0;
    loop {
        match transfer_joined(bank, by, &key, &command).await {
            Err(error) if error.kind() == Kind::Unavailable && again < SENT_MAX => again += 1,
            answer => return (answer, again),
        }
    }
}

async fn transfer_joined(
    bank: &Bank,
    by: &Principal,
    key: &IdempotencyKey,
    command: &Transfer,
) -> Result<Receipt, Error> {
    const EMBEDDED: TxSpec = TxSpec::read_committed("embedded");
    let answered = bank.db().transact(EMBEDDED, async |tx| {
        match bank.transfer_in(tx, by, key.clone(), command.clone()).await {
            // A refusal stays the answer only if it is committed.
            Err(refusal @ (Error::Rejected(_) | Error::KeyReused)) => Ok(Err(refusal)),
            Err(error) => Err(error),
            Ok(receipt) => Ok(Ok(receipt)),
        }
    });
    let answered: Result<Result<Receipt, Error>, Error> = answered.await;
    answered?
}

/// An account's balance in cents and its version.
pub(crate) async fn state(bank: &Bank, account: AccountId) -> (i64, i64) {
    let account = bank.account(&Principal::Operator, account).await.expect("the account exists");
    (account.balance.minor(), account.version)
}

/// `minor` cents from one account to another.
pub(crate) fn transfer(from: &Customer, to: &Customer, minor: i64) -> Transfer {
    Transfer {
        from_account_id: from.account,
        to_account_id: to.account,
        amount: amount(minor),
        currency: euro(),
        memo: Memo::NONE,
    }
}

/// The currency of every trial.
pub(crate) fn euro() -> Currency {
    "EUR".parse().expect("EUR is a currency")
}

/// A key.
pub(crate) fn key(text: &str) -> IdempotencyKey {
    text.parse().expect("1 to 255 characters")
}

fn amount(minor: i64) -> Amount {
    Amount::from_minor(minor).expect("more than nothing")
}
