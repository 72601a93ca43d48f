//! Reading what stands in the address: identifiers in the path, parameters in the query.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::request::Parts,
};
use simplebank::{
    FieldError, Page, PageLimit,
    core::{AccountId, id::InvalidId},
};

use super::{
    cursor::{List, Place},
    problem::Refusal,
};

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

    fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.swap_remove(place).1)
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

/// Which page of a list is asked for.
#[derive(Debug)]
pub(crate) struct PageQuery {
    limit: PageLimit,
    cursor: Option<String>,
}

impl PageQuery {
    /// The page of this list.
    pub(crate) fn of<P: Place>(self, list: List) -> Result<Page<P>, Refusal> {
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

/// Which page of an account's transfers is asked for.
#[derive(Debug)]
pub(crate) struct TransfersQuery {
    pub(crate) account_id: AccountId,
    pub(crate) page: PageQuery,
}

impl<S: Send + Sync> FromRequestParts<S> for TransfersQuery {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let mut parameters = Parameters::read(parts, &["account_id", "limit", "cursor"])?;
        let Some(account_id) = parameters.take("account_id") else {
            return Err(Refusal::malformed_field("account_id", "is missing"));
        };
        let account_id =
            account_id.parse().map_err(|error| Refusal::malformed_field("account_id", error))?;
        Ok(Self { account_id, page: parameters.page()? })
    }
}
