//! Everything that is not an answer: RFC 9457 problem documents, each with a stable code.
//!
//! [`Refusal`] is what handlers and extractors fail with. It becomes a response in one place, which is also the place
//! where failures of ours are logged, once, with all their causes; of those the client is told nothing but a code.

use std::error::Error as StdError;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use simplebank::{Error, FieldError, Kind};
use utoipa::ToSchema;

/// How long a client that is told to try later should wait, in seconds: longer than a locked row is waited for.
const RETRY_AFTER_S: u8 = 3;

/// Every code that this crate adds to those of the bank.
pub const EDGE_CODES: [&str; 10] = [
    "malformed_request",
    "invalid_cursor",
    "idempotency_key_missing",
    "idempotency_key_invalid",
    "cross_site_request",
    "not_found",
    "method_not_allowed",
    "request_timeout",
    "payload_too_large",
    "unsupported_media_type",
];

/// Why a request was not done.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It can't be read; field by field where that is known.
    Malformed { detail: &'static str, errors: Vec<FieldError> },
    /// The cursor is none, or none of this list.
    InvalidCursor,
    /// Moving money needs a key.
    KeyMissing,
    /// There are several keys, or one that is none.
    KeyInvalid { message: String },
    /// The cookie came along with a request that no page of ours, or of an allowed origin, has made.
    CrossSite,
    /// There is nothing at this path.
    RouteNotFound,
    /// There is something at this path, but not with this method.
    MethodNotAllowed,
    /// The body didn't arrive in time.
    RequestTimeout,
    /// The body is too long.
    PayloadTooLarge { bytes_max: usize },
    /// The body is something else than plain JSON.
    UnsupportedMediaType { detail: &'static str },
    /// A handler panicked.
    Panicked,
    /// The database is away, or has not this program's schema.
    NotReady { detail: &'static str },
    /// The bank says so.
    Bank(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Bank(error)
    }
}

impl Refusal {
    /// A request that can't be read because of one field.
    pub(crate) fn malformed_field(field: &str, message: impl ToString) -> Self {
        Self::malformed_fields(vec![FieldError::new(field, message)])
    }

    /// A request that can't be read because of some fields.
    pub(crate) const fn malformed_fields(errors: Vec<FieldError>) -> Self {
        Self::Malformed { detail: "the request is malformed", errors }
    }

    /// A body that is no JSON object.
    pub(crate) const fn malformed_body(detail: &'static str) -> Self {
        Self::Malformed { detail, errors: Vec::new() }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed { .. }
            | Self::InvalidCursor
            | Self::KeyMissing
            | Self::KeyInvalid { .. } => StatusCode::BAD_REQUEST,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::RouteNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::PayloadTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotReady { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Bank(error) => status_of(error.kind()),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "malformed_request",
            Self::InvalidCursor => "invalid_cursor",
            Self::KeyMissing => "idempotency_key_missing",
            Self::KeyInvalid { .. } => "idempotency_key_invalid",
            Self::CrossSite => "cross_site_request",
            Self::RouteNotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::PayloadTooLarge { .. } => "payload_too_large",
            Self::UnsupportedMediaType { .. } => "unsupported_media_type",
            Self::Panicked => "internal",
            Self::NotReady { .. } => "unavailable",
            Self::Bank(error) => error.code(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Malformed { detail, .. }
            | Self::UnsupportedMediaType { detail }
            | Self::NotReady { detail } => *detail,
            Self::InvalidCursor => "the cursor is not one of this list",
            Self::KeyMissing => "this request needs the header Idempotency-Key",
            Self::KeyInvalid { .. } => "the header Idempotency-Key is not valid",
            Self::CrossSite => {
                "the refresh token's cookie is taken from pages of this origin or an allowed one only, with the header \
                 X-CSRF-Protection: 1"
            }
            Self::RouteNotFound => "there is nothing here",
            Self::MethodNotAllowed => "this method is not allowed here",
            Self::RequestTimeout => "the body did not arrive in time",
            Self::PayloadTooLarge { bytes_max } => {
                return format!("the body is longer than {} KiB", bytes_max / 1024);
            }
            Self::Panicked => INTERNAL_DETAIL,
            Self::Bank(error) => return detail_of(error),
        }
        .to_owned()
    }

    fn errors(self) -> Vec<FieldProblem> {
        let one = |field: &str, message: &str| vec![FieldError::new(field, message)];
        let errors = match self {
            Self::Malformed { errors, .. } | Self::Bank(Error::Invalid { fields: errors }) => {
                errors
            }
            Self::InvalidCursor => one("cursor", "must be the next_cursor of a page of this list"),
            Self::KeyMissing => one("Idempotency-Key", "is missing"),
            Self::KeyInvalid { message } => one("Idempotency-Key", &message),
            Self::Bank(Error::Member { index, ref error }) => {
                one(&format!("transfers[{index}]"), &detail_of(error))
            }
            Self::CrossSite
            | Self::RouteNotFound
            | Self::MethodNotAllowed
            | Self::RequestTimeout
            | Self::PayloadTooLarge { .. }
            | Self::UnsupportedMediaType { .. }
            | Self::Panicked
            | Self::NotReady { .. }
            | Self::Bank(_) => Vec::new(),
        };
        errors.into_iter().map(FieldProblem::from).collect()
    }

    /// What the client is told; the log is told the rest.
    pub(crate) fn problem(self) -> Problem {
        self.log();
        let status = self.status();
        Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code: self.code(),
            detail: self.detail(),
            errors: self.errors(),
        }
    }

    /// Tells the log what the client is not told.
    fn log(&self) {
        let Self::Bank(error) = self else { return };
        match error.kind() {
            Kind::Internal => tracing::error!(code = error.code(), error = chain(error), "failed"),
            Kind::Unavailable => {
                tracing::warn!(code = error.code(), error = chain(error), "unavailable");
            }
            Kind::Invalid
            | Kind::Unauthenticated
            | Kind::Forbidden
            | Kind::NotFound
            | Kind::Conflict
            | Kind::Rejected
            | Kind::TooMany => {}
        }
    }
}

/// The one place where a kind of failure becomes a status.
const fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid | Kind::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

const INTERNAL_DETAIL: &str = "something went wrong here; it has been noted under the request id";

/// What went wrong, without what it was wrapped in to name one of many, or to be told to many.
fn root_of(mut error: &Error) -> &Error {
    loop {
        error = if let Error::Member { error, .. } = error {
            error
        } else if let Error::Shared(error) = error {
            error
        } else {
            return error;
        };
    }
}

/// What the client is told: the bank's own words where they are about the request, others where they are about us.
fn detail_of(error: &Error) -> String {
    let error = root_of(error);
    match error.kind() {
        Kind::Invalid => "some fields are not valid".to_owned(),
        Kind::Unauthenticated
        | Kind::Forbidden
        | Kind::NotFound
        | Kind::Rejected
        | Kind::TooMany => error.to_string(),
        // The others come from the database, which must not speak for itself.
        Kind::Conflict => {
            let Error::Rejected(rejection) = error else {
                return "another request with this idempotency key is being answered".to_owned();
            };
            rejection.to_string()
        }
        Kind::Unavailable => match error.code() {
            "outcome_unknown" => "whether this has happened is not known yet; send it again with \
                                  the same idempotency key"
                .to_owned(),
            _ => "the bank can't answer at the moment; nothing has happened".to_owned(),
        },
        Kind::Internal => INTERNAL_DETAIL.to_owned(),
    }
}

/// An error and its causes, from the outermost to the first.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    // Some errors repeat their cause in their own text.
    texts.dedup_by(|cause, outer| outer.ends_with(cause.as_str()));
    texts.join(": ")
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: the code says more.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The words of the status.
    #[schema(example = "Unprocessable Entity")]
    title: &'static str,
    /// The status.
    #[schema(example = 422)]
    status: u16,
    /// Which problem it is: stable, to be acted on.
    #[schema(example = "invalid_input")]
    code: &'static str,
    /// What went wrong, for people; may change.
    #[schema(example = "some fields are not valid")]
    detail: String,
    /// What is wrong field by field, where that is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
}

/// A field that is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FieldProblem {
    /// Its name, in the body, the path or the query; or the name of a header.
    #[schema(example = "password")]
    field: String,
    /// What is wrong with it, for people; may change.
    #[schema(example = "must have 15 to 128 characters, has 6")]
    message: String,
}

impl From<FieldError> for FieldProblem {
    fn from(FieldError { field, message }: FieldError) -> Self {
        Self { field, message }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, axum::Json(self.problem())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(u16::from(RETRY_AFTER_S)));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use simplebank::{
        core::{AccountId, Rejection},
        db,
    };

    use super::*;

    fn answered(error: Error) -> (u16, Option<String>, &'static str, String) {
        let refusal = Refusal::Bank(error);
        let (code, detail) = (refusal.code(), refusal.detail());
        let response = refusal.into_response();
        let retry = response.headers().get(header::RETRY_AFTER);
        let retry = retry.map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), retry, code, detail)
    }

    #[test]
    fn who_is_to_come_back_is_told_when_and_how() {
        let lost = || sqlx::Error::WorkerCrashed;
        let shared = |error: db::Error| Error::Shared(Arc::new(Error::Db(error)));
        let later = || Some("3".to_owned());
        for (error, code, said) in [
            (Error::Overloaded, "overloaded", "nothing has happened"),
            (Error::Unanswered, "outcome_unknown", "the same idempotency key"),
            (shared(db::Error::Overload(lost())), "overloaded", "nothing has happened"),
            (shared(db::Error::Unavailable(lost())), "unavailable", "nothing has happened"),
            (shared(db::Error::CommitUnknown(lost())), "outcome_unknown", "not known yet"),
        ] {
            let (status, retry, told, detail) = answered(error);
            assert_eq!((status, retry, told), (503, later(), code));
            assert!(detail.contains(said), "{detail}");
        }
        let defect = shared(db::Error::Other(lost()));
        let (status, retry, code, detail) = answered(defect);
        assert_eq!((status, retry, code, &*detail), (500, None, "internal", INTERNAL_DETAIL));
    }

    #[test]
    fn who_asks_too_often_is_told_when_to_come_back() {
        for (error, code) in
            [(Error::TooMany, "too_many_requests"), (Error::TooManyCodes, "too_many_codes")]
        {
            let (status, retry, told, _) = answered(error);
            assert_eq!((status, retry.as_deref(), told), (429, Some("3"), code));
        }
    }

    #[test]
    fn the_offender_of_a_batch_is_named_by_its_place() {
        let id = AccountId::from_parts(1, [1; 10]);
        let cause = Rejection::InsufficientFunds { id };
        let member = |error: Error| Error::Member { index: 7, error: Box::new(error) };
        let (status, retry, code, detail) = answered(member(cause.clone().into()));
        assert_eq!((status, retry, code), (422, None, "insufficient_funds"));
        assert_eq!(detail, cause.to_string(), "without the batch's own words");
        let errors = Refusal::Bank(member(cause.clone().into())).problem().errors;
        let told: Vec<_> = errors.iter().map(|error| (&*error.field, &*error.message)).collect();
        assert_eq!(told, [("transfers[7]", &*cause.to_string())]);
        let missing = Rejection::AccountNotFound { id };
        let (status, _, code, _) = answered(member(missing.into()));
        assert_eq!((status, code), (404, "account_not_found"));
        let (status, _, code, _) = answered(member(Error::KeyReused));
        assert_eq!((status, code), (422, "idempotency_key_reused"));
    }
}
