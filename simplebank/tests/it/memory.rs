//! The ledger in memory, as those use it who have no database at hand. That it answers as a bank does is proof R27.

use simplebank::{
    Member, Mode, OpenAccount, Page, PlaceHold, Statement,
    core::{AccountId, Principal, Role, hold::Lasting},
    testing::{FixedClock, MemoryLedger},
};
use time::Duration;

use crate::{amount, code, currency, deposit, key, transfer};

/// A ledger with two depositors, of whom the first has 1,000.
async fn ledger() -> (MemoryLedger, FixedClock, [(Principal, AccountId); 2]) {
    let clock = FixedClock::default();
    let ledger = MemoryLedger::new(clock.clone());
    let mut customers = Vec::new();
    for name in ["alice", "bob"] {
        let user = ledger.add_user(name.parse().unwrap(), Role::Depositor).unwrap();
        let command = OpenAccount { owner: user.id(), currency: currency("EUR") };
        let account = ledger.open_account(&user, command).await.unwrap().id;
        customers.push((user, account));
    }
    let [alice, bob] = customers.try_into().unwrap();
    ledger.deposit(&Principal::Operator, key("opening"), deposit(alice.1, 1_000)).await.unwrap();
    (ledger, clock, [alice, bob])
}

async fn balance(ledger: &MemoryLedger, account: AccountId) -> i64 {
    ledger.account(&Principal::Operator, account).await.unwrap().balance.minor()
}

#[tokio::test]
async fn a_key_has_one_effect_and_one_answer_in_memory() {
    let (ledger, _, [(alice, from), (_, to)]) = ledger().await;
    let first = ledger.transfer(&alice, key("rent"), transfer(from, to, 300)).await.unwrap();
    let again = ledger.transfer(&alice, key("rent"), transfer(from, to, 300)).await.unwrap();
    assert_eq!(first, again);
    let other = ledger.transfer(&alice, key("rent"), transfer(from, to, 301)).await;
    assert_eq!(code(other), "idempotency_key_reused");
    let refused = ledger.transfer(&alice, key("much"), transfer(from, to, 701)).await;
    assert_eq!(code(refused), "insufficient_funds");
    ledger.deposit(&Principal::Operator, key("more"), deposit(from, 100)).await.unwrap();
    let still = ledger.transfer(&alice, key("much"), transfer(from, to, 701)).await;
    assert_eq!(code(still), "insufficient_funds");
    assert_eq!((balance(&ledger, from).await, balance(&ledger, to).await), (800, 300));
    assert_eq!(ledger.verify().violation, None);
}

#[tokio::test]
async fn a_hold_in_memory_ends_by_the_clock_that_was_passed_in() {
    let (ledger, clock, [(alice, from), (bob, to)]) = ledger().await;
    let lasting = Lasting::from_seconds(60).unwrap();
    let command = PlaceHold { transfer: transfer(from, to, 400), lasting };
    let hold = ledger.place_hold(&alice, key("hold"), command.clone()).await.unwrap();
    assert_eq!(ledger.account(&alice, from).await.unwrap().available().minor(), 600);
    clock.advance(Duration::seconds(60));
    assert_eq!(ledger.account(&alice, from).await.unwrap().available().minor(), 1_000);
    assert_eq!(code(ledger.capture(&bob, key("late"), hold.id, None).await), "hold_expired");
    assert_eq!(ledger.place_hold(&alice, key("hold"), command).await.unwrap(), hold);
    assert_eq!(ledger.verify().violation, None);
}

#[tokio::test]
async fn a_batch_in_memory_is_all_or_none_or_each_by_itself() {
    let (ledger, _, [(alice, from), (_, to)]) = ledger().await;
    let member = |name: &str, minor| Member { key: key(name), transfer: transfer(from, to, minor) };
    let batch = || vec![member("one", 600), member("two", 600), member("three", 400)];
    assert_eq!(code(ledger.post_all(&alice, batch(), Mode::Atomic).await), "insufficient_funds");
    assert_eq!(balance(&ledger, to).await, 0);
    let answers = ledger.post_all(&alice, batch(), Mode::Independent).await.unwrap();
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(balance(&ledger, to).await, 1_000);
    let (_, entries) = ledger.entries(&alice, from, Page::default()).await.unwrap();
    let amounts: Vec<i64> = entries.items.iter().map(|entry| entry.amount.minor()).collect();
    assert_eq!(amounts, [-400, -600, 1_000]);
    let page = ledger.statement(&alice, from, Statement::default(), Page::default()).await.unwrap();
    assert_eq!((page.lines.items.len(), page.closing_balance.minor()), (3, 0));
    assert_eq!(amount(600).minor(), page.lines.items[1].transfer.amount.minor());
}
