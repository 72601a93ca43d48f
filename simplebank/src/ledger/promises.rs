//! Verifying holds and reversals.

use simplebank_core::{
    TransferId,
    hold::State,
    ledger::{GivenBack, Invariant, Row, check_captured},
    transfer::Transfer,
};
use simplebank_db::{Tx, holds, reversals, transfers};

use super::{Counter, ROWS, Stop, broken};

/// Compares each hold with its accounts, with the transfer that has captured it, and with the answers about it.
pub(super) async fn verify_holds(tx: &mut Tx<'_>, counter: &mut Counter<'_>) -> Result<(), Stop> {
    let mut after = None;
    loop {
        let page = holds::audit(tx, after, ROWS).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.hold.id);
        let captures: Vec<TransferId> =
            page.iter().filter_map(|audited| capture_of(audited.hold.state)).collect();
        let captures = transfers::find_all(tx, &captures).await?;
        for audited in &page {
            let capture = capture_of(audited.hold.state).and_then(|id| find(&captures, id));
            check_captured(&audited.hold, audited.currencies, capture)?;
        }
        counter.add(page.len());
    }
    match holds::without_records(tx).await? {
        None => Ok(()),
        Some(id) => {
            let what = "not exactly the answers are recorded that made it what it is";
            broken(Invariant::Acknowledged, Row::Hold(id), what)
        }
    }
}

const fn capture_of(state: State) -> Option<TransferId> {
    match state {
        State::Captured { transfer_id, .. } => Some(transfer_id),
        State::Open | State::Voided { .. } | State::Expired => None,
    }
}

/// Walks the reversals of each transfer.
pub(super) async fn verify_reversals(
    tx: &mut Tx<'_>,
    counter: &mut Counter<'_>,
) -> Result<(), Stop> {
    let mut walk: Option<GivenBack> = None;
    let mut after = None;
    loop {
        let page = reversals::audit(tx, after, ROWS).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.transfer_id, last.number));
        let named: Vec<TransferId> =
            page.iter().flat_map(|row| [row.transfer_id, row.reversal_id]).collect();
        let named = transfers::find_all(tx, &named).await?;
        for row in &page {
            let mut next = match walk.take() {
                Some(walk) if walk.transfer_id() == row.transfer_id => walk,
                Some(_) | None => GivenBack::new(row.transfer_id),
            };
            next.take(row, find(&named, row.transfer_id), find(&named, row.reversal_id))?;
            walk = Some(next);
        }
        counter.add(page.len());
    }
}

/// One of some transfers that are in ascending order of their ids.
fn find(transfers: &[Transfer], id: TransferId) -> Option<&Transfer> {
    let found = transfers.binary_search_by_key(&id, |transfer| transfer.id);
    found.ok().and_then(|index| transfers.get(index))
}
