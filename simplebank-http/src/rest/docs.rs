//! The OpenAPI document, made from the code, and its page, which asks no other host for anything.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use utoipa::{
    IntoParams, IntoResponses, Modify, OpenApi, PartialSchema as _, ToSchema as _,
    openapi::{
        ContentBuilder, OpenApi as Document, Ref, RefOr, ResponseBuilder,
        response::Response as DocumentedResponse,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_swagger_ui::Config;

use super::problem::{FieldProblem, Problem, Refusal};

/// What the document says beside the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "simplebank",
        description = "A bank that moves money exactly once.\n\n\
            Amounts are decimal strings such as `\"12.50\"`, times are RFC 3339 in UTC, identifiers are UUIDs. \
            Whatever moves money takes an `Idempotency-Key`: the same key and the same content get the same answer, \
            and have no second effect. Everything that is refused is a problem document (RFC 9457) with a stable `code`.",
    ),
    tags(
        (name = "users", description = "Who somebody is"),
        (name = "sessions", description = "Logging in and out"),
        (name = "accounts", description = "Accounts and their entries"),
        (name = "money", description = "Deposits, withdrawals and transfers"),
        (name = "holds", description = "Money that is promised, captured or let go"),
        (name = "health", description = "For load balancers and supervisors"),
    ),
    servers((url = "/")),
    modifiers(&Bearer),
)]
pub(super) struct ApiDoc;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description = Some("The access token of a session".to_owned());
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let cookie = ApiKeyValue::with_description(
            "__Host-refresh_token",
            "The refresh token, for renewing and logging out; nothing else is opened by it",
        );
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        for (name, schema) in
            [(Problem::name(), Problem::schema()), (FieldProblem::name(), FieldProblem::schema())]
        {
            components.schemas.insert(name.into_owned(), schema);
        }
    }
}

/// The header of what moves money.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described; `auth::Key` reads it")]
pub(super) struct KeyHeader {
    /// Your name for this wish: 1 to 255 visible ASCII characters, such as a UUID. Sent again with the same content, it
    /// has no second effect and gets the same answer.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255)]
    idempotency_key: String,
}

/// The headers of a page that has its refresh token in the cookie.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described; `cookie::Client` reads them")]
pub(super) struct CookieHeaders {
    /// `1` from a page that has its refresh token in the cookie, or wants it there; the browser adds by itself where the page comes
    /// from, which must be this origin or an allowed one.
    #[param(rename = "X-CSRF-Protection", example = "1")]
    csrf_protection: Option<String>,
}

/// The parameter of what moves money.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described; `query::DryRun` reads it")]
pub(super) struct DryRunParameter {
    /// `true` tries it out: the same answer with status 200, and nothing is written, not even the answer under its key.
    #[param(example = true)]
    dry_run: Option<bool>,
}

/// The parameters of every list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described; `query::PageQuery` reads them")]
pub(super) struct PageParameters {
    /// How many items at most.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u8>,
    /// The `next_cursor` of the page before; the list begins without.
    cursor: Option<String>,
}

/// The parameters of the link in a mail.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described; `query::VerificationQuery` reads them")]
pub(super) struct VerificationParameters {
    /// The request that the code was sent for.
    id: String,
    /// The code.
    #[param(example = "ABCD-EFGH-JKMN-PQRS")]
    code: String,
}

/// The parameters of a statement.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described; `query::StatementQuery` reads them")]
pub(super) struct StatementParameters {
    /// Where the period begins: RFC 3339, with `+` written as `%2B`, or a date for midnight in UTC. The account's first entry
    /// if it is left out.
    #[param(example = "2026-11-01T00:00:00Z")]
    from: Option<String>,
    /// Where it ends, which is not part of it and later than `from`. The account's newest entry if it is left out.
    #[param(example = "2026-12-01T00:00:00Z")]
    to: Option<String>,
    /// `json` or `csv`. Without it, the header `Accept` decides.
    #[param(example = "json")]
    format: Option<String>,
}

/// What anybody may be refused with.
pub(super) struct PublicProblems;
/// What anybody may be refused with who may have a cookie.
pub(super) struct CookieProblems;
/// What a caller may be refused with who only looks.
pub(super) struct PrivateProblems;
/// What a caller may be refused with who looks at a moment or a period.
pub(super) struct PeriodProblems;
/// What a caller may be refused with who changes something.
pub(super) struct WriteProblems;
/// What a health check may be answered with.
pub(super) struct HealthProblems;

impl IntoResponses for PublicProblems {
    fn responses() -> BTreeMap<String, RefOr<DocumentedResponse>> {
        problems(&[400, 401, 408, 409, 413, 415, 422, 429, 500, 503])
    }
}

impl IntoResponses for CookieProblems {
    fn responses() -> BTreeMap<String, RefOr<DocumentedResponse>> {
        problems(&[400, 401, 403, 408, 413, 415, 422, 429, 500, 503])
    }
}

impl IntoResponses for PrivateProblems {
    fn responses() -> BTreeMap<String, RefOr<DocumentedResponse>> {
        problems(&[400, 401, 403, 404, 429, 500, 503])
    }
}

impl IntoResponses for PeriodProblems {
    fn responses() -> BTreeMap<String, RefOr<DocumentedResponse>> {
        problems(&[400, 401, 403, 404, 422, 429, 500, 503])
    }
}

impl IntoResponses for WriteProblems {
    fn responses() -> BTreeMap<String, RefOr<DocumentedResponse>> {
        problems(&[400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503])
    }
}

impl IntoResponses for HealthProblems {
    fn responses() -> BTreeMap<String, RefOr<DocumentedResponse>> {
        problems(&[503])
    }
}

fn problems(statuses: &[u16]) -> BTreeMap<String, RefOr<DocumentedResponse>> {
    let content =
        || ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    let response = |status: &u16| {
        let response = ResponseBuilder::new()
            .description(describe(*status))
            .content("application/problem+json", content())
            .build();
        (status.to_string(), RefOr::T(response))
    };
    statuses.iter().map(response).collect()
}

const fn describe(status: u16) -> &'static str {
    match status {
        400 => "The request can't be read",
        401 => "The token or the credentials are not valid",
        403 => "The caller may not do this",
        404 => "There is no such thing, or it is none of the caller's business",
        408 => "The body didn't arrive in time",
        409 => "Something else is there already",
        413 => "The body is too long",
        415 => "The body is not plain JSON",
        422 => "Some fields are not valid, or the bank says no",
        429 => "Too many requests; try later",
        503 => "Not possible at the moment; try later",
        _ => "Something went wrong here",
    }
}

/// Serves the document at `/openapi.json` and its page at `/docs`.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(document: &Document) -> Router<S> {
    // Serialising strings, numbers, lists and maps with string keys can't fail.
    let json = Bytes::from(document.to_json().expect("the document is plain data"));
    let json_type = [(header::CONTENT_TYPE, "application/json")];
    let config =
        Arc::new(Config::from("/openapi.json").validator_url("none").try_it_out_enabled(true));
    let front = Arc::clone(&config);
    Router::new()
        .route("/openapi.json", get(async move || (json_type, json.clone())))
        .route("/docs", get(async || Redirect::permanent("/docs/")))
        .route("/docs/", get(async move || page("", front)))
        .route("/docs/{*file}", get(async move |Path(file): Path<String>| page(&file, config)))
}

fn page(file: &str, config: Arc<Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(file, config) {
        Ok(Some(file)) => {
            let content_type = (header::CONTENT_TYPE, file.content_type);
            let mut response = (StatusCode::OK, [content_type], file.bytes).into_response();
            if file.gzpipped {
                let gzip = HeaderValue::from_static("gzip");
                response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
            }
            response
        }
        Ok(None) => Refusal::RouteNotFound.into_response(),
        Err(error) => {
            tracing::error!(%error, "documentation not served");
            Refusal::Panicked.into_response()
        }
    }
}
