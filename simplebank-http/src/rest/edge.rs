//! What surrounds every request, whatever its route.

use std::{str::FromStr, sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use simplebank::ports::{Clock as _, SystemClock};
use thiserror::Error;
use tower_http::cors::{AllowCredentials, AllowOrigin, CorsLayer};
use tracing::Instrument as _;
use uuid::{Builder, Uuid};

use super::{
    auth::IDEMPOTENCY_KEY,
    client::{Client, Proxies},
    cookie,
    problem::Refusal,
    rates::{ENTRIES, RateLimits, Rates},
};

/// The header that names a request, for the logs of both sides.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header that keeps pages of other origins from including an answer; CORS is not concerned.
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
/// The longest request id that is taken over from a client, in bytes: a UUID has 36, a trace context 55.
const REQUEST_ID_BYTES_MAX: usize = 64;
/// How long a browser may remember what CORS allows, in seconds.
const CORS_MAX_AGE_S: u64 = 3600;

/// Where a page comes from that may use the bank in a browser: `https://app.example`, with a port if it is not the usual.
///
/// ```
/// use simplebank_http::Origin;
///
/// assert!("https://app.example:8443".parse::<Origin>().is_ok());
/// assert!("*".parse::<Origin>().is_err());
/// assert!("https://app.example/".parse::<Origin>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// The origins whose pages may use the bank in a browser, for whoever handles a request.
#[derive(Clone, Debug)]
pub(super) struct AllowedOrigins(Arc<[Origin]>);

impl AllowedOrigins {
    pub(super) fn contains(&self, origin: &HeaderValue) -> bool {
        self.0.iter().any(|Origin(allowed)| allowed == origin)
    }
}

/// A text is not an origin.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "not an origin: expected http:// or https://, a host in small letters and at most a port, such as https://app.example"
)]
pub struct InvalidOrigin;

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let rest = rest.ok_or(InvalidOrigin)?;
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            Some(_) | None => (rest, None),
        };
        let is_host_byte = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-[]:".contains(&byte)
        };
        let is_host = !host.is_empty()
            && host.bytes().all(is_host_byte)
            && (host.starts_with('[') == host.contains(':'));
        let is_port = port.is_none_or(|port| {
            port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
        });
        if !is_host || !is_port {
            return Err(InvalidOrigin);
        }
        text.parse().map(Self).map_err(|_| InvalidOrigin)
    }
}

/// What stands between the bank and the world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    /// Origins of pages that may use the bank in a browser; none by default.
    pub allowed_origins: Vec<Origin>,
    /// Proxies that tell whom they speak for; none by default.
    pub proxies: Proxies,
    /// How often somebody may ask; as often as they like by default.
    pub rate_limits: Option<RateLimits>,
}

/// What [`receive`] knows of the world outside.
#[derive(Debug)]
pub(super) struct Outside {
    proxies: Proxies,
    rates: Option<Arc<Rates>>,
    allowed_origins: AllowedOrigins,
}

/// Puts everything around `routes` that every request needs, and answers where they have no answer.
///
/// Few layers do it all: each makes a request's way longer by a copy of all that are within it.
pub(super) fn surround(routes: Router, edge: Edge) -> Router {
    let Edge { allowed_origins, proxies, rate_limits } = edge;
    let routes = routes
        .fallback(async || Refusal::RouteNotFound)
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .layer(from_fn(admit));
    let routes =
        if allowed_origins.is_empty() { routes } else { routes.layer(cors(&allowed_origins)) };
    let outside = Outside {
        proxies,
        rates: rate_limits.map(|limits| Arc::new(Rates::new(limits))),
        allowed_origins: AllowedOrigins(allowed_origins.into()),
    };
    routes.layer(from_fn_with_state(Arc::new(outside), receive))
}

fn cors(allowed_origins: &[Origin]) -> CorsLayer {
    let origins = allowed_origins.iter().map(|Origin(origin)| origin.clone());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        // A browser sends and takes the cookie only where the answer would tell of it.
        .allow_credentials(AllowCredentials::predicate(|_, request| {
            cookie::PATHS.contains(&request.uri.path())
        }))
        .allow_methods([Method::DELETE, Method::GET, Method::PATCH, Method::POST, Method::PUT])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            cookie::CSRF_PROTECTION,
            IDEMPOTENCY_KEY,
            REQUEST_ID,
        ])
        .expose_headers([header::LINK, header::LOCATION, header::RETRY_AFTER, REQUEST_ID])
        .max_age(std::time::Duration::from_secs(CORS_MAX_AGE_S))
}

/// Names the request and its client, refuses it if two could read it differently, puts the security headers on whatever is
/// answered, and logs what was asked and answered: no bodies, no tokens, no addresses, no queries.
async fn receive(
    State(outside): State<Arc<Outside>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let client = Client::of(&request, &outside.proxies, &id, outside.rates.clone());
    request.extensions_mut().insert(client);
    // Whoever reads the cookie looks whether the page that has sent it is one of them.
    request.extensions_mut().insert(outside.allowed_origins.clone());
    let path = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str);
    // Of the highest level, so that a warning names its request whatever else is logged.
    let span = tracing::error_span!(
        "request",
        request_id = id.to_str().unwrap_or_default(),
        method = request.method().as_str(),
        path,
    );
    async move {
        let security_headers = security_headers(request.uri().path());
        let mut response = answer(request, next).await;
        for (name, value) in security_headers {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(status = response.status().as_u16(), latency_ms, "answered");
        response.headers_mut().insert(REQUEST_ID, id);
        response
    }
    .instrument(span)
    .await
}

/// Answers a request, unless two servers in a row could read it as different ones (RFC 9112 §11.2).
///
/// Hyper takes a request with both Content-Length and Transfer-Encoding and forgets the former (hyper 1.12, `role.rs`), so
/// the connection is closed after every chunked request, as RFC 9112 §6.1 wants it for those: nothing that stands behind
/// one is ever taken for a request.
async fn answer(request: Request, next: Next) -> Response {
    let (mut response, is_last) = match is_chunked(&request) {
        Ok(is_chunked) => (next.run(request).await, is_chunked),
        Err(detail) => (Refusal::malformed_body(detail).into_response(), true),
    };
    if is_last {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether a request's body comes in chunks, or why that can't be said.
fn is_chunked(request: &Request) -> Result<bool, &'static str> {
    let headers = request.headers();
    let is_http_11 = request.version() == Version::HTTP_11;
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = match (codings.next(), codings.next()) {
        (None, _) => false,
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => true,
        (Some(_), _) => return Err("only the transfer coding chunked is understood"),
    };
    if is_http_11 && headers.get_all(header::HOST).iter().count() != 1 {
        return Err("a request has one header Host");
    }
    Ok(is_chunked)
}

/// What a browser must know of every answer: it is what it says it is, in no frame, and tells no other site.
fn security_headers(path: &str) -> [(HeaderName, &'static str); 6] {
    let is_page = path.starts_with("/docs");
    let is_document = is_page || path == "/openapi.json";
    let policy = if is_page {
        // Swagger UI styles its elements itself and has pictures in its style sheet.
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    } else {
        "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    };
    [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        (header::CACHE_CONTROL, if is_document { "no-cache" } else { "no-store" }),
    ]
}

/// Turns away whoever tries passwords and codes too often, and runs the request in a task of its own.
///
/// A panic ends the task and nothing else. And when a client hangs up, hyper drops this future but not the task, so what
/// has been begun on the database is finished in an orderly way (design D2).
async fn admit(request: Request, next: Next) -> Response {
    if let Err(refusal) = limit(&request) {
        return refusal.into_response();
    }
    match tokio::spawn(next.run(request).in_current_span()).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(is_panic = error.is_panic(), "the request's task did not finish");
            Refusal::Panicked.into_response()
        }
    }
}

/// Counts a request where passwords and codes are tried.
fn limit(request: &Request) -> Result<(), Refusal> {
    let Some(client) = request.extensions().get::<Client>() else { return Ok(()) };
    let Some(rates) = &client.rates else { return Ok(()) };
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let is_entry =
        ENTRIES.iter().any(|(method, entry)| *entry == path && method == request.method());
    if is_entry { rates.enter(client.address) } else { Ok(()) }
}

/// The id that the client gave, if it is one short visible token; otherwise a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_token_byte =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let mut given = headers.get_all(REQUEST_ID).iter();
    if let (Some(id), None) = (given.next(), given.next())
        && (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
        && id.as_bytes().iter().all(is_token_byte)
    {
        return id.clone();
    }
    // A UUID is visible ASCII, so it is a header's value.
    new_request_id().to_string().parse().unwrap_or(HeaderValue::from_static("-"))
}

fn new_request_id() -> Uuid {
    let now_ms = SystemClock.now().unix_timestamp_nanos() / 1_000_000;
    // Without randomness the time still tells requests apart well enough for a log.
    let random = crate::random::bytes().unwrap_or_default();
    Builder::from_unix_timestamp_millis(u64::try_from(now_ms).unwrap_or(0), &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use axum::{
        body::Body,
        http::StatusCode,
        routing::{get, post},
    };
    use http_body_util::BodyExt as _;
    use tokio::sync::Notify;
    use tower::ServiceExt as _;

    use super::*;

    async fn boom() -> StatusCode {
        panic!("boom")
    }

    async fn ask(request: axum::http::request::Builder) -> Response {
        let routes = Router::new()
            .route("/panic", get(boom))
            .route("/here", get(async || "here"))
            .route("/there", post(async || "there"));
        let allowed_origins = vec!["https://app.example".parse().unwrap()];
        let request = request.header(header::HOST, "bank.example").body(Body::empty()).unwrap();
        surround(routes, Edge { allowed_origins, ..Edge::default() })
            .oneshot(request)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_panic_stays_in_its_request() {
        let response = ask(Request::get("/panic")).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::X_FRAME_OPTIONS], "DENY");
        assert!(response.headers().contains_key(REQUEST_ID));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("\"internal\"") && !text.contains("boom"), "{text}");
        assert_eq!(ask(Request::get("/here")).await.status(), StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_hangs_up_tears_nothing() {
        let [begun, release, done] = [(); 3].map(|()| Arc::new(Notify::new()));
        let (tell, wait, end) = (Arc::clone(&begun), Arc::clone(&release), Arc::clone(&done));
        let handler = async move || {
            tell.notify_one();
            wait.notified().await;
            end.notify_one();
        };
        let routes = surround(Router::new().route("/", get(handler)), Edge::default());
        let request = Request::get("/").header(header::HOST, "bank.example").body(Body::empty());
        let mut asking = Box::pin(routes.oneshot(request.unwrap()));
        tokio::select! {
            _ = &mut asking => panic!("answered too early"),
            () = begun.notified() => {}
        }
        drop(asking);
        release.notify_one();
        tokio::time::timeout(std::time::Duration::from_secs(1), done.notified()).await.unwrap();
    }

    #[tokio::test]
    async fn a_wrong_method_is_told_the_right_ones() {
        let response = ask(Request::delete("/there")).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "POST");
    }

    #[test]
    fn request_ids_are_short_tokens() {
        let of = |values: &[&'static [u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(REQUEST_ID, HeaderValue::from_bytes(value).unwrap());
            }
            request_id(&headers)
        };
        assert_eq!(of(&[b"abc-1.2_3"]), "abc-1.2_3");
        for bad in
            [&[b"a b".as_slice()][..], &[b""], &[b"a", b"b"], &[b"\xff"], &[&[b'a'; 65]], &[]]
        {
            let id = of(bad);
            let id: Uuid = id.to_str().unwrap().parse().unwrap();
            assert_eq!(id.get_version_num(), 7);
        }
        assert_ne!(of(&[]), of(&[]));
    }

    #[test]
    fn origins_are_exact() {
        for good in
            ["https://a.example", "http://localhost:3000", "http://[::1]:3000", "https://[::1]"]
        {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "a.example",
            "https://",
            "https://a.example/",
            "https://A.example",
            "https://a.example:",
            "https://a.example:70000",
            "https://a.example:+1",
            "ftp://a.example",
            "https://*.example",
            "https://a.example?x",
            "https://u@a.example",
            "https://a:b:1",
        ] {
            assert_eq!(bad.parse::<Origin>(), Err(InvalidOrigin), "{bad}");
        }
    }
}
