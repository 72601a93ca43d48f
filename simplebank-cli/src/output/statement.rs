//! Statements, and balances of other days.

use serde::Serialize;
use simplebank::{
    BalanceAt, StatementPage,
    core::{Currency, Instant, statement::Line},
    csv,
};

use super::{
    CODE, Column, ID, MONEY, Row, TIME, encode, instant, money, number, pairs, table, text,
};
use crate::{args::StatementFormat, exit::Failure};

/// What an account held at some moment.
#[derive(Debug, Serialize)]
pub(crate) struct BalanceRow {
    account_id: String,
    at: String,
    balance: String,
    currency: &'static str,
    version: i64,
}

impl From<BalanceAt> for BalanceRow {
    fn from(found: BalanceAt) -> Self {
        Self {
            account_id: found.account.id.to_string(),
            at: found.at.to_string(),
            balance: money(found.balance, found.account.currency),
            currency: found.account.currency.code(),
            version: found.version,
        }
    }
}

impl Row for BalanceRow {
    const COLUMNS: &'static [Column] = &[
        text("account_id", ID),
        text("at", TIME),
        number("balance", MONEY),
        text("currency", CODE),
        number("version", CODE),
    ];

    fn cells(&self) -> Vec<String> {
        let Self { account_id, at, balance, currency, version } = self;
        let version = version.to_string();
        [account_id, at, balance, *currency, &version].map(|cell: &str| cell.to_owned()).into()
    }
}

/// An entry of a statement.
#[derive(Debug, Serialize)]
struct LineRow {
    version: i64,
    created_at: String,
    transfer_id: String,
    kind: &'static str,
    counterparty_account_id: String,
    amount: String,
    balance_after: String,
    description: Option<String>,
    reference: Option<String>,
    hold_id: Option<String>,
    reverses_id: Option<String>,
}

impl LineRow {
    fn new(line: &Line, currency: Currency) -> Self {
        let Line { entry, transfer } = line;
        Self {
            version: entry.version,
            created_at: instant(entry.created_at),
            transfer_id: transfer.id.to_string(),
            kind: transfer.kind.as_str(),
            counterparty_account_id: line.counterparty().to_string(),
            amount: money(entry.amount, currency),
            balance_after: money(entry.balance_after, currency),
            description: transfer.memo.description.as_ref().map(ToString::to_string),
            reference: transfer.memo.reference.as_ref().map(ToString::to_string),
            hold_id: transfer.hold_id.map(|id| id.to_string()),
            reverses_id: transfer.reverses_id.map(|id| id.to_string()),
        }
    }
}

impl Row for LineRow {
    const COLUMNS: &'static [Column] = &[
        number("version", CODE),
        text("created_at", TIME),
        text("kind", 10),
        number("amount", MONEY),
        number("balance_after", MONEY),
        text("counterparty_account_id", ID),
        text("transfer_id", ID),
        text("reference", 16),
        text("description", 0),
    ];

    fn cells(&self) -> Vec<String> {
        let Self { created_at, kind, amount, balance_after, transfer_id, .. } = self;
        let version = self.version.to_string();
        let reference = self.reference.as_deref().unwrap_or_default();
        let description = self.description.as_deref().unwrap_or_default();
        let what = [&version, created_at, *kind, amount, balance_after];
        let rest = [&*self.counterparty_account_id, transfer_id, reference, description];
        what.into_iter().chain(rest).map(str::to_owned).collect()
    }
}

/// What a statement says before its entries.
#[derive(Debug, Serialize)]
struct Head {
    account_id: String,
    currency: &'static str,
    from: Option<String>,
    to: Option<String>,
    opening_balance: String,
    closing_balance: String,
}

impl Head {
    fn new(page: &StatementPage) -> Self {
        let account = &page.account;
        let text = |at: Instant| at.to_string();
        Self {
            account_id: account.id.to_string(),
            currency: account.currency.code(),
            from: page.period.from.map(text),
            to: page.period.to.map(text),
            opening_balance: money(page.opening_balance, account.currency),
            closing_balance: money(page.closing_balance, account.currency),
        }
    }
}

/// Writes a page of a statement; all its pages, one after the other, are one document. That nobody reads it is a failure: the
/// rest needs not be looked up.
pub(crate) fn statement_page(format: StatementFormat, page: &StatementPage) -> Result<(), Failure> {
    let bytes = match format {
        StatementFormat::Table => as_table(page).into_bytes(),
        StatementFormat::Json => as_json(page)?.into_bytes(),
        StatementFormat::Csv => csv::statement(page),
    };
    super::bytes(&bytes)
}

fn rows(page: &StatementPage) -> Vec<LineRow> {
    page.lines.items.iter().map(|line| LineRow::new(line, page.account.currency)).collect()
}

fn as_table(page: &StatementPage) -> String {
    let head = Head::new(page);
    let with_currency = |amount: &str| format!("{amount} {}", head.currency);
    let mut text = String::new();
    if page.is_first {
        text += &pairs(&[
            ("account", head.account_id.clone()),
            ("from", head.from.clone().unwrap_or_else(|| "(the first entry)".to_owned())),
            ("to", head.to.clone().unwrap_or_else(|| "(the newest entry)".to_owned())),
            ("opening balance", with_currency(&head.opening_balance)),
            ("closing balance", with_currency(&head.closing_balance)),
        ]);
        text.push('\n');
    }
    text += &table(&rows(page), page.is_first);
    text
}

fn as_json(page: &StatementPage) -> Result<String, Failure> {
    let mut text = String::new();
    if page.is_first {
        // The head's members, and room for those that follow.
        let head = encode(&Head::new(page))?;
        text += head.strip_suffix('}').unwrap_or(&head);
        text += ",\"items\":[";
    }
    for (number, row) in rows(page).iter().enumerate() {
        if number > 0 || !page.is_first {
            text.push(',');
        }
        text += &encode(row)?;
    }
    if page.lines.next.is_none() {
        text += "],\"next_cursor\":null}\n";
    }
    Ok(text)
}
