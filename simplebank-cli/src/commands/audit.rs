//! `simplebank audit`: who did what, and who was refused.

use serde::Serialize;
use simplebank::{
    Bank, Page, PageLimit,
    core::audit::Object,
    csv,
    db::audit::{Filter, Line},
};

use super::{OPERATOR, every_page, user_named, viewed};
use crate::{
    args::{Audit, AuditFormat},
    exit::{Code, Failure},
    output::{self, Column, Format, Row, instant, text},
};

/// Writes all that is asked for, newest first; one page of it at a time is in memory.
pub(super) async fn run(audit: &Audit, bank: &Bank, format: Format) -> Result<Code, Failure> {
    let user = match &audit.user {
        Some(username) => Some(user_named(bank, "--user", username).await?.id),
        None => None,
    };
    let (since, until) = (audit.since.map(|at| at.time()), audit.until.map(|at| at.time()));
    let filter = Filter { user, action: audit.action, since, until };
    let rows = async |format| {
        every_page(format, None, async |page| {
            Ok(viewed(bank.audit(&OPERATOR, filter, page).await?, AuditRow::from))
        })
        .await
    };
    match audit.format(format) {
        AuditFormat::Table => rows(Format::Table).await,
        AuditFormat::Json => rows(Format::Json).await,
        AuditFormat::Csv => as_csv(bank, filter).await,
    }
}

async fn as_csv(bank: &Bank, filter: Filter) -> Result<Code, Failure> {
    let mut cursor = None;
    output::bytes(&csv::audit_head())?;
    loop {
        let page = Page { cursor, limit: PageLimit::MAX };
        let lines = bank.audit(&OPERATOR, filter, page).await?;
        output::bytes(&csv::audit(&lines.items))?;
        if lines.next.is_none() {
            return Ok(Code::Done);
        }
        cursor = lines.next;
    }
}

/// A line of the record.
#[derive(Debug, Serialize)]
struct AuditRow {
    at: String,
    actor: Option<String>,
    action: &'static str,
    object_kind: Option<&'static str>,
    object_id: Option<String>,
    detail: Option<String>,
    address: Option<String>,
    request_id: Option<String>,
    times: u32,
}

impl From<Line> for AuditRow {
    fn from(Line { entry, username, .. }: Line) -> Self {
        Self {
            at: instant(entry.at),
            actor: username.map(|name| name.to_string()),
            action: entry.action.as_str(),
            object_kind: entry.object.map(Object::kind),
            object_id: entry.object.map(|object| object.as_uuid().to_string()),
            detail: entry.detail,
            address: entry.origin.address.map(|address| address.to_string()),
            request_id: entry.origin.request_id,
            times: entry.times,
        }
    }
}

impl Row for AuditRow {
    const COLUMNS: &'static [Column] = &[
        text("at", 27),
        text("actor", 12),
        text("action", 17),
        text("object", 45),
        text("address", 15),
        text("request_id", 36),
        text("detail", 0),
    ];

    fn cells(&self) -> Vec<String> {
        let cell = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let object = match (self.object_kind, &self.object_id) {
            (Some(kind), Some(id)) => format!("{kind} {id}"),
            (Some(_) | None, Some(_) | None) => "-".to_owned(),
        };
        let times = if self.times > 1 { format!(" × {}", self.times) } else { String::new() };
        let action = format!("{}{times}", self.action);
        let (address, request_id) = (cell(&self.address), cell(&self.request_id));
        let detail = self.detail.clone().unwrap_or_default();
        vec![self.at.clone(), cell(&self.actor), action, object, address, request_id, detail]
    }
}
