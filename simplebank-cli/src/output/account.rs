//! Accounts as they are now.

use serde::Serialize;
use simplebank::core::{Account, Amount, Balance, account::Owner};
use time::Date;

use super::{CODE, Column, Document, ID, MONEY, Row, TIME, instant, money, number, pairs, text};

/// An account as it is now.
#[derive(Debug, Serialize)]
pub(crate) struct AccountDetails {
    id: String,
    /// `None` is the bank itself.
    owner: Option<String>,
    currency: &'static str,
    balance: String,
    held: String,
    /// `None` for the bank's own, which have no limit.
    available: Option<String>,
    overdraft_limit: Option<String>,
    transfer_limit: Option<String>,
    daily_limit: Option<String>,
    spent_today: String,
    status: &'static str,
    created_at: String,
}

impl AccountDetails {
    /// An account as it is on `today`.
    pub(crate) fn new(account: Account, today: Date) -> Self {
        let text = |balance: Balance| money(balance, account.currency);
        let limit = |amount: Option<Amount>| amount.map(|amount| text(Balance::credit(amount)));
        let spent_today = text(account.counted_on(today));
        let (owner, limits) = match &account.owner {
            Owner::Customer { username, .. } => {
                let overdraft_limit = Balance::from_minor(account.overdraft_limit.minor());
                let limits = (text(account.available()), text(overdraft_limit));
                (Some(username.to_string()), Some(limits))
            }
            Owner::Cash => (None, None),
        };
        let (available, overdraft_limit) = limits.unzip();
        Self {
            id: account.id.to_string(),
            owner,
            currency: account.currency.code(),
            balance: text(account.balance),
            held: text(account.held),
            available,
            overdraft_limit,
            transfer_limit: limit(account.limits.per_transfer),
            daily_limit: limit(account.limits.per_day),
            spent_today,
            status: account.status.as_str(),
            created_at: instant(account.created_at),
        }
    }

    fn owner(&self) -> String {
        self.owner.clone().unwrap_or_else(|| "(cash)".to_owned())
    }
}

impl Document for AccountDetails {
    fn text(&self) -> String {
        let with_currency = |amount: &str| format!("{amount} {}", self.currency);
        let or_none = |limit: &Option<String>| {
            limit.as_deref().map_or_else(|| "none".to_owned(), with_currency)
        };
        let mut rows = vec![
            ("account", self.id.clone()),
            ("owner", self.owner()),
            ("balance", with_currency(&self.balance)),
            ("held", with_currency(&self.held)),
        ];
        if let (Some(available), Some(overdraft_limit)) = (&self.available, &self.overdraft_limit) {
            rows.extend([
                ("available", with_currency(available)),
                ("overdraft limit", with_currency(overdraft_limit)),
                ("transfer limit", or_none(&self.transfer_limit)),
                ("daily limit", or_none(&self.daily_limit)),
                ("spent today", with_currency(&self.spent_today)),
            ]);
        }
        rows.extend([("status", self.status.to_owned()), ("created at", self.created_at.clone())]);
        pairs(&rows)
    }
}

impl Row for AccountDetails {
    const COLUMNS: &'static [Column] = &[
        text("id", ID),
        text("owner", 12),
        text("currency", CODE),
        number("balance", MONEY),
        number("held", MONEY),
        number("available", MONEY),
        text("status", CODE),
        text("created_at", TIME),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.owner(),
            self.currency.to_owned(),
            self.balance.clone(),
            self.held.clone(),
            self.available.clone().unwrap_or_default(),
            self.status.to_owned(),
            self.created_at.clone(),
        ]
    }
}
