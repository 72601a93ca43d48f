//! Verifying what was answered under the keys.

use simplebank_core::{
    Hold, HoldId, Principal, TransferId,
    hold::{Lasting, State},
    ledger::{Invariant, Row},
    transfer::{Action, Order, Terms, Transfer},
};
use simplebank_db::{
    Tx, holds,
    idempotency::{self, Outcome, Record},
    transfers,
};

use super::{Counter, ROWS, Stop, broken};
use crate::road::content_hash;

/// Compares each record with the transfer or the hold that it names.
pub(super) async fn verify(tx: &mut Tx<'_>, counter: &mut Counter<'_>) -> Result<(), Stop> {
    let mut after = None;
    loop {
        let from = after.as_ref().map(|(owner, key)| (*owner, key));
        let page = idempotency::audit(tx, from, ROWS).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.owner, last.key.clone()));
        let (mut transfer_ids, mut hold_ids): (Vec<TransferId>, Vec<HoldId>) = Default::default();
        for record in &page {
            match record.outcome {
                Outcome::Posted(id) => transfer_ids.push(id),
                Outcome::Held(id) => hold_ids.push(id),
                // Reading a refusal has shown that it is one.
                Outcome::Refused(_) => {}
            }
        }
        let transfers = transfers::find_all(tx, &transfer_ids).await?;
        let holds = holds::find_all(tx, &hold_ids).await?;
        for record in &page {
            match record.outcome {
                Outcome::Posted(id) => {
                    let found = transfers.binary_search_by_key(&id, |transfer| transfer.id);
                    check_posted(record, found.ok().and_then(|index| transfers.get(index)))?;
                }
                Outcome::Held(id) => {
                    let found = holds.binary_search_by_key(&id, |hold| hold.id);
                    check_held(record, found.ok().and_then(|index| holds.get(index)))?;
                }
                Outcome::Refused(_) => {}
            }
        }
        counter.add(page.len());
    }
}

fn wrong(record: &Record, what: impl Into<String>) -> Result<(), Stop> {
    broken(Invariant::Acknowledged, Row::Record(record.owner, record.key.clone()), what)
}

fn is_asked_for(record: &Record, content: &str) -> bool {
    content_hash(record.owner, &record.key, content) == record.content_hash
}

/// Compares a record that says "posted" with the transfer that it names, if that exists.
fn check_posted(record: &Record, transfer: Option<&Transfer>) -> Result<(), Stop> {
    let Some(transfer) = transfer else { return wrong(record, "its transfer does not exist") };
    if transfer.created_by != record.owner {
        let what = format!("transfer {} was asked for by {}", transfer.id, transfer.created_by);
        return wrong(record, what);
    }
    if !transfer.contents().iter().any(|content| is_asked_for(record, content)) {
        let what = format!("transfer {} is not what was asked for under this key", transfer.id);
        return wrong(record, what);
    }
    Ok(())
}

/// Compares a record that says "held" with the hold that it names, if that exists: it was placed or voided by this answer.
fn check_held(record: &Record, hold: Option<&Hold>) -> Result<(), Stop> {
    let Some(hold) = hold else { return wrong(record, "its hold does not exist") };
    let placed = placing(hold).is_some_and(|action| is_asked_for(record, &content(action)));
    let voided = is_asked_for(record, &content(Action::Void { hold: hold.id }));
    match (placed, voided, hold.state) {
        (true, _, _) if hold.created_by == record.owner => Ok(()),
        (_, true, State::Voided { .. }) => Ok(()),
        (_, _, State::Open | State::Captured { .. } | State::Voided { .. } | State::Expired) => {
            wrong(record, format!("hold {} is not what was asked for under this key", hold.id))
        }
    }
}

/// What was ordered when a hold was placed, if it lasts as long as one can.
fn placing(hold: &Hold) -> Option<Action> {
    let duration = hold.expires_at - hold.created_at;
    let lasting = Lasting::from_seconds(u32::try_from(duration.whole_seconds()).ok()?)?;
    let terms = Terms {
        from_account_id: hold.from_account_id,
        to_account_id: hold.to_account_id,
        amount: hold.amount,
        currency: hold.currency,
        memo: hold.memo.clone(),
    };
    Some(Action::Hold { id: hold.id, terms, lasting })
}

/// It is the same whoever asks.
fn content(action: Action) -> String {
    Order { ordered_by: Principal::Operator, action }.content()
}
