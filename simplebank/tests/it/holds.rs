//! Looking holds up: by either side, newest first, as they are now.

use simplebank::{
    Error, Page, PageLimit, PlaceHold,
    core::{AccountId, Hold, HoldId, Principal, Rejection, hold::Lasting, hold::State},
};
use time::Duration;

use crate::{Customer, TestBank, as_banker, key, transfer};

impl TestBank {
    async fn hold(&self, by: &Customer, name: &str, to: AccountId, lasting_s: u32) -> Hold {
        let transfer = transfer(by.account, to, 100);
        let lasting = Lasting::from_seconds(lasting_s).unwrap();
        let command = PlaceHold { transfer, lasting };
        self.bank.place_hold(&by.principal, key(name), command).await.unwrap()
    }
}

#[tokio::test]
async fn either_side_and_bankers_see_a_hold_and_nobody_else() {
    let world = TestBank::new().await;
    let (alice, bob) = (world.customer("alice", 1_000).await, world.customer("bob", 0).await);
    let carol = world.customer("carol", 0).await;
    let banker = as_banker(&world.user("banker").await);
    let hold = world.hold(&alice, "h", bob.account, 60).await;
    for by in [&alice.principal, &bob.principal, &banker, &Principal::Operator] {
        assert_eq!(world.bank.hold_by_id(by, hold.id).await.unwrap(), hold);
    }
    let nobodys = HoldId::from_parts(1, [9; 10]);
    for (by, id) in [(&carol.principal, hold.id), (&alice.principal, nobodys)] {
        let refused = world.bank.hold_by_id(by, id).await;
        assert!(
            matches!(refused, Err(Error::Rejected(Rejection::HoldNotFound { id: told })) if told == id)
        );
    }
    for account in [alice.account, AccountId::from_parts(1, [9; 10])] {
        let refused = world.bank.holds(&carol.principal, account, Page::default()).await;
        assert!(matches!(refused, Err(Error::Rejected(Rejection::AccountNotFound { .. }))));
    }
    assert_eq!(
        world.bank.holds(&carol.principal, carol.account, Page::default()).await.unwrap().items,
        []
    );
}

#[tokio::test]
async fn holds_are_paged_newest_first_without_those_of_others() {
    let world = TestBank::new().await;
    let (alice, bob) = (world.customer("alice", 1_000).await, world.customer("bob", 1_000).await);
    let carol = world.customer("carol", 1_000).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        world.clock.advance(Duration::milliseconds(1));
        let (from, to) = if number % 2 == 0 { (&alice, &bob) } else { (&bob, &alice) };
        let name = number.to_string();
        ids.insert(0, world.hold(from, &name, to.account, 60).await.id);
        world.hold(&carol, &name, bob.account, 60).await;
    }
    let limit = PageLimit::new(2).unwrap();
    let (mut walked, mut page) = (Vec::new(), Page { cursor: None, limit });
    loop {
        let listing = world.bank.holds(&alice.principal, alice.account, page).await.unwrap();
        walked.extend(listing.items.iter().map(|hold| hold.id));
        if listing.next.is_none() {
            break;
        }
        page.cursor = listing.next;
    }
    assert_eq!(walked, ids);
}

#[tokio::test]
async fn a_hold_that_is_due_shows_as_expired_before_anybody_writes_that_down() {
    let world = TestBank::new().await;
    let (alice, bob) = (world.customer("alice", 1_000).await, world.customer("bob", 0).await);
    let hold = world.hold(&alice, "h", bob.account, 60).await;
    world.clock.advance(Duration::seconds(59));
    assert_eq!(world.bank.hold_by_id(&bob.principal, hold.id).await.unwrap().state, State::Open);
    world.clock.advance(Duration::seconds(1));
    let shown = world.bank.hold_by_id(&bob.principal, hold.id).await.unwrap();
    let listed = world.bank.holds(&alice.principal, alice.account, Page::default()).await.unwrap();
    assert_eq!((shown.state, &listed.items), (State::Expired, &vec![shown.clone()]));
    let stored: String = sqlx::query_scalar("select state from simplebank.holds")
        .fetch_one(world.database.db().pool())
        .await
        .unwrap();
    assert_eq!(stored, "open");
}
