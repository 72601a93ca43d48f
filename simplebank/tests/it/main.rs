//! Every use case, through the bank, on a real PostgreSQL with a clock that stands still.
#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod accounts;
mod alone;
mod closing;
mod concurrency;
mod holds;
mod joined;
mod limits;
mod listings;
mod mail;
mod memory;
mod money;
mod passwords;
mod renewals;
mod sessions;
mod smtp_server;
mod statements;
mod users;
mod verify;
mod verify_promises;
mod watch;
mod workers;

use simplebank::{
    Bank, Deposit, Error, NewPassword, OpenAccount, Receipt, Register, Transfer, Withdrawal,
    core::{
        Account, AccountId, Amount, Currency, IdempotencyKey, Memo, Principal, Role, user::User,
    },
    testing::{FixedClock, TestDatabase},
};
use sqlx::PgPool;

const PASSWORD: &str = "correct horse battery";

/// A bank on a database of its own.
struct TestBank {
    bank: Bank,
    clock: FixedClock,
    database: TestDatabase,
}

/// A depositor and their account in EUR.
struct Customer {
    user: User,
    principal: Principal,
    account: AccountId,
}

impl TestBank {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        let clock = FixedClock::default();
        let bank = Bank::builder(database.db().clone()).clock(clock.clone()).build().unwrap();
        Self { bank, clock, database }
    }

    async fn user(&self, username: &str) -> User {
        self.bank.register(registration(username)).await.unwrap()
    }

    /// A customer with some minor units of EUR.
    async fn customer(&self, username: &str, minor: i64) -> Customer {
        let user = self.user(username).await;
        let principal = as_depositor(&user);
        let account = self.open(&principal, "EUR").await.id;
        if let Some(amount) = Amount::from_minor(minor) {
            let deposit = Deposit {
                account_id: account,
                amount,
                currency: currency("EUR"),
                memo: Memo::NONE,
            };
            self.bank
                .deposit(&Principal::Operator, key(&format!("open-{username}")), deposit)
                .await
                .unwrap();
        }
        Customer { user, principal, account }
    }

    async fn open(&self, principal: &Principal, code: &str) -> Account {
        let command = OpenAccount { owner: principal.id(), currency: currency(code) };
        self.bank.open_account(principal, command).await.unwrap()
    }

    /// What an account holds, in minor units, and how many entries it has.
    async fn state(&self, account: AccountId) -> (i64, i64) {
        let account = self.bank.account(&Principal::Operator, account).await.unwrap();
        (account.balance.minor(), account.version)
    }

    async fn transfer(
        &self,
        by: &Principal,
        key_text: &str,
        from: AccountId,
        to: AccountId,
        minor: i64,
    ) -> Result<Receipt, Error> {
        self.bank.transfer(by, key(key_text), transfer(from, to, minor)).await
    }

    /// How many rows the ledger has: transfers, entries, records.
    async fn rows(&self) -> (i64, i64, i64) {
        let sql = "select (select count(*) from simplebank.transfers), (select count(*) from simplebank.entries),
            (select count(*) from simplebank.idempotency)";
        sqlx::query_as(sql).fetch_one(self.database.db().pool()).await.unwrap()
    }

    async fn owner(&self) -> PgPool {
        self.database.owner().await
    }

    async fn is_whole(&self) {
        let report = self.bank.verify(|_| ()).await.unwrap();
        assert_eq!(report.violation, None);
    }
}

fn registration(username: &str) -> Register {
    Register {
        username: username.parse().unwrap(),
        password: password(PASSWORD),
        full_name: "Some Body".parse().unwrap(),
        email: format!("{username}@example.org").parse().unwrap(),
    }
}

fn password(text: &str) -> NewPassword {
    text.parse().unwrap()
}

fn as_depositor(user: &User) -> Principal {
    User { role: Role::Depositor, ..user.clone() }.principal()
}

fn as_banker(user: &User) -> Principal {
    User { role: Role::Banker, ..user.clone() }.principal()
}

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn key(text: &str) -> IdempotencyKey {
    text.parse().unwrap()
}

fn amount(minor: i64) -> Amount {
    Amount::from_minor(minor).unwrap()
}

fn transfer(from_account_id: AccountId, to_account_id: AccountId, minor: i64) -> Transfer {
    Transfer {
        from_account_id,
        to_account_id,
        amount: amount(minor),
        currency: currency("EUR"),
        memo: Memo::NONE,
    }
}

fn deposit(account_id: AccountId, minor: i64) -> Deposit {
    Deposit { account_id, amount: amount(minor), currency: currency("EUR"), memo: Memo::NONE }
}

fn withdrawal(account_id: AccountId, minor: i64) -> Withdrawal {
    Withdrawal { account_id, amount: amount(minor), currency: currency("EUR"), memo: Memo::NONE }
}

/// The code of a refusal.
fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> &'static str {
    answer.unwrap_err().code()
}
