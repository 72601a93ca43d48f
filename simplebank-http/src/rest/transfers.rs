//! Money that moves: deposits, withdrawals and transfers, each once for each key.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use simplebank::{
    Bank, Deposit, Receipt, Withdrawal,
    core::{AccountId, Amount, Currency, TransferId, transfer},
};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    accounts::{Account, Created, Entry, ListPage, created},
    auth::{Authenticated, Key},
    cursor::List,
    docs::{KeyHeader, PageParameters, PrivateProblems, WriteProblems},
    json::{Checks, JsonBody},
    problem::Refusal,
    query::{NoQuery, PathId, TransfersQuery},
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
}

impl CashRequest {
    fn money(&self) -> Result<(Amount, Currency), Refusal> {
        let mut checks = Checks::default();
        let money = checks.money(&self.amount, &self.currency);
        checks.finish(money)
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
}

impl TransferRequest {
    fn command(&self) -> Result<simplebank::Transfer, Refusal> {
        let mut checks = Checks::default();
        let from = checks.parse("from_account_id", &self.from_account_id);
        let to = checks.parse("to_account_id", &self.to_account_id);
        let money = checks.money(&self.amount, &self.currency);
        let command = || {
            let (amount, currency) = money?;
            let (from_account_id, to_account_id) = (from?, to?);
            Some(simplebank::Transfer { from_account_id, to_account_id, amount, currency })
        };
        checks.finish(command())
    }
}

/// A transfer that happened.
#[derive(Serialize, ToSchema)]
struct Transfer {
    id: Uuid,
    /// `transfer`, `deposit` or `withdrawal`.
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
            created_at: transfer.created_at,
        }
    }
}

/// Cash that was taken in or paid out.
#[derive(Serialize, ToSchema)]
struct CashReceipt {
    transfer: Transfer,
    /// The customer's account, right after it.
    account: Account,
    /// The customer's side of it.
    entry: Entry,
}

impl From<Receipt> for CashReceipt {
    fn from(receipt: Receipt) -> Self {
        Self {
            transfer: receipt.posting.transfer().into(),
            entry: Entry::new(receipt.entry(), receipt.account.currency),
            account: receipt.account.into(),
        }
    }
}

/// Money that was transferred, as who paid sees it.
#[derive(Serialize, ToSchema)]
struct TransferReceipt {
    transfer: Transfer,
    /// The account that paid, right after it.
    from_account: Account,
    /// Its side of the transfer.
    from_entry: Entry,
}

impl From<Receipt> for TransferReceipt {
    fn from(receipt: Receipt) -> Self {
        let CashReceipt { transfer, account, entry } = receipt.into();
        Self { transfer, from_account: account, from_entry: entry }
    }
}

/// Takes cash in, to a customer's account; for bankers.
#[utoipa::path(post, path = "/v1/accounts/{id}/deposits", tag = "money", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The customer's account"),
        KeyHeader),
    request_body = CashRequest,
    responses((status = 201, description = "The deposit", body = CashReceipt,
        headers(("Location" = String, description = "Where the transfer is"))), WriteProblems))]
async fn deposit(
    State(bank): State<Bank>,
    Authenticated(caller): Authenticated,
    PathId(account_id): PathId<AccountId>,
    _: NoQuery,
    Key(key): Key,
    JsonBody(request): JsonBody<CashRequest>,
) -> Result<Created<CashReceipt>, Refusal> {
    let (amount, currency) = request.money()?;
    let command = Deposit { account_id, amount, currency };
    let receipt = bank.deposit(&caller.principal(), key, command).await?;
    Ok(created("transfers", receipt.posting.transfer().id.as_uuid(), receipt.into()))
}

/// Pays cash out, from a customer's account; for bankers.
#[utoipa::path(post, path = "/v1/accounts/{id}/withdrawals", tag = "money", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The customer's account"),
        KeyHeader),
    request_body = CashRequest,
    responses((status = 201, description = "The withdrawal", body = CashReceipt,
        headers(("Location" = String, description = "Where the transfer is"))), WriteProblems))]
async fn withdraw(
    State(bank): State<Bank>,
    Authenticated(caller): Authenticated,
    PathId(account_id): PathId<AccountId>,
    _: NoQuery,
    Key(key): Key,
    JsonBody(request): JsonBody<CashRequest>,
) -> Result<Created<CashReceipt>, Refusal> {
    let (amount, currency) = request.money()?;
    let command = Withdrawal { account_id, amount, currency };
    let receipt = bank.withdraw(&caller.principal(), key, command).await?;
    Ok(created("transfers", receipt.posting.transfer().id.as_uuid(), receipt.into()))
}

/// Transfers money from an account of the caller's to another customer's.
#[utoipa::path(post, path = "/v1/transfers", tag = "money", security(("bearer" = [])),
    params(
        KeyHeader),
    request_body = TransferRequest,
    responses((status = 201, description = "The transfer", body = TransferReceipt,
        headers(("Location" = String, description = "Where the transfer is"))), WriteProblems))]
async fn transfer(
    State(bank): State<Bank>,
    Authenticated(caller): Authenticated,
    _: NoQuery,
    Key(key): Key,
    JsonBody(request): JsonBody<TransferRequest>,
) -> Result<Created<TransferReceipt>, Refusal> {
    let receipt = bank.transfer(&caller.principal(), key, request.command()?).await?;
    Ok(created("transfers", receipt.posting.transfer().id.as_uuid(), receipt.into()))
}

/// Lists an account's transfers, newest first.
#[utoipa::path(get, path = "/v1/transfers", tag = "money", security(("bearer" = [])),
    params(("account_id" = Uuid, Query, description = "The account"),
        PageParameters),
    responses((status = 200, description = "A page", body = ListPage<Transfer>), PrivateProblems))]
async fn list_transfers(
    State(bank): State<Bank>,
    Authenticated(caller): Authenticated,
    TransfersQuery { account_id, page }: TransfersQuery,
) -> Result<Json<ListPage<Transfer>>, Refusal> {
    let list = List::Transfers(account_id);
    let page = page.of(list)?;
    let transfers = bank.transfers(&caller.principal(), account_id, page).await?;
    Ok(Json(ListPage::new(list, transfers, |transfer| Transfer::from(&transfer))))
}

/// Shows a transfer from or to an account of the caller's.
#[utoipa::path(get, path = "/v1/transfers/{id}", tag = "money", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The transfer")),
    responses((status = 200, description = "The transfer", body = Transfer), PrivateProblems))]
async fn find_transfer(
    State(bank): State<Bank>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId<TransferId>,
    _: NoQuery,
) -> Result<Json<Transfer>, Refusal> {
    let transfer = bank.transfer_by_id(&caller.principal(), id).await?;
    Ok(Json((&transfer).into()))
}
