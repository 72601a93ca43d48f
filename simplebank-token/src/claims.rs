//! What a token says, how that is written, and the one place that decides whether it is believed.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use simplebank_core::{Role, SessionId, TokenId, UserId};
use time::{OffsetDateTime, UtcOffset};

use crate::{Error, IssueError, Leeway, TOKEN_BYTES_MAX};

/// What a token is for. A token for one thing is never accepted for another (RFC 8725 §3.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Shown with each request; lives for minutes.
    Access,
    /// Exchanged for new tokens; lives for days.
    Refresh,
}

impl TokenKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Access, Self::Refresh];

    /// The stable name, as the claim `typ` has it: `access` or `refresh`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What a token says. Each field is one claim, and a token has all of them and no others.
///
/// Times have whole seconds on the wire, in both formats: issuing drops fractions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Names this token: `jti`.
    pub id: TokenId,
    /// Who it speaks for: `sub`.
    pub subject: UserId,
    /// What they were to the bank when it was issued: `role`.
    pub role: Role,
    /// The login it belongs to: `sid`.
    pub session: SessionId,
    /// What it is for: `typ`.
    pub kind: TokenKind,
    /// Who issued it: `iss`.
    pub issuer: String,
    /// Who may accept it: `aud`; one name, never a list.
    pub audience: String,
    /// When it was issued: `iat`.
    pub issued_at: OffsetDateTime,
    /// The first instant at which it holds: `nbf`.
    pub not_before: OffsetDateTime,
    /// The first instant at which it no longer holds: `exp`.
    pub expires_at: OffsetDateTime,
}

impl Claims {
    /// The same claims with fractions of a second cut from the times: what a verifier of the issued token will see.
    #[must_use]
    pub fn whole_seconds(self) -> Self {
        Self {
            issued_at: self.issued_at.truncate_to_second(),
            not_before: self.not_before.truncate_to_second(),
            expires_at: self.expires_at.truncate_to_second(),
            ..self
        }
    }

    /// True when the token does not expire before it is issued or begins.
    fn times_are_in_order(&self) -> bool {
        self.issued_at <= self.expires_at && self.not_before <= self.expires_at
    }
}

/// What a verifier insists on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected<'a> {
    /// What the token must be for.
    pub kind: TokenKind,
    /// Who must have issued it.
    pub issuer: &'a str,
    /// Whom it must be meant for: the verifier's own name.
    pub audience: &'a str,
}

/// Claims as JSON; `T` is the time's form, which is all in which the two formats differ.
///
/// Ids, role and kind are strings here and parsed below, because serde would also read a derived enum from
/// `{"access":null}`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<T> {
    iss: String,
    sub: String,
    aud: String,
    exp: T,
    nbf: T,
    iat: T,
    jti: String,
    role: String,
    sid: String,
    typ: String,
}

/// The claims as JSON.
pub(crate) fn write<T>(claims: &Claims) -> Result<Vec<u8>, IssueError>
where
    T: From<OffsetDateTime> + Serialize,
{
    if !claims.times_are_in_order() {
        return Err(IssueError::Times);
    }
    let time = |at| wire_time(at).map(T::from).ok_or(IssueError::Times);
    let wire = Wire {
        iss: claims.issuer.clone(),
        sub: claims.subject.to_string(),
        aud: claims.audience.clone(),
        exp: time(claims.expires_at)?,
        nbf: time(claims.not_before)?,
        iat: time(claims.issued_at)?,
        jti: claims.id.to_string(),
        role: claims.role.to_string(),
        sid: claims.session.to_string(),
        typ: claims.kind.as_str().to_owned(),
    };
    serde_json::to_vec(&wire).map_err(IssueError::failed)
}

/// The claims of a genuine token, if they are meant for what is expected and hold at `now`, give or take the leeway.
///
/// All makers end here, so that no check can be in one and missing in the other.
pub(crate) fn accept(
    claims: Claims,
    expected: &Expected<'_>,
    now: OffsetDateTime,
    leeway: Leeway,
) -> Result<Claims, Error> {
    let is_meant = claims.kind == expected.kind
        && claims.issuer == expected.issuer
        && claims.audience == expected.audience;
    let (soon, lately) =
        (now.saturating_add(leeway.duration()), now.saturating_sub(leeway.duration()));
    let has_begun = claims.issued_at <= soon && claims.not_before <= soon;
    if !is_meant || !has_begun || !claims.times_are_in_order() {
        return Err(Error::Invalid);
    }
    if claims.expires_at <= lately {
        return Err(Error::Expired);
    }
    Ok(claims)
}

/// The claims in authenticated JSON, if it is one object with exactly the claims that we write.
pub(crate) fn read<T>(json: &[u8]) -> Option<Claims>
where
    T: Into<OffsetDateTime> + DeserializeOwned,
{
    // A derived struct is also read from an array of its fields.
    if !json.starts_with(b"{") {
        return None;
    }
    let wire: Wire<T> = serde_json::from_slice(json).ok()?;
    let time = |at: T| {
        let at = at.into();
        (wire_time(at)? == at && at.offset().is_utc()).then_some(at)
    };
    Some(Claims {
        id: wire.jti.parse().ok()?,
        subject: wire.sub.parse().ok()?,
        role: wire.role.parse().ok()?,
        session: wire.sid.parse().ok()?,
        kind: TokenKind::from_name(&wire.typ)?,
        issuer: wire.iss,
        audience: wire.aud,
        issued_at: time(wire.iat)?,
        not_before: time(wire.nbf)?,
        expires_at: time(wire.exp)?,
    })
}

/// The instant as tokens have it: in UTC, whole seconds, with a year that RFC 3339 can write.
fn wire_time(at: OffsetDateTime) -> Option<OffsetDateTime> {
    let at = at.checked_to_offset(UtcOffset::UTC)?.truncate_to_second();
    (0..=9999).contains(&at.year()).then_some(at)
}

/// The token, unless it is too long to be looked at.
pub(crate) fn sized(token: &str) -> Option<&str> {
    (token.len() <= TOKEN_BYTES_MAX).then_some(token)
}

/// The token, unless it is too long to be issued.
pub(crate) fn fit(token: String) -> Result<String, IssueError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(IssueError::TooLong { bytes: token.len() });
    }
    Ok(token)
}
