//! What can be asked about holds and reversals.

use clap::{Args, Subcommand, builder::ArgAction};
use simplebank::{
    Page, PageLimit,
    core::{AccountId, Amount, Currency, HoldId, TransferId, hold::Lasting},
};

use super::{Key, MONEY_HELP, Memo, Money};
use crate::exit::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Hold {
    /// Promises money of one customer to another: it is not available any more, and has not gone.
    #[command(after_help = MONEY_HELP)]
    Place(PlaceHold),
    /// Lists the holds on an account and those for it, newest first.
    List(HoldHistory),
    /// Shows one hold.
    Show {
        /// The hold's id.
        #[arg(value_name = "HOLD")]
        id: HoldId,
    },
    /// Moves what a hold has promised, or a part of it, and lets go of the rest.
    #[command(after_help = MONEY_HELP)]
    Capture {
        /// The hold's id.
        #[arg(value_name = "HOLD")]
        id: HoldId,
        #[command(flatten)]
        money: PartOf,
        #[command(flatten)]
        key: Key,
    },
    /// Lets go of a hold.
    #[command(after_help = MONEY_HELP)]
    Void {
        /// The hold's id.
        #[arg(value_name = "HOLD")]
        id: HoldId,
        #[command(flatten)]
        key: Key,
    },
}

/// Money to promise.
#[derive(Debug, Args)]
pub(crate) struct PlaceHold {
    /// The account that is to pay.
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) from: AccountId,
    /// The account that is to be paid.
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) to: AccountId,
    #[command(flatten)]
    pub(crate) money: Money,
    /// For how long: 1 to 2678400 seconds (31 days) [default: 604800, 7 days].
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(Lasting::MAX.seconds())))]
    expires_in_seconds: Option<u32>,
    #[command(flatten)]
    pub(crate) memo: Memo,
    #[command(flatten)]
    pub(crate) key: Key,
}

impl PlaceHold {
    /// For how long.
    pub(crate) fn lasting(&self) -> Lasting {
        self.expires_in_seconds.and_then(Lasting::from_seconds).unwrap_or_default()
    }
}

/// A transfer to give back.
#[derive(Debug, Args)]
pub(crate) struct Reverse {
    /// The transfer's id.
    #[arg(value_name = "TRANSFER")]
    pub(crate) id: TransferId,
    #[command(flatten)]
    pub(crate) money: PartOf,
    #[command(flatten)]
    pub(crate) memo: Memo,
    #[command(flatten)]
    pub(crate) key: Key,
}

/// A part of what is there, or all.
#[derive(Debug, Args)]
pub(crate) struct PartOf {
    /// How much, such as 12.50 [default: all there is].
    #[arg(value_name = "AMOUNT", allow_negative_numbers = true, requires = "currency")]
    amount: Option<String>,
    /// In which currency: an ISO 4217 code such as EUR.
    #[arg(value_name = "CURRENCY")]
    currency: Option<Currency>,
}

impl PartOf {
    /// How much of which currency, if not all.
    pub(crate) fn money(&self) -> Result<Option<(Amount, Currency)>, Failure> {
        let Some((text, currency)) = self.amount.as_ref().zip(self.currency) else {
            return Ok(None);
        };
        let amount = Amount::parse(text, currency)
            .map_err(|reason| Failure::value("[AMOUNT]", text, reason))?;
        Ok(Some((amount, currency)))
    }
}

/// Which of an account's holds.
#[derive(Debug, Args)]
pub(crate) struct HoldHistory {
    /// The account.
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: AccountId,
    /// How many to list: 1 to 100.
    #[arg(long, value_name = "NUMBER", default_value_t)]
    limit: PageLimit,
    /// Only what was placed before this hold: `next_cursor` of the page before.
    #[arg(long, value_name = "HOLD")]
    pub(crate) before: Option<HoldId>,
    /// Lists all, to the first.
    #[arg(long, conflicts_with = "limit", action = ArgAction::SetTrue)]
    pub(crate) all: bool,
}

impl HoldHistory {
    /// The one page that is wanted.
    pub(crate) const fn page(&self) -> Page<HoldId> {
        Page { cursor: self.before, limit: self.limit }
    }
}
