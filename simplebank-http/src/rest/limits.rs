//! An account in full, with its limits, and what the bank decides about it: limits, freezing, closing.

use std::fmt;

use axum::Json;
use serde::{Deserialize, Serialize};
use simplebank::{
    Bank, Error, SetLimits,
    core::{
        self, AccountId, Amount, Balance, Currency,
        access::Power,
        account::{Change, LimitChanges, OverdraftLimit, Owner},
    },
};
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Authenticated,
    client::Asked,
    docs::WriteProblems,
    json::{Checks, JsonBody},
    problem::Refusal,
    query::{NoQuery, PathId},
};

pub(super) fn routes() -> OpenApiRouter<Bank> {
    OpenApiRouter::new()
        .routes(routes!(set_limits))
        .routes(routes!(set_notice))
        .routes(routes!(freeze_account))
        .routes(routes!(unfreeze_account))
        .routes(routes!(close_account))
}

/// An account as it is now.
#[derive(Serialize, ToSchema)]
pub(super) struct AccountDetails {
    id: Uuid,
    /// The owner's username; null for the bank's own cash accounts.
    #[schema(example = "alice", required)]
    owner: Option<String>,
    #[schema(example = "EUR")]
    currency: &'static str,
    /// A decimal number with as many places as the currency has, as all amounts.
    #[schema(example = "12.50")]
    balance: String,
    /// What of it is promised: the sum of the open holds.
    #[schema(example = "2.50")]
    held: String,
    /// What can be paid out: the balance without what is held, and as much again as may be overdrawn; null for the bank's own.
    #[schema(example = "110.00", required)]
    available: Option<String>,
    /// How far below zero the balance may go; null for the bank's own, which have no limit.
    #[schema(example = "100.00", required)]
    overdraft_limit: Option<String>,
    /// How much may go out at a time; null for any amount.
    #[schema(example = "500.00", required)]
    transfer_limit: Option<String>,
    /// How much may go out on one day, in UTC; null for any amount.
    #[schema(example = "1000.00", required)]
    daily_limit: Option<String>,
    /// What has gone out today, in UTC, or is held to go out, and counts towards the daily limit.
    #[schema(example = "40.00")]
    spent_today: String,
    /// From which amount on its owner is told by mail what goes out; null for never.
    #[schema(example = "500.00", required)]
    notice_from: Option<String>,
    /// `open`, `frozen` or `closed`.
    #[schema(example = "open")]
    status: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl AccountDetails {
    pub(super) fn new(account: core::Account, today: Date) -> Self {
        let text = |balance: Balance| balance.to_decimal(account.currency).to_string();
        let limit = |amount: Option<Amount>| amount.map(|amount| text(Balance::credit(amount)));
        let spent_today = text(account.counted_on(today));
        let (owner, limits) = match account.owner {
            Owner::Customer { ref username, .. } => {
                let overdraft_limit = Balance::from_minor(account.overdraft_limit.minor());
                let limits = (text(account.available()), text(overdraft_limit));
                (Some(username.to_string()), Some(limits))
            }
            Owner::Cash => (None, None),
        };
        let (available, overdraft_limit) = limits.unzip();
        Self {
            id: account.id.as_uuid(),
            owner,
            currency: account.currency.code(),
            balance: text(account.balance),
            held: text(account.held),
            available,
            overdraft_limit,
            transfer_limit: limit(account.limits.per_transfer),
            daily_limit: limit(account.limits.per_day),
            spent_today,
            notice_from: limit(account.notice_from),
            status: account.status.as_str(),
            created_at: account.created_at,
        }
    }
}

/// Which limits to set, each a decimal number in the account's currency. One that is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LimitsRequest {
    /// How far below zero the balance may go; `none` is the same as `0`.
    #[schema(example = "100.00", pattern = r"^([0-9]+(\.[0-9]+)?|none)$")]
    overdraft_limit: Option<String>,
    /// How much may go out at a time; `none` for any amount.
    #[schema(example = "500.00", pattern = r"^([0-9]+(\.[0-9]+)?|none)$")]
    transfer_limit: Option<String>,
    /// How much may go out on one day, in UTC; `none` for any amount.
    #[schema(example = "none", pattern = r"^([0-9]+(\.[0-9]+)?|none)$")]
    daily_limit: Option<String>,
}

impl LimitsRequest {
    fn changes(&self, currency: Currency) -> Result<LimitChanges, Refusal> {
        let mut checks = Checks::default();
        let overdraft = |text: &str| OverdraftLimit::parse(text, currency);
        let amount = |text: &str| Amount::parse(text, currency);
        let overdraft = change(&mut checks, "overdraft_limit", &self.overdraft_limit, overdraft);
        let per_transfer = change(&mut checks, "transfer_limit", &self.transfer_limit, amount);
        let per_day = change(&mut checks, "daily_limit", &self.daily_limit, amount);
        let changes = || {
            Some(LimitChanges {
                overdraft: overdraft?,
                per_transfer: per_transfer?,
                per_day: per_day?,
            })
        };
        checks.finish(changes())
    }
}

fn change<T, E: fmt::Display>(
    checks: &mut Checks,
    field: &str,
    text: &Option<String>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<Change<T>> {
    let change = Change::parse(text.as_deref(), parse);
    change.map_err(|error| checks.tell(field, format!("{error}, or be \"none\""))).ok()
}

/// Sets limits of a customer's account, from its next transfer on; for bankers.
#[utoipa::path(patch, path = "/v1/accounts/{id}/limits", tag = "accounts", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The customer's account")),
    request_body = LimitsRequest,
    responses((status = 200, description = "The account", body = AccountDetails), WriteProblems))]
async fn set_limits(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(account_id): PathId<AccountId>,
    _: NoQuery,
    JsonBody(request): JsonBody<LimitsRequest>,
) -> Result<Json<AccountDetails>, Refusal> {
    let by = caller.principal();
    // Before its currency is looked up: who may not set a limit is told nothing else.
    if !by.may(Power::SetLimits) {
        let changes = LimitChanges::default();
        return Err(bank
            .set_limits(&by, SetLimits { account_id, changes })
            .await
            .err()
            .unwrap_or(Error::Forbidden)
            .into());
    }
    let currency = bank.account(&by, account_id).await?.currency;
    let changes = request.changes(currency)?;
    let account = bank.set_limits(&by, SetLimits { account_id, changes }).await?;
    Ok(Json(AccountDetails::new(account, bank.today())))
}

/// From which amount on the owner of an account is told.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NoticeRequest {
    /// A decimal number in the account's currency; `none` for never.
    #[schema(example = "500.00", pattern = r"^([0-9]+(\.[0-9]+)?|none)$")]
    notice_from: String,
}

/// Tells the caller by mail whenever so much or more goes out of an account of theirs, once their address is verified.
#[utoipa::path(put, path = "/v1/accounts/{id}/notice", tag = "accounts", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The account")),
    request_body = NoticeRequest,
    responses((status = 200, description = "The account", body = AccountDetails), WriteProblems))]
async fn set_notice(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(id): PathId<AccountId>,
    _: NoQuery,
    JsonBody(NoticeRequest { notice_from }): JsonBody<NoticeRequest>,
) -> Result<Json<AccountDetails>, Refusal> {
    let by = caller.principal();
    let currency = bank.account(&by, id).await?.currency;
    let mut checks = Checks::default();
    let amount = |text: &str| Amount::parse(text, currency);
    let change = change(&mut checks, "notice_from", &Some(notice_from), amount);
    let notice_from = match checks.finish(change)? {
        Change::Set(amount) => Some(amount),
        Change::Keep | Change::Remove => None,
    };
    let account = bank.set_notice(&by, id, notice_from).await?;
    Ok(Json(AccountDetails::new(account, bank.today())))
}

/// Freezes a customer's account, so that it neither pays nor receives; for bankers. Doing it twice changes nothing.
#[utoipa::path(post, path = "/v1/accounts/{id}/freeze", tag = "accounts", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The customer's account")),
    responses((status = 200, description = "The account", body = AccountDetails), WriteProblems))]
async fn freeze_account(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(id): PathId<AccountId>,
    _: NoQuery,
) -> Result<Json<AccountDetails>, Refusal> {
    let account = bank.freeze(&caller.principal(), id).await?;
    Ok(Json(AccountDetails::new(account, bank.today())))
}

/// Opens a frozen account again; for bankers. Doing it twice changes nothing.
#[utoipa::path(post, path = "/v1/accounts/{id}/unfreeze", tag = "accounts", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The customer's account")),
    responses((status = 200, description = "The account", body = AccountDetails), WriteProblems))]
async fn unfreeze_account(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(id): PathId<AccountId>,
    _: NoQuery,
) -> Result<Json<AccountDetails>, Refusal> {
    let account = bank.unfreeze(&caller.principal(), id).await?;
    Ok(Json(AccountDetails::new(account, bank.today())))
}

/// Closes an account for good: one of the caller's, or any customer's for bankers. It needs a balance of zero and no open
/// holds; closing it twice is the same as once.
#[utoipa::path(post, path = "/v1/accounts/{id}/close", tag = "accounts", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The account")),
    responses((status = 200, description = "The account", body = AccountDetails), WriteProblems))]
async fn close_account(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(id): PathId<AccountId>,
    _: NoQuery,
) -> Result<Json<AccountDetails>, Refusal> {
    let account = bank.close_account(&caller.principal(), id).await?;
    Ok(Json(AccountDetails::new(account, bank.today())))
}
