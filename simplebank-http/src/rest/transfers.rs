//! Money that moves: deposits, withdrawals and transfers, each once for each key.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use simplebank::{
    Bank, Deposit, Withdrawal,
    core::{AccountId, Amount, Currency, Memo, TransferId, transfer},
};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    accounts::ListPage,
    auth::{Authenticated, Key, RecentlyAuthenticated},
    checks::TransferTexts,
    client::Asked,
    cursor::List,
    docs::{DryRunParameter, KeyHeader, PageParameters, PrivateProblems, WriteProblems},
    json::{Checks, JsonBody},
    problem::Refusal,
    query::{DryRun, NoQuery, PathId, TransfersQuery},
    receipts::{Answer, CashReceipt, TransferReceipt},
};

pub(super) fn routes() -> OpenApiRouter<Bank> {
    OpenApiRouter::new()
        .routes(routes!(deposit))
        .routes(routes!(withdraw))
        .routes(routes!(transfer, list_transfers))
        .routes(routes!(find_transfer))
}

/// Cash to take in or to pay out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CashRequest {
    /// How much: a decimal number, as a string.
    #[schema(example = "12.50", pattern = r"^[0-9]+(\.[0-9]+)?$")]
    amount: String,
    /// The account's currency, by the code of ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
    /// What it is about, for people: 1 to 200 characters.
    description: Option<String>,
    /// What another system calls it: 1 to 64 visible ASCII characters.
    reference: Option<String>,
}

impl CashRequest {
    fn read(&self) -> Result<(Amount, Currency, Memo), Refusal> {
        let mut checks = Checks::default();
        let money = checks.money(&self.amount, &self.currency);
        let memo = checks.memo(self.description.as_deref(), self.reference.as_deref());
        let read = || {
            let (amount, currency) = money?;
            Some((amount, currency, memo?))
        };
        checks.finish(read())
    }
}

/// What to move from one account to another.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TransferRequest {
    /// Who pays: an account of the caller's.
    #[schema(format = Uuid)]
    from_account_id: String,
    /// Who is paid.
    #[schema(format = Uuid)]
    to_account_id: String,
    /// How much: a decimal number, as a string.
    #[schema(example = "12.50", pattern = r"^[0-9]+(\.[0-9]+)?$")]
    amount: String,
    /// The currency of both accounts, by the code of ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
    /// What it is about, for people: 1 to 200 characters.
    description: Option<String>,
    /// What another system calls it: 1 to 64 visible ASCII characters.
    reference: Option<String>,
}

impl TransferRequest {
    fn texts(&self) -> TransferTexts<'_> {
        TransferTexts {
            from_account_id: &self.from_account_id,
            to_account_id: &self.to_account_id,
            amount: &self.amount,
            currency: &self.currency,
            description: self.description.as_deref(),
            reference: self.reference.as_deref(),
        }
    }
}

/// A transfer that happened.
#[derive(Serialize, ToSchema)]
pub(super) struct Transfer {
    id: Uuid,
    /// `transfer`, `deposit`, `withdrawal`, `capture` or `reversal`.
    #[schema(example = "transfer")]
    kind: &'static str,
    /// Who paid; the bank's cash account for a deposit.
    from_account_id: Uuid,
    /// Who was paid; the bank's cash account for a withdrawal.
    to_account_id: Uuid,
    #[schema(example = "12.50")]
    amount: String,
    #[schema(example = "EUR")]
    currency: &'static str,
    /// What it is about, for people.
    #[schema(required)]
    description: Option<String>,
    /// What another system calls it.
    #[schema(required)]
    reference: Option<String>,
    /// The hold that it captured.
    #[schema(required)]
    hold_id: Option<Uuid>,
    /// The transfer that it gives back.
    #[schema(required)]
    reverses_id: Option<Uuid>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<&transfer::Transfer> for Transfer {
    fn from(transfer: &transfer::Transfer) -> Self {
        Self {
            id: transfer.id.as_uuid(),
            kind: transfer.kind.as_str(),
            from_account_id: transfer.from_account_id.as_uuid(),
            to_account_id: transfer.to_account_id.as_uuid(),
            amount: transfer.amount.to_decimal(transfer.currency).to_string(),
            currency: transfer.currency.code(),
            description: transfer.memo.description.as_ref().map(ToString::to_string),
            reference: transfer.memo.reference.as_ref().map(ToString::to_string),
            hold_id: transfer.hold_id.map(|id| id.as_uuid()),
            reverses_id: transfer.reverses_id.map(|id| id.as_uuid()),
            created_at: transfer.created_at,
        }
    }
}

/// Takes cash in, to a customer's account; for bankers.
#[utoipa::path(post, path = "/v1/accounts/{id}/deposits", tag = "money", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The customer's account"),
        KeyHeader, DryRunParameter),
    request_body = CashRequest,
    responses((status = 201, description = "The deposit", body = CashReceipt,
        headers(("Location" = String, description = "Where the transfer is"))),
        (status = 200, description = "The same, only tried out", body = CashReceipt), WriteProblems))]
async fn deposit(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(account_id): PathId<AccountId>,
    dry_run: DryRun,
    Key(key): Key,
    JsonBody(request): JsonBody<CashRequest>,
) -> Result<Answer<CashReceipt>, Refusal> {
    let (amount, currency, memo) = request.read()?;
    let command = Deposit { account_id, amount, currency, memo };
    let receipt = dry_run.of(&bank).deposit(&caller.principal(), key, command).await?;
    Ok(Answer::moved(dry_run, receipt))
}

/// Pays cash out, from a customer's account; for bankers.
#[utoipa::path(post, path = "/v1/accounts/{id}/withdrawals", tag = "money", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The customer's account"),
        KeyHeader, DryRunParameter),
    request_body = CashRequest,
    responses((status = 201, description = "The withdrawal", body = CashReceipt,
        headers(("Location" = String, description = "Where the transfer is"))),
        (status = 200, description = "The same, only tried out", body = CashReceipt), WriteProblems))]
async fn withdraw(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(account_id): PathId<AccountId>,
    dry_run: DryRun,
    Key(key): Key,
    JsonBody(request): JsonBody<CashRequest>,
) -> Result<Answer<CashReceipt>, Refusal> {
    let (amount, currency, memo) = request.read()?;
    let command = Withdrawal { account_id, amount, currency, memo };
    let receipt = dry_run.of(&bank).withdraw(&caller.principal(), key, command).await?;
    Ok(Answer::moved(dry_run, receipt))
}

/// Transfers money from an account of the caller's to another customer's.
#[utoipa::path(post, path = "/v1/transfers", tag = "money", security(("bearer" = [])),
    params(KeyHeader, DryRunParameter),
    request_body = TransferRequest,
    responses((status = 201, description = "The transfer", body = TransferReceipt,
        headers(("Location" = String, description = "Where the transfer is"))),
        (status = 200, description = "The same, only tried out", body = TransferReceipt), WriteProblems))]
async fn transfer(
    State(bank): State<Bank>,
    RecentlyAuthenticated(caller): RecentlyAuthenticated,
    dry_run: DryRun,
    Key(key): Key,
    JsonBody(request): JsonBody<TransferRequest>,
) -> Result<Answer<TransferReceipt>, Refusal> {
    let mut checks = Checks::default();
    let command = checks.transfer(&request.texts());
    let command = checks.finish(command)?;
    let receipt = dry_run.of(&bank).transfer(&caller.principal(), key, command).await?;
    Ok(Answer::moved(dry_run, receipt))
}

/// Lists an account's transfers, newest first: all, or those that bear a reference.
#[utoipa::path(get, path = "/v1/transfers", tag = "money", security(("bearer" = [])),
    params(("account_id" = Uuid, Query, description = "The account"),
        ("reference" = Option<String>, Query, description = "Only those that bear exactly this reference"),
        PageParameters),
    responses((status = 200, description = "A page", body = ListPage<Transfer>), PrivateProblems))]
async fn list_transfers(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    TransfersQuery { account_id, reference, page }: TransfersQuery,
) -> Result<Json<ListPage<Transfer>>, Refusal> {
    let by = caller.principal();
    let (list, transfers) = match &reference {
        None => {
            let list = List::Transfers(account_id);
            (list, bank.transfers(&by, account_id, page.of(list)?).await?)
        }
        Some(reference) => {
            let list = List::Referenced(account_id, reference);
            let page = page.of(list)?;
            (list, bank.transfers_by_reference(&by, account_id, reference, page).await?)
        }
    };
    Ok(Json(ListPage::new(list, transfers, |transfer| Transfer::from(&transfer))))
}

/// Shows a transfer from or to an account of the caller's.
#[utoipa::path(get, path = "/v1/transfers/{id}", tag = "money", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The transfer")),
    responses((status = 200, description = "The transfer", body = Transfer), PrivateProblems))]
async fn find_transfer(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(id): PathId<TransferId>,
    _: NoQuery,
) -> Result<Json<Transfer>, Refusal> {
    let transfer = bank.transfer_by_id(&caller.principal(), id).await?;
    Ok(Json((&transfer).into()))
}
