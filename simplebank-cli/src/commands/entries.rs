//! `simplebank entries` and `simplebank transfers`: the history of an account.

use simplebank::{Bank, Listing};

use super::{OPERATOR, every_page, viewed};
use crate::{
    args::{History, TransferHistory},
    exit::{Code, Failure, remark},
    output::{EntryRow, Format, List, Row, TransferRow},
};

pub(super) async fn entries(
    history: &History,
    bank: &Bank,
    format: Format,
) -> Result<Code, Failure> {
    let read = async |page| {
        let (account, entries) = bank.entries(&OPERATOR, history.account, page).await?;
        Ok(viewed(entries, |entry| EntryRow::new(entry, account.currency)))
    };
    if history.all {
        every_page(format, history.before, read).await
    } else {
        one_page(format, read(history.page()).await?)
    }
}

pub(super) async fn transfers(
    TransferHistory { history, reference }: &TransferHistory,
    bank: &Bank,
    format: Format,
) -> Result<Code, Failure> {
    let (by, account) = (&OPERATOR, history.account);
    let read = async |page| {
        let found = match reference {
            None => bank.transfers(by, account, page).await?,
            Some(reference) => bank.transfers_by_reference(by, account, reference, page).await?,
        };
        Ok(viewed(found, TransferRow::from))
    };
    if history.all {
        every_page(format, history.before, read).await
    } else {
        one_page(format, read(history.page()).await?)
    }
}

fn one_page<R: Row>(format: Format, listing: Listing<R, i64>) -> Result<Code, Failure> {
    let Listing { items, next } = listing;
    let mut list = List::new(format);
    list.page(&items)?;
    list.end(next.map(|version| version.to_string()))?;
    if let (Format::Table, Some(version)) = (format, next) {
        remark(format, "hint", &format!("there is more: --before {version}, or --all"));
    }
    Ok(Code::Done)
}
