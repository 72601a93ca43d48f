//! Closing accounts.

use std::sync::Arc;

use simplebank::{
    PlaceHold, Reverse, SetLimits,
    core::{
        Account, AccountId, Memo, Principal,
        account::{LimitChanges, Status},
        hold::Lasting,
    },
};
use time::Duration;
use tokio::task::JoinSet;

use crate::{TestBank, as_banker, code, deposit, key, transfer};

fn hold(from: AccountId, to: AccountId, minor: i64) -> PlaceHold {
    PlaceHold { transfer: transfer(from, to, minor), lasting: Lasting::from_seconds(60).unwrap() }
}

#[tokio::test]
async fn an_account_is_closed_when_nothing_is_in_it_and_twice_is_once() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 10).await, bank.customer("bob", 0).await);
    let close = async || bank.bank.close_account(&alice.principal, alice.account).await;
    assert_eq!(code(close().await), "account_not_empty");
    bank.transfer(&alice.principal, "out", alice.account, bob.account, 10).await.unwrap();
    let closed = close().await.unwrap();
    assert_eq!(closed.status, Status::Closed);
    assert_eq!(close().await.unwrap(), closed);
    assert_eq!(bank.bank.account(&alice.principal, alice.account).await.unwrap(), closed);
    // The other one is not concerned.
    assert_eq!(
        code(bank.bank.close_account(&bob.principal, bob.account).await),
        "account_not_empty"
    );
    bank.is_whole().await;
}

#[tokio::test]
async fn a_closed_account_neither_pays_nor_receives_nor_changes() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 10).await, bank.customer("bob", 50).await);
    let paid =
        bank.transfer(&alice.principal, "out", alice.account, bob.account, 10).await.unwrap();
    bank.bank.close_account(&alice.principal, alice.account).await.unwrap();
    let rows = bank.rows().await;
    let (a, b) = (alice.account, bob.account);
    assert_eq!(code(bank.transfer(&alice.principal, "1", a, b, 1).await), "account_closed");
    assert_eq!(code(bank.transfer(&bob.principal, "2", b, a, 1).await), "account_closed");
    assert_eq!(
        code(bank.bank.place_hold(&bob.principal, key("3"), hold(b, a, 1)).await),
        "account_closed"
    );
    let cash = bank.bank.deposit(&Principal::Operator, key("4"), deposit(a, 1)).await;
    assert_eq!(code(cash), "account_closed");
    let transfer_id = paid.posting.transfer().id;
    let back = Reverse { transfer_id, amount: None, memo: Memo::NONE };
    assert_eq!(code(bank.bank.reverse(&bob.principal, key("5"), back).await), "account_closed");
    let by = Principal::Operator;
    assert_eq!(code(bank.bank.freeze(&by, a).await), "account_closed");
    assert_eq!(code(bank.bank.unfreeze(&by, a).await), "account_closed");
    let limits = SetLimits { account_id: a, changes: LimitChanges::default() };
    assert_eq!(code(bank.bank.set_limits(&by, limits).await), "account_closed");
    // Only the refusals were written down; what was answered before is answered again.
    let (transfers, entries, records) = bank.rows().await;
    assert_eq!((transfers, entries, records), (rows.0, rows.1, rows.2 + 5));
    let again = bank.transfer(&alice.principal, "out", a, b, 10).await.unwrap();
    assert_eq!(again, paid);
    bank.is_whole().await;
}

#[tokio::test]
async fn an_account_is_not_closed_while_anything_is_promised_by_it_or_to_it() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 0).await, bank.customer("bob", 50).await);
    let close = async || bank.bank.close_account(&alice.principal, alice.account).await;
    let (a, b) = (alice.account, bob.account);
    let to_her = bank.bank.place_hold(&bob.principal, key("1"), hold(b, a, 5)).await.unwrap();
    assert_eq!(code(close().await), "account_has_holds");
    bank.bank.void(&alice.principal, key("2"), to_her.id).await.unwrap();
    let sql = "update simplebank.accounts set overdraft_limit = 5 where id = $1";
    sqlx::query(sql).bind(a.as_uuid()).execute(&bank.owner().await).await.unwrap();
    bank.bank.place_hold(&alice.principal, key("3"), hold(a, b, 5)).await.unwrap();
    assert_eq!(code(close().await), "account_has_holds");
    bank.bank.place_hold(&bob.principal, key("4"), hold(b, a, 5)).await.unwrap();
    // All are over, and nobody has written that down.
    bank.clock.advance(Duration::minutes(1));
    let closed = close().await.unwrap();
    assert_eq!((closed.status, closed.held.minor()), (Status::Closed, 0));
    bank.is_whole().await;
}

#[tokio::test]
async fn a_closed_account_makes_room_for_a_new_one_in_its_currency() {
    let bank = TestBank::new().await;
    let alice = bank.customer("alice", 0).await;
    for _ in 0..2 {
        let old = bank.open(&alice.principal, "USD").await;
        let again = simplebank::OpenAccount { owner: alice.user.id, currency: old.currency };
        assert_eq!(code(bank.bank.open_account(&alice.principal, again).await), "account_exists");
        bank.bank.close_account(&alice.principal, old.id).await.unwrap();
    }
    let new = bank.open(&alice.principal, "USD").await;
    assert_eq!(bank.bank.account(&alice.principal, new.id).await.unwrap().status, Status::Open);
    let page = simplebank::Page::default();
    let all = bank.bank.accounts(&alice.principal, Some(alice.user.id), page).await.unwrap();
    let is_closed = |account: &&Account| account.status == Status::Closed;
    assert_eq!((all.items.len(), all.items.iter().filter(is_closed).count()), (4, 2));
    bank.is_whole().await;
}

#[tokio::test]
async fn owners_close_their_own_and_the_bank_any_but_its_own() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 0).await, bank.customer("bob", 0).await);
    let stranger = bank.bank.close_account(&bob.principal, alice.account).await;
    let missing = AccountId::from_parts(1, [1; 10]);
    let nobodys = bank.bank.close_account(&bob.principal, missing).await;
    assert_eq!((code(stranger), code(nobodys)), ("account_not_found", "account_not_found"));
    let banker = as_banker(&bob.user);
    bank.bank.freeze(&banker, alice.account).await.unwrap();
    let frozen = bank.bank.close_account(&alice.principal, alice.account).await;
    assert_eq!(code(frozen), "account_frozen", "or she could open another one");
    let closed = bank.bank.close_account(&banker, alice.account).await.unwrap();
    assert_eq!(closed.status, Status::Closed);
    bank.bank.close_account(&Principal::Operator, bob.account).await.unwrap();
    let sql = "select id from simplebank.accounts where kind = 'cash'";
    let cash: uuid::Uuid = sqlx::query_scalar(sql).fetch_one(bank.bank.db().pool()).await.unwrap();
    let cash = bank.bank.close_account(&Principal::Operator, AccountId::from_uuid(cash)).await;
    assert_eq!(code(cash), "account_not_found");
}

/// Whichever comes first: the other one is refused.
#[tokio::test(flavor = "multi_thread")]
async fn closing_and_promising_at_the_same_time_never_both_happen() {
    let bank = Arc::new(TestBank::new().await);
    let bob = bank.customer("bob", 1_000).await;
    for n in 0..12 {
        let alice = bank.customer(&format!("alice{n}"), 0).await;
        let mut tasks = JoinSet::new();
        let (shared, by, id) = (Arc::clone(&bank), alice.principal.clone(), alice.account);
        tasks.spawn(async move { shared.bank.close_account(&by, id).await.map(drop) });
        let (shared, by, from) = (Arc::clone(&bank), bob.principal.clone(), bob.account);
        tasks.spawn(async move {
            let command = hold(from, id, 1);
            shared.bank.place_hold(&by, key(&format!("h{n}")), command).await.map(drop)
        });
        let outcomes = tasks.join_all().await;
        let codes: Vec<&str> =
            outcomes.iter().filter_map(|outcome| Some(outcome.as_ref().err()?.code())).collect();
        assert!(matches!(codes[..], ["account_has_holds"] | ["account_closed"]), "{codes:?}");
    }
    bank.is_whole().await;
}
