//! Transfers that are given back.

use serde::Deserialize;
use simplebank::{
    Bank, Error, Reverse,
    core::{Amount, Currency, TransferId},
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::{Authenticated, Key},
    client::Asked,
    docs::{DryRunParameter, KeyHeader, WriteProblems},
    json::{Checks, OptionalJsonBody},
    problem::Refusal,
    query::{DryRun, PathId},
    receipts::{Answer, CashReceipt},
};

pub(super) fn routes() -> OpenApiRouter<Bank> {
    OpenApiRouter::new().routes(routes!(reverse))
}

/// What to give back of a transfer: all that is left of it, if no amount is given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReversalRequest {
    /// How much: a decimal number, as a string; with its currency.
    #[schema(example = "12.50", pattern = r"^[0-9]+(\.[0-9]+)?$")]
    amount: Option<String>,
    /// The transfer's currency, by the code of ISO 4217; with an amount.
    #[schema(example = "EUR")]
    currency: Option<String>,
    /// What it is about, for people: 1 to 200 characters.
    description: Option<String>,
    /// What another system calls it: 1 to 64 visible ASCII characters.
    reference: Option<String>,
}

/// Gives back what a transfer moved, in full or in part, by a new transfer; for who was paid, and for bankers.
///
/// All reversals of a transfer together never give back more than it moved.
#[utoipa::path(post, path = "/v1/transfers/{id}/reversals", tag = "money", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The transfer that is to be given back"), KeyHeader, DryRunParameter),
    request_body = Option<ReversalRequest>,
    responses((status = 201, description = "The reversal, a transfer of its own", body = CashReceipt,
        headers(("Location" = String, description = "Where the reversal is"))),
        (status = 200, description = "The same, only tried out", body = CashReceipt), WriteProblems))]
async fn reverse(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(transfer_id): PathId<TransferId>,
    dry_run: DryRun,
    Key(key): Key,
    OptionalJsonBody(request): OptionalJsonBody<ReversalRequest>,
) -> Result<Answer<CashReceipt>, Refusal> {
    let ReversalRequest { amount, currency, description, reference } = request;
    let mut checks = Checks::default();
    let money = checks.optional_money(amount.as_deref(), currency.as_deref());
    let memo = checks.memo(description.as_deref(), reference.as_deref());
    let (money, memo) = checks.finish(money.zip(memo))?;
    let by = caller.principal();
    let amount = match money {
        None => None,
        Some(money) => Some(in_currency_of(money, bank.transfer_by_id(&by, transfer_id).await)?),
    };
    let command = Reverse { transfer_id, amount, memo };
    let receipt = dry_run.of(&bank).reverse(&by, key, command).await?;
    Ok(Answer::moved(dry_run, receipt))
}

/// The amount, if it is in the transfer's currency.
fn in_currency_of(
    (amount, currency): (Amount, Currency),
    transfer: Result<simplebank::core::transfer::Transfer, Error>,
) -> Result<Amount, Error> {
    match transfer {
        Ok(transfer) if transfer.currency != currency => Err(Error::invalid(
            "currency",
            format!("must be the transfer's, {}", transfer.currency),
        )),
        // What the caller must not know of is refused under its key, as everything that is judged.
        Ok(_) | Err(Error::NotFound { .. }) => Ok(amount),
        Err(error) => Err(error),
    }
}
