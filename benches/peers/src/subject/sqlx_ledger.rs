//! sqlx-ledger: a posting by a template of two entries, as its own documentation shows it.

use ::sqlx_ledger::{
    AccountId, JournalId, SqlxLedger as Ledger, SqlxLedgerError, TransactionId,
    account::NewAccount,
    journal::NewJournal,
    tx_template::{EntryInput, NewTxTemplate, ParamDataType, ParamDefinition, TxInput, TxParams},
};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{ATTEMPTS_MAX, SetUp, at, given_up};
use crate::Failure;

/// The tables that its statements name.
const TABLES: &str = include_str!("sqlx_ledger/tables.sql");
/// Its events: what it writes down and notifies of after each posting.
const EVENTS: &str = include_str!("sqlx_ledger/events.sql");

pub(super) const WITH_EVENTS: &[&str] = &[TABLES, EVENTS];
pub(super) const WITHOUT_EVENTS: &[&str] = &[TABLES];

/// A ledger with one journal.
pub(crate) struct SqlxLedger {
    ledger: Ledger,
    journal_id: JournalId,
    /// Templates are cached by code for the whole process, so two ledgers in it need two codes.
    template: String,
    accounts: Vec<AccountId>,
}

impl SqlxLedger {
    pub(super) async fn open(set_up: SetUp<'_>, schema: &[&str]) -> Result<Self, Failure> {
        let pool = set_up.pool().await?;
        for part in schema {
            sqlx::raw_sql(part).execute(&pool).await?;
        }
        let ledger = Ledger::new(&pool);
        let journal_id = JournalId::new();
        let journal = NewJournal::builder().id(journal_id).name("Transfers").build()?;
        ledger.journals().create(journal).await?;
        let template = format!("TRANSFER_{journal_id}");
        ledger.tx_templates().create(transfer_template(&template, journal_id)?).await?;
        let treasury = account(&ledger, "treasury").await?;
        let mut accounts = Vec::with_capacity(set_up.accounts);
        for number in 0..set_up.accounts {
            accounts.push(account(&ledger, &format!("customer{number}")).await?);
        }
        let opening = Decimal::new(set_up.opening_cents, 2);
        for account in &accounts {
            let params = params(treasury, *account, opening);
            ledger.post_transaction(TransactionId::new(), &template, Some(params)).await?;
        }
        Ok(Self { ledger, journal_id, template, accounts })
    }

    pub(super) async fn transfer(&self, from: usize, to: usize) -> Result<u32, Failure> {
        let id = TransactionId::new();
        let (sender, recipient) = (*at(&self.accounts, from), *at(&self.accounts, to));
        for lost in 0..ATTEMPTS_MAX {
            let params = params(sender, recipient, Decimal::new(1, 2));
            match self.ledger.post_transaction(id, &self.template, Some(params)).await {
                Ok(()) => return Ok(lost),
                Err(error) if is_conflict(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(given_up())
    }

    pub(super) async fn balances(&self) -> Result<Vec<i64>, Failure> {
        let ids = self.accounts.iter().copied();
        let found = self.ledger.balances().find_all(self.journal_id, ids).await?;
        let cents = self.accounts.iter().map(|account| {
            let currencies = found.get(account).ok_or("an account without a balance")?;
            let euro = currencies.get(&"EUR".parse()?).ok_or("an account without euros")?;
            Ok::<_, Failure>((euro.settled() * Decimal::ONE_HUNDRED).try_into()?)
        });
        cents.collect()
    }
}

/// What two postings to one account do to each other. Its lock on the current version and the read of that version's row are
/// one statement, so whoever waited for the lock sees no row, takes the account for a new one and meets its unique key.
#[expect(clippy::wildcard_enum_match_arm, reason = "an enum of theirs; all else is a failure")]
fn is_conflict(error: &SqlxLedgerError) -> bool {
    match error {
        SqlxLedgerError::OptimisticLockingError => true,
        SqlxLedgerError::DuplicateKey(error) => {
            error.table() == Some("sqlx_ledger_current_balances")
        }
        SqlxLedgerError::Sqlx(error) => {
            let code = error.as_database_error().and_then(|error| error.code());
            code.is_some_and(|code| code == "40P01")
        }
        _ => false,
    }
}

fn transfer_template(code: &str, journal_id: JournalId) -> Result<NewTxTemplate, Failure> {
    let parameter = |name: &str, kind| ParamDefinition::builder().name(name).r#type(kind).build();
    let entry = |direction: &str, account: &str| {
        EntryInput::builder()
            .entry_type(format!("'TRANSFER_{direction}'"))
            .account_id(account)
            .layer("SETTLED")
            .direction(direction)
            .units("params.amount")
            .currency("'EUR'")
            .build()
    };
    let transaction = TxInput::builder()
        .effective("date()")
        .journal_id(format!("uuid('{journal_id}')"))
        .build()?;
    Ok(NewTxTemplate::builder()
        .id(Uuid::from(TransactionId::new()))
        .code(code)
        .params(vec![
            parameter("sender", ParamDataType::UUID)?,
            parameter("recipient", ParamDataType::UUID)?,
            parameter("amount", ParamDataType::DECIMAL)?,
        ])
        .tx_input(transaction)
        .entries(vec![entry("DEBIT", "params.sender")?, entry("CREDIT", "params.recipient")?])
        .build()?)
}

async fn account(ledger: &Ledger, name: &str) -> Result<AccountId, Failure> {
    let account = NewAccount::builder().id(AccountId::new()).name(name).code(name).build()?;
    Ok(ledger.accounts().create(account).await?)
}

fn params(sender: AccountId, recipient: AccountId, amount: Decimal) -> TxParams {
    let mut params = TxParams::new();
    params.insert("sender", sender);
    params.insert("recipient", recipient);
    params.insert("amount", amount);
    params
}
