//! cala-ledger: a posting by a template of two entries, as its own documentation shows it.

use cala_ledger::{
    AccountId, CalaLedger, CalaLedgerConfig, Currency, JournalId, TransactionId,
    account::NewAccount,
    es_entity::errlanes::Fail,
    job::{JobSvcConfig, Jobs},
    journal::NewJournal,
    posting::PostingInput,
    tx_template::{
        NewParamDefinition, NewTxTemplate, NewTxTemplateEntry, NewTxTemplateTransaction,
        ParamDataType, Params,
    },
};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{ATTEMPTS_MAX, SetUp, at, given_up};
use crate::Failure;

const TEMPLATE: &str = "TRANSFER";

/// A batch locks at most 1,000 balances.
const OPENING_BATCH: usize = 500;

/// A ledger with one journal.
pub(crate) struct Cala {
    ledger: CalaLedger,
    /// Its rollup of account sets is registered here, never started: there are no sets.
    _jobs: Jobs,
    journal_id: JournalId,
    euro: Currency,
    accounts: Vec<AccountId>,
}

impl Cala {
    pub(super) async fn open(set_up: SetUp<'_>) -> Result<Self, Failure> {
        let pool = set_up.pool().await?;
        // cala's migrations have the tables of the jobs in them, so they must come first.
        let (ledger, jobs) = init(pool).await?;
        let journal_id = JournalId::new();
        let journal = NewJournal::builder().id(journal_id).name("Transfers").build();
        ledger.journals().create(journal).await?;
        ledger.tx_templates().create(template(journal_id)?).await?;
        let treasury = account(&ledger, "treasury").await?;
        let mut accounts = Vec::with_capacity(set_up.accounts);
        for number in 0..set_up.accounts {
            accounts.push(account(&ledger, &format!("customer{number}")).await?);
        }
        for batch in accounts.chunks(OPENING_BATCH) {
            let openings = batch.iter().map(|account| {
                let params = params(treasury, *account, Decimal::new(set_up.opening_cents, 2));
                PostingInput::new(TransactionId::new(), TEMPLATE, params)
            });
            ledger.post_transactions(openings.collect()).await?;
        }
        Ok(Self { ledger, _jobs: jobs, journal_id, euro: "EUR".parse()?, accounts })
    }

    pub(super) async fn transfer(&self, from: usize, to: usize) -> Result<u32, Failure> {
        let id = TransactionId::new();
        let params = params(*at(&self.accounts, from), *at(&self.accounts, to), Decimal::new(1, 2));
        for lost in 0..ATTEMPTS_MAX {
            match self.ledger.post_transaction(id, TEMPLATE, params.clone()).await {
                Ok(_) => return Ok(lost),
                Err(Fail::Transient(_)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(given_up())
    }

    pub(super) async fn balances(&self) -> Result<Vec<i64>, Failure> {
        let ids = self.accounts.iter().map(|account| (self.journal_id, *account, self.euro));
        let ids: Vec<_> = ids.collect();
        let found = self.ledger.balances().find_all(&ids).await?;
        let cents = ids.iter().map(|id| {
            let balance = found.get(id).ok_or("an account without a balance")?;
            Ok::<_, Failure>((balance.settled() * Decimal::ONE_HUNDRED).try_into()?)
        });
        cents.collect()
    }
}

async fn init(pool: sqlx::PgPool) -> Result<(CalaLedger, Jobs), Failure> {
    let mut migrator = sqlx::migrate::Migrator::DEFAULT;
    cala_ledger::migrate::IncludeMigrations::include_cala_migrations(&mut migrator);
    migrator.run(&pool).await?;
    let mut jobs = Jobs::init(JobSvcConfig::builder().pool(pool.clone()).build()?).await?;
    let config = CalaLedgerConfig::builder().pool(pool).build()?;
    Ok((CalaLedger::init(config, &mut jobs).await?, jobs))
}

fn template(journal_id: JournalId) -> Result<NewTxTemplate, Failure> {
    let parameter =
        |name: &str, kind| NewParamDefinition::builder().name(name).r#type(kind).build();
    let entry = |direction: &str, account: &str| {
        NewTxTemplateEntry::builder()
            .entry_type(format!("'TRANSFER_{direction}'"))
            .account_id(account)
            .layer("SETTLED")
            .direction(direction)
            .units("params.amount")
            .currency("'EUR'")
            .build()
    };
    let transaction = NewTxTemplateTransaction::builder()
        .effective("date()")
        .journal_id(format!("uuid('{journal_id}')"))
        .build()?;
    Ok(NewTxTemplate::builder()
        .id(Uuid::from(TransactionId::new()))
        .code(TEMPLATE)
        .params(vec![
            parameter("sender", ParamDataType::Uuid)?,
            parameter("recipient", ParamDataType::Uuid)?,
            parameter("amount", ParamDataType::Decimal)?,
        ])
        .transaction(transaction)
        .entries(vec![entry("DEBIT", "params.sender")?, entry("CREDIT", "params.recipient")?])
        .build())
}

async fn account(ledger: &CalaLedger, name: &str) -> Result<AccountId, Failure> {
    let id = AccountId::new();
    let account = NewAccount::builder().id(id).name(name).code(name).build();
    ledger.accounts().create(account).await?;
    Ok(id)
}

fn params(sender: AccountId, recipient: AccountId, amount: Decimal) -> Params {
    let mut params = Params::new();
    params.insert("sender", sender);
    params.insert("recipient", recipient);
    params.insert("amount", amount);
    params
}
