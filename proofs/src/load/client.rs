//! A client: asks for one transfer after the other, and wants an answer to each.
//!
//! - What was acknowledged or refused is sent again now and then, and must be answered the same (I7).
//! - What failed for sure is left alone, so that the checker can tell whether it happened all the same (I6).
//! - What became of it being unknown, it is sent again under its key until there is an answer, and once more to see that
//!   the answer stays (I7).

use std::{sync::Arc, time::Duration};

use simplebank::{
    Error, Receipt, Transfer,
    core::{Amount, IdempotencyKey, Memo},
};
use tokio::time::Instant;

use super::{Line, Road, Shared, Told, What, log::key_of, naive};
use crate::{
    bank::{Customer, euro, key},
    random::Random,
};

/// The largest transfer.
const CENTS_MAX: u64 = 2_500;
/// One answer in so many is asked for again.
const AGAIN_ONE_IN: u64 = 16;
/// A client that heard nothing for so long doesn't know the outcome.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// A client that doesn't know the outcome asks for so long, and then complains.
const SETTLED_LIMIT: Duration = Duration::from_secs(60);
/// Between two attempts to learn an outcome, and after a failure.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// What a client wants.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) number: usize,
    pub(super) from: Customer,
    pub(super) to: Customer,
    pub(super) amount: Amount,
    pub(super) key: IdempotencyKey,
}

/// An answer that must be the same for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Posted(Box<Receipt>),
    Refused(&'static str),
}

/// What came back from one sending.
enum Sent {
    Answered(Answer),
    Failed(&'static str),
    Unknown,
}

/// A client's life.
pub(super) async fn run(shared: Arc<Shared>, client: u64, is_on_hot_accounts: bool) {
    let mut random = shared.world.random(client);
    while shared.take_turn().await {
        let wish = wish(&shared, &mut random, is_on_hot_accounts);
        match shared.road {
            Road::Bank => ask(&shared, &wish, random.below(AGAIN_ONE_IN) == 0).await,
            Road::NoRowLock | Road::AnswerBeforeCommit | Road::UncheckedMemory => {
                naive::ask(&shared, &wish, random.next()).await;
            }
        }
    }
}

fn wish(shared: &Shared, random: &mut Random, is_on_hot_accounts: bool) -> Wish {
    let customers = match is_on_hot_accounts {
        true => shared.world.hot_customers(),
        false => shared.world.customers(),
    };
    let from = random.pick(customers).clone();
    let to = loop {
        let to = random.pick(customers);
        if to.account != from.account {
            break to.clone();
        }
    };
    let cents = i64::try_from(random.below(CENTS_MAX) + 1).expect("it is small");
    let line = Line {
        what: What::Transfer,
        owner: from.principal.id().as_uuid(),
        from: from.account.as_uuid(),
        to: to.account.as_uuid(),
        amount: cents,
        told: Told::Nothing,
    };
    let number = shared.log.ask(line);
    let amount = Amount::from_minor(cents).expect("it is positive");
    Wish { number, from, to, amount, key: key(&key_of(number)) }
}

async fn ask(shared: &Arc<Shared>, wish: &Wish, is_asked_again: bool) {
    match send(shared, wish).await {
        Sent::Answered(answer) => {
            shared.log.tell(wish.number, told(&answer));
            if is_asked_again {
                ask_again(shared, wish, &answer).await;
            }
        }
        Sent::Failed(code) => shared.log.tell(wish.number, Told::Failed(code)),
        Sent::Unknown => {
            shared.log.doubt();
            if let Some(answer) = settle(shared, wish).await {
                shared.log.tell(wish.number, told(&answer));
                ask_again(shared, wish, &answer).await;
            }
        }
    }
}

/// Asks until there is an answer.
async fn settle(shared: &Arc<Shared>, wish: &Wish) -> Option<Answer> {
    let give_up_at = Instant::now() + SETTLED_LIMIT;
    while Instant::now() < give_up_at {
        if let Sent::Answered(answer) = send(shared, wish).await {
            return Some(answer);
        }
        tokio::time::sleep(PAUSE).await;
    }
    shared.log.found("I7", format!("{}: no answer within {SETTLED_LIMIT:?}", wish.key));
    None
}

/// Asks what is answered already.
async fn ask_again(shared: &Arc<Shared>, wish: &Wish, first: &Answer) {
    if let Some(again) = settle(shared, wish).await {
        shared.log.count("answers asked for again");
        if again != *first {
            shared.log.found("I7", format!("{}: first {first:?}, then {again:?}", wish.key));
        }
    }
}

/// Sends it once. The transfer is a task of its own, so that a client who waits no longer doesn't tear it.
async fn send(shared: &Arc<Shared>, wish: &Wish) -> Sent {
    let (bank, by, key) =
        (shared.world.bank().clone(), wish.from.principal.clone(), wish.key.clone());
    let command = Transfer {
        from_account_id: wish.from.account,
        to_account_id: wish.to.account,
        amount: wish.amount,
        currency: euro(),
        memo: Memo::NONE,
    };
    let transfer = tokio::spawn(async move { bank.transfer(&by, key, command).await });
    match tokio::time::timeout(ANSWER_LIMIT, transfer).await {
        Ok(answered) => read(shared, wish, answered.expect("a transfer doesn't panic")),
        Err(_) => {
            shared.log.count("answers that took too long");
            Sent::Unknown
        }
    }
}

fn read(shared: &Shared, wish: &Wish, answered: Result<Receipt, Error>) -> Sent {
    let error = match answered {
        Ok(receipt) => return Sent::Answered(Answer::Posted(Box::new(receipt))),
        Err(Error::Rejected(rejection)) => {
            return Sent::Answered(Answer::Refused(rejection.code()));
        }
        Err(error) => error,
    };
    match error.code() {
        "outcome_unknown" => Sent::Unknown,
        code @ ("unavailable" | "overloaded") => Sent::Failed(code),
        code => {
            // A key in use, a reused key or an internal error: the load gives no reason for any of them.
            shared.log.found("I6", format!("{}: {}", wish.key, with_causes(&error)));
            Sent::Failed(code)
        }
    }
}

fn told(answer: &Answer) -> Told {
    match answer {
        Answer::Posted(receipt) => {
            let entry = receipt.entry();
            Told::Acknowledged {
                transfer: receipt.posting.transfer().id.as_uuid(),
                version: entry.version,
                balance_after: entry.balance_after.minor(),
            }
        }
        Answer::Refused(code) => Told::Refused(code),
    }
}

/// An error with all that is behind it.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
