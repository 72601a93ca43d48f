//! `simplebank statement` and `simplebank account balance`.

use simplebank::{
    Bank, Page, PageLimit,
    core::{AccountId, Instant},
};

use super::OPERATOR;
use crate::{
    args::StatementOf,
    exit::{Code, Failure},
    output::{self, BalanceRow, Format},
};

/// Writes a whole statement; one page of it at a time is in memory.
pub(super) async fn run(
    statement: &StatementOf,
    bank: &Bank,
    format: Format,
) -> Result<Code, Failure> {
    let format = statement.format(format);
    let mut cursor = None;
    loop {
        let page = Page { cursor, limit: PageLimit::MAX };
        let page = bank.statement(&OPERATOR, statement.account, statement.period(), page).await?;
        output::statement_page(format, &page)?;
        if page.lines.next.is_none() {
            return Ok(Code::Done);
        }
        cursor = page.lines.next;
    }
}

pub(super) async fn balance(
    account: AccountId,
    at: Instant,
    bank: &Bank,
    format: Format,
) -> Result<Code, Failure> {
    let found = bank.balance_at(&OPERATOR, account, at).await?;
    output::one(format, &BalanceRow::from(found))?;
    Ok(Code::Done)
}
