//! Pages: every row once, in order, and nobody else's.

use simplebank::{
    Page, PageLimit,
    core::{Principal, transfer::Transfer},
};

use crate::{TestBank, deposit, key};

fn page<C>(cursor: Option<C>, limit: u8) -> Page<C> {
    Page { cursor, limit: PageLimit::new(limit).unwrap() }
}

#[tokio::test]
async fn entries_and_transfers_come_newest_first_in_pages() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 1000).await, bank.customer("bob", 0).await);
    let carol = bank.customer("carol", 50).await;
    for n in 0..24 {
        let minor = i64::from(n) + 1;
        bank.transfer(&alice.principal, &format!("k{n}"), alice.account, bob.account, minor)
            .await
            .unwrap();
        bank.transfer(&carol.principal, &format!("k{n}"), carol.account, bob.account, 1)
            .await
            .unwrap();
    }
    for limit in [1, 7, 25, 100] {
        let (mut versions, mut cursor) = (Vec::new(), None);
        loop {
            let (account, listing) = bank
                .bank
                .entries(&alice.principal, alice.account, page(cursor, limit))
                .await
                .unwrap();
            assert_eq!((account.id, account.version), (alice.account, 25));
            versions.extend(listing.items.iter().map(|entry| entry.version));
            cursor = listing.next;
            if cursor.is_none() {
                break;
            }
            assert_eq!(listing.items.len(), usize::from(limit));
        }
        assert_eq!(versions, (1..=25).rev().collect::<Vec<_>>(), "limit {limit}");

        let (mut transfers, mut cursor): (Vec<Transfer>, _) = (Vec::new(), None);
        loop {
            let listing = bank
                .bank
                .transfers(&alice.principal, alice.account, page(cursor, limit))
                .await
                .unwrap();
            transfers.extend(listing.items);
            cursor = listing.next;
            if cursor.is_none() {
                break;
            }
        }
        let amounts: Vec<i64> = transfers.iter().map(|transfer| transfer.amount.minor()).collect();
        assert_eq!(amounts, (1..=24).rev().chain([1000]).collect::<Vec<_>>());
        assert!(transfers.iter().all(|transfer| transfer.touches(alice.account)));
    }
}

#[tokio::test]
async fn accounts_are_listed_to_their_owner_and_to_who_may_look() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 1).await, bank.customer("bob", 1).await);
    for code in ["CHF", "JPY", "USD"] {
        bank.clock.advance(time::Duration::MILLISECOND);
        bank.open(&alice.principal, code).await;
    }
    let mine =
        bank.bank.accounts(&alice.principal, Some(alice.user.id), page(None, 3)).await.unwrap();
    let codes: Vec<_> = mine.items.iter().map(|account| account.currency.code()).collect();
    assert_eq!(codes, ["EUR", "CHF", "JPY"]);
    let rest = bank
        .bank
        .accounts(&alice.principal, Some(alice.user.id), page(mine.next, 3))
        .await
        .unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    for owner in [Some(bob.user.id), None] {
        let answer = bank.bank.accounts(&alice.principal, owner, page(None, 3)).await;
        assert_eq!(crate::code(answer), "forbidden");
    }
    let all = bank.bank.accounts(&Principal::Operator, None, page(None, 100)).await.unwrap();
    assert_eq!(all.items.len(), 5, "customers' accounts, without the cash accounts");
}

#[tokio::test]
async fn an_empty_list_is_a_page_without_items() {
    let bank = TestBank::new().await;
    let alice = bank.customer("alice", 0).await;
    let (_, entries) =
        bank.bank.entries(&alice.principal, alice.account, Page::default()).await.unwrap();
    assert_eq!((entries.items.len(), entries.next), (0, None));
    bank.bank.deposit(&Principal::Operator, key("k"), deposit(alice.account, 1)).await.unwrap();
    let (_, entries) =
        bank.bank.entries(&alice.principal, alice.account, page(Some(1), 5)).await.unwrap();
    assert_eq!((entries.items.len(), entries.next), (0, None));
}
