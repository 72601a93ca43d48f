//! The refresh token as a cookie: for pages, which should not be able to read it, and no others.
//!
//! | What keeps | away |
//! |---|---|
//! | `HttpOnly` | scripts of the page from reading the token, and sending it elsewhere |
//! | `Secure`, and the prefix `__Host-` | whoever listens; other hosts of the domain, which can't set such a cookie |
//! | `SameSite=Strict` | requests that pages of other sites make |
//! | [`Client::own_page`] | requests that pages of other origins make, also of the same site |
//! | three routes only, none of which moves money or shows anything | whoever gets past all of these |
//!
//! [`Client::own_page`] is what the OWASP Cross-Site Request Forgery Prevention Cheat Sheet has as Fetch Metadata with a fallback to
//! verifying the origin, together with a custom header, for which a browser asks leave first (CORS) if the page is another origin's.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
};
use secrecy::{ExposeSecret as _, SecretString};
use simplebank::core::session::UserAgent;
use time::Duration;

use super::{auth::only_one, edge::AllowedOrigins, problem::Refusal};

/// The cookie's name (RFC 6265bis §4.1.3.2 says what the prefix means).
const NAME: &str = "__Host-refresh_token";
/// What the cookie always says beside its value and its end.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";
/// The header that a page has to send along with the cookie.
pub(super) const CSRF_PROTECTION: HeaderName = HeaderName::from_static("x-csrf-protection");
/// The header by which browsers say where a request comes from (W3C Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Where the cookie is set or read.
pub(super) const PATHS: [&str; 3] =
    ["/v1/users/login", "/v1/tokens/renew_access", "/v1/users/logout"];

/// What a request's headers say of the program that sends it.
#[derive(Debug)]
pub(super) struct Client {
    is_own_page: bool,
    cookie: Option<SecretString>,
    /// What it calls itself.
    pub(super) user_agent: Option<UserAgent>,
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let user_agent = only_one(&parts.headers, header::USER_AGENT);
        let user_agent = user_agent.and_then(|value| value.to_str().ok());
        Ok(Self {
            is_own_page: is_own_page(parts),
            cookie: token_in(&parts.headers),
            user_agent: user_agent.and_then(UserAgent::new),
        })
    }
}

impl Client {
    /// Refuses what is not sent by a page of this origin, or of an allowed one.
    pub(super) const fn own_page(&self) -> Result<(), Refusal> {
        if self.is_own_page { Ok(()) } else { Err(Refusal::CrossSite) }
    }

    /// True if there is a cookie, whoever has sent it.
    pub(super) const fn has_cookie(&self) -> bool {
        self.cookie.is_some()
    }

    /// The refresh token in the cookie, if a page of ours has sent it; `None` if there is no cookie.
    pub(super) fn refresh_token(self) -> Result<Option<SecretString>, Refusal> {
        self.own_page()?;
        Ok(self.cookie)
    }
}

/// Whether a page of this origin, or of an allowed one, has made the request.
fn is_own_page(parts: &Parts) -> bool {
    let headers = &parts.headers;
    if only_one(headers, CSRF_PROTECTION).is_none_or(|value| value != "1") {
        return false;
    }
    let origin = only_one(headers, header::ORIGIN);
    if origin.is_none() && headers.contains_key(header::ORIGIN) {
        return false;
    }
    let allowed = parts.extensions.get::<AllowedOrigins>();
    if origin.zip(allowed).is_some_and(|(origin, allowed)| allowed.contains(origin)) {
        return true;
    }
    if headers.contains_key(SEC_FETCH_SITE) {
        return only_one(headers, SEC_FETCH_SITE).is_some_and(|site| site == "same-origin");
    }
    // A browser too old for that names the origin all the same, and nothing else has a cookie by accident.
    let host = parts.uri.authority().map(|authority| authority.as_str());
    let host = host.or_else(|| only_one(headers, header::HOST)?.to_str().ok());
    let origin = origin.and_then(|origin| origin.to_str().ok()?.split_once("://"));
    origin.zip(host).is_some_and(|((_, authority), host)| authority == host)
}

/// The token in the one cookie of its name: two of them are none.
fn token_in(headers: &HeaderMap) -> Option<SecretString> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    let mut tokens = pairs.filter_map(|pair| match pair.trim().split_once('=') {
        Some((NAME, token)) => Some(token),
        Some(_) | None => None,
    });
    let token = tokens.next().filter(|token| !token.is_empty())?;
    tokens.next().is_none().then(|| token.into())
}

/// The header that hands a refresh token to a browser, for as long as it is good.
pub(super) fn set(token: &SecretString, lifetime: Duration) -> Result<HeaderValue, Refusal> {
    let (token, seconds) = (token.expose_secret(), lifetime.whole_seconds().max(0));
    let text = format!("{NAME}={token}; Max-Age={seconds}; {ATTRIBUTES}");
    // A token is visible ASCII, without what ends a cookie's value.
    let mut value = HeaderValue::try_from(text).map_err(|_| Refusal::Panicked)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The header that takes it away again.
pub(super) fn clear() -> HeaderValue {
    HeaderValue::from_static(
        "__Host-refresh_token=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict",
    )
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::post("/v1/tokens/renew_access");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn of_two_cookies_none_counts() {
        let token = |lines: &[&str]| {
            let lines: Vec<_> = lines.iter().map(|line| ("cookie", *line)).collect();
            token_in(&parts(&lines).headers).map(|token| token.expose_secret().to_owned())
        };
        let good = Some("v4.local.x".to_owned());
        assert_eq!(token(&["__Host-refresh_token=v4.local.x"]), good);
        assert_eq!(token(&["a=b; __Host-refresh_token=v4.local.x;c=d"]), good);
        assert_eq!(token(&["a=b", "__Host-refresh_token=v4.local.x"]), good);
        for bad in [
            &[][..],
            &["__Host-refresh_token="],
            &["__Host-refresh_token"],
            &["refresh_token=x"],
            &["__host-refresh_token=x"],
            &["__Host-refresh_token=x; __Host-refresh_token=x"],
            &["__Host-refresh_token=x", "__Host-refresh_token=y"],
        ] {
            assert_eq!(token(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_pages_of_this_origin_are_its_own() {
        let is_own = |headers: &[(&str, &str)]| is_own_page(&parts(headers));
        let (host, csrf) = (("host", "bank.example"), ("x-csrf-protection", "1"));
        assert!(is_own(&[host, csrf, ("sec-fetch-site", "same-origin")]));
        assert!(is_own(&[host, csrf, ("origin", "https://bank.example")]));
        for bad in [
            &[][..],
            &[host, csrf],
            &[host, ("sec-fetch-site", "same-origin")],
            &[host, ("sec-fetch-site", "same-origin"), ("x-csrf-protection", "0")],
            &[host, csrf, csrf, ("sec-fetch-site", "same-origin")],
            &[host, csrf, ("sec-fetch-site", "same-site")],
            &[host, csrf, ("sec-fetch-site", "cross-site")],
            &[host, csrf, ("sec-fetch-site", "none")],
            &[host, csrf, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[host, csrf, ("sec-fetch-site", "cross-site"), ("origin", "https://bank.example")],
            &[host, csrf, ("origin", "https://evil.example")],
            &[host, csrf, ("origin", "https://bank.example.evil")],
            &[host, csrf, ("origin", "https://bank.example:444")],
            &[host, csrf, ("origin", "null")],
            &[host, csrf, ("origin", "bank.example")],
            &[host, csrf, ("origin", "https://bank.example"), ("origin", "https://evil.example")],
            &[csrf, ("origin", "https://bank.example")],
        ] {
            assert!(!is_own(bad), "{bad:?}");
        }
    }
}
