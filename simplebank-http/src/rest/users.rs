//! Users.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use simplebank::{Bank, ChangePassword, Register, core::user};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Authenticated,
    docs::{PrivateProblems, PublicProblems, WriteProblems},
    json::{Checks, JsonBody},
    problem::Refusal,
    query::NoQuery,
};

pub(super) fn routes() -> OpenApiRouter<Bank> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(me))
        .routes(routes!(change_password))
}

/// Who wants to become a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RegisterRequest {
    /// The login name: 3 to 32 characters of a-z, 0-9 and _, beginning with a letter.
    #[schema(example = "alice")]
    username: String,
    /// 15 to 128 characters, and not easy to guess.
    #[schema(example = "correct horse battery", format = Password)]
    password: String,
    /// What they are called: 1 to 100 characters.
    #[schema(example = "Alice Doe")]
    full_name: String,
    /// Where to write to them.
    #[schema(example = "alice@example.org")]
    email: String,
}

impl RegisterRequest {
    fn command(&self) -> Result<Register, Refusal> {
        let mut checks = Checks::default();
        let username = checks.parse("username", &self.username);
        let password = checks.parse("password", &self.password);
        let full_name = checks.parse("full_name", &self.full_name);
        let email = checks.parse("email", &self.email);
        let command = || {
            Some(Register {
                username: username?,
                password: password?,
                full_name: full_name?,
                email: email?,
            })
        };
        checks.finish(command())
    }
}

/// A password in the place of another.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangePasswordRequest {
    /// The password as it is.
    #[schema(example = "correct horse battery", format = Password)]
    current_password: String,
    /// The password as it shall be: 15 to 128 characters, and not easy to guess.
    #[schema(example = "staple battery horse", format = Password)]
    new_password: String,
}

/// A user.
#[derive(Serialize, ToSchema)]
pub(super) struct User {
    id: Uuid,
    #[schema(example = "alice")]
    username: String,
    #[schema(example = "Alice Doe")]
    full_name: String,
    #[schema(example = "alice@example.org")]
    email: String,
    /// When they showed that the address is theirs; null until then.
    #[serde(with = "time::serde::rfc3339::option")]
    email_verified_at: Option<OffsetDateTime>,
    /// `depositor` or `banker`.
    #[schema(example = "depositor")]
    role: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    password_changed_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<user::User> for User {
    fn from(user: user::User) -> Self {
        Self {
            id: user.id.as_uuid(),
            username: user.username.to_string(),
            full_name: user.full_name.to_string(),
            email: user.email.to_string(),
            email_verified_at: user.email_verified_at,
            role: user.role.as_str(),
            password_changed_at: user.password_changed_at,
            created_at: user.created_at,
        }
    }
}

/// Registers a new user: anybody can become a depositor. They are sent a mail with a code.
#[utoipa::path(post, path = "/v1/users", tag = "users", request_body = RegisterRequest,
    responses((status = 201, description = "The new user", body = User), PublicProblems))]
async fn register(
    State(bank): State<Bank>,
    _: NoQuery,
    JsonBody(request): JsonBody<RegisterRequest>,
) -> Result<(StatusCode, Json<User>), Refusal> {
    let user = bank.register(request.command()?).await?;
    Ok((StatusCode::CREATED, Json(user.into())))
}

/// Shows the caller.
#[utoipa::path(get, path = "/v1/users/me", tag = "users", security(("bearer" = [])),
    responses((status = 200, description = "The caller", body = User), PrivateProblems))]
async fn me(Authenticated(caller): Authenticated, _: NoQuery) -> Json<User> {
    Json(caller.user.into())
}

/// Gives the caller another password. Their other sessions end at once, and a mail tells them.
#[utoipa::path(post, path = "/v1/users/me/password", tag = "users", security(("bearer" = [])),
    request_body = ChangePasswordRequest,
    responses((status = 204, description = "The password has changed"), WriteProblems))]
async fn change_password(
    State(bank): State<Bank>,
    Authenticated(caller): Authenticated,
    _: NoQuery,
    JsonBody(request): JsonBody<ChangePasswordRequest>,
) -> Result<StatusCode, Refusal> {
    let mut checks = Checks::default();
    let new = checks.parse("new_password", &request.new_password);
    let new = checks.finish(new)?;
    let command = ChangePassword { current: request.current_password.into(), new };
    bank.change_password(&caller, command).await?;
    Ok(StatusCode::NO_CONTENT)
}
