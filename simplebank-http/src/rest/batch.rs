//! Many transfers in one request, each once for its key.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{FromRequestParts, State},
    http::request::Parts,
};
use serde::{Deserialize, Serialize};
use simplebank::{Bank, Error, Member, Mode, Receipt, core::IdempotencyKey};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::{NoKey, RecentlyAuthenticated},
    checks::TransferTexts,
    docs::{DryRunParameter, WriteProblems},
    json::{Checks, JsonBody},
    problem::{Problem, Refusal},
    query::DryRun,
    receipts::TransferReceipt,
};

/// The longest body of a batch, in bytes: 1,000 transfers with the longest key, description and reference, each less than
/// 1.6 KiB.
pub const BATCH_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most batches that are read and done at a time: together 64 MiB of bodies. Further ones are told to come back later.
const BATCHES_MAX: usize = 32;

pub(super) fn routes() -> OpenApiRouter<Bank> {
    let room = Rooms(Arc::new(Semaphore::new(BATCHES_MAX)));
    OpenApiRouter::new().routes(routes!(transfer_batch)).layer(Extension(room))
}

/// How many more batches there is room for.
#[derive(Clone, Debug)]
struct Rooms(Arc<Semaphore>);

/// Leave to read and do a batch, until it is dropped.
#[derive(Debug)]
struct Room {
    _leave: OwnedSemaphorePermit,
}

impl<S: Send + Sync> FromRequestParts<S> for Room {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let rooms = parts.extensions.get::<Rooms>().expect("the route brings its layer");
        match Arc::clone(&rooms.0).try_acquire_owned() {
            Ok(leave) => Ok(Self { _leave: leave }),
            Err(_) => Err(Error::Overloaded.into()),
        }
    }
}

/// Many transfers.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchRequest {
    /// `independent`, where each stands alone; or `atomic`, all or none. `independent` if it is left out.
    #[schema(example = "independent")]
    mode: Option<String>,
    /// 1 to 1,000 of them.
    #[schema(min_items = 1, max_items = 1000)]
    transfers: Vec<BatchMember>,
}

/// One of many transfers.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchMember {
    /// Your name for this transfer, as the header Idempotency-Key is for a single one: it is the same key.
    #[schema(min_length = 1, max_length = 255)]
    key: String,
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

impl BatchMember {
    fn read(&self, checks: &mut Checks) -> Option<Member> {
        let key = checks.parse("key", &self.key);
        let transfer = checks.transfer(&TransferTexts {
            from_account_id: &self.from_account_id,
            to_account_id: &self.to_account_id,
            amount: &self.amount,
            currency: &self.currency,
            description: self.description.as_deref(),
            reference: self.reference.as_deref(),
        });
        Some(Member { key: key?, transfer: transfer? })
    }
}

impl BatchRequest {
    fn read(&self) -> Result<(Vec<Member>, Mode), Refusal> {
        let mut checks = Checks::default();
        let mode = match self.mode.as_deref() {
            None | Some("independent") => Mode::Independent,
            Some("atomic") => Mode::Atomic,
            Some(_) => {
                checks.tell("mode", "must be independent or atomic");
                Mode::Independent
            }
        };
        let (count, max) = (self.transfers.len(), Bank::ATOMIC_MAX);
        if !(1..=max).contains(&count) {
            checks.tell("transfers", format!("must hold 1 to {max} transfers, holds {count}"));
            return checks.finish(None);
        }
        let mut members = Vec::with_capacity(count);
        for (index, member) in self.transfers.iter().enumerate() {
            checks.within(format!("transfers[{index}]."));
            members.extend(member.read(&mut checks));
        }
        checks.finish(Some((members, mode)))
    }
}

/// What became of many transfers.
#[derive(Serialize, ToSchema)]
struct BatchAnswer {
    /// One for each transfer, in their order.
    results: Vec<BatchResult>,
}

/// What became of one of many transfers: a receipt or a problem.
#[derive(Serialize, ToSchema)]
struct BatchResult {
    /// Its key.
    key: String,
    /// What moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<TransferReceipt>,
    /// Why nothing moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

impl BatchResult {
    fn new(key: &IdempotencyKey, answer: Result<Receipt, Error>) -> Self {
        let (receipt, problem) = match answer {
            Ok(receipt) => (Some(receipt.into()), None),
            Err(error) => (None, Some(Refusal::from(error).problem())),
        };
        Self { key: key.to_string(), receipt, problem }
    }
}

/// Makes up to 1,000 transfers from accounts of the caller's, each exactly once for its key.
///
/// Independent ones stand alone: the answer has a receipt or a problem for each, in their order. Atomic ones happen together or
/// not at all: when one is refused, its problem is the answer, with its place, such as `transfers[3]`, in `errors`; only
/// that refusal stays under its key. A request that can't be read does nothing at all. The header `Idempotency-Key` is
/// refused: each transfer has a key of its own, and the whole batch can be sent again.
#[utoipa::path(post, path = "/v1/transfers/batch", tag = "money", security(("bearer" = [])),
    params(DryRunParameter),
    request_body = BatchRequest,
    responses((status = 200, description = "What became of each", body = BatchAnswer), WriteProblems))]
async fn transfer_batch(
    State(bank): State<Bank>,
    RecentlyAuthenticated(caller): RecentlyAuthenticated,
    dry_run: DryRun,
    _: NoKey,
    _room: Room,
    JsonBody(request): JsonBody<BatchRequest, BATCH_BYTES_MAX>,
) -> Result<Json<BatchAnswer>, Refusal> {
    let (members, mode) = request.read()?;
    let keys: Vec<IdempotencyKey> = members.iter().map(|member| member.key.clone()).collect();
    let answers = dry_run.of(&bank).post_all(&caller.principal(), members, mode).await?;
    let results = keys.iter().zip(answers).map(|(key, answer)| BatchResult::new(key, answer));
    Ok(Json(BatchAnswer { results: results.collect() }))
}
