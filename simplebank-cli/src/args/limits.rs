//! What can be asked about the limits of an account.

use clap::Args;
use simplebank::core::{
    AccountId, Amount, Currency,
    account::{Change, LimitChanges, OverdraftLimit},
    money::InvalidAmount,
};

use crate::exit::Failure;

/// Limits to set. One that is left out stays as it is.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Limits {
    /// The customer's account.
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: AccountId,
    #[command(flatten)]
    changes: Changes,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Changes {
    /// How far below zero the balance may go, such as 100.00; none is the same as 0.
    #[arg(long, value_name = "AMOUNT|none", allow_negative_numbers = true)]
    overdraft_limit: Option<String>,
    /// How much may go out at a time; none for any amount.
    #[arg(long, value_name = "AMOUNT|none", allow_negative_numbers = true)]
    transfer_limit: Option<String>,
    /// How much may go out on one day, in UTC; none for any amount.
    #[arg(long, value_name = "AMOUNT|none", allow_negative_numbers = true)]
    daily_limit: Option<String>,
}

impl Limits {
    /// What becomes of the limits of an account in `currency`.
    pub(crate) fn changes(&self, currency: Currency) -> Result<LimitChanges, Failure> {
        let Changes { overdraft_limit, transfer_limit, daily_limit } = &self.changes;
        let amount = |text: &str| Amount::parse(text, currency);
        Ok(LimitChanges {
            overdraft: change("--overdraft-limit <AMOUNT|none>", overdraft_limit, |text| {
                OverdraftLimit::parse(text, currency)
            })?,
            per_transfer: change("--transfer-limit <AMOUNT|none>", transfer_limit, amount)?,
            per_day: change("--daily-limit <AMOUNT|none>", daily_limit, amount)?,
        })
    }
}

fn change<T>(
    argument: &'static str,
    text: &Option<String>,
    parse: impl FnOnce(&str) -> Result<T, InvalidAmount>,
) -> Result<Change<T>, Failure> {
    Change::parse(text.as_deref(), parse).map_err(|reason| {
        Failure::value(
            argument,
            text.as_deref().unwrap_or_default(),
            format!("{reason}, or be none"),
        )
    })
}
