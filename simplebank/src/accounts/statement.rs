//! A period's statement.

use simplebank_core::{
    Account, AccountId, Balance, Instant, Principal,
    audit::Object,
    statement::{Line, Standing},
};
use simplebank_db::{Tx, TxSpec, statements};

use super::{balance_at::not_open_yet, find::visible};
use crate::{Bank, Error, Listing, Page};

const STATEMENT: TxSpec = TxSpec::snapshot("statement");

/// Which period a statement is about: from `from` on, and before `to`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// Its beginning, which may be before the account was opened; `None` is the account's first entry.
    pub from: Option<Instant>,
    /// Its end, which is not part of it and may be to come; `None` is the account's newest entry.
    pub to: Option<Instant>,
}

/// A place in a statement, for the next page. It also tells where the statement ends, so that what is posted between two
/// pages is on neither, and the balances stay what they were on the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementPlace {
    /// The version of the last entry that the caller has.
    pub after: i64,
    /// The version of the statement's last entry.
    pub through: i64,
}

/// A page of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementPage {
    /// The account, as it is now.
    pub account: Account,
    /// The period.
    pub period: Statement,
    /// The balance before the first entry of the whole statement, not of the page.
    pub opening_balance: Balance,
    /// The balance after the last entry of the whole statement: the opening balance and the amounts of all entries.
    pub closing_balance: Balance,
    /// The entries of the page, oldest first.
    pub lines: Listing<Line, StatementPlace>,
    /// True for the page that begins the statement.
    pub is_first: bool,
}

impl Bank {
    /// A page of an account's statement: the balances before and after a period, and its entries, oldest first, each with
    /// the balance after it and what it was.
    ///
    /// Statements of periods that adjoin share no entry and leave none out, and the closing balance of one is the opening
    /// balance of the next. Which entries belong to a period is decided as in [`balance_at`](Self::balance_at). A page costs
    /// the same anywhere in a long statement.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with the field `to` for a period that ends before it has begun, or before the account was opened,
    /// and with the field `cursor` for a place outside of this statement; [`Error::Rejected`] with
    /// [`AccountNotFound`](simplebank_core::Rejection::AccountNotFound).
    pub async fn statement(
        &self,
        by: &Principal,
        account: AccountId,
        period: Statement,
        page: Page<StatementPlace>,
    ) -> Result<StatementPage, Error> {
        let now = self.now();
        check_period(period)?;
        let found = self
            .db()
            .transact(STATEMENT, async |tx| {
                let account = visible(tx, by, account, now).await?;
                let (opening, closing) = ends(tx, &account, period, page.cursor).await?;
                let after = page.cursor.map_or(opening.version, |place| place.after);
                let (through, rows) = (closing.version, page.rows());
                let lines = statements::lines(tx, account.id, after, through, rows).await?;
                Ok::<_, Error>((account, opening, closing, lines))
            })
            .await;
        let found = self.seen(by, Object::Account(account), found).await;
        let (account, opening, closing, lines) = found?;
        let place =
            |line: &Line| StatementPlace { after: line.entry.version, through: closing.version };
        Ok(StatementPage {
            account,
            period,
            opening_balance: opening.balance,
            closing_balance: closing.balance,
            lines: page.listing(lines, place),
            is_first: page.cursor.is_none(),
        })
    }
}

/// Refuses a period that ends before it has begun.
pub(crate) fn check_period(period: Statement) -> Result<(), Error> {
    match (period.from, period.to) {
        (Some(from), Some(to)) if to <= from => {
            Err(Error::invalid("to", "must be later than from, and is not part of it"))
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

/// Refuses a cursor that points elsewhere.
pub(crate) fn unknown_place() -> Error {
    Error::invalid("cursor", "is not a place in this statement")
}

/// Where the account stood before the period, and after it.
async fn ends(
    tx: &mut Tx<'_>,
    account: &Account,
    period: Statement,
    cursor: Option<StatementPlace>,
) -> Result<(Standing, Standing), Error> {
    if period.to.is_some_and(|to| to.time() <= account.created_at) {
        return Err(not_open_yet("to", account));
    }
    let opening = match period.from {
        Some(from) => statements::standing(tx, account, from.just_before()).await?,
        None => Standing::NOTHING,
    };
    let closing = match (cursor, period.to) {
        (Some(place), _) => {
            let is_inside = (opening.version..=place.through).contains(&place.after);
            let end = statements::standing_after(tx, account.id, place.through).await?;
            end.filter(|_| is_inside).ok_or_else(unknown_place)?
        }
        (None, Some(to)) => statements::standing(tx, account, to.just_before()).await?,
        (None, None) => Standing { version: account.version, balance: account.balance },
    };
    Ok((opening, closing))
}
