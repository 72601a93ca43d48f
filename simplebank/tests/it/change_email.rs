//! Changing one's e-mail address.

use simplebank::{
    Error,
    core::{
        Principal,
        audit::Action,
        user::{Email, User},
    },
    db::audit::Filter,
};
use time::Duration;

use crate::{PASSWORD, as_depositor, code, mail::World};

async fn change(world: &World, by: &Principal, password: &str, to: &str) -> Result<User, Error> {
    let email: Email = to.parse().unwrap();
    world.bank().change_email(by, password.into(), email).await
}

async fn changes(world: &World) -> usize {
    let filter = Filter { action: Some(Action::EmailChanged), ..Filter::default() };
    let lines = world.bank().audit(&Principal::Operator, filter, Default::default()).await;
    lines.unwrap().items.len()
}

#[tokio::test]
async fn a_new_address_is_to_be_verified_and_the_old_one_is_told() {
    let world = World::new().await;
    let alice = world.test.customer("alice", 100).await;
    let bob = world.test.customer("bob", 0).await;
    world.work_it_off().await;
    for mail in world.server.received() {
        world.verify(&mail).await.unwrap();
    }
    let pay = async |key: &str| {
        world.test.transfer(&alice.principal, key, alice.account, bob.account, 1).await
    };
    pay("before").await.unwrap();
    let before = world.server.received().len();

    let changed = change(&world, &alice.principal, PASSWORD, "alice@example.com").await.unwrap();
    assert_eq!((changed.email.as_str(), changed.email_verified_at), ("alice@example.com", None));
    assert_eq!(world.bank().me(&alice.principal).await.unwrap(), changed);
    // It counts at once, also for who was known to have a verified address.
    assert_eq!(code(pay("between").await), "email_not_verified");
    world.work_it_off().await;
    let mails = world.server.received();
    let [first, second] = &mails[before..] else { panic!("{mails:?}") };
    let (code_mail, notice) =
        if first.to == ["alice@example.com"] { (first, second) } else { (second, first) };
    assert_eq!(code_mail.to, ["alice@example.com"]);
    assert_eq!(notice.to, ["alice@example.org"]);
    assert_eq!(notice.header("Subject"), "Your e-mail address was changed");
    world.verify(code_mail).await.unwrap();
    pay("between").await.unwrap();
    assert_eq!(changes(&world).await, 1);
}

#[tokio::test]
async fn without_the_password_nothing_is_changed_and_nobody_is_written_to() {
    let world = World::new().await;
    let alice = world.test.user("alice").await;
    let by = as_depositor(&alice);
    let jobs = world.jobs().await.len();
    for wrong in ["", "a wrong passphrase", &"x".repeat(10_000)] {
        let answer = change(&world, &by, wrong, "alice@example.com").await;
        assert_eq!(code(answer), "wrong_credentials");
    }
    // The address that she has already is no change.
    change(&world, &by, PASSWORD, "alice@example.org").await.unwrap();
    assert_eq!(world.bank().me(&by).await.unwrap(), alice);
    assert_eq!((world.jobs().await.len(), changes(&world).await), (jobs, 0));
}

/// Whether somebody else banks here with an address can't be found out, and a code that was sent to the old one proves nothing of the
/// new one.
#[tokio::test]
async fn an_address_of_somebody_elses_is_taken_and_proves_nothing() {
    let world = World::new().await;
    let (alice, bob) = (world.test.user("alice").await, world.test.user("bob").await);
    world.work_it_off().await;
    let mails = world.server.received();
    let hers = mails.iter().find(|mail| mail.to == ["alice@example.org"]).unwrap();
    change(&world, &as_depositor(&alice), PASSWORD, bob.email.as_str()).await.unwrap();
    assert_eq!(code(world.verify(hers).await), "wrong_code");
    assert!(!world.is_verified("alice").await && !world.is_verified("bob").await);
}

#[tokio::test]
async fn nobody_is_flooded_with_codes_by_changes() {
    let world = World::new().await;
    let alice = world.test.user("alice").await;
    let by = as_depositor(&alice);
    // Registering asked for the first of five.
    for number in 0..4 {
        change(&world, &by, PASSWORD, &format!("victim{number}@example.com")).await.unwrap();
    }
    let one_more = change(&world, &by, PASSWORD, "victim@example.com").await;
    assert_eq!(code(one_more), "too_many_codes");
    assert_eq!(world.bank().me(&by).await.unwrap().email.as_str(), "victim3@example.com");
    world.test.clock.advance(Duration::days(1) + Duration::SECOND);
    change(&world, &by, PASSWORD, "victim@example.com").await.unwrap();
}
