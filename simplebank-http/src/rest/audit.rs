//! The audit record, for bankers.

use axum::Json;
use serde::Serialize;
use simplebank::db::audit::{Filter, Line};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    accounts::ListPage,
    auth::Authenticated,
    client::Asked,
    cursor::List,
    docs::{AuditParameters, PrivateProblems},
    problem::Refusal,
    query::AuditQuery,
};

pub(super) fn routes() -> OpenApiRouter<simplebank::Bank> {
    OpenApiRouter::new().routes(routes!(list_audit))
}

/// Something that was done, or refused.
#[derive(Serialize, ToSchema)]
struct AuditEntry {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Who did it; null where that was not proven.
    #[schema(example = "alice", required)]
    actor: Option<String>,
    /// What was done.
    #[schema(example = "account_frozen")]
    action: &'static str,
    /// On what: `user`, `account`, `transfer`, `hold` or `job`.
    #[schema(example = "account", required)]
    object_kind: Option<&'static str>,
    #[schema(required)]
    object_id: Option<Uuid>,
    /// What more there is to say, such as the power that was lacking.
    #[schema(required)]
    detail: Option<String>,
    /// From where.
    #[schema(example = "192.0.2.1", required)]
    address: Option<String>,
    /// The `X-Request-Id` of the answer.
    #[schema(required)]
    request_id: Option<String>,
    /// How many it stands for.
    #[schema(example = 1)]
    times: u32,
}

impl From<Line> for AuditEntry {
    fn from(Line { entry, username, .. }: Line) -> Self {
        Self {
            at: entry.at,
            actor: username.map(|name| name.to_string()),
            action: entry.action.as_str(),
            object_kind: entry.object.map(simplebank::core::audit::Object::kind),
            object_id: entry.object.map(simplebank::core::audit::Object::as_uuid),
            detail: entry.detail,
            address: entry.origin.address.map(|address| address.to_string()),
            request_id: entry.origin.request_id,
            times: entry.times,
        }
    }
}

/// Lists what was done and refused, newest first; for bankers.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", security(("bearer" = [])),
    params(AuditParameters),
    responses((status = 200, description = "A page", body = ListPage<AuditEntry>), PrivateProblems))]
async fn list_audit(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    query: AuditQuery,
) -> Result<Json<ListPage<AuditEntry>>, Refusal> {
    let by = caller.principal();
    let list = List::Audit(caller.user.id);
    let page = query.page.of(list)?;
    let user = match &query.user {
        Some(username) => Some(bank.user_by_name(&by, username).await?.id),
        None => None,
    };
    let (since, until) = (query.since.map(|at| at.time()), query.until.map(|at| at.time()));
    let filter = Filter { user, action: query.action, since, until };
    let lines = bank.audit(&by, filter, page).await?;
    Ok(Json(ListPage::new(list, lines, AuditEntry::from)))
}
