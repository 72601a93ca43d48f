//! `simplebank hold` and `simplebank reverse`.

use simplebank::{
    Bank, Error, PlaceHold, Reverse, Transfer,
    core::{Amount, Currency, HoldId, Rejection, TransferId},
};
use simplebank_localpg::DatabaseArgs;

use super::{OPERATOR, every_page, money::wish, on_bank, viewed};
use crate::{
    args::{self, Hold, HoldHistory},
    exit::{Code, Failure, remark},
    output::{self, Format, HoldDocument, HoldRow, List, ReceiptDocument},
};

pub(super) fn run(command: Hold, settings: &DatabaseArgs, format: Format) -> Result<Code, Failure> {
    match command {
        Hold::Place(place) => self::place(place, settings, format),
        Hold::List(history) => {
            on_bank(settings, format, async |bank| list(&history, bank, format).await)
        }
        Hold::Show { id } => on_bank(settings, format, async |bank| {
            output::one(format, &HoldRow::from(bank.hold_by_id(&OPERATOR, id).await?))?;
            Ok(Code::Done)
        }),
        Hold::Capture { id, money, key } => {
            let money = money.money()?;
            let capture = async |bank: &Bank, key| {
                let amount = amount_of_hold(bank, id, money).await?;
                bank.capture(&OPERATOR, key, id, amount).await
            };
            wish(settings, key, format, capture, ReceiptDocument::new)
        }
        Hold::Void { id, key } => {
            let void = async |bank: &Bank, key| bank.void(&OPERATOR, key, id).await;
            wish(settings, key, format, void, HoldDocument::new)
        }
    }
}

fn place(place: args::PlaceHold, settings: &DatabaseArgs, format: Format) -> Result<Code, Failure> {
    let lasting = place.lasting();
    let args::PlaceHold { from, to, money, memo, key, .. } = place;
    let transfer = Transfer {
        from_account_id: from,
        to_account_id: to,
        amount: money.amount()?,
        currency: money.currency,
        memo: memo.into(),
    };
    let command = PlaceHold { transfer, lasting };
    let place = async |bank: &Bank, key| bank.place_hold(&OPERATOR, key, command).await;
    wish(settings, key, format, place, HoldDocument::new)
}

async fn list(history: &HoldHistory, bank: &Bank, format: Format) -> Result<Code, Failure> {
    let read =
        async |page| Ok(viewed(bank.holds(&OPERATOR, history.account, page).await?, HoldRow::from));
    if history.all {
        return every_page(format, history.before, read).await;
    }
    let listing = read(history.page()).await?;
    let mut list = List::new(format);
    list.page(&listing.items)?;
    list.end(listing.next.map(|id| id.to_string()))?;
    if let (Format::Table, Some(id)) = (format, listing.next) {
        remark(format, "hint", &format!("there is more: --before {id}, or --all"));
    }
    Ok(Code::Done)
}

pub(super) fn reverse(
    reverse: args::Reverse,
    settings: &DatabaseArgs,
    format: Format,
) -> Result<Code, Failure> {
    let args::Reverse { id, money, memo, key } = reverse;
    let money = money.money()?;
    let reverse = async |bank: &Bank, key| {
        let amount = amount_of_transfer(bank, id, money).await?;
        let command = Reverse { transfer_id: id, amount, memo: memo.into() };
        bank.reverse(&OPERATOR, key, command).await
    };
    wish(settings, key, format, reverse, ReceiptDocument::new)
}

/// The amount, if it is in the hold's currency.
async fn amount_of_hold(
    bank: &Bank,
    id: HoldId,
    money: Option<(Amount, Currency)>,
) -> Result<Option<Amount>, Error> {
    let Some((amount, currency)) = money else { return Ok(None) };
    match bank.hold_by_id(&OPERATOR, id).await {
        Ok(hold) if hold.currency != currency => Err(other_currency("hold", hold.currency)),
        // That there is none is an answer under the key, which the bank gives.
        Ok(_) | Err(Error::Rejected(Rejection::HoldNotFound { .. })) => Ok(Some(amount)),
        Err(error) => Err(error),
    }
}

/// The amount, if it is in the transfer's currency.
async fn amount_of_transfer(
    bank: &Bank,
    id: TransferId,
    money: Option<(Amount, Currency)>,
) -> Result<Option<Amount>, Error> {
    let Some((amount, currency)) = money else { return Ok(None) };
    match bank.transfer_by_id(&OPERATOR, id).await {
        Ok(transfer) if transfer.currency != currency => {
            Err(other_currency("transfer", transfer.currency))
        }
        Ok(_) | Err(Error::NotFound { .. }) => Ok(Some(amount)),
        Err(error) => Err(error),
    }
}

fn other_currency(whose: &str, currency: Currency) -> Error {
    Error::invalid("currency", format!("must be the {whose}'s, {currency}"))
}
