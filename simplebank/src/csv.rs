//! Statements and the audit record as comma-separated values (RFC 4180), for spreadsheets.
//!
//! Of a statement, the first row names the columns, the second has the opening balance, the last the closing balance; without the last, a
//! statement is not whole. Lines end with CRLF, the text is UTF-8.
//!
//! A text that somebody else wrote and that a spreadsheet could take for a formula, because it begins with `=`, `+`, `-`,
//! `@` or one of their full-width forms, gets an apostrophe before it, which spreadsheets don't show (OWASP, CSV injection).
//! Numbers stay numbers.

use csv::{Terminator, WriterBuilder};
use simplebank_core::{Currency, Instant, audit::Object, statement::Line};
use simplebank_db::audit;

use crate::StatementPage;

/// The columns, in order.
pub const STATEMENT_COLUMNS: [&str; 10] = [
    "version",
    "created_at",
    "kind",
    "amount",
    "balance_after",
    "currency",
    "counterparty_account_id",
    "transfer_id",
    "description",
    "reference",
];

/// The rows of a page of a statement. Those of all its pages, one after the other, are the whole statement: the first page
/// brings the names of the columns and the opening balance, the last one the closing balance.
#[must_use]
pub fn statement(page: &StatementPage) -> Vec<u8> {
    let currency = page.account.currency;
    let mut rows = Vec::new();
    if page.is_first {
        rows.push(STATEMENT_COLUMNS.map(str::to_owned));
        let opening = page.opening_balance.to_decimal(currency).to_string();
        rows.push(end("opening_balance", page.period.from, opening, currency));
    }
    rows.extend(page.lines.items.iter().map(|line| row(line, currency)));
    if page.lines.next.is_none() {
        let closing = page.closing_balance.to_decimal(currency).to_string();
        rows.push(end("closing_balance", page.period.to, closing, currency));
    }
    write(&rows)
}

/// The columns of the audit record, in order.
pub const AUDIT_COLUMNS: [&str; 9] = [
    "at",
    "actor",
    "action",
    "object_kind",
    "object_id",
    "detail",
    "address",
    "request_id",
    "times",
];

/// The row that names the columns of the audit record.
#[must_use]
pub fn audit_head() -> Vec<u8> {
    write(&[AUDIT_COLUMNS.map(str::to_owned)])
}

/// The rows of a page of the audit record.
#[must_use]
pub fn audit(lines: &[audit::Line]) -> Vec<u8> {
    let row = |line: &audit::Line| {
        let entry = &line.entry;
        [
            Instant::new(entry.at).map_or_else(|| entry.at.to_string(), |at| at.to_string()),
            line.username.as_ref().map(ToString::to_string).unwrap_or_default(),
            entry.action.to_string(),
            entry.object.map(Object::kind).unwrap_or_default().to_owned(),
            entry.object.map(|object| object.as_uuid().to_string()).unwrap_or_default(),
            text(entry.detail.as_deref()),
            entry.origin.address.map(|address| address.to_string()).unwrap_or_default(),
            // The client may have chosen it.
            text(entry.origin.request_id.as_deref()),
            entry.times.to_string(),
        ]
    };
    write(&lines.iter().map(row).collect::<Vec<_>>())
}

fn write<const N: usize>(rows: &[[String; N]]) -> Vec<u8> {
    let mut writer =
        WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::with_capacity(16_384));
    for row in rows {
        writer.write_record(row).expect("all rows have as many cells, and memory takes every byte");
    }
    writer.into_inner().expect("memory takes every byte")
}

/// The row of a balance at one of the ends.
fn end(kind: &str, at: Option<Instant>, balance: String, currency: Currency) -> [String; 10] {
    let at = at.map(|at| at.to_string()).unwrap_or_default();
    let currency = currency.code().to_owned();
    let none = String::new;
    [none(), at, kind.to_owned(), none(), balance, currency, none(), none(), none(), none()]
}

fn row(line: &Line, currency: Currency) -> [String; 10] {
    let Line { entry, transfer } = line;
    let created_at = Instant::new(entry.created_at).map(|at| at.to_string());
    let memo = &transfer.memo;
    [
        entry.version.to_string(),
        created_at.unwrap_or_else(|| entry.created_at.to_string()),
        transfer.kind.to_string(),
        entry.amount.to_decimal(currency).to_string(),
        entry.balance_after.to_decimal(currency).to_string(),
        currency.code().to_owned(),
        line.counterparty().to_string(),
        transfer.id.to_string(),
        text(memo.description.as_ref().map(|description| description.as_str())),
        text(memo.reference.as_ref().map(|reference| reference.as_str())),
    ]
}

/// A text that comes from outside, so that no spreadsheet calculates with it.
fn text(text: Option<&str>) -> String {
    const FORMULA: [char; 11] =
        ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    match text {
        Some(text) if text.starts_with(FORMULA) => format!("'{text}"),
        Some(text) => text.to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_formula_is_a_text() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1", "－1", "＋1", "＠a"] {
            assert_eq!(text(Some(formula)), format!("'{formula}"));
        }
        for plain in ["rent", "a=b", "'", "1-1", "", "\u{20ac}5"] {
            assert_eq!(text(Some(plain)), plain);
        }
    }

    #[test]
    fn cells_are_quoted_as_rfc_4180_wants_it() {
        let cells = ["a,b", "say \"hi\"", "a\nb", "", "", "", "", "", "", ""].map(str::to_owned);
        let text = String::from_utf8(write(&[cells])).unwrap();
        assert_eq!(text, "\"a,b\",\"say \"\"hi\"\"\",\"a\nb\",,,,,,,\r\n");
    }
}
