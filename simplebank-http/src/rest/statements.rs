//! What an account held at some moment, and what happened to it in a period: as JSON page by page, as CSV also whole.

use std::io;

use axum::{
    Json,
    body::Body,
    http::header,
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use serde::Serialize;
use simplebank::{
    Bank, Page, PageLimit, Statement, StatementPage, StatementPlace,
    core::{AccountId, Instant, Principal, statement},
    csv,
};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Authenticated,
    client::Asked,
    cursor::List,
    docs::{PageParameters, PeriodProblems, StatementParameters},
    problem::{Refusal, chain},
    query::{AtQuery, PathId, StatementForm, StatementQuery},
};

pub(super) fn routes() -> OpenApiRouter<Bank> {
    OpenApiRouter::new().routes(routes!(show_balance_at)).routes(routes!(show_statement))
}

/// What an account held at some moment.
#[derive(Serialize, ToSchema)]
struct BalanceAt {
    account_id: Uuid,
    /// The moment, in UTC.
    #[schema(format = DateTime, example = "2026-11-20T00:00:00Z")]
    at: String,
    #[schema(example = "12.50")]
    balance: String,
    #[schema(example = "EUR")]
    currency: &'static str,
    /// After which entry of the account that was; 0 before the first.
    version: i64,
}

/// A page of a statement.
#[derive(Serialize, ToSchema)]
struct StatementDocument {
    account_id: Uuid,
    #[schema(example = "EUR")]
    currency: &'static str,
    /// Where the period begins; null for the account's first entry.
    #[schema(required, format = DateTime, example = "2026-11-01T00:00:00Z")]
    from: Option<String>,
    /// Where it ends, which is not part of it; null for the account's newest entry.
    #[schema(required, format = DateTime, example = "2026-12-01T00:00:00Z")]
    to: Option<String>,
    /// The balance before the first entry of the whole statement, the same on every page.
    #[schema(example = "100.00")]
    opening_balance: String,
    /// The balance after the last entry of the whole statement, the same on every page.
    #[schema(example = "87.50")]
    closing_balance: String,
    /// The entries of the page, oldest first.
    items: Vec<StatementLine>,
    /// Where the next page begins, to be sent as `cursor`; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// An entry of a statement.
#[derive(Serialize, ToSchema)]
struct StatementLine {
    /// Which entry of the account: 1, 2, 3, …
    version: i64,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    transfer_id: Uuid,
    /// `transfer`, `deposit`, `withdrawal`, `capture` or `reversal`.
    #[schema(example = "transfer")]
    kind: &'static str,
    /// The account on the other side.
    counterparty_account_id: Uuid,
    /// By how much the balance changed: negative for who paid.
    #[schema(example = "-12.50")]
    amount: String,
    /// The balance from then on.
    #[schema(example = "87.50")]
    balance_after: String,
    /// What it was about, for people.
    #[schema(required)]
    description: Option<String>,
    /// What another system calls it.
    #[schema(required)]
    reference: Option<String>,
    /// The hold that it captured.
    #[schema(required)]
    hold_id: Option<Uuid>,
    /// The transfer that it gives back.
    #[schema(required)]
    reverses_id: Option<Uuid>,
}

impl From<statement::Line> for StatementLine {
    fn from(line: statement::Line) -> Self {
        let counterparty_account_id = line.counterparty().as_uuid();
        let statement::Line { entry, transfer } = line;
        Self {
            version: entry.version,
            created_at: entry.created_at,
            transfer_id: transfer.id.as_uuid(),
            kind: transfer.kind.as_str(),
            counterparty_account_id,
            amount: entry.amount.to_decimal(transfer.currency).to_string(),
            balance_after: entry.balance_after.to_decimal(transfer.currency).to_string(),
            description: transfer.memo.description.map(|text| text.to_string()),
            reference: transfer.memo.reference.map(|text| text.to_string()),
            hold_id: transfer.hold_id.map(|id| id.as_uuid()),
            reverses_id: transfer.reverses_id.map(|id| id.as_uuid()),
        }
    }
}

impl StatementDocument {
    fn new(list: List<'_>, page: StatementPage) -> Self {
        let StatementPage { account, period, opening_balance, closing_balance, lines, .. } = page;
        let text = |at: Instant| at.to_string();
        Self {
            account_id: account.id.as_uuid(),
            currency: account.currency.code(),
            from: period.from.map(text),
            to: period.to.map(text),
            opening_balance: opening_balance.to_decimal(account.currency).to_string(),
            closing_balance: closing_balance.to_decimal(account.currency).to_string(),
            items: lines.items.into_iter().map(StatementLine::from).collect(),
            next_cursor: lines.next.map(|place| list.encode(place)),
        }
    }
}

/// Shows what an account held at some moment.
#[utoipa::path(get, path = "/v1/accounts/{id}/balance", tag = "accounts", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The account"),
        ("at" = String, Query, format = DateTime, example = "2026-11-20T00:00:00Z",
            description = "The moment: RFC 3339, or a date for midnight in UTC; not before the account was opened. \
                The balance of a moment to come is the newest one")),
    responses((status = 200, description = "The balance after the newest entry of then or before", body = BalanceAt),
        PeriodProblems))]
async fn show_balance_at(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(id): PathId<AccountId>,
    AtQuery(at): AtQuery,
) -> Result<Json<BalanceAt>, Refusal> {
    let found = bank.balance_at(&caller.principal(), id, at).await?;
    let currency = found.account.currency;
    Ok(Json(BalanceAt {
        account_id: found.account.id.as_uuid(),
        at: found.at.to_string(),
        balance: found.balance.to_decimal(currency).to_string(),
        currency: currency.code(),
        version: found.version,
    }))
}

/// Shows what happened to an account in a period, oldest first, with the balances before and after.
///
/// As CSV (RFC 4180) a statement is sent whole, unless `limit` or `cursor` ask for a page; then the header `Link` tells the
/// next one. The last row of a whole statement has the kind `closing_balance`. A description or reference that a
/// spreadsheet could take for a formula gets an apostrophe before it.
#[utoipa::path(get, path = "/v1/accounts/{id}/statement", tag = "accounts", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The account"), StatementParameters, PageParameters),
    responses(
        (status = 200, description = "The statement, or a page of it",
            content((StatementDocument = "application/json"), (String = "text/csv")),
            headers(("Link" = String, description = "The next page, of CSV in pages"))),
        PeriodProblems))]
async fn show_statement(
    Asked(bank): Asked,
    Authenticated(caller): Authenticated,
    PathId(account): PathId<AccountId>,
    StatementQuery { period, form, page }: StatementQuery,
) -> Result<Response, Refusal> {
    let list = List::Statement(account, period);
    let (by, page) = (caller.principal(), page.of(list)?);
    match form {
        StatementForm::Json => {
            let page = bank.statement(&by, account, period, page).await?;
            let vary = [(header::VARY, "Accept")];
            Ok((vary, Json(StatementDocument::new(list, page))).into_response())
        }
        StatementForm::CsvPage => {
            let limit = page.limit;
            let page = bank.statement(&by, account, period, page).await?;
            let next = page.lines.next.map(|place| next_link(list, place, limit, account, period));
            let link = next.map(|link| [(header::LINK, link)]);
            Ok((link, csv_of(account, Body::from(csv::statement(&page)))).into_response())
        }
        StatementForm::CsvWhole => {
            let page = Page { limit: PageLimit::MAX, ..page };
            // What is refused is refused here, before anything is sent.
            let first = bank.statement(&by, account, period, page).await?;
            let rest = Rest { bank, by, account, period, next: Next::Ready(Box::new(first)) };
            Ok(csv_of(account, Body::from_stream(stream::unfold(rest, Rest::part))))
        }
    }
}

/// Where the page after `place` is (RFC 8288).
fn next_link(
    list: List<'_>,
    place: StatementPlace,
    limit: PageLimit,
    account: AccountId,
    period: Statement,
) -> String {
    let bound = |name: &str, at: Option<Instant>| at.map(|at| format!("{name}={at}&"));
    let from = bound("from", period.from).unwrap_or_default();
    let to = bound("to", period.to).unwrap_or_default();
    let cursor = list.encode(place);
    // Times in UTC hold no character that a query would have to encode.
    format!(
        "</v1/accounts/{account}/statement?{from}{to}limit={limit}&cursor={cursor}&format=csv>; rel=\"next\""
    )
}

fn csv_of(account: AccountId, body: Body) -> Response {
    let name = format!("attachment; filename=\"statement-{account}.csv\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::VARY, "Accept".to_owned()),
    ];
    (headers, body).into_response()
}

/// A statement that is being sent: one page at a time is in memory, and between two of them no connection is held.
struct Rest {
    bank: Bank,
    by: Principal,
    account: AccountId,
    period: Statement,
    next: Next,
}

enum Next {
    Ready(Box<StatementPage>),
    After(StatementPlace),
    Nothing,
}

impl Rest {
    /// The next part of the file and what comes behind it. An error breaks the answer off, so that nobody takes it for whole.
    async fn part(self) -> Option<(io::Result<Vec<u8>>, Self)> {
        let page = match self.next {
            Next::Nothing => return None,
            Next::Ready(page) => Ok(*page),
            Next::After(place) => self.read(place).await,
        };
        let (part, next) = match page {
            Ok(page) => {
                let next = page.lines.next.map_or(Next::Nothing, Next::After);
                (Ok(csv::statement(&page)), next)
            }
            Err(error) => (Err(error), Next::Nothing),
        };
        Some((part, Self { next, ..self }))
    }

    /// In a task of its own, so that a client that hangs up tears no transaction.
    async fn read(&self, after: StatementPlace) -> io::Result<StatementPage> {
        let Self { bank, by, account, period, .. } = self;
        let (bank, by, account, period) = (bank.clone(), by.clone(), *account, *period);
        let page = Page { cursor: Some(after), limit: PageLimit::MAX };
        let read =
            tokio::spawn(async move { bank.statement(&by, account, period, page).await }).await;
        let broken_off = || io::Error::other("the statement can't be read to its end");
        match read {
            Ok(Ok(page)) => Ok(page),
            Ok(Err(error)) => {
                tracing::error!(error = chain(&error), "statement broken off");
                Err(broken_off())
            }
            Err(error) => {
                tracing::error!(is_panic = error.is_panic(), "statement broken off");
                Err(broken_off())
            }
        }
    }
}
