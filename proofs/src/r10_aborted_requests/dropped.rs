//! Futures that are dropped.

use std::sync::{Arc, Mutex};

use simplebank::{
    db::{Error, Tx, TxSpec},
    testing::drop_after,
};
use tokio::task::JoinSet;

use super::{CENTS, CLIENTS, Door, Stage, come_to_rest, lock};
use crate::{payments, random::Random, wish::Wish};

/// Some transfers are ready after fewer polls, so that there are acknowledged ones as well.
const POLLS_MAX: u64 = 12;
const PAYMENT: TxSpec = TxSpec::read_committed("payment");

/// A request that was aborted, and can be sent again.
enum Aborted {
    Transfer(Wish),
    Payment(i64),
}

/// Drops so many futures, and then sends what was aborted again.
pub(super) async fn run(stage: &Arc<Stage>, aborts: u64) {
    let aborted = Arc::new(Mutex::new(Vec::new()));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let random = stage.world.random(number);
        clients.spawn(client(Arc::clone(stage), random, aborts, Arc::clone(&aborted)));
    }
    clients.join_all().await;
    let aborted = std::mem::take(&mut *lock(&aborted));
    let count = u64::try_from(aborted.len()).expect("a few thousand");
    lock(&stage.report).tried(count, "futures dropped");
    if stage.door == Door::Sqlx {
        return; // it has been seen, and the pool is no use any more
    }
    come_to_rest(stage).await;
    for request in aborted {
        again(stage, request).await;
    }
}

async fn client(
    stage: Arc<Stage>,
    mut random: Random,
    aborts: u64,
    aborted: Arc<Mutex<Vec<Aborted>>>,
) {
    while stage.goes_on(aborts) {
        let polls = usize::try_from(1 + random.below(POLLS_MAX)).expect("a few");
        let request = match (stage.door, random.below(2)) {
            (Door::Ours, 0) => transfer(&stage, &mut random, polls).await,
            (Door::Ours, _) => pay(&stage, polls).await,
            (Door::Sqlx, _) => pay_with_sqlx(&stage, polls).await,
        };
        if let Some(request) = request {
            stage.abort();
            lock(&aborted).push(request);
        }
        write_elsewhere(&stage).await;
    }
}

/// A transfer that is dropped after so many polls, unless it is ready; returns it if it was dropped.
async fn transfer(stage: &Stage, random: &mut Random, polls: usize) -> Option<Aborted> {
    let customers = stage.world.customers();
    let from = random.pick(customers);
    let to = random.pick(customers);
    if from.account == to.account {
        return None;
    }
    let wish = Wish::note(&stage.log, from, to, CENTS);
    match drop_after(polls, wish.send(stage.world.bank())).await {
        None => return Some(Aborted::Transfer(wish)),
        Some(Ok(receipt)) => wish.acknowledged(&stage.log, &receipt),
        Some(Err(error)) => stage.found(format!("{error:?}")),
    }
    None
}

/// An embedder's payment, in the same way.
async fn pay(stage: &Stage, polls: usize) -> Option<Aborted> {
    let id = stage.payment();
    let db = stage.world.bank().db();
    let paying = db
        .transact(PAYMENT, async |tx| payments::pay(tx, id).await)
        .confirm(async |tx| payments::paid(tx, id).await);
    note(stage, id, drop_after(polls, async { paying.await }).await)
}

/// The same, by a begin that may not be dropped.
async fn pay_with_sqlx(stage: &Stage, polls: usize) -> Option<Aborted> {
    let id = stage.payment();
    let pool = stage.world.bank().db().pool();
    let paying = async {
        #[expect(clippy::disallowed_methods, reason = "the control goes round the door")]
        let mut transaction = pool.begin().await?;
        let number = payments::pay(&mut Tx::join(&mut transaction), id).await?;
        transaction.commit().await?;
        Ok::<_, Error>(number)
    };
    match drop_after(polls, paying).await {
        // Somebody's open transaction is in the way; what is looked for is what gets lost.
        Some(Err(_)) => {
            stage.tell(id, None);
            None
        }
        paid => note(stage, id, paid),
    }
}

/// Notes what became of a payment.
fn note(stage: &Stage, id: i64, paid: Option<Result<i64, Error>>) -> Option<Aborted> {
    match paid {
        None => {
            stage.tell(id, None);
            return Some(Aborted::Payment(id));
        }
        Some(Ok(number)) => stage.tell(id, Some(number)),
        Some(Err(error)) => {
            stage.tell(id, None);
            stage.found(format!("{error:?}"));
        }
    }
    None
}

/// Writes on a connection of the same pool, outside of any transaction of ours, and reads it again elsewhere.
async fn write_elsewhere(stage: &Stage) {
    let id = stage.payment();
    stage.tell(id, None);
    match payments::pay_by_itself(stage.world.bank().db().pool(), id).await {
        Ok(number) => {
            stage.tell(id, Some(number));
            stage.log.count("writes acknowledged between them");
            let found = payments::find(stage.world.owner(), id).await;
            if found != [number] {
                stage.found(format!("acknowledged as {number}, found {found:?}"));
            }
        }
        Err(error) => stage.found(format!("{error:?}")),
    }
}

/// Sends something again, over the same pool, until it is done.
async fn again(stage: &Stage, request: Aborted) {
    match request {
        Aborted::Transfer(wish) => match wish.send(stage.world.bank()).await {
            Ok(receipt) => wish.acknowledged(&stage.log, &receipt),
            Err(error) => stage.found(format!("{}: {error:?}", wish.key)),
        },
        Aborted::Payment(id) => {
            let db = stage.world.bank().db();
            let paid = db.transact(PAYMENT, async |tx| match payments::paid(tx, id).await? {
                Some(number) => Ok(number),
                None => payments::pay(tx, id).await,
            });
            let paid: Result<i64, Error> = paid.await;
            match paid {
                Ok(number) => stage.tell(id, Some(number)),
                Err(error) => stage.found(format!("payment {id}: {error:?}")),
            }
        }
    }
}
