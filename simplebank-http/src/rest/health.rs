//! Health: whether the process lives, and whether it can serve.

use axum::{Json, extract::State};
use serde::Serialize;
use simplebank::Bank;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    docs::HealthProblems,
    problem::{Refusal, chain},
};

pub(super) fn routes() -> OpenApiRouter<Bank> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready))
}

/// How it is.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `live` or `ready`.
    #[schema(example = "ready")]
    status: &'static str,
}

/// Answers as long as the process lives; asks nobody else.
#[utoipa::path(get, path = "/health/live", tag = "health",
    responses((status = 200, description = "Alive", body = Health)))]
async fn live() -> Json<Health> {
    Json(Health { status: "live" })
}

/// Answers when the database does, and has the schema that this program needs.
#[utoipa::path(get, path = "/health/ready", tag = "health",
    responses((status = 200, description = "Ready to serve", body = Health), HealthProblems))]
async fn ready(State(bank): State<Bank>) -> Result<Json<Health>, Refusal> {
    let server = bank.db().server().await.map_err(|error| {
        tracing::warn!(error = chain(&error), "not ready");
        Refusal::NotReady { detail: "the database does not answer" }
    })?;
    // A newer schema is good enough: migrations are made so that the program before them still runs.
    if server.migrated_to < server.latest_migration {
        return Err(Refusal::NotReady { detail: "the database is not migrated" });
    }
    Ok(Json(Health { status: "ready" }))
}
