//! The embedder: its payment and the bank's order commit together, or neither does.

use simplebank::{
    Bank, Error, Kind, PlaceHold, Receipt, Reverse,
    core::{Hold, HoldId, Memo, TransferId, hold::Lasting},
    db::{Tx, TxSpec},
};

use super::order::{Answer, Order, Sent};
use crate::{
    bank::{self, Customer},
    load::key_of,
    payments,
};

const JOINED: TxSpec = TxSpec::read_committed("joined");

/// Sends an order once. A refusal undoes the payment, and is no answer that stays.
pub(super) async fn send(
    bank: &Bank,
    customers: &[Customer],
    order: &Order,
    number: usize,
) -> Sent {
    let id = i64::try_from(number).expect("there are fewer");
    let ordered = bank.db().transact(JOINED, async |tx| {
        payments::pay(tx, id).await?;
        post(bank, tx, customers, order, number).await
    });
    let ordered: Result<Answer, Error> = ordered.await;
    match ordered {
        Ok(answer) => Sent::Answered(answer),
        Err(Error::Rejected(_)) => Sent::Failed("refused and undone"),
        // Without a question of its own the embedder can't know; no session is lost here.
        Err(error) if error.code() == "outcome_unknown" => Sent::Wrong(format!("{error:?}")),
        Err(error) if error.kind() == Kind::Unavailable => Sent::Failed(error.code()),
        Err(error) => Sent::Wrong(format!("{error:?}")),
    }
}

async fn post(
    bank: &Bank,
    tx: &mut Tx<'_>,
    customers: &[Customer],
    order: &Order,
    number: usize,
) -> Result<Answer, Error> {
    let customer = |number: usize| customers.get(number).expect("a customer");
    let legs = order.legs();
    let (by, key) = (&customer(order.by()).principal, bank::key(&key_of(number)));
    let transfer = bank::transfer(customer(legs.from), customer(legs.to), legs.cents);
    let amount = Some(transfer.amount);
    match *order {
        Order::Transfer(_) => Ok(posted(&bank.transfer_in(tx, by, key, transfer).await?)),
        Order::Hold(_, seconds) => {
            let lasting = Lasting::from_seconds(seconds).expect("a second or more");
            let command = PlaceHold { transfer, lasting };
            Ok(held(&bank.place_hold_in(tx, by, key, command).await?))
        }
        Order::Capture(hold, _) => {
            let hold = HoldId::from_uuid(hold);
            Ok(posted(&bank.capture_in(tx, by, key, hold, amount).await?))
        }
        Order::Void(hold, _) => {
            Ok(held(&bank.void_in(tx, by, key, HoldId::from_uuid(hold)).await?))
        }
        Order::Reverse(transfer, _) => {
            let transfer_id = TransferId::from_uuid(transfer);
            let command = Reverse { transfer_id, amount, memo: Memo::NONE };
            Ok(posted(&bank.reverse_in(tx, by, key, command).await?))
        }
    }
}

fn posted(receipt: &Receipt) -> Answer {
    let entry = receipt.entry();
    Answer::Posted {
        transfer: receipt.posting.transfer().id.as_uuid(),
        version: entry.version,
        balance_after: entry.balance_after.minor(),
    }
}

fn held(hold: &Hold) -> Answer {
    Answer::Held { hold: hold.id.as_uuid() }
}
