//! Limits: who sets them, how they hold, and that no crowd gets beyond them.

use std::sync::Arc;

use proptest::prelude::*;
use simplebank::{
    Bank, Error, PlaceHold, SetLimits,
    core::{
        Account, AccountId, Amount, Principal,
        account::{Change, LimitChanges, OverdraftLimit},
        hold::Lasting,
    },
};
use time::Duration;
use tokio::task::JoinSet;

use crate::{Customer, TestBank, amount, as_banker, code, key, transfer, withdrawal};

const KEEP: LimitChanges =
    LimitChanges { overdraft: Change::Keep, per_transfer: Change::Keep, per_day: Change::Keep };

fn overdraft(minor: i64) -> LimitChanges {
    LimitChanges { overdraft: Change::Set(OverdraftLimit::from_minor(minor).unwrap()), ..KEEP }
}

fn per_transfer(minor: i64) -> LimitChanges {
    LimitChanges { per_transfer: Change::Set(amount(minor)), ..KEEP }
}

fn per_day(minor: i64) -> LimitChanges {
    LimitChanges { per_day: Change::Set(amount(minor)), ..KEEP }
}

async fn set(
    bank: &TestBank,
    account_id: AccountId,
    changes: LimitChanges,
) -> Result<Account, Error> {
    bank.bank.set_limits(&Principal::Operator, SetLimits { account_id, changes }).await
}

async fn pay(
    bank: &TestBank,
    from: &Customer,
    to: &Customer,
    text: &str,
    minor: i64,
) -> &'static str {
    match bank.transfer(&from.principal, text, from.account, to.account, minor).await {
        Ok(_) => "paid",
        Err(error) => error.code(),
    }
}

/// How many changes of limits are written down.
async fn history(bank: &TestBank) -> Vec<(i64, i64, i64, Option<i64>, Option<i64>)> {
    let sql = "select number, after_version, overdraft_limit, transfer_limit, daily_limit
        from simplebank.account_limits order by account_id, number";
    sqlx::query_as(sql).fetch_all(bank.bank.db().pool()).await.unwrap()
}

#[tokio::test]
async fn limits_are_set_by_bankers_and_the_operator_for_customers() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 10).await, bank.customer("bob", 0).await);
    let command = SetLimits { account_id: alice.account, changes: overdraft(5) };
    assert_eq!(code(bank.bank.set_limits(&alice.principal, command).await), "forbidden");
    let account = bank.bank.set_limits(&as_banker(&bob.user), command).await.unwrap();
    assert_eq!(account.overdraft_limit.minor(), 5);
    assert_eq!(bank.bank.account(&alice.principal, alice.account).await.unwrap(), account);
    let missing = AccountId::from_parts(1, [1; 10]);
    assert_eq!(code(set(&bank, missing, overdraft(5)).await), "account_not_found");
    let sql = "select id from simplebank.accounts where kind = 'cash'";
    let cash: uuid::Uuid = sqlx::query_scalar(sql).fetch_one(bank.bank.db().pool()).await.unwrap();
    let cash = AccountId::from_uuid(cash);
    assert_eq!(code(set(&bank, cash, overdraft(5)).await), "account_not_found");
    assert_eq!(history(&bank).await.len(), 1);
    bank.is_whole().await;
}

#[tokio::test]
async fn a_limit_holds_from_the_next_transfer_on_until_it_is_removed() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 1_000).await, bank.customer("bob", 0).await);
    assert_eq!(pay(&bank, &alice, &bob, "1", 100).await, "paid");
    set(&bank, alice.account, per_transfer(50)).await.unwrap();
    assert_eq!(pay(&bank, &alice, &bob, "2", 51).await, "transfer_limit_exceeded");
    assert_eq!(pay(&bank, &alice, &bob, "3", 50).await, "paid");
    let account = set(&bank, alice.account, per_day(200)).await.unwrap();
    assert_eq!(account.limits.per_transfer, Some(amount(50)), "it was left as it was");
    assert_eq!(pay(&bank, &alice, &bob, "4", 50).await, "paid");
    assert_eq!(pay(&bank, &alice, &bob, "5", 1).await, "daily_limit_exceeded");
    let out =
        bank.bank.withdraw(&Principal::Operator, key("6"), withdrawal(alice.account, 1)).await;
    assert_eq!(code(out), "daily_limit_exceeded");
    let removed = LimitChanges { per_transfer: Change::Remove, per_day: Change::Remove, ..KEEP };
    set(&bank, alice.account, removed).await.unwrap();
    assert_eq!(pay(&bank, &alice, &bob, "7", 700).await, "paid");
    assert_eq!(pay(&bank, &alice, &bob, "5", 1).await, "daily_limit_exceeded", "a refusal stays");
    bank.is_whole().await;
}

#[tokio::test]
async fn an_overdraft_is_given_and_taken_back_only_as_far_as_it_is_not_used() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 10).await, bank.customer("bob", 100).await);
    assert_eq!(pay(&bank, &alice, &bob, "1", 11).await, "insufficient_funds");
    set(&bank, alice.account, overdraft(50)).await.unwrap();
    assert_eq!(pay(&bank, &alice, &bob, "2", 40).await, "paid");
    let hold = PlaceHold {
        transfer: transfer(alice.account, bob.account, 5),
        lasting: Lasting::from_seconds(60).unwrap(),
    };
    bank.bank.place_hold(&alice.principal, key("hold"), hold).await.unwrap();
    let before = (bank.state(alice.account).await, history(&bank).await);
    let refused =
        set(&bank, alice.account, LimitChanges { per_day: Change::Remove, ..overdraft(34) });
    assert_eq!(code(refused.await), "limit_below_use");
    assert_eq!((bank.state(alice.account).await, history(&bank).await), before);
    set(&bank, alice.account, overdraft(35)).await.unwrap();
    assert_eq!(code(set(&bank, alice.account, overdraft(30)).await), "limit_below_use");
    // What the hold held is free once its time is over, though nobody has written that down.
    bank.clock.advance(Duration::minutes(1));
    let shown = bank.bank.account(&alice.principal, alice.account).await.unwrap();
    assert_eq!((shown.held.minor(), shown.available().minor()), (0, 5));
    set(&bank, alice.account, overdraft(30)).await.unwrap();
    let removed = LimitChanges { overdraft: Change::Remove, ..KEEP };
    assert_eq!(code(set(&bank, alice.account, removed).await), "limit_below_use");
    assert_eq!(pay(&bank, &bob, &alice, "3", 30).await, "paid");
    let account = set(&bank, alice.account, removed).await.unwrap();
    assert_eq!(account.overdraft_limit, OverdraftLimit::NONE);
    // Each entry is judged by the limit of its time.
    bank.is_whole().await;
}

#[tokio::test]
async fn each_change_is_written_down_once() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 10).await, bank.customer("bob", 0).await);
    let changes = LimitChanges { per_day: Change::Set(amount(7)), ..overdraft(5) };
    for _ in 0..2 {
        set(&bank, alice.account, changes).await.unwrap();
    }
    set(&bank, alice.account, KEEP).await.unwrap();
    pay(&bank, &alice, &bob, "1", 7).await;
    set(&bank, alice.account, LimitChanges { per_day: Change::Remove, ..per_transfer(3) })
        .await
        .unwrap();
    assert_eq!(history(&bank).await, [(1, 1, 5, None, Some(7)), (2, 2, 5, Some(3), None)]);
    bank.is_whole().await;
}

#[tokio::test]
async fn an_overdraft_that_was_given_by_hand_counts_from_the_first_entry() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 0).await, bank.customer("bob", 0).await);
    let sql = "update simplebank.accounts set overdraft_limit = 50 where id = $1";
    sqlx::query(sql).bind(alice.account.as_uuid()).execute(&bank.owner().await).await.unwrap();
    assert_eq!(pay(&bank, &alice, &bob, "1", 50).await, "paid");
    bank.is_whole().await;
    assert_eq!(pay(&bank, &bob, &alice, "2", 50).await, "paid");
    set(&bank, alice.account, overdraft(0)).await.unwrap();
    assert_eq!(history(&bank).await, [(1, 0, 50, None, None), (2, 2, 0, None, None)]);
    bank.is_whole().await;
}

#[tokio::test]
async fn changes_at_the_same_time_make_a_history_without_gap() {
    let bank = Arc::new(TestBank::new().await);
    let (alice, bob) = (bank.customer("alice", 1_000).await, bank.customer("bob", 0).await);
    let mut tasks = JoinSet::new();
    for n in 1..=20 {
        let (bank, id) = (Arc::clone(&bank), alice.account);
        tasks.spawn(async move { set(&bank, id, overdraft(n)).await.is_ok() });
    }
    for n in 0..20 {
        let (bank, by) = (Arc::clone(&bank), alice.principal.clone());
        let (from, to) = (alice.account, bob.account);
        tasks.spawn(async move { bank.transfer(&by, &format!("k{n}"), from, to, 1).await.is_ok() });
    }
    assert!(tasks.join_all().await.into_iter().all(|is_done| is_done));
    assert_eq!(history(&bank).await.len(), 20);
    bank.is_whole().await;
}

/// What is tried to be spent by many at once, and under which limit.
#[derive(Clone, Debug)]
struct Rush {
    limit: i64,
    amounts: Vec<i64>,
}

fn rushes() -> impl Strategy<Value = Rush> {
    (1..600_i64, proptest::collection::vec(1..60_i64, 10..50))
        .prop_map(|(limit, amounts)| Rush { limit, amounts })
}

/// How `n` spends: by a transfer, a hold or a withdrawal, through one of two banks on one database.
async fn spend(
    [first, second]: &[Bank; 2],
    alice: &Customer,
    to: AccountId,
    n: usize,
    minor: i64,
) -> bool {
    let bank = if n.is_multiple_of(2) { first } else { second };
    let key = key(&format!("k{n}"));
    let outcome = match n % 5 {
        3 => {
            let lasting = Lasting::default();
            let hold = PlaceHold { transfer: transfer(alice.account, to, minor), lasting };
            bank.place_hold(&alice.principal, key, hold).await.map(drop)
        }
        4 => {
            let out = withdrawal(alice.account, minor);
            bank.withdraw(&Principal::Operator, key, out).await.map(drop)
        }
        _ => {
            let payment = transfer(alice.account, to, minor);
            bank.transfer(&alice.principal, key, payment).await.map(drop)
        }
    };
    match outcome {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.code(), "daily_limit_exceeded");
            false
        }
    }
}

async fn rush(Rush { limit, amounts }: Rush) {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 100_000).await, bank.customer("bob", 0).await);
    set(&bank, alice.account, per_day(limit)).await.unwrap();
    let second = Bank::builder(bank.database.db().clone()).clock(bank.clock.clone()).build();
    let banks = Arc::new([bank.bank.clone(), second.unwrap()]);
    let alice = Arc::new(alice);
    let mut tasks = JoinSet::new();
    for (n, minor) in amounts.into_iter().enumerate() {
        let (banks, alice, to) = (Arc::clone(&banks), Arc::clone(&alice), bob.account);
        tasks.spawn(async move { (minor, spend(&banks, &alice, to, n, minor).await) });
    }
    let outcomes = tasks.join_all().await;
    let spent: i64 = outcomes.iter().filter(|(_, is_paid)| *is_paid).map(|(minor, _)| minor).sum();
    assert!(spent <= limit, "{spent} of {limit}");
    for (minor, is_paid) in outcomes {
        assert!(
            is_paid || spent + minor > limit,
            "{minor} was refused though only {spent} of {limit} are spent"
        );
    }
    let account = bank.bank.account(&alice.principal, alice.account).await.unwrap();
    let counted = account.spent.map(|counted| (counted.amount.minor(), counted.allowed));
    let expected = (spent > 0).then(|| (spent, Amount::from_minor(limit)));
    assert_eq!(counted, expected);
    bank.is_whole().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn a_crowd_never_spends_more_than_the_daily_limit(wanted in rushes()) {
        tokio::runtime::Runtime::new().unwrap().block_on(rush(wanted));
    }
}

/// The control of `a_crowd_never_spends_more_than_the_daily_limit`: without the lock and the CHECK, two who have seen the same
/// count both spend what is left.
#[tokio::test(flavor = "multi_thread")]
async fn without_lock_and_check_a_daily_limit_is_exceeded() {
    let bank = Arc::new(TestBank::new().await);
    let alice = bank.customer("alice", 1_000).await;
    set(&bank, alice.account, per_day(100)).await.unwrap();
    let owner = bank.owner().await;
    let sql = "alter domain simplebank.sound_account drop constraint accounts_spent_allowed_check;
        update simplebank.accounts set spent_day = '2026-01-01', spent = 0, spent_allowed = 100 where kind = 'customer'";
    sqlx::raw_sql(sql).execute(&owner).await.unwrap();
    bank.is_whole().await;
    let meet = Arc::new(tokio::sync::Barrier::new(2));
    let mut tasks = JoinSet::new();
    for _ in 0..2 {
        let (owner, meet, id) = (owner.clone(), Arc::clone(&meet), alice.account.as_uuid());
        tasks.spawn(async move {
            let read = "select spent from simplebank.accounts where id = $1";
            let spent: i64 = sqlx::query_scalar(read).bind(id).fetch_one(&owner).await.unwrap();
            meet.wait().await;
            if spent + 80 <= 100 {
                let spend = "update simplebank.accounts set spent = spent + 80 where id = $1";
                sqlx::query(spend).bind(id).execute(&owner).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let found = bank.bank.verify(|_| ()).await.unwrap().violation.unwrap().to_string();
    assert!(found.starts_with("I5: account") && found.contains("spent 160"), "{found}");
}
