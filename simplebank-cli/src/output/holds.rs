//! Holds.

use serde::Serialize;
use simplebank::core::{Balance, Hold, IdempotencyKey, hold::State};

use super::{Column, Document, ID, MONEY, Row, TIME, instant, money, number, pairs, text};

/// A hold.
#[derive(Debug, Serialize)]
pub(crate) struct HoldRow {
    id: String,
    from_account_id: String,
    to_account_id: String,
    amount: String,
    currency: &'static str,
    description: Option<String>,
    reference: Option<String>,
    state: &'static str,
    captured_amount: Option<String>,
    transfer_id: Option<String>,
    created_at: String,
    expires_at: String,
    resolved_at: Option<String>,
}

impl From<Hold> for HoldRow {
    fn from(hold: Hold) -> Self {
        let (captured, resolved_at) = match hold.state {
            State::Open | State::Expired => (None, None),
            State::Voided { at } => (None, Some(at)),
            State::Captured { transfer_id, amount, at } => (Some((transfer_id, amount)), Some(at)),
        };
        Self {
            id: hold.id.to_string(),
            from_account_id: hold.from_account_id.to_string(),
            to_account_id: hold.to_account_id.to_string(),
            amount: money(Balance::credit(hold.amount), hold.currency),
            currency: hold.currency.code(),
            description: hold.memo.description.map(|text| text.to_string()),
            reference: hold.memo.reference.map(|text| text.to_string()),
            state: hold.state.as_str(),
            captured_amount: captured
                .map(|(_, amount)| money(Balance::credit(amount), hold.currency)),
            transfer_id: captured.map(|(id, _)| id.to_string()),
            created_at: instant(hold.created_at),
            expires_at: instant(hold.expires_at),
            resolved_at: resolved_at.map(instant),
        }
    }
}

impl Row for HoldRow {
    const COLUMNS: &'static [Column] = &[
        text("id", ID),
        text("from_account_id", ID),
        text("to_account_id", ID),
        number("amount", MONEY),
        text("currency", 8),
        text("state", 8),
        number("captured_amount", MONEY),
        text("created_at", TIME),
        text("expires_at", TIME),
        text("reference", 0),
        text("description", 0),
    ];

    fn cells(&self) -> Vec<String> {
        let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
        vec![
            self.id.clone(),
            self.from_account_id.clone(),
            self.to_account_id.clone(),
            self.amount.clone(),
            self.currency.to_owned(),
            self.state.to_owned(),
            or_empty(&self.captured_amount),
            self.created_at.clone(),
            self.expires_at.clone(),
            or_empty(&self.reference),
            or_empty(&self.description),
        ]
    }
}

/// What became of a hold, and the key under which it is known.
#[derive(Debug, Serialize)]
pub(crate) struct HoldDocument {
    hold: HoldRow,
    idempotency_key: String,
}

impl HoldDocument {
    /// The hold as it came to be under `key`.
    pub(crate) fn new(hold: Hold, key: &IdempotencyKey) -> Self {
        Self { hold: hold.into(), idempotency_key: key.to_string() }
    }
}

impl Document for HoldDocument {
    fn text(&self) -> String {
        let Self { hold, idempotency_key } = self;
        let mut rows = vec![
            ("hold", hold.id.clone()),
            ("state", hold.state.to_owned()),
            ("from", hold.from_account_id.clone()),
            ("to", hold.to_account_id.clone()),
            ("amount", format!("{} {}", hold.amount, hold.currency)),
        ];
        let optional = [("reference", &hold.reference), ("description", &hold.description)];
        rows.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        rows.extend([
            ("created at", hold.created_at.clone()),
            ("expires at", hold.expires_at.clone()),
            ("idempotency key", idempotency_key.clone()),
        ]);
        pairs(&rows)
    }
}
