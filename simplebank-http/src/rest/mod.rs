//! The REST edge: routes under `/v1`, health, the OpenAPI document, and what surrounds every request.
//!
//! A request passes, from the outside in:
//!
//! 1. [`edge`]: a request id, and a span with method, path, status and latency.
//! 2. Security headers on whatever is answered, refusals too.
//! 3. Requests that could be read in two ways are refused.
//! 4. CORS, when origins are allowed.
//! 5. Who tries passwords and codes does so no more often than they may.
//! 6. A task of its own, so that a panic stays in its request and a client that hangs up tears nothing.
//! 7. The route: who asks, and whether too often, then path, query and headers, then the body. So who may not ask learns nothing else.

mod accounts;
mod audit;
mod auth;
mod batch;
mod checks;
mod client;
mod cookie;
mod cursor;
mod docs;
mod edge;
mod health;
mod holds;
mod json;
mod limits;
mod problem;
mod query;
mod rates;
mod receipts;
mod reversals;
mod sessions;
mod statements;
mod transfers;
mod users;
mod verification;

use axum::Router;
use simplebank::Bank;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

pub(crate) use self::problem::chain;
pub use self::{
    batch::BATCH_BYTES_MAX,
    client::{ForwardedHeader, InvalidNetwork, Network, Proxies},
    edge::{Edge, InvalidOrigin, Origin},
    json::{BODY_BYTES_MAX, BODY_READ_TIMEOUT},
    problem::EDGE_CODES,
    rates::RateLimits,
};

/// The bank's whole HTTP surface; pages from `allowed_origins` may use it in a browser, no others.
///
/// Nobody is kept from asking too often, and no proxy is trusted: [`router_behind`] does that.
///
/// It can be served with [`server::serve`](crate::server::serve), or mounted as the fallback
/// of a router of one's own; its paths begin at the root.
pub fn router(bank: Bank, allowed_origins: &[Origin]) -> Router {
    let allowed_origins = allowed_origins.to_vec();
    router_behind(Edge { allowed_origins, ..Edge::default() }, bank)
}

/// [`router`] behind an edge that says who may ask how often, and from where. Addresses are those that
/// [`server::serve`](crate::server::serve) knows, or axum's own `into_make_service_with_connect_info`.
pub fn router_behind(edge: Edge, bank: Bank) -> Router {
    let (routes, document) = OpenApiRouter::with_openapi(docs::ApiDoc::openapi())
        .merge(users::routes())
        .merge(sessions::routes())
        .merge(verification::routes())
        .merge(accounts::routes())
        .merge(limits::routes())
        .merge(statements::routes())
        .merge(transfers::routes())
        .merge(batch::routes())
        .merge(holds::routes())
        .merge(reversals::routes())
        .merge(audit::routes())
        .merge(health::routes())
        .split_for_parts();
    edge::surround(routes.merge(docs::routes(&document)).with_state(bank), edge)
}
