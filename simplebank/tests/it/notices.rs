//! Being told what goes out of one's account.

use simplebank::core::{Principal, audit::Object};

use crate::{amount, as_banker, code, deposit, key, mail::World, transfer, withdrawal};

async fn told(world: &World) -> Vec<(Vec<String>, String)> {
    world.work_it_off().await;
    let mails = world.server.received().into_iter();
    let notices = mails.filter(|mail| mail.header("Subject") == "Money went out of your account");
    notices.map(|mail| (mail.to.clone(), format!("{mail:?}"))).collect()
}

#[tokio::test]
async fn who_wants_to_is_told_of_large_payments_and_of_no_others() {
    let world = World::new().await;
    let alice = world.test.customer("alice", 10_000).await;
    let bob = world.test.customer("bob", 10_000).await;
    world.work_it_off().await;
    for mail in world.server.received() {
        world.verify(&mail).await.unwrap();
    }
    let bank = world.bank();
    let pay = async |key: &str, minor| {
        world.test.transfer(&alice.principal, key, alice.account, bob.account, minor).await
    };
    // Remembered without a threshold, and yet not missed.
    pay("before", 5_000).await.unwrap();
    bank.set_notice(&alice.principal, alice.account, Some(amount(100))).await.unwrap();
    pay("small", 99).await.unwrap();
    pay("large", 100).await.unwrap();
    pay("large", 100).await.unwrap();
    pay("too-large", 100_000).await.unwrap_err();
    bank.deposit(&Principal::Operator, key("in"), deposit(alice.account, 500)).await.unwrap();
    let back = transfer(bob.account, alice.account, 500);
    bank.transfer(&bob.principal, key("back"), back).await.unwrap();
    let notices = told(&world).await;
    let [(to, text)] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!(*to, ["alice@example.org"]);
    assert!(text.contains("1.00 EUR"), "{text}");
    bank.withdraw(&Principal::Operator, key("out"), withdrawal(alice.account, 200)).await.unwrap();
    assert_eq!(told(&world).await.len(), 2);
    // The control: it is the threshold that tells.
    bank.set_notice(&alice.principal, alice.account, None).await.unwrap();
    pay("large-again", 200).await.unwrap();
    assert_eq!(told(&world).await.len(), 2);
    world.test.is_whole().await;
}

#[tokio::test]
async fn nobody_sets_it_for_others_and_an_unverified_address_is_not_written_to() {
    let world = World::new().await;
    let (alice, bob) =
        (world.test.customer("alice", 100).await, world.test.customer("bob", 0).await);
    let bank = world.bank();
    let carol = as_banker(&world.test.user("carol").await);
    for by in [&bob.principal, &carol, &Principal::Operator] {
        let answer = bank.set_notice(by, alice.account, Some(amount(1))).await;
        assert_eq!(
            code(answer),
            "account_not_found",
            "{by:?} {:?}",
            Object::Account(alice.account)
        );
    }
    let account = bank.set_notice(&alice.principal, alice.account, Some(amount(1))).await.unwrap();
    assert_eq!(account.notice_from, Some(amount(1)));
    bank.withdraw(&carol, key("out"), withdrawal(alice.account, 50)).await.unwrap();
    assert_eq!(told(&world).await, []);
}
