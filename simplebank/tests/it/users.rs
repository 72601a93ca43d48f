//! Registering, looking users up, roles.

use simplebank::{
    Page, PageLimit,
    core::{Principal, Role, UserId},
};

use crate::{TestBank, as_depositor, code, registration};

#[tokio::test]
async fn who_registers_becomes_a_depositor() {
    let bank = TestBank::new().await;
    let user = bank.user("alice").await;
    assert_eq!((user.username.as_str(), user.role), ("alice", Role::Depositor));
    assert_eq!(bank.bank.me(&as_depositor(&user)).await.unwrap(), user);
}

#[tokio::test]
async fn a_username_is_taken_once_and_an_email_may_be_shared() {
    let bank = TestBank::new().await;
    let alice = bank.user("alice").await;
    assert_eq!(code(bank.bank.register(registration("alice")).await), "username_taken");
    assert_eq!(code(bank.bank.register(registration("operator")).await), "username_taken");
    let mut other = registration("alicia");
    other.email = alice.email.clone();
    bank.bank.register(other).await.unwrap();
}

#[tokio::test]
async fn passwords_are_stored_as_argon2id_of_the_agreed_cost() {
    let bank = TestBank::new().await;
    let user = bank.user("alice").await;
    let sql = "select password_hash from simplebank.users where id = $1";
    let hash: String = sqlx::query_scalar(sql)
        .bind(user.id.as_uuid())
        .fetch_one(bank.bank.db().pool())
        .await
        .unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
}

#[tokio::test]
async fn only_the_operator_sets_roles() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.user("alice").await, bank.user("bob").await);
    for role in Role::ALL {
        let caller = Principal::User { id: alice.id, username: alice.username.clone(), role };
        assert_eq!(code(bank.bank.set_role(&caller, alice.id, Role::Banker).await), "forbidden");
    }
    bank.bank.set_role(&Principal::Operator, bob.id, Role::Banker).await.unwrap();
    let found = bank.bank.user_by_name(&Principal::Operator, &bob.username).await.unwrap();
    assert_eq!(found.role, Role::Banker);
    let nobody = UserId::from_parts(1, [1; 10]);
    for missing in [nobody, UserId::OPERATOR] {
        let answer = bank.bank.set_role(&Principal::Operator, missing, Role::Banker).await;
        assert_eq!(code(answer), "not_found");
    }
}

#[tokio::test]
async fn users_are_listed_for_who_may_look() {
    let bank = TestBank::new().await;
    let mut registered = Vec::new();
    for name in ["alice", "bob", "carol"] {
        registered.push(bank.user(name).await);
        bank.clock.advance(time::Duration::MILLISECOND);
    }
    let depositor = as_depositor(&registered[0]);
    assert_eq!(code(bank.bank.users(&depositor, Page::default()).await), "forbidden");
    assert_eq!(
        code(bank.bank.user_by_name(&depositor, &registered[1].username).await),
        "forbidden"
    );
    let two = Page { limit: PageLimit::new(2).unwrap(), cursor: None };
    let first = bank.bank.users(&Principal::Operator, two).await.unwrap();
    assert_eq!(first.items, registered[..2]);
    let rest =
        bank.bank.users(&Principal::Operator, Page { cursor: first.next, ..two }).await.unwrap();
    assert_eq!((&rest.items[..], rest.next), (&registered[2..], None));
}
