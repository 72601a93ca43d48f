//! Holds: money that is promised, captured or let go.

use axum::Json;
use serde::{Deserialize, Serialize};
use simplebank::{
    Bank, Error, PlaceHold,
    core::{
        self, Amount, Currency, HoldId, Rejection,
        hold::{Lasting, State as HoldState},
    },
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
    json::{Checks, JsonBody, OptionalJsonBody},
    problem::Refusal,
    query::{DryRun, NoQuery, OfAccountQuery, PathId},
    receipts::{Answer, CashReceipt},
};

pub(super) fn routes() -> OpenApiRouter<Bank> {
    OpenApiRouter::new()
        .routes(routes!(place_hold, list_holds))
        .routes(routes!(find_hold))
        .routes(routes!(capture_hold))
        .routes(routes!(void_hold))
}

/// What to promise.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HoldRequest {
    /// Who is to pay: an account of the caller's.
    #[schema(format = Uuid)]
    from_account_id: String,
    /// Who is to be paid.
    #[schema(format = Uuid)]
    to_account_id: String,
    /// How much at most: a decimal number, as a string.
    #[schema(example = "12.50", pattern = r"^[0-9]+(\.[0-9]+)?$")]
    amount: String,
    /// The currency of both accounts, by the code of ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
    /// For how long: 1 second to 31 days; 7 days if it is left out.
    #[schema(example = 604800, minimum = 1, maximum = 2678400)]
    expires_in_seconds: Option<u32>,
    /// What it is about, for people: 1 to 200 characters. The transfer of its capture says the same.
    description: Option<String>,
    /// What another system calls it: 1 to 64 visible ASCII characters. The transfer of its capture says the same.
    reference: Option<String>,
}

impl HoldRequest {
    fn command(&self) -> Result<PlaceHold, Refusal> {
        let mut checks = Checks::default();
        let transfer = checks.transfer(&TransferTexts {
            from_account_id: &self.from_account_id,
            to_account_id: &self.to_account_id,
            amount: &self.amount,
            currency: &self.currency,
            description: self.description.as_deref(),
            reference: self.reference.as_deref(),
        });
        let lasting = match self.expires_in_seconds {
            None => Some(Lasting::default()),
            Some(seconds) => Lasting::from_seconds(seconds),
        };
        if lasting.is_none() {
            let max = Lasting::MAX.seconds();
            checks.tell("expires_in_seconds", format!("must be from 1 to {max}"));
        }
        let command = || Some(PlaceHold { transfer: transfer?, lasting: lasting? });
        checks.finish(command())
    }
}

/// How much of a hold to move: all, if no amount is given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CaptureRequest {
    /// How much: a decimal number, as a string; with its currency. The rest is let go.
    #[schema(example = "12.50", pattern = r"^[0-9]+(\.[0-9]+)?$")]
    amount: Option<String>,
    /// The hold's currency, by the code of ISO 4217; with an amount.
    #[schema(example = "EUR")]
    currency: Option<String>,
}

/// Nothing more to say.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct VoidRequest {}

/// Money that is promised.
#[derive(Serialize, ToSchema)]
pub(super) struct Hold {
    id: Uuid,
    /// Who is to pay.
    from_account_id: Uuid,
    /// Who is to be paid.
    to_account_id: Uuid,
    /// How much at most.
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
    /// `open`, `captured`, `voided` or `expired`.
    #[schema(example = "open")]
    state: &'static str,
    /// How much of it has moved, once it is captured.
    #[schema(required)]
    captured_amount: Option<String>,
    /// The transfer that moved it.
    #[schema(required)]
    transfer_id: Option<Uuid>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// From when on it holds nothing any more.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// When it was captured or voided.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    resolved_at: Option<OffsetDateTime>,
}

impl From<core::Hold> for Hold {
    fn from(hold: core::Hold) -> Self {
        let text = |amount: Amount| amount.to_decimal(hold.currency).to_string();
        let (captured, resolved_at) = match hold.state {
            HoldState::Open | HoldState::Expired => (None, None),
            HoldState::Voided { at } => (None, Some(at)),
            HoldState::Captured { transfer_id, amount, at } => {
                (Some((transfer_id.as_uuid(), text(amount))), Some(at))
            }
        };
        let (transfer_id, captured_amount) = captured.unzip();
        Self {
            id: hold.id.as_uuid(),
            from_account_id: hold.from_account_id.as_uuid(),
            to_account_id: hold.to_account_id.as_uuid(),
            amount: text(hold.amount),
            currency: hold.currency.code(),
            description: hold.memo.description.as_ref().map(ToString::to_string),
            reference: hold.memo.reference.as_ref().map(ToString::to_string),
            state: hold.state.as_str(),
            captured_amount,
            transfer_id,
            created_at: hold.created_at,
            expires_at: hold.expires_at,
            resolved_at,
        }
    }
}

/// Promises money from an account of the caller's to another customer's: it is not available any more, and has not gone.
#[utoipa::path(post, path = "/v1/holds", tag = "holds", security(("bearer" = [])),
    params(KeyHeader, DryRunParameter),
    request_body = HoldRequest,
    responses((status = 201, description = "The hold", body = Hold,
        headers(("Location" = String, description = "Where the hold is"))),
        (status = 200, description = "The same, only tried out", body = Hold), WriteProblems))]
async fn place_hold(
    Asked(bank): Asked,
    RecentlyAuthenticated(caller): RecentlyAuthenticated,
    dry_run: DryRun,
    Key(key): Key,
    JsonBody(request): JsonBody<HoldRequest>,
) -> Result<Answer<Hold>, Refusal> {
    let command = request.command()?;
    let hold = dry_run.of(&bank).place_hold(&caller.principal(), key, command).await?;
    Ok(Answer::new(dry_run, "holds", hold.id.as_uuid(), hold.into()))
}

/// Lists the holds on an account and those for it, newest first.
#[utoipa::path(get, path = "/v1/holds", tag = "holds", security(("bearer" = [])),
    params(("account_id" = Uuid, Query, description = "The account"), PageParameters),
    responses((status = 200, description = "A page", body = ListPage<Hold>), PrivateProblems))]
async fn list_holds(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    OfAccountQuery { account_id, page }: OfAccountQuery,
) -> Result<Json<ListPage<Hold>>, Refusal> {
    let list = List::Holds(account_id);
    let page = page.of(list)?;
    let holds = bank.holds(&caller.principal(), account_id, page).await?;
    Ok(Json(ListPage::new(list, holds, Hold::from)))
}

/// Shows a hold on, or for, an account of the caller's.
#[utoipa::path(get, path = "/v1/holds/{id}", tag = "holds", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The hold")),
    responses((status = 200, description = "The hold", body = Hold), PrivateProblems))]
async fn find_hold(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(id): PathId<HoldId>,
    _: NoQuery,
) -> Result<Json<Hold>, Refusal> {
    Ok(Json(bank.hold_by_id(&caller.principal(), id).await?.into()))
}

/// Moves what a hold has promised, or a part of it, and lets go of the rest; for both sides, and for bankers.
///
/// Who pays can only capture in full.
#[utoipa::path(post, path = "/v1/holds/{id}/capture", tag = "holds", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The hold"), KeyHeader, DryRunParameter),
    request_body = Option<CaptureRequest>,
    responses((status = 201, description = "The transfer", body = CashReceipt,
        headers(("Location" = String, description = "Where the transfer is"))),
        (status = 200, description = "The same, only tried out", body = CashReceipt), WriteProblems))]
async fn capture_hold(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(id): PathId<HoldId>,
    dry_run: DryRun,
    Key(key): Key,
    OptionalJsonBody(request): OptionalJsonBody<CaptureRequest>,
) -> Result<Answer<CashReceipt>, Refusal> {
    let mut checks = Checks::default();
    let money = checks.optional_money(request.amount.as_deref(), request.currency.as_deref());
    let by = caller.principal();
    let amount = match checks.finish(money)? {
        None => None,
        Some(money) => Some(in_currency_of(money, bank.hold_by_id(&by, id).await)?),
    };
    let receipt = dry_run.of(&bank).capture(&by, key, id, amount).await?;
    Ok(Answer::moved(dry_run, receipt))
}

/// The amount, if it is in the hold's currency.
fn in_currency_of(
    (amount, currency): (Amount, Currency),
    hold: Result<core::Hold, Error>,
) -> Result<Amount, Error> {
    match hold {
        Ok(hold) if hold.currency != currency => {
            Err(Error::invalid("currency", format!("must be the hold's, {}", hold.currency)))
        }
        // What the caller must not know of is refused under its key, as everything that is judged.
        Ok(_) | Err(Error::Rejected(Rejection::HoldNotFound { .. })) => Ok(amount),
        Err(error) => Err(error),
    }
}

/// Lets go of a hold; for who was to be paid, and for bankers.
#[utoipa::path(post, path = "/v1/holds/{id}/void", tag = "holds", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The hold"), KeyHeader, DryRunParameter),
    request_body = Option<VoidRequest>,
    responses((status = 200, description = "The hold, voided", body = Hold), WriteProblems))]
async fn void_hold(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(id): PathId<HoldId>,
    dry_run: DryRun,
    Key(key): Key,
    OptionalJsonBody(VoidRequest {}): OptionalJsonBody<VoidRequest>,
) -> Result<Json<Hold>, Refusal> {
    Ok(Json(dry_run.of(&bank).void(&caller.principal(), key, id).await?.into()))
}
