//! Reading a request's body: JSON so strict that one meaning has few spellings, refused in words that tell how to do better.
//!
//! 1. The headers say plain JSON, and the body arrives in time and is not too long.
//! 2. The body is one JSON object, without duplicate names; each member's text is kept as it stands.
//! 3. All fields of the wanted type are there, no others, and each is a string without control characters. Whatever is
//!    wrong here is told at once, field by field, and never with the value.
//!
//! What the strings mean is not looked at here: see [`Checks`].

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, MapAccess, Visitor, value::MapDeserializer},
    forward_to_deserialize_any,
};
use serde_json::value::RawValue;
use simplebank::{
    Error, FieldError,
    core::{Amount, Currency, money::InvalidAmount},
};

use super::problem::Refusal;

/// The longest body, in bytes: the longest useful one, a registration, has less than 2 KiB.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a body may take to arrive, from its first byte to its last.
pub const BODY_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How many wrong fields are told at most.
const ERRORS_MAX: usize = 20;
/// The longest unknown field name that is told, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// A request's body. The fields of `T` must be strings, and all of them are required.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        check_headers(request.headers())?;
        let bytes = read(request.into_body()).await?;
        parse(&bytes).map(Self)
    }
}

fn check_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let essence = match (types.next(), types.next()) {
        (Some(one), None) => one.to_str().unwrap_or_default().split(';').next(),
        (None | Some(_), _) => None,
    };
    if !essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json")) {
        let detail = "the header Content-Type must be application/json";
        return Err(Refusal::UnsupportedMediaType { detail });
    }
    let is_plain =
        |coding: &header::HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain) {
        let detail = "the body must not be compressed";
        return Err(Refusal::UnsupportedMediaType { detail });
    }
    Ok(())
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    // A length that is announced is refused before a byte of it is read.
    if usize::try_from(body.size_hint().lower()).map_or(true, |length| length > BODY_BYTES_MAX) {
        return Err(Refusal::PayloadTooLarge);
    }
    let collected = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_READ_TIMEOUT, collected).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::PayloadTooLarge),
        Ok(Err(_)) => Err(Refusal::malformed_body("the body could not be read to its end")),
        Err(_) => Err(Refusal::RequestTimeout),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(Refusal::malformed_body("the body must be UTF-8"));
    };
    let is_object = text.trim_ascii_start().starts_with('{');
    let members: Members<'_> = serde_json::from_str(text).map_err(|_| {
        Refusal::malformed_body(if is_object {
            "the body is not valid JSON"
        } else {
            "the body must be one JSON object"
        })
    })?;
    T::deserialize(members).map_err(|Faults(errors)| Refusal::malformed_fields(errors))
}

/// The members of an object in their order, each with its name and its value as text.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object).map(Self)
    }
}

/// A member's name, borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// What is wrong with an object, field by field.
#[derive(Debug)]
struct Faults(Vec<FieldError>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} wrong fields", self.0.len())
    }
}

impl std::error::Error for Faults {}

impl de::Error for Faults {
    /// Nothing is left to complain about: the fields were checked before.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(Vec::new())
    }
}

impl<'de> Deserializer<'de> for Members<'_> {
    type Error = Faults;

    /// Here the wanted type tells the names of its fields.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Faults> {
        let mut faults = Vec::new();
        let mut given: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in self.0 {
            let Some(field) = fields.iter().find(|field| **field == name) else {
                faults.push(FieldError::new(fit_to_tell(&name), "is not a field of this request"));
                continue;
            };
            if given.iter().any(|(other, _)| other == field) {
                faults.push(FieldError::new(*field, "must be given only once"));
                continue;
            }
            let text = text_of(field, value.get());
            faults.extend(text.as_ref().err().map(|message| FieldError::new(*field, message)));
            given.push((field, text.unwrap_or_default()));
        }
        for field in fields {
            if !given.iter().any(|(other, _)| other == field) {
                faults.push(FieldError::new(*field, "is missing"));
            }
        }
        if !faults.is_empty() {
            faults.truncate(ERRORS_MAX);
            return Err(Faults(faults));
        }
        visitor.visit_map(MapDeserializer::new(given.into_iter()))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Faults> {
        Err(de::Error::custom("only structs are read"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The string that a value is, or what is wrong with it.
fn text_of(field: &str, json: &str) -> Result<String, &'static str> {
    let Some(first) = json.chars().next().filter(|first| *first == '"') else {
        let is_number = json.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        return Err(if field == "amount" && is_number {
            "must be a decimal string such as \"12.50\", not a number"
        } else {
            "must be a string"
        });
    };
    debug_assert_eq!(first, '"');
    let text: String =
        serde_json::from_str(json).map_err(|_| "must be a string of valid Unicode")?;
    if text.chars().any(char::is_control) {
        return Err("must not hold control characters");
    }
    Ok(text)
}

/// An unknown field's name, if it looks like one: it comes from outside.
fn fit_to_tell(name: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.len() <= NAME_BYTES_MAX && !name.is_empty() && name.bytes().all(is_plain) {
        name
    } else {
        "(another)"
    }
}

/// Reads what strings mean, and remembers everything that is wrong, to tell it at once.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<FieldError>);

impl Checks {
    /// What `text` means, or `None` if that is nothing.
    pub(crate) fn parse<T: FromStr<Err: fmt::Display>>(
        &mut self,
        field: &'static str,
        text: &str,
    ) -> Option<T> {
        text.parse().map_err(|error| self.0.push(FieldError::new(field, error))).ok()
    }

    /// An amount and its currency. Without the currency, only what is no amount in any currency is told.
    pub(crate) fn money(&mut self, amount: &str, currency: &str) -> Option<(Amount, Currency)> {
        let known: Option<Currency> = self.parse("currency", currency);
        let parsed = match (Amount::parse(amount, known.or_else(most_precise)?), known) {
            (Ok(amount), Some(currency)) => return Some((amount, currency)),
            (Ok(_), None) => return None,
            (Err(error), _) => error,
        };
        let is_sure = match parsed {
            InvalidAmount::NotANumber | InvalidAmount::NotPositive => true,
            InvalidAmount::TooPrecise { .. } | InvalidAmount::TooLarge { .. } => known.is_some(),
        };
        if is_sure {
            self.0.push(FieldError::new("amount", parsed));
        }
        None
    }

    /// `value`, if it is there and nothing was wrong.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Refusal> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            Some(_) | None => Err(Error::Invalid { fields: self.0 }.into()),
        }
    }
}

fn most_precise() -> Option<Currency> {
    Currency::all().max_by_key(|currency| currency.exponent())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Pair {
        name: String,
        amount: String,
    }

    fn faults(body: impl AsRef<[u8]>) -> Vec<(String, String)> {
        match parse::<Pair>(body.as_ref()) {
            Err(Refusal::Malformed { detail, errors }) if errors.is_empty() => {
                vec![("body".to_owned(), detail.to_owned())]
            }
            Err(Refusal::Malformed { errors, .. }) => {
                errors.into_iter().map(|error| (error.field, error.message)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    /// A body that never arrives.
    struct Never;

    impl axum::body::HttpBody for Never {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_arrive_is_not_waited_for() {
        assert!(matches!(read(Body::new(Never)).await, Err(Refusal::RequestTimeout)));
    }

    #[test]
    fn an_object_of_strings_is_read_in_any_order_and_with_escapes() {
        let pair: Pair =
            parse(b" {\"amo\\u0075nt\":\"1\",\"name\":\"\\u00e9\\ud83d\\ude00\"}\n").unwrap();
        assert_eq!((pair.name.as_str(), pair.amount.as_str()), ("\u{e9}\u{1f600}", "1"));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let body = r#"{"amount": 12.5, "role": "banker", "role2": {"a": [1]}, "\u0000": 1}"#;
        let told = faults(body);
        let fields: Vec<&str> = told.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["amount", "role", "role2", "(another)", "name"]);
        assert!(told[0].1.contains("\"12.50\""), "{told:?}");
    }

    #[test]
    fn what_is_no_object_of_strings_is_refused() {
        for (body, field) in [
            ("", "body"),
            ("{", "body"),
            ("null", "body"),
            ("[\"a\",\"1\"]", "body"),
            ("\"a\"", "body"),
            ("{\"name\":\"a\",\"amount\":\"1\"}{}", "body"),
            ("{\"name\":\"a\",\"amount\":\"1\",}", "body"),
            ("{name:\"a\",\"amount\":\"1\"}", "body"),
            ("\u{feff}{\"name\":\"a\",\"amount\":\"1\"}", "body"),
            ("{\"name\":\"a\",\"name\":\"b\",\"amount\":\"1\"}", "name"),
            ("{\"name\":\"a\",\"n\\u0061me\":\"b\",\"amount\":\"1\"}", "name"),
            ("{\"name\":null,\"amount\":\"1\"}", "name"),
            ("{\"name\":[\"a\"],\"amount\":\"1\"}", "name"),
            ("{\"name\":\"a\\u0000\",\"amount\":\"1\"}", "name"),
            ("{\"name\":\"a\\n\",\"amount\":\"1\"}", "name"),
            ("{\"name\":\"\\ud800\",\"amount\":\"1\"}", "name"),
            ("{\"name\":\"a\",\"amount\":1e999}", "amount"),
            ("{\"name\":\"a\",\"amount\":true}", "amount"),
            ("{\"name\":\"a\"}", "amount"),
        ] {
            assert_eq!(faults(body).len(), 1, "{body}");
            assert_eq!(faults(body)[0].0, field, "{body}");
        }
        assert_eq!(faults(b"{\"name\":\"\xff\",\"amount\":\"1\"}")[0].0, "body");
    }

    #[test]
    fn deep_and_wide_bodies_are_refused_in_few_words() {
        let deep =
            format!("{{\"name\":{}{},\"amount\":\"1\"}}", "[".repeat(30_000), "]".repeat(30_000));
        assert_eq!(faults(deep).len(), 1);
        let wide: Vec<String> = (0..3_000).map(|number| format!("\"f{number}\":1")).collect();
        assert_eq!(faults(format!("{{{}}}", wide.join(","))).len(), ERRORS_MAX);
    }

    #[test]
    fn an_unknown_currency_does_not_hide_a_bad_amount() {
        for (amount, currency, fields) in [
            ("x", "nope", vec!["currency", "amount"]),
            ("-1", "nope", vec!["currency", "amount"]),
            ("1.2345", "nope", vec!["currency"]),
            ("1.234", "EUR", vec!["amount"]),
        ] {
            let mut checks = Checks::default();
            assert_eq!(checks.money(amount, currency), None);
            let told: Vec<&str> = checks.0.iter().map(|error| error.field.as_str()).collect();
            assert_eq!(told, fields, "{amount} {currency}");
        }
    }
}
