//! Sessions: logging in, renewing, logging out; and seeing and ending one's own.

use std::str::FromStr;

use axum::{
    Json,
    extract::{FromRequestParts as _, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use simplebank::{
    Bank, Error, LogIn, LoggedIn, Renewed,
    core::{
        SessionId,
        session::{OpenSession, UserAgent},
    },
};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Authenticated,
    cookie::{self, Client},
    docs::{CookieHeaders, CookieProblems, PrivateProblems},
    json::{Checks, JsonBody},
    problem::Refusal,
    query::{NoQuery, PathId},
    users::User,
};

pub(super) fn routes() -> OpenApiRouter<Bank> {
    OpenApiRouter::new()
        .routes(routes!(log_in))
        .routes(routes!(renew_access))
        .routes(routes!(log_out))
        .routes(routes!(own_sessions, log_out_everywhere))
        .routes(routes!(end_session))
}

/// Where a refresh token is handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// In the JSON: for programs that can keep a secret.
    #[default]
    Body,
    /// In a cookie that scripts can't read: for pages.
    Cookie,
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "body" => Ok(Self::Body),
            "cookie" => Ok(Self::Cookie),
            _ => Err("must be body or cookie"),
        }
    }
}

/// Who wants to log in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogInRequest {
    /// The login name.
    #[schema(example = "alice")]
    username: String,
    /// The password.
    #[schema(example = "correct horse battery", format = Password)]
    password: String,
    /// `cookie` if a page asks, which then has no refresh token to lose: it is set as a cookie that scripts can't read. `body` if
    /// left out.
    #[schema(example = "body")]
    refresh_token_in: Option<String>,
}

/// What to renew a session with: the one or the other.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RenewAccessRequest {
    /// The newest refresh token of a session.
    refresh_token: Option<String>,
    /// `cookie` if it is there.
    #[schema(example = "cookie")]
    refresh_token_in: Option<String>,
}

impl RenewAccessRequest {
    /// The token in the body; `None` if it is in the cookie.
    fn token(self) -> Result<Option<SecretString>, Refusal> {
        let mut checks = Checks::default();
        let place = parse_place(&mut checks, self.refresh_token_in.as_deref());
        let place = checks.finish(place)?;
        match (place, self.refresh_token) {
            (Place::Body, Some(token)) => Ok(Some(token.into())),
            (Place::Cookie, None) => Ok(None),
            (Place::Body, None) => Err(Refusal::malformed_field("refresh_token", "is missing")),
            (Place::Cookie, Some(_)) => {
                let message = "must be left out if it is in the cookie";
                Err(Refusal::malformed_field("refresh_token", message))
            }
        }
    }
}

fn parse_place(checks: &mut Checks, text: Option<&str>) -> Option<Place> {
    text.map_or(Some(Place::default()), |text| checks.parse("refresh_token_in", text))
}

/// A new session.
#[derive(Serialize, ToSchema)]
struct Session {
    session_id: Uuid,
    /// Opens the bank: send it as `Authorization: Bearer …`.
    access_token: String,
    #[serde(with = "time::serde::rfc3339")]
    access_token_expires_at: OffsetDateTime,
    /// Renews the session, once. Left out if it is in the cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// When the session ends unless it is renewed.
    #[serde(with = "time::serde::rfc3339")]
    refresh_token_expires_at: OffsetDateTime,
    user: User,
}

/// New tokens.
#[derive(Serialize, ToSchema)]
struct RenewedAccess {
    access_token: String,
    #[serde(with = "time::serde::rfc3339")]
    access_token_expires_at: OffsetDateTime,
    /// Renews the session the next time, once; the one before is spent. Left out if it is in the cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// When the session ends unless it is renewed.
    #[serde(with = "time::serde::rfc3339")]
    refresh_token_expires_at: OffsetDateTime,
}

/// One of the caller's sessions.
#[derive(Serialize, ToSchema)]
struct SessionItem {
    id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was last renewed, or else begun.
    #[serde(with = "time::serde::rfc3339")]
    renewed_at: OffsetDateTime,
    /// When it ends unless it is renewed.
    #[serde(with = "time::serde::rfc3339")]
    idle_ends_at: OffsetDateTime,
    /// When it ends even so.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// What the program called itself that has logged in; null if it had no name.
    #[schema(example = "curl/8.5.0")]
    user_agent: Option<String>,
    /// True for the session that asks.
    is_current: bool,
}

impl SessionItem {
    fn new(open: &OpenSession, current: SessionId) -> Self {
        Self {
            id: open.id.as_uuid(),
            created_at: open.created_at,
            renewed_at: open.renewed_at,
            idle_ends_at: open.idle_ends_at,
            expires_at: open.expires_at,
            user_agent: open.user_agent.as_ref().map(UserAgent::to_string),
            is_current: open.id == current,
        }
    }
}

/// The caller's sessions, the oldest first.
#[derive(Serialize, ToSchema)]
struct Sessions {
    items: Vec<SessionItem>,
}

/// Answers with a refresh token at its place: in `body`, or in a cookie.
fn hand_over<T: Serialize>(
    bank: &Bank,
    place: Place,
    token: &SecretString,
    expires_at: OffsetDateTime,
    body: impl FnOnce(Option<String>) -> T,
) -> Result<Response, Refusal> {
    match place {
        Place::Body => Ok(Json(body(Some(token.expose_secret().to_owned()))).into_response()),
        Place::Cookie => {
            let cookie = cookie::set(token, expires_at - bank.now())?;
            Ok(([(header::SET_COOKIE, cookie)], Json(body(None))).into_response())
        }
    }
}

/// Begins a session. Of a user who has 20 already, the oldest ends.
#[utoipa::path(post, path = "/v1/users/login", tag = "sessions", request_body = LogInRequest, params(CookieHeaders),
    responses((status = 200, description = "The new session", body = Session,
        headers(("Set-Cookie" = String, description = "The refresh token, if it was asked for in a cookie"))), CookieProblems))]
async fn log_in(
    State(bank): State<Bank>,
    client: Client,
    _: NoQuery,
    JsonBody(request): JsonBody<LogInRequest>,
) -> Result<Response, Refusal> {
    let LogInRequest { username, password, refresh_token_in } = request;
    let mut checks = Checks::default();
    let place = parse_place(&mut checks, refresh_token_in.as_deref());
    let place = checks.finish(place)?;
    if place == Place::Cookie {
        // Otherwise a page of somebody else's could log its visitors in as itself.
        client.own_page()?;
    }
    let command = LogIn { username, password: password.into(), user_agent: client.user_agent };
    let LoggedIn {
        session_id, access_token, refresh_token, refresh_token_expires_at, user, ..
    } = bank.log_in(command).await?;
    hand_over(&bank, place, &refresh_token, refresh_token_expires_at, |refresh_token| Session {
        session_id: session_id.as_uuid(),
        access_token: access_token.token.expose_secret().to_owned(),
        access_token_expires_at: access_token.expires_at,
        refresh_token,
        refresh_token_expires_at,
        user: user.into(),
    })
}

/// Gives a new access token and a new refresh token for a refresh token, which is spent thereby. Shown again, a spent one ends the
/// session; but who has lost the answer may show it again for some seconds, and gets the same new one.
#[utoipa::path(post, path = "/v1/tokens/renew_access", tag = "sessions", params(CookieHeaders),
    request_body = RenewAccessRequest,
    responses((status = 200, description = "The new tokens", body = RenewedAccess,
        headers(("Set-Cookie" = String, description = "The new refresh token, if the old one was in the cookie"))), CookieProblems))]
async fn renew_access(
    State(bank): State<Bank>,
    client: Client,
    _: NoQuery,
    JsonBody(request): JsonBody<RenewAccessRequest>,
) -> Result<Response, Refusal> {
    let (place, token) = match request.token()? {
        Some(token) => (Place::Body, token),
        None => (Place::Cookie, client.refresh_token()?.ok_or(Error::Unauthenticated)?),
    };
    let Renewed { access_token, refresh_token, refresh_token_expires_at, .. } =
        bank.renew(token).await?;
    hand_over(&bank, place, &refresh_token, refresh_token_expires_at, |refresh_token| {
        RenewedAccess {
            access_token: access_token.token.expose_secret().to_owned(),
            access_token_expires_at: access_token.expires_at,
            refresh_token,
            refresh_token_expires_at,
        }
    })
}

/// Ends the session, and with it all its tokens at once. A page whose access token has expired may send the cookie alone.
#[utoipa::path(post, path = "/v1/users/logout", tag = "sessions", security(("bearer" = []), ("cookie" = [])), params(CookieHeaders),
    responses((status = 204, description = "The session has ended",
        headers(("Set-Cookie" = String, description = "Takes the cookie away, if there is one"))), PrivateProblems))]
async fn log_out(
    State(bank): State<Bank>,
    client: Client,
    request: Request,
) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let has_cookie = client.has_cookie();
    if has_cookie && !parts.headers.contains_key(header::AUTHORIZATION) {
        let token = client.refresh_token()?.ok_or(Error::Unauthenticated)?;
        NoQuery::from_request_parts(&mut parts, &bank).await?;
        bank.log_out_by(token).await?;
    } else {
        let Authenticated(caller) = Authenticated::from_request_parts(&mut parts, &bank).await?;
        NoQuery::from_request_parts(&mut parts, &bank).await?;
        bank.log_out(caller.session_id).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if has_cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie::clear());
    }
    Ok(response)
}

/// Lists the caller's own sessions that have not ended.
#[utoipa::path(get, path = "/v1/sessions", tag = "sessions", security(("bearer" = [])),
    responses((status = 200, description = "The caller's sessions", body = Sessions), PrivateProblems))]
async fn own_sessions(
    State(bank): State<Bank>,
    Authenticated(caller): Authenticated,
    _: NoQuery,
) -> Result<Json<Sessions>, Refusal> {
    let open = bank.own_sessions(&caller).await?;
    let items = open.iter().map(|open| SessionItem::new(open, caller.session_id));
    Ok(Json(Sessions { items: items.collect() }))
}

/// Logs the caller out everywhere: ends all their sessions, that which asks included.
#[utoipa::path(delete, path = "/v1/sessions", tag = "sessions", security(("bearer" = [])),
    responses((status = 204, description = "The sessions have ended"), PrivateProblems))]
async fn log_out_everywhere(
    State(bank): State<Bank>,
    Authenticated(caller): Authenticated,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    bank.log_out_everywhere(&caller.principal()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one of the caller's own sessions.
#[utoipa::path(delete, path = "/v1/sessions/{id}", tag = "sessions", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The session")),
    responses((status = 204, description = "The session has ended"), PrivateProblems))]
async fn end_session(
    State(bank): State<Bank>,
    Authenticated(caller): Authenticated,
    PathId(id): PathId<SessionId>,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    bank.end_session(&caller.principal(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
