//! Reading what stands in the address: identifiers in the path, parameters in the query.

use std::{fmt::Display, str::FromStr};

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use simplebank::{
    Bank, FieldError, Page, PageLimit, Statement,
    core::{AccountId, Instant, audit::Action, id::InvalidId, memo::Reference, user::Username},
};

use super::{
    cursor::{List, Place},
    json,
    problem::Refusal,
    verification::Sent,
};

/// The longest form, in bytes: the only one has an id and a code.
const FORM_BYTES_MAX: usize = 1024;

/// The identifier in the path.
#[derive(Debug)]
pub(crate) struct PathId<T>(pub(crate) T);

impl<T: FromStr<Err = InvalidId>, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        let id = text.map_err(|_| InvalidId).and_then(|Path(text)| text.parse());
        id.map(Self).map_err(|error| Refusal::malformed_field("id", error))
    }
}

/// The username in the path.
#[derive(Debug)]
pub(crate) struct PathUsername(pub(crate) Username);

impl<S: Send + Sync> FromRequestParts<S> for PathUsername {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        // What can't be decoded is no name.
        let text = Path::<String>::from_request_parts(parts, state).await;
        let text = text.map_or_else(|_| String::new(), |Path(text)| text);
        text.parse().map(Self).map_err(|error| Refusal::malformed_field("username", error))
    }
}

/// The parameters of the query, each given at most once.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The parameters of a request that knows only `names`.
    fn read(parts: &Parts, names: &[&str]) -> Result<Self, Refusal> {
        let unreadable = |_| Refusal::malformed_body("the query can't be read");
        let Query(pairs) =
            Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(unreadable)?;
        let mut seen: Vec<(String, String)> = Vec::new();
        for (name, value) in pairs {
            let Some(known) = names.iter().find(|known| **known == name) else {
                return Err(Refusal::malformed_fields(vec![FieldError::new(
                    "query",
                    match names {
                        [] => "must be empty here".to_owned(),
                        names => format!("may hold only {}", names.join(", ")),
                    },
                )]));
            };
            if seen.iter().any(|(other, _)| other == known) {
                return Err(Refusal::malformed_field(known, "must be given only once"));
            }
            seen.push((name, value));
        }
        Ok(Self(seen))
    }

    /// The fields of a form, which are written as a query is.
    async fn read_form(request: Request, names: &[&str]) -> Result<Self, Refusal> {
        let (mut parts, body) = request.into_parts();
        let mut types = parts.headers.get_all(header::CONTENT_TYPE).iter();
        let is_form = |value: &HeaderValue| {
            let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
        };
        if !types.next().is_some_and(is_form) || types.next().is_some() {
            let detail = "the header Content-Type must be application/x-www-form-urlencoded";
            return Err(Refusal::UnsupportedMediaType { detail });
        }
        let unreadable = || Refusal::malformed_body("the form can't be read");
        let bytes = json::read(body, FORM_BYTES_MAX).await?;
        let text = std::str::from_utf8(&bytes).map_err(|_| unreadable())?;
        parts.uri = format!("/?{text}").parse().map_err(|_| unreadable())?;
        Self::read(&parts, names)
    }

    fn sent(&mut self) -> Result<Sent, Refusal> {
        let missing = |name: &'static str| Refusal::malformed_field(name, "is missing");
        let id = self.parse("id")?.ok_or_else(|| missing("id"))?;
        let code = self.parse("code")?.ok_or_else(|| missing("code"))?;
        Ok(Sent { id, code })
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.swap_remove(place).1)
    }

    fn account_id(&mut self) -> Result<AccountId, Refusal> {
        let Some(id) = self.take("account_id") else {
            return Err(Refusal::malformed_field("account_id", "is missing"));
        };
        id.parse().map_err(|error| Refusal::malformed_field("account_id", error))
    }

    /// What a parameter means, if it is there.
    fn parse<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<T>, Refusal> {
        let given = self.take(name).map(|text| text.parse());
        given.transpose().map_err(|error| Refusal::malformed_field(name, error))
    }

    fn page(&mut self) -> Result<PageQuery, Refusal> {
        let limit = match self.take("limit") {
            Some(limit) => {
                limit.parse().map_err(|error| Refusal::malformed_field("limit", error))?
            }
            None => PageLimit::default(),
        };
        Ok(PageQuery { limit, cursor: self.take("cursor") })
    }
}

/// Makes sure that there is no query where none has a meaning.
#[derive(Debug)]
pub(crate) struct NoQuery;

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Parameters::read(parts, &[]).map(|_| Self)
    }
}

/// The code behind the link in a mail.
#[derive(Debug)]
pub(crate) struct VerificationQuery(pub(crate) Sent);

impl<S: Send + Sync> FromRequestParts<S> for VerificationQuery {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Parameters::read(parts, &["id", "code"])?.sent().map(Self)
    }
}

/// The code that the page behind that link sends.
#[derive(Debug)]
pub(crate) struct VerificationForm(pub(crate) Sent);

impl<S: Send + Sync> FromRequest<S> for VerificationForm {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        Parameters::read_form(request, &["id", "code"]).await?.sent().map(Self)
    }
}

/// Whether what moves money is only to be tried out: `?dry_run=true`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DryRun {
    Yes,
    No,
}

impl DryRun {
    /// The bank that does what is asked for.
    pub(crate) fn of(self, bank: &Bank) -> Bank {
        match self {
            Self::Yes => bank.dry_run(),
            Self::No => bank.clone(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for DryRun {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        match Parameters::read(parts, &["dry_run"])?.take("dry_run").as_deref() {
            None => Ok(Self::No),
            Some("true") => Ok(Self::Yes),
            Some(_) => Err(Refusal::malformed_field("dry_run", "must be true, or left out")),
        }
    }
}

/// Which page of a list is asked for.
#[derive(Debug)]
pub(crate) struct PageQuery {
    limit: PageLimit,
    cursor: Option<String>,
}

impl PageQuery {
    /// The page of this list.
    pub(crate) fn of<P: Place>(self, list: List<'_>) -> Result<Page<P>, Refusal> {
        let cursor = self.cursor.map(|cursor| list.decode(&cursor)).transpose()?;
        Ok(Page { cursor, limit: self.limit })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PageQuery {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Parameters::read(parts, &["limit", "cursor"])?.page()
    }
}

/// Which page of what an account has, such as its holds, is asked for.
#[derive(Debug)]
pub(crate) struct OfAccountQuery {
    pub(crate) account_id: AccountId,
    pub(crate) page: PageQuery,
}

impl<S: Send + Sync> FromRequestParts<S> for OfAccountQuery {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let mut parameters = Parameters::read(parts, &["account_id", "limit", "cursor"])?;
        Ok(Self { account_id: parameters.account_id()?, page: parameters.page()? })
    }
}

/// Which page of an account's transfers is asked for.
#[derive(Debug)]
pub(crate) struct TransfersQuery {
    pub(crate) account_id: AccountId,
    /// Only those that bear it.
    pub(crate) reference: Option<Reference>,
    pub(crate) page: PageQuery,
}

impl<S: Send + Sync> FromRequestParts<S> for TransfersQuery {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        const NAMES: [&str; 4] = ["account_id", "reference", "limit", "cursor"];
        let mut parameters = Parameters::read(parts, &NAMES)?;
        Ok(Self {
            account_id: parameters.account_id()?,
            reference: parameters.parse("reference")?,
            page: parameters.page()?,
        })
    }
}

/// Which part of the audit record is asked for.
#[derive(Debug)]
pub(crate) struct AuditQuery {
    pub(crate) user: Option<Username>,
    pub(crate) action: Option<Action>,
    pub(crate) since: Option<Instant>,
    pub(crate) until: Option<Instant>,
    pub(crate) page: PageQuery,
}

impl<S: Send + Sync> FromRequestParts<S> for AuditQuery {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        const NAMES: [&str; 6] = ["user", "action", "since", "until", "limit", "cursor"];
        let mut parameters = Parameters::read(parts, &NAMES)?;
        Ok(Self {
            user: parameters.parse("user")?,
            action: parameters.parse("action")?,
            since: parameters.parse("since")?,
            until: parameters.parse("until")?,
            page: parameters.page()?,
        })
    }
}

/// Which moment is asked about.
#[derive(Debug)]
pub(crate) struct AtQuery(pub(crate) Instant);

impl<S: Send + Sync> FromRequestParts<S> for AtQuery {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let at = Parameters::read(parts, &["at"])?.parse("at")?;
        at.map(Self).ok_or_else(|| Refusal::malformed_field("at", "is missing"))
    }
}

/// Which statement is asked for, and in which form.
#[derive(Debug)]
pub(crate) struct StatementQuery {
    pub(crate) period: Statement,
    pub(crate) form: StatementForm,
    pub(crate) page: PageQuery,
}

/// How a statement is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatementForm {
    Json,
    CsvPage,
    CsvWhole,
}

impl<S: Send + Sync> FromRequestParts<S> for StatementQuery {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        const NAMES: [&str; 5] = ["from", "to", "format", "limit", "cursor"];
        let mut parameters = Parameters::read(parts, &NAMES)?;
        let is_csv = match parameters.take("format").as_deref() {
            None => prefers_csv(&parts.headers),
            Some("csv") => true,
            Some("json") => false,
            Some(_) => return Err(Refusal::malformed_field("format", "must be json or csv")),
        };
        let is_paged = parameters.0.iter().any(|(name, _)| name == "limit" || name == "cursor");
        let period = Statement { from: parameters.parse("from")?, to: parameters.parse("to")? };
        let form = match (is_csv, is_paged) {
            (false, _) => StatementForm::Json,
            (true, true) => StatementForm::CsvPage,
            (true, false) => StatementForm::CsvWhole,
        };
        Ok(Self { period, form, page: parameters.page()? })
    }
}

/// True when the header Accept names `text/csv` and nothing that is JSON more dearly (RFC 9110 §12.5.1).
fn prefers_csv(headers: &HeaderMap) -> bool {
    let weight_of = |types: &[&str]| {
        let values = headers.get_all(header::ACCEPT).into_iter();
        let ranges =
            values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
        ranges.filter_map(|range| weight(range, types)).max().unwrap_or(0)
    };
    let csv = weight_of(&["text/csv"]);
    csv > 0 && csv >= weight_of(&["application/json", "application/*"])
}

/// The weight of a range of media types in thousandths, if it is one of `types`.
fn weight(range: &str, types: &[&str]) -> Option<u16> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next()?;
    if !types.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return None;
    }
    let given = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let Some(given) = given else { return Some(1000) };
    match given.split_once('.') {
        Some(("0", places)) if places.len() <= 3 => format!("{places:0<3}").parse().ok(),
        Some(("0", _)) => None,
        Some(_) => Some(1000),
        None => Some(if given == "0" { 0 } else { 1000 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_sent_to_who_asks_for_it() {
        let prefers = |accept: &'static str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            prefers_csv(&headers)
        };
        for csv in [
            "text/csv",
            "Text/CSV; header=present",
            "text/csv, */*;q=0.1",
            "application/json;q=0.5, text/csv;q=0.51",
            "text/csv;q=0.001",
            "text/csv, application/json;q=0",
        ] {
            assert!(prefers(csv), "{csv}");
        }
        for json in [
            "",
            "*/*",
            "text/*",
            "application/json",
            "text/csv;q=0",
            "text/csv;q=0.000",
            "application/json, text/csv;q=0.9",
            "application/*, text/csv;q=0.9",
            "text/csvx",
        ] {
            assert!(!prefers(json), "{json}");
        }
        assert!(!prefers_csv(&HeaderMap::new()));
    }
}
