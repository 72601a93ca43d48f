//! Opening, seeing, freezing accounts.

use simplebank::{
    OpenAccount,
    core::{AccountId, Currency, Principal, account::Status},
};

use crate::{TestBank, as_banker, as_depositor, code, currency};

#[tokio::test]
async fn a_new_account_is_open_and_empty() {
    let bank = TestBank::new().await;
    let alice = as_depositor(&bank.user("alice").await);
    let account = bank.open(&alice, "EUR").await;
    assert_eq!((account.balance.minor(), account.version, account.status), (0, 0, Status::Open));
    assert_eq!(account.currency, currency("EUR"));
    assert_eq!(bank.bank.account(&alice, account.id).await.unwrap(), account);
}

#[tokio::test]
async fn there_is_one_account_for_each_owner_and_currency() {
    let bank = TestBank::new().await;
    let alice = as_depositor(&bank.user("alice").await);
    bank.open(&alice, "EUR").await;
    bank.open(&alice, "USD").await;
    let again = OpenAccount { owner: alice.id(), currency: currency("EUR") };
    assert_eq!(code(bank.bank.open_account(&alice, again).await), "account_exists");
    bank.open(&as_depositor(&bank.user("bob").await), "EUR").await;
}

#[tokio::test]
async fn every_currency_can_be_kept() {
    let bank = TestBank::new().await;
    let alice = as_depositor(&bank.user("alice").await);
    for currency in Currency::all() {
        let command = OpenAccount { owner: alice.id(), currency };
        assert_eq!(bank.bank.open_account(&alice, command).await.unwrap().currency, currency);
    }
}

#[tokio::test]
async fn accounts_are_opened_for_oneself_or_by_the_operator() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.user("alice").await, bank.user("bob").await);
    let for_bob = OpenAccount { owner: bob.id, currency: currency("EUR") };
    for caller in [as_depositor(&alice), as_banker(&alice)] {
        assert_eq!(code(bank.bank.open_account(&caller, for_bob).await), "forbidden");
    }
    bank.bank.open_account(&Principal::Operator, for_bob).await.unwrap();
    let for_operator = OpenAccount { owner: Principal::Operator.id(), currency: currency("EUR") };
    assert_eq!(code(bank.bank.open_account(&Principal::Operator, for_operator).await), "not_found");
}

#[tokio::test]
async fn somebody_elses_account_looks_like_a_missing_one() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 1).await, bank.customer("bob", 0).await);
    let missing = AccountId::from_parts(1, [1; 10]);
    let asked = bank.bank.account(&bob.principal, alice.account).await.unwrap_err().to_string();
    let absent = bank.bank.account(&bob.principal, missing).await.unwrap_err().to_string();
    assert_eq!(
        asked.replace(&alice.account.to_string(), ""),
        absent.replace(&missing.to_string(), "")
    );
    assert_eq!(
        bank.bank.account(&as_banker(&bob.user), alice.account).await.unwrap().id,
        alice.account
    );
    let page = simplebank::Page::default();
    assert_eq!(
        code(bank.bank.entries(&bob.principal, alice.account, page).await),
        "account_not_found"
    );
    assert_eq!(
        code(bank.bank.transfers(&bob.principal, alice.account, page).await),
        "account_not_found"
    );
}

#[tokio::test]
async fn bankers_freeze_and_unfreeze() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 0).await, bank.customer("bob", 0).await);
    assert_eq!(code(bank.bank.freeze(&alice.principal, alice.account).await), "forbidden");
    let banker = as_banker(&bob.user);
    for _ in 0..2 {
        assert_eq!(bank.bank.freeze(&banker, alice.account).await.unwrap().status, Status::Frozen);
        assert_eq!(
            bank.bank.account(&alice.principal, alice.account).await.unwrap().status,
            Status::Frozen
        );
    }
    assert_eq!(bank.bank.unfreeze(&banker, alice.account).await.unwrap().status, Status::Open);
    let missing = AccountId::from_parts(1, [1; 10]);
    assert_eq!(code(bank.bank.freeze(&banker, missing).await), "account_not_found");
}

#[tokio::test]
async fn the_cash_account_is_nobodys_to_freeze_or_see() {
    let bank = TestBank::new().await;
    let alice = bank.customer("alice", 5).await;
    let sql = "select id from simplebank.accounts where kind = 'cash'";
    let cash: uuid::Uuid = sqlx::query_scalar(sql).fetch_one(bank.bank.db().pool()).await.unwrap();
    let cash = AccountId::from_uuid(cash);
    assert_eq!(code(bank.bank.freeze(&Principal::Operator, cash).await), "account_not_found");
    assert_eq!(code(bank.bank.account(&alice.principal, cash).await), "account_not_found");
    assert_eq!(bank.state(cash).await, (-5, 1));
}
