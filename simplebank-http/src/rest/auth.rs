//! Who asks, and under which key: the two headers that handlers understand.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, header, request::Parts},
};
use secrecy::SecretString;
use simplebank::{Bank, Caller, Error, core::IdempotencyKey};

use super::{client::Client, problem::Refusal};

/// The header that names one wish, so that it is done once.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Who asks, proven by an access token. Whatever is wrong with it, the answer is the same.
#[derive(Debug)]
pub(crate) struct Authenticated(pub(crate) Caller);

impl FromRequestParts<Bank> for Authenticated {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, bank: &Bank) -> Result<Self, Refusal> {
        let token = bearer_token(&parts.headers).ok_or(Error::Unauthenticated)?;
        let caller = bank.authenticate(token).await?;
        count(parts, &caller)?;
        Ok(Self(caller))
    }
}

/// Who asks, as they were at most a second ago: where nothing but accounts of their own is at stake, whatever their role. See
/// [`Bank::authenticate_recent`].
#[derive(Debug)]
pub(crate) struct RecentlyAuthenticated(pub(crate) Caller);

impl FromRequestParts<Bank> for RecentlyAuthenticated {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, bank: &Bank) -> Result<Self, Refusal> {
        let token = bearer_token(&parts.headers).ok_or(Error::Unauthenticated)?;
        let caller = bank.authenticate_recent(token).await?;
        count(parts, &caller)?;
        Ok(Self(caller))
    }
}

/// Counts a request of whoever has proven who they are.
fn count(parts: &Parts, caller: &Caller) -> Result<(), Refusal> {
    let client = parts.extensions.get::<Client>();
    client
        .and_then(|client| client.rates.as_ref())
        .map_or(Ok(()), |rates| rates.ask(caller.user.id))
}

/// What the one header `Authorization: Bearer …` (RFC 6750 §2.1) has for a token; the scheme's case does not count.
fn bearer_token(headers: &HeaderMap) -> Option<SecretString> {
    let value = only_one(headers, header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.into())
}

/// The value of a header that is there once.
pub(crate) fn only_one(headers: &HeaderMap, name: HeaderName) -> Option<&header::HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Makes sure that there is no key where it would name nothing: each transfer of a batch has its own.
#[derive(Debug)]
pub(crate) struct NoKey;

impl<S: Send + Sync> FromRequestParts<S> for NoKey {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        if !parts.headers.contains_key(IDEMPOTENCY_KEY) {
            return Ok(Self);
        }
        let message = "must be left out: each transfer of a batch has a key of its own".to_owned();
        Err(Refusal::KeyInvalid { message })
    }
}

/// The key of a request that moves money.
#[derive(Debug)]
pub(crate) struct Key(pub(crate) IdempotencyKey);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        if !parts.headers.contains_key(IDEMPOTENCY_KEY) {
            return Err(Refusal::KeyMissing);
        }
        let invalid = |message: String| Refusal::KeyInvalid { message };
        let value = only_one(&parts.headers, IDEMPOTENCY_KEY)
            .ok_or_else(|| invalid("must be given only once".to_owned()))?;
        // What is no visible ASCII becomes a character that no key may hold.
        let text = value.to_str().unwrap_or("\0");
        text.parse().map(Self).map_err(|error| invalid(format!("{error}")))
    }
}
