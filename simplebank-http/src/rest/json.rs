//! Reading a request's body: JSON so strict that one meaning has few spellings, refused in words that tell how to do better.
//!
//! 1. The headers say plain JSON, and the body arrives in time and is not too long.
//! 2. The body is one JSON object, without duplicate names; each member's text is kept as it stands.
//! 3. The fields of the wanted type are there, no others, and each is what the type says: a `String` (without control
//!    characters), a `u32`, a `Vec` of objects; an `Option` of these may be left out, or null. Whatever is wrong here is
//!    told at once, field by field, and never with the value.
//!
//! What the strings mean is not looked at here: see [`Checks`].

use std::{borrow::Cow, cell::RefCell, fmt, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeOwned, IntoDeserializer, MapAccess, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::value::RawValue;
use simplebank::FieldError;

pub(crate) use super::checks::Checks;
use super::problem::Refusal;

/// The longest body, in bytes, unless a route says otherwise: the longest useful one has less than 2 KiB.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a body may take to arrive, from its first byte to its last.
pub const BODY_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How many wrong fields are told at most.
pub(super) const ERRORS_MAX: usize = 20;
/// The longest unknown field name that is told, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// A request's body of at most `BYTES_MAX` bytes.
#[derive(Debug)]
pub(crate) struct JsonBody<T, const BYTES_MAX: usize = BODY_BYTES_MAX>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync, const BYTES_MAX: usize> FromRequest<S>
    for JsonBody<T, BYTES_MAX>
{
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        check_headers(request.headers())?;
        let bytes = read(request.into_body(), BYTES_MAX).await?;
        parse(&bytes).map(Self)
    }
}

/// A request's body where nothing needs to be said: no body at all is an empty object.
#[derive(Debug)]
pub(crate) struct OptionalJsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalJsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let is_json = check_headers(&parts.headers);
        let bytes = read(body, BODY_BYTES_MAX).await?;
        if bytes.is_empty() {
            return parse(b"{}").map(Self);
        }
        is_json?;
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

pub(super) async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    let too_large = || Refusal::PayloadTooLarge { bytes_max };
    // A length that is announced is refused before a byte of it is read.
    if usize::try_from(body.size_hint().lower()).map_or(true, |length| length > bytes_max) {
        return Err(too_large());
    }
    let collected = Limited::new(body, bytes_max).collect();
    match tokio::time::timeout(BODY_READ_TIMEOUT, collected).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
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
    let faults = Faults::default();
    let read = T::deserialize(Object { members, prefix: String::new(), faults: &faults });
    match (read, faults.0.into_inner()) {
        (Ok(body), errors) if errors.is_empty() => Ok(body),
        (Ok(_) | Err(Unreadable), errors) => Err(Refusal::malformed_fields(errors)),
    }
}

/// The members of an object in their order, each with its name and its value as text.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
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

        deserializer.deserialize_map(Pairs).map(Self)
    }
}

/// A member's name, borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// What is wrong with a body, field by field; [`ERRORS_MAX`] at most.
#[derive(Debug, Default)]
struct Faults(RefCell<Vec<FieldError>>);

impl Faults {
    fn tell(&self, field: impl Into<String>, message: &str) {
        let mut faults = self.0.borrow_mut();
        if faults.len() < ERRORS_MAX {
            faults.push(FieldError::new(field, message));
        }
    }
}

/// Nothing is left to say: what is wrong stands in [`Faults`].
#[derive(Debug)]
struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unreadable")
    }
}

impl std::error::Error for Unreadable {}

impl de::Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// An object, and what stands before the names of its fields when they are told, such as `transfers[3].`.
struct Object<'a> {
    members: Members<'a>,
    prefix: String,
    faults: &'a Faults,
}

impl<'de> Deserializer<'de> for Object<'_> {
    type Error = Unreadable;

    /// Here the wanted type tells the names of its fields. Each is then asked for what it must be, so that everything that is
    /// wrong is found; what is wrong is read as if it were nothing, and refused in the end.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        let Self { members: Members(members), prefix, faults } = self;
        let mut given: Vec<(&'static str, Option<&RawValue>)> = Vec::new();
        for (name, value) in members {
            let Some(field) = fields.iter().find(|field| **field == name) else {
                let told = format!("{prefix}{}", fit_to_tell(&name));
                faults.tell(told, "is not a field of this request");
                continue;
            };
            if given.iter().any(|(other, _)| other == field) {
                faults.tell(format!("{prefix}{field}"), "must be given only once");
                continue;
            }
            given.push((field, Some(value)));
        }
        for field in fields {
            if !given.iter().any(|(other, _)| other == field) {
                given.push((field, None));
            }
        }
        let values = given.into_iter().map(|(name, value)| {
            (name, Value { value, field: format!("{prefix}{name}"), name, faults })
        });
        visitor.visit_map(MapDeserializer::new(values))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unreadable> {
        Err(de::Error::custom("only structs are read"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A field's value, or its absence.
struct Value<'a> {
    value: Option<&'a RawValue>,
    /// What it is called when something is wrong with it.
    field: String,
    name: &'static str,
    faults: &'a Faults,
}

impl<'a> Value<'a> {
    /// What `read` makes of the value; nothing, and told, if that fails.
    fn read<T: Default>(&self, read: impl FnOnce(&'a str) -> Result<T, &'static str>) -> T {
        match self.value.map_or(Err("is missing"), |value| read(value.get())) {
            Ok(value) => value,
            Err(message) => {
                self.faults.tell(&*self.field, message);
                T::default()
            }
        }
    }
}

impl<'a> IntoDeserializer<'_, Unreadable> for Value<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = Unreadable;

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_string(self.read(|json| text_of(self.name, json)))
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let message = "must be a whole number from 0 to 4294967295";
        visitor.visit_u32(self.read(|json| serde_json::from_str(json).map_err(|_| message)))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.value {
            None => visitor.visit_none(),
            Some(value) if value.get() == "null" => visitor.visit_none(),
            Some(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let items: Vec<&RawValue> =
            self.read(|json| serde_json::from_str(json).map_err(|_| "must be an array"));
        let items = items.into_iter().enumerate().map(|(index, value)| Item {
            value,
            field: format!("{}[{index}]", self.field),
            faults: self.faults,
        });
        visitor.visit_seq(SeqDeserializer::new(items))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unreadable> {
        Err(de::Error::custom("only strings, numbers and arrays are read"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u64 f32 f64 char str bytes byte_buf unit unit_struct newtype_struct
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// One of an array of objects.
struct Item<'a> {
    value: &'a RawValue,
    field: String,
    faults: &'a Faults,
}

impl<'a> IntoDeserializer<'_, Unreadable> for Item<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Item<'_> {
    type Error = Unreadable;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        let Self { value, field, faults } = self;
        let Ok(members) = serde_json::from_str(value.get()) else {
            faults.tell(field, "must be an object");
            return Err(Unreadable);
        };
        let prefix = format!("{field}.");
        Object { members, prefix, faults }.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unreadable> {
        Err(de::Error::custom("only objects are read"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The string that a value is, or what is wrong with it.
fn text_of(name: &str, json: &str) -> Result<String, &'static str> {
    if !json.starts_with('"') {
        let is_number = json.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        return Err(if name == "amount" && is_number {
            "must be a decimal string such as \"12.50\", not a number"
        } else {
            "must be a string"
        });
    }
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

#[cfg(test)]
mod tests;
