//! Accounts and their entries.

use axum::{
    Json,
    http::{HeaderName, StatusCode, header},
};
use serde::{Deserialize, Serialize};
use simplebank::{
    Bank, Listing, OpenAccount, ReceiptAccount,
    core::{AccountId, Currency, account::Owner, transfer},
};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::{Authenticated, RecentlyAuthenticated},
    client::Asked,
    cursor::{List, Place},
    docs::{PageParameters, PrivateProblems, WriteProblems},
    json::{Checks, JsonBody},
    limits::AccountDetails,
    problem::Refusal,
    query::{NoQuery, PageQuery, PathId},
};

pub(super) fn routes() -> OpenApiRouter<Bank> {
    OpenApiRouter::new()
        .routes(routes!(open_account, list_accounts))
        .routes(routes!(find_account))
        .routes(routes!(list_entries))
}

/// An account that somebody wants to have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OpenAccountRequest {
    /// Its currency, by the code of ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
}

/// An account right after money has moved: only what never changes afterwards.
#[derive(Serialize, ToSchema)]
pub(super) struct Account {
    id: Uuid,
    /// The owner's username; null for the bank's own cash accounts.
    #[schema(example = "alice", required)]
    owner: Option<String>,
    #[schema(example = "EUR")]
    currency: &'static str,
    /// A decimal number with as many places as the currency has.
    #[schema(example = "12.50")]
    balance: String,
    /// `open`, `frozen` or `closed`.
    #[schema(example = "open")]
    status: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<ReceiptAccount> for Account {
    fn from(account: ReceiptAccount) -> Self {
        Self {
            id: account.id.as_uuid(),
            owner: match account.owner {
                Owner::Customer { username, .. } => Some(username.to_string()),
                Owner::Cash => None,
            },
            currency: account.currency.code(),
            balance: account.balance.to_decimal(account.currency).to_string(),
            status: account.status.as_str(),
            created_at: account.created_at,
        }
    }
}

/// One account's side of a transfer.
#[derive(Serialize, ToSchema)]
pub(super) struct Entry {
    account_id: Uuid,
    /// Which entry of the account: 1, 2, 3, …
    version: i64,
    transfer_id: Uuid,
    /// By how much the balance changed: negative for who paid.
    #[schema(example = "-12.50")]
    amount: String,
    /// The balance from then on.
    #[schema(example = "87.50")]
    balance_after: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl Entry {
    pub(super) fn new(entry: &transfer::Entry, currency: Currency) -> Self {
        Self {
            account_id: entry.account_id.as_uuid(),
            version: entry.version,
            transfer_id: entry.transfer_id.as_uuid(),
            amount: entry.amount.to_decimal(currency).to_string(),
            balance_after: entry.balance_after.to_decimal(currency).to_string(),
            created_at: entry.created_at,
        }
    }
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct ListPage<T> {
    items: Vec<T>,
    /// Where the next page begins, to be sent as `cursor`; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

impl<T> ListPage<T> {
    pub(super) fn new<I, P: Place>(
        list: List,
        listing: Listing<I, P>,
        show: impl Fn(I) -> T,
    ) -> Self {
        Self {
            items: listing.items.into_iter().map(show).collect(),
            next_cursor: listing.next.map(|place| list.encode(place)),
        }
    }
}

/// What is answered to who made something: it, and where it can be found.
pub(super) type Created<T> = (StatusCode, [(HeaderName, String); 1], Json<T>);

pub(super) fn created<T>(collection: &str, id: Uuid, body: T) -> Created<T> {
    let location = (header::LOCATION, format!("/v1/{collection}/{id}"));
    (StatusCode::CREATED, [location], Json(body))
}

/// Opens an account of the caller's, with nothing in it.
#[utoipa::path(post, path = "/v1/accounts", tag = "accounts", security(("bearer" = [])),
    request_body = OpenAccountRequest,
    responses((status = 201, description = "The new account", body = AccountDetails,
        headers(("Location" = String, description = "Where the account is"))), WriteProblems))]
async fn open_account(
    Asked(bank): Asked,
    RecentlyAuthenticated(caller): RecentlyAuthenticated,
    _: NoQuery,
    JsonBody(request): JsonBody<OpenAccountRequest>,
) -> Result<Created<AccountDetails>, Refusal> {
    let mut checks = Checks::default();
    let currency = checks.parse("currency", &request.currency);
    let command = OpenAccount { owner: caller.user.id, currency: checks.finish(currency)? };
    let account = bank.open_account(&caller.principal(), command).await?;
    let id = account.id.as_uuid();
    Ok(created("accounts", id, AccountDetails::new(account, bank.today())))
}

/// Lists the caller's accounts in the order in which they were opened.
#[utoipa::path(get, path = "/v1/accounts", tag = "accounts", security(("bearer" = [])),
    params(
        PageParameters),
    responses((status = 200, description = "A page", body = ListPage<AccountDetails>), PrivateProblems))]
async fn list_accounts(
    Asked(bank): Asked,
    RecentlyAuthenticated(caller): RecentlyAuthenticated,
    query: PageQuery,
) -> Result<Json<ListPage<AccountDetails>>, Refusal> {
    let list = List::Accounts(caller.user.id);
    let page = query.of(list)?;
    let accounts = bank.accounts(&caller.principal(), Some(caller.user.id), page).await?;
    let today = bank.today();
    Ok(Json(ListPage::new(list, accounts, |account| AccountDetails::new(account, today))))
}

/// Shows an account.
#[utoipa::path(get, path = "/v1/accounts/{id}", tag = "accounts", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The account")),
    responses((status = 200, description = "The account", body = AccountDetails), PrivateProblems))]
async fn find_account(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(id): PathId<AccountId>,
    _: NoQuery,
) -> Result<Json<AccountDetails>, Refusal> {
    let account = bank.account(&caller.principal(), id).await?;
    Ok(Json(AccountDetails::new(account, bank.today())))
}

/// Lists an account's entries, newest first.
#[utoipa::path(get, path = "/v1/accounts/{id}/entries", tag = "accounts", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The account"),
        PageParameters),
    responses((status = 200, description = "A page", body = ListPage<Entry>), PrivateProblems))]
async fn list_entries(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(id): PathId<AccountId>,
    query: PageQuery,
) -> Result<Json<ListPage<Entry>>, Refusal> {
    let list = List::Entries(id);
    let page = query.of(list)?;
    let (account, entries) = bank.entries(&caller.principal(), id, page).await?;
    Ok(Json(ListPage::new(list, entries, |entry| Entry::new(&entry, account.currency))))
}
