//! Showing that an e-mail address is one's own: the page behind the link in the mail, and the same for programs.
//!
//! Programs that look at mail open links, so the page only asks for a click. What the click sends is used up.

use askama::Template;
use axum::{
    Json,
    http::StatusCode,
    response::{Html, IntoResponse as _, Response},
};
use serde::Deserialize;
use simplebank::{
    Bank, Error,
    core::{VerificationId, verification::Code},
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Authenticated,
    client::Asked,
    docs::{PublicProblems, VerificationParameters, WriteProblems},
    json::{Checks, JsonBody},
    problem::Refusal,
    query::{NoQuery, VerificationForm, VerificationQuery},
    users::User,
};

pub(super) fn routes() -> OpenApiRouter<Bank> {
    OpenApiRouter::new()
        .routes(routes!(ask_for_click, take_click))
        .routes(routes!(verify_own))
        .routes(routes!(send_code))
}

/// A code that was sent by mail, and the request that it was sent for.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) id: VerificationId,
    pub(crate) code: Code,
}

#[derive(Template)]
#[template(path = "verify_email.html")]
struct AskPage {
    id: VerificationId,
    code: Code,
}

#[derive(Template)]
#[template(path = "verified_email.html")]
struct AnswerPage {
    title: &'static str,
    text: &'static str,
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page was not written");
            Refusal::Panicked.into_response()
        }
    }
}

/// The page that the link in the mail opens: it asks for a click, and changes nothing.
#[utoipa::path(get, path = "/v1/verify-email", tag = "users", params(VerificationParameters),
    responses((status = 200, description = "A page with a button", content_type = "text/html", body = String), PublicProblems))]
async fn ask_for_click(VerificationQuery(Sent { id, code }): VerificationQuery) -> Response {
    // Nobody is asked whether the code is right: that would use up a try, or tell more than the click does.
    page(StatusCode::OK, &AskPage { id, code })
}

/// Takes the click on that page: the address is verified then, and the code used up. Answered with a page, also where the
/// code is not valid.
#[utoipa::path(post, path = "/v1/verify-email", tag = "users",
    request_body(content = VerifyForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "A page that says so", content_type = "text/html", body = String), PublicProblems))]
async fn take_click(
    Asked(bank): Asked,
    _: NoQuery,
    VerificationForm(Sent { id, code }): VerificationForm,
) -> Result<Response, Refusal> {
    match bank.verify_email(id, &code).await {
        Ok(()) => {
            let text = "Thank you. You can close this page.";
            Ok(page(StatusCode::OK, &AnswerPage { title: "The e-mail address is confirmed", text }))
        }
        Err(Error::WrongCode) => {
            let text = "It is another one, too old, or was used before. Ask for a new one where you registered.";
            let page_of = AnswerPage { title: "The code is not valid", text };
            Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &page_of))
        }
        Err(error) => Err(error.into()),
    }
}

/// What the page sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described; `query::VerificationForm` reads it")]
struct VerifyForm {
    /// The request that the code was sent for.
    id: String,
    /// The code.
    #[schema(example = "ABCD-EFGH-JKMN-PQRS")]
    code: String,
}

/// A code that was sent by mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct VerifyEmailRequest {
    /// The code of the newest mail.
    #[schema(example = "ABCD-EFGH-JKMN-PQRS")]
    code: String,
}

/// Shows that the caller's e-mail address is theirs, by the code that was sent there. Each is good once, for 15 minutes.
#[utoipa::path(post, path = "/v1/users/me/verify_email", tag = "users", security(("bearer" = [])),
    request_body = VerifyEmailRequest,
    responses((status = 200, description = "The caller, verified", body = User), WriteProblems))]
async fn verify_own(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    _: NoQuery,
    JsonBody(request): JsonBody<VerifyEmailRequest>,
) -> Result<Json<User>, Refusal> {
    let mut checks = Checks::default();
    let code = checks.parse("code", &request.code);
    let code: Code = checks.finish(code)?;
    let user = bank.verify_own_email(&caller.principal(), &code).await?;
    Ok(Json(user.into()))
}

/// Sends the caller another code, at most five a day; none if their address is verified.
#[utoipa::path(post, path = "/v1/users/me/verification_codes", tag = "users", security(("bearer" = [])),
    responses((status = 202, description = "A mail will be sent, if one is needed"), WriteProblems))]
async fn send_code(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    bank.request_email_verification(&caller.principal()).await?;
    Ok(StatusCode::ACCEPTED)
}
