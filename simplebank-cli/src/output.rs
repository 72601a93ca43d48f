//! Answers on stdout: tables for people, JSON documents for programs, in the same words as the REST interface.

mod account;
mod holds;
mod statement;

use std::io::{self, Write as _};

use comfy_table::{CellAlignment, ColumnConstraint, Table, Width, presets};
use serde::Serialize;
use simplebank::{
    Receipt, ReceiptAccount,
    core::{
        Balance, Currency, IdempotencyKey,
        account::Owner,
        transfer::{Entry, Transfer},
        user::User,
    },
    db::Migration,
};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

pub(crate) use self::{
    account::AccountDetails,
    holds::{HoldDocument, HoldRow},
    statement::{BalanceRow, statement_page},
};
use crate::exit::Failure;

/// For whom answers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Something that is one row of a table, or one JSON object.
pub(crate) trait Row: Serialize {
    /// The table's columns.
    const COLUMNS: &'static [Column];

    /// One cell for each column.
    fn cells(&self) -> Vec<String>;
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    /// How wide it is at least, in characters, so that the parts of a long list stand below each other.
    width_min: u16,
    alignment: CellAlignment,
}

/// A column of texts.
pub(crate) const fn text(title: &'static str, width_min: u16) -> Column {
    Column { title, width_min, alignment: CellAlignment::Left }
}

/// A column of numbers.
pub(crate) const fn number(title: &'static str, width_min: u16) -> Column {
    Column { title, width_min, alignment: CellAlignment::Right }
}

const ID: u16 = 36;
const CODE: u16 = 8;
const MONEY: u16 = 14;
const TIME: u16 = 27;

/// Writes one thing. That nobody reads it is no failure: it has happened all the same.
pub(crate) fn one<R: Row>(format: Format, row: &R) -> Result<(), Failure> {
    match format {
        Format::Table => last(&table(std::slice::from_ref(row), true)),
        Format::Json => json(row),
    }
}

/// Something that people read as text and programs as JSON.
pub(crate) trait Document: Serialize {
    /// For people.
    fn text(&self) -> String;
}

/// Writes an answer, as [`one`].
pub(crate) fn document(format: Format, document: &impl Document) -> Result<(), Failure> {
    match format {
        Format::Table => last(&document.text()),
        Format::Json => json(document),
    }
}

/// Writes a JSON document, as [`one`].
pub(crate) fn json(document: &impl Serialize) -> Result<(), Failure> {
    last(&format!("{}\n", encode(document)?))
}

/// Writes the last, or only, part of an answer, as [`one`].
pub(crate) fn last(text: &str) -> Result<(), Failure> {
    match write(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Failure::Output),
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Writes part of an answer. That nobody reads it is a failure: the rest needs not be looked up.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Failure::Output)
}

fn encode(document: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(document).map_err(|error| Failure::Output(error.into()))
}

/// A list that is written page by page, so that its length doesn't matter.
#[derive(Debug)]
pub(crate) struct List {
    format: Format,
    is_begun: bool,
}

impl List {
    /// Begins a list.
    pub(crate) const fn new(format: Format) -> Self {
        Self { format, is_begun: false }
    }

    /// Writes some more rows. Unlike elsewhere, that nobody reads them is a failure: the rest needs not be looked up.
    pub(crate) fn page<R: Row>(&mut self, rows: &[R]) -> Result<(), Failure> {
        let text = match self.format {
            Format::Table => table(rows, !self.is_begun),
            Format::Json => self.items(rows)?,
        };
        self.is_begun = self.is_begun || self.format == Format::Table || !rows.is_empty();
        write(&text).map_err(Failure::Output)
    }

    fn items<R: Row>(&self, rows: &[R]) -> Result<String, Failure> {
        let mut text = String::new();
        for (number, row) in rows.iter().enumerate() {
            let is_first = number == 0 && !self.is_begun;
            text.push_str(if is_first { "{\"items\":[" } else { "," });
            text.push_str(&encode(row)?);
        }
        Ok(text)
    }

    /// Ends the list; `next` is where it could go on.
    pub(crate) fn end(self, next: Option<String>) -> Result<(), Failure> {
        match self.format {
            Format::Table => Ok(()),
            Format::Json => {
                let begin = if self.is_begun { "" } else { "{\"items\":[" };
                last(&format!("{begin}],\"next_cursor\":{}}}\n", encode(&next)?))
            }
        }
    }
}

/// Rows below each other.
pub(crate) fn table<R: Row>(rows: &[R], has_header: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if has_header {
        table.set_header(R::COLUMNS.iter().map(|column| column.title));
    }
    table.add_rows(rows.iter().map(Row::cells));
    shape(&mut table, R::COLUMNS);
    lines(&table)
}

/// Names and values below each other.
pub(crate) fn pairs(pairs: &[(&str, String)]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.add_rows(pairs.iter().map(|(name, value)| [(*name).to_owned(), value.clone()]));
    shape(&mut table, &[text("", 16), text("", 0)]);
    lines(&table)
}

fn shape(table: &mut Table, columns: &[Column]) {
    for (column, wanted) in table.column_iter_mut().zip(columns) {
        let padding = (0, 2);
        let width = Width::Fixed(wanted.width_min.saturating_add(padding.1));
        column.set_padding(padding);
        column.set_constraint(ColumnConstraint::LowerBoundary(width));
        column.set_cell_alignment(wanted.alignment);
    }
}

fn lines(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A time, in RFC 3339 and UTC.
pub(crate) fn instant(time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC);
    // Only a year beyond 9999 has no such form.
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

fn money(minor: Balance, currency: Currency) -> String {
    minor.to_decimal(currency).to_string()
}

/// A user.
#[derive(Debug, Serialize)]
pub(crate) struct UserRow {
    id: String,
    username: String,
    full_name: String,
    email: String,
    email_verified_at: Option<String>,
    role: &'static str,
    frozen_at: Option<String>,
    password_changed_at: String,
    created_at: String,
}

impl From<User> for UserRow {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            username: user.username.to_string(),
            full_name: user.full_name.to_string(),
            email: user.email.to_string(),
            email_verified_at: user.email_verified_at.map(instant),
            role: user.role.as_str(),
            frozen_at: user.frozen_at.map(instant),
            password_changed_at: instant(user.password_changed_at),
            created_at: instant(user.created_at),
        }
    }
}

impl Row for UserRow {
    const COLUMNS: &'static [Column] = &[
        text("id", ID),
        text("username", 12),
        text("full_name", 16),
        text("email", 24),
        text("email_verified_at", TIME),
        text("role", 9),
        text("frozen_at", TIME),
        text("password_changed_at", TIME),
        text("created_at", TIME),
    ];

    fn cells(&self) -> Vec<String> {
        let Self { id, username, full_name, email, role, password_changed_at, created_at, .. } =
            self;
        let verified = self.email_verified_at.as_deref().unwrap_or("-");
        let frozen = self.frozen_at.as_deref().unwrap_or("-");
        [id, username, full_name, email, verified, *role, frozen, password_changed_at, created_at]
            .map(|cell: &str| cell.to_owned())
            .into()
    }
}

/// An account right after money has moved.
#[derive(Debug, Serialize)]
struct AccountRow {
    id: String,
    /// `None` is the bank itself.
    owner: Option<String>,
    currency: &'static str,
    balance: String,
    status: &'static str,
    created_at: String,
}

impl From<ReceiptAccount> for AccountRow {
    fn from(account: ReceiptAccount) -> Self {
        let owner = match account.owner {
            Owner::Customer { username, .. } => Some(username.to_string()),
            Owner::Cash => None,
        };
        Self {
            id: account.id.to_string(),
            owner,
            currency: account.currency.code(),
            balance: money(account.balance, account.currency),
            status: account.status.as_str(),
            created_at: instant(account.created_at),
        }
    }
}

/// A transfer.
#[derive(Debug, Serialize)]
pub(crate) struct TransferRow {
    id: String,
    kind: &'static str,
    from_account_id: String,
    to_account_id: String,
    amount: String,
    currency: &'static str,
    description: Option<String>,
    reference: Option<String>,
    hold_id: Option<String>,
    reverses_id: Option<String>,
    created_at: String,
}

impl From<Transfer> for TransferRow {
    fn from(transfer: Transfer) -> Self {
        Self {
            id: transfer.id.to_string(),
            kind: transfer.kind.as_str(),
            from_account_id: transfer.from_account_id.to_string(),
            to_account_id: transfer.to_account_id.to_string(),
            amount: money(Balance::credit(transfer.amount), transfer.currency),
            currency: transfer.currency.code(),
            description: transfer.memo.description.map(|text| text.to_string()),
            reference: transfer.memo.reference.map(|text| text.to_string()),
            hold_id: transfer.hold_id.map(|id| id.to_string()),
            reverses_id: transfer.reverses_id.map(|id| id.to_string()),
            created_at: instant(transfer.created_at),
        }
    }
}

impl Row for TransferRow {
    const COLUMNS: &'static [Column] = &[
        text("id", ID),
        text("kind", 10),
        text("from_account_id", ID),
        text("to_account_id", ID),
        number("amount", MONEY),
        text("currency", CODE),
        text("created_at", TIME),
        text("reference", 0),
        text("description", 0),
    ];

    fn cells(&self) -> Vec<String> {
        let Self { id, kind, from_account_id, to_account_id, amount, currency, .. } = self;
        let reference = self.reference.as_deref().unwrap_or_default();
        let description = self.description.as_deref().unwrap_or_default();
        let parties = [id, *kind, from_account_id, to_account_id];
        let rest = [amount, *currency, &self.created_at, reference, description];
        parties.into_iter().chain(rest).map(str::to_owned).collect()
    }
}

/// An entry.
#[derive(Debug, Serialize)]
pub(crate) struct EntryRow {
    account_id: String,
    version: i64,
    transfer_id: String,
    amount: String,
    balance_after: String,
    created_at: String,
    /// Known from the account, so not told again to programs.
    #[serde(skip)]
    currency: &'static str,
}

impl EntryRow {
    /// An entry of an account that is kept in `currency`.
    pub(crate) fn new(entry: Entry, currency: Currency) -> Self {
        Self {
            account_id: entry.account_id.to_string(),
            version: entry.version,
            transfer_id: entry.transfer_id.to_string(),
            amount: money(entry.amount, currency),
            balance_after: money(entry.balance_after, currency),
            created_at: instant(entry.created_at),
            currency: currency.code(),
        }
    }
}

impl Row for EntryRow {
    const COLUMNS: &'static [Column] = &[
        number("version", CODE),
        number("amount", MONEY),
        number("balance_after", MONEY),
        text("currency", CODE),
        text("transfer_id", ID),
        text("created_at", TIME),
    ];

    fn cells(&self) -> Vec<String> {
        let Self { version, transfer_id, amount, balance_after, created_at, currency, .. } = self;
        let version = version.to_string();
        [&version, amount, balance_after, *currency, transfer_id, created_at]
            .map(|cell: &str| cell.to_owned())
            .into()
    }
}

/// What a movement of money came to, and the key under which it is known.
#[derive(Debug, Serialize)]
pub(crate) struct ReceiptDocument {
    transfer: TransferRow,
    account: AccountRow,
    entry: EntryRow,
    idempotency_key: String,
}

impl ReceiptDocument {
    /// The receipt of what happened under `key`.
    pub(crate) fn new(receipt: Receipt, key: &IdempotencyKey) -> Self {
        Self {
            transfer: receipt.posting.transfer().clone().into(),
            entry: EntryRow::new(receipt.entry().clone(), receipt.account.currency),
            account: receipt.account.into(),
            idempotency_key: key.to_string(),
        }
    }
}

impl Document for ReceiptDocument {
    fn text(&self) -> String {
        let Self { transfer, account, entry, idempotency_key } = self;
        let with_currency = |amount: &str| format!("{amount} {}", transfer.currency);
        let mut rows = vec![
            ("transfer", transfer.id.clone()),
            ("kind", transfer.kind.to_owned()),
            ("from", transfer.from_account_id.clone()),
            ("to", transfer.to_account_id.clone()),
            ("amount", with_currency(&transfer.amount)),
        ];
        let optional = [
            ("hold", &transfer.hold_id),
            ("reverses", &transfer.reverses_id),
            ("reference", &transfer.reference),
            ("description", &transfer.description),
        ];
        rows.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        rows.extend([
            ("account", account.id.clone()),
            ("balance after", with_currency(&entry.balance_after)),
            ("created at", transfer.created_at.clone()),
            ("idempotency key", idempotency_key.clone()),
        ]);
        pairs(&rows)
    }
}

/// A step of the schema.
#[derive(Debug, Serialize)]
pub(crate) struct MigrationRow {
    version: i64,
    description: String,
    is_applied: bool,
}

impl From<Migration> for MigrationRow {
    fn from(migration: Migration) -> Self {
        Self {
            version: migration.version,
            description: migration.description,
            is_applied: migration.is_applied,
        }
    }
}

impl Row for MigrationRow {
    const COLUMNS: &'static [Column] =
        &[number("version", CODE), text("description", 16), text("applied", CODE)];

    fn cells(&self) -> Vec<String> {
        let applied = if self.is_applied { "yes" } else { "no" };
        vec![self.version.to_string(), self.description.clone(), applied.to_owned()]
    }
}
