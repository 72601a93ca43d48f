//! The audit record: what is in it, what is not, and that it commits with what it tells of.

use simplebank::{
    Bank, LogIn, Page, PageLimit, PlaceHold, Reverse, SetLimits,
    core::{
        Principal, Role, TransferId,
        account::{Change, LimitChanges},
        audit::{Action, Object, Origin},
        hold::Lasting,
    },
    db::{
        TxSpec,
        audit::{Filter, Line},
    },
};
use time::Duration;

use crate::{
    PASSWORD, TestBank, amount, as_banker, as_depositor, code, deposit, key, transfer, withdrawal,
};

const EVERYTHING: Filter = Filter { user: None, action: None, since: None, until: None };

async fn lines(bank: &Bank, filter: Filter) -> Vec<Line> {
    let page = Page { cursor: None, limit: PageLimit::MAX };
    bank.audit(&Principal::Operator, filter, page).await.unwrap().items
}

/// What happened, oldest first.
async fn actions(bank: &Bank) -> Vec<Action> {
    let lines = lines(bank, EVERYTHING).await;
    lines.iter().rev().map(|line| line.entry.action).collect()
}

fn somewhere() -> Origin {
    Origin {
        address: Some("2001:db8::7".parse().unwrap()),
        request_id: Some("request-1".to_owned()),
    }
}

async fn log_in(bank: &Bank, username: &str, password: &str) -> Result<(), simplebank::Error> {
    let command =
        LogIn { username: username.to_owned(), password: password.into(), user_agent: None };
    bank.log_in(command).await.map(|_| ())
}

#[tokio::test]
async fn a_line_tells_who_what_on_what_from_where_and_when() {
    let tested = TestBank::new().await;
    let user = tested.user("alice").await;
    let bank = tested.bank.asked_from(somewhere());
    log_in(&bank, "alice", PASSWORD).await.unwrap();
    tested.clock.advance(Duration::seconds(1));
    bank.set_role(&Principal::Operator, user.id, Role::Banker).await.unwrap();
    bank.set_role(&Principal::Operator, user.id, Role::Banker).await.unwrap();

    let lines = lines(&bank, EVERYTHING).await;
    let [set, logged_in] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(logged_in.username, Some(user.username));
    assert_eq!(logged_in.entry.action, Action::LoggedIn);
    assert_eq!(logged_in.entry.actor, Some(user.id));
    assert_eq!(logged_in.entry.object, Some(Object::User(user.id)));
    assert_eq!(logged_in.entry.origin, somewhere());
    assert_eq!(set.username, Some("operator".parse().unwrap()));
    assert_eq!(set.entry.detail.as_deref(), Some("depositor to banker"));
    assert_eq!(set.entry.at - logged_in.entry.at, Duration::seconds(1));
}

#[tokio::test]
async fn refused_logins_are_told_without_what_was_typed() {
    let tested = TestBank::new().await;
    let user = tested.user("alice").await;
    let bank = tested.bank.asked_from(somewhere());
    assert_eq!(code(log_in(&bank, "alice", "a wrong passphrase").await), "wrong_credentials");
    assert_eq!(code(log_in(&bank, PASSWORD, "alice").await), "wrong_credentials");
    assert_eq!(code(log_in(&bank, "passphrase", PASSWORD).await), "wrong_credentials");

    let lines = lines(&bank, EVERYTHING).await;
    let told: Vec<_> = lines.iter().map(|line| (line.entry.action, line.entry.object)).collect();
    let unknown = (Action::LoginRefused, None);
    assert_eq!(told, [unknown, unknown, (Action::LoginRefused, Some(Object::User(user.id)))]);
    let text = format!("{lines:?}");
    assert!(!text.contains("passphrase") && !text.contains("horse"), "{text}");
}

/// An anonymous crowd fills no table, and from elsewhere there is still room.
#[tokio::test]
async fn a_flood_of_refusals_is_bounded_and_counted() {
    let tested = TestBank::new().await;
    let bank = tested.bank.asked_from(somewhere());
    for _ in 0..15 {
        assert_eq!(code(log_in(&bank, "nobody", PASSWORD).await), "wrong_credentials");
    }
    assert_eq!(lines(&bank, EVERYTHING).await.len(), 10);
    let address = Some("192.0.2.1".parse().unwrap());
    let elsewhere = tested.bank.asked_from(Origin { address, request_id: None });
    log_in(&elsewhere, "nobody", PASSWORD).await.unwrap_err();
    assert_eq!(lines(&bank, EVERYTHING).await.len(), 11);
    tested.clock.advance(Duration::minutes(1));
    log_in(&bank, "nobody", PASSWORD).await.unwrap_err();
    let filter = Filter { action: Some(Action::RefusalsLeftOut), ..EVERYTHING };
    let left_out = lines(&bank, filter).await;
    assert_eq!(left_out.iter().map(|line| line.entry.times).collect::<Vec<_>>(), [5]);
}

#[tokio::test]
async fn who_asks_for_what_is_not_theirs_is_told_of() {
    let tested = TestBank::new().await;
    let (alice, bob) = (tested.customer("alice", 100).await, tested.customer("bob", 0).await);
    let bank = &tested.bank;
    let before = actions(bank).await.len();
    let everyones = Page::default();
    assert_eq!(code(bank.account(&bob.principal, alice.account).await), "account_not_found");
    assert_eq!(
        code(bank.entries(&bob.principal, alice.account, Page::default()).await),
        "account_not_found"
    );
    assert_eq!(code(bank.users(&bob.principal, everyones).await), "forbidden");
    assert_eq!(
        code(bank.deposit(&bob.principal, key("k"), deposit(bob.account, 1)).await),
        "forbidden"
    );
    let missing = TransferId::from_parts(1, [1; 10]);
    assert_eq!(code(bank.transfer_by_id(&bob.principal, missing).await), "not_found");
    let lines = lines(bank, Filter { action: Some(Action::Refused), ..EVERYTHING }).await;
    let told: Vec<_> = lines
        .iter()
        .rev()
        .map(|line| (line.entry.object, line.entry.detail.as_deref().unwrap()))
        .collect();
    let hers = Some(Object::Account(alice.account));
    assert_eq!(
        told,
        [
            (hers, "account_not_found"),
            (hers, "account_not_found"),
            (None, "view_any"),
            (Some(Object::Account(bob.account)), "deposit"),
            (Some(Object::Transfer(missing)), "not_found"),
        ]
    );
    assert!(lines.iter().all(|line| line.entry.actor == Some(bob.user.id)));
    // What they may see is nobody's business.
    bank.account(&bob.principal, bob.account).await.unwrap();
    assert_eq!(actions(bank).await.len(), before + 5);
}

#[tokio::test]
async fn what_bankers_do_is_told_and_what_customers_do_with_their_own_is_not() {
    let tested = TestBank::new().await;
    let (alice, bob) = (tested.customer("alice", 0).await, tested.customer("bob", 0).await);
    let bank = &tested.bank;
    let banker = as_banker(&tested.user("carol").await);
    let own = tested.open(&banker, "EUR").await.id;
    bank.deposit(&banker, key("1"), deposit(alice.account, 500)).await.unwrap();
    // Sent again it happens once, and is told once.
    bank.deposit(&banker, key("1"), deposit(alice.account, 500)).await.unwrap();
    bank.withdraw(&banker, key("2"), withdrawal(alice.account, 50)).await.unwrap();
    bank.withdraw(&banker, key("3"), withdrawal(alice.account, 9_999)).await.unwrap_err();
    let paid = bank.transfer(&alice.principal, key("4"), transfer(alice.account, bob.account, 100));
    let transfer_id = paid.await.unwrap().posting.transfer().id;
    let give_back = Reverse { transfer_id, amount: None, memo: simplebank::core::Memo::NONE };
    bank.reverse(&banker, key("5"), give_back).await.unwrap();
    let promise =
        PlaceHold { transfer: transfer(alice.account, bob.account, 10), lasting: Lasting::MAX };
    let hold = bank.place_hold(&alice.principal, key("6"), promise).await.unwrap();
    bank.void(&banker, key("7"), hold.id).await.unwrap();
    bank.deposit(&banker, key("8"), deposit(own, 10)).await.unwrap();
    bank.transfer(&banker, key("9"), transfer(own, bob.account, 10)).await.unwrap();
    bank.freeze(&banker, bob.account).await.unwrap();
    bank.freeze(&banker, bob.account).await.unwrap();
    bank.unfreeze(&banker, bob.account).await.unwrap();
    let nothing = LimitChanges::default();
    let changes = LimitChanges { per_day: Change::Set(amount(50)), ..nothing };
    bank.set_limits(&banker, SetLimits { account_id: bob.account, changes: nothing })
        .await
        .unwrap();
    bank.set_limits(&banker, SetLimits { account_id: bob.account, changes }).await.unwrap();
    bank.withdraw(&banker, key("10"), withdrawal(bob.account, 10)).await.unwrap();
    bank.close_account(&banker, bob.account).await.unwrap();
    // What goes over the wire of a program is in the ledger; what a person orders from somewhere is here.
    bank.transfer(&Principal::Operator, key("11"), transfer(alice.account, own, 1)).await.unwrap();
    let by_hand = bank.asked_from(Origin::default());
    by_hand
        .transfer(&Principal::Operator, key("12"), transfer(alice.account, own, 1))
        .await
        .unwrap();
    assert_eq!(
        actions(bank).await,
        [
            Action::Deposited,
            Action::Withdrawn,
            Action::Reversed,
            Action::HoldVoided,
            Action::Deposited,
            Action::AccountFrozen,
            Action::AccountUnfrozen,
            Action::LimitsSet,
            Action::Withdrawn,
            Action::AccountClosed,
            Action::Transferred,
        ]
    );
    let filter = Filter { action: Some(Action::HoldVoided), ..EVERYTHING };
    assert_eq!(lines(bank, filter).await[0].entry.object, Some(Object::Hold(hold.id)));
    tested.is_whole().await;
}

/// Bankers' orders share batches with those of others, and keep none of them from happening.
#[tokio::test]
async fn in_a_crowd_each_order_of_a_banker_is_told_once() {
    let tested = TestBank::new().await;
    let alice = tested.customer("alice", 1_000).await;
    let bob = tested.customer("bob", 0).await;
    let banker = as_banker(&tested.user("carol").await);
    let orders = (0..200).map(|n| {
        let (bank, banker) = (tested.bank.clone(), banker.clone());
        let (payer, alice, bob) = (alice.principal.clone(), alice.account, bob.account);
        tokio::spawn(async move {
            if n % 10 == 0 {
                bank.deposit(&banker, key(&format!("d{n}")), deposit(alice, 1)).await
            } else {
                bank.transfer(&payer, key(&format!("t{n}")), transfer(alice, bob, 1)).await
            }
        })
    });
    for order in orders.collect::<Vec<_>>() {
        order.await.unwrap().unwrap();
    }
    let told = actions(&tested.bank).await.into_iter().filter(|it| *it == Action::Deposited);
    // One more opened alice's account.
    assert_eq!(told.count(), 20 + 1);
    assert_eq!(tested.state(alice.account).await.0, 1_000 + 20 - 180);
    tested.is_whole().await;
}

/// The line commits with the money or not at all.
#[tokio::test]
async fn what_is_rolled_back_is_not_told() {
    let tested = TestBank::new().await;
    let alice = tested.customer("alice", 0).await;
    let banker = as_banker(&tested.user("carol").await);
    const MINE: TxSpec = TxSpec::read_committed("mine");
    for (commits, lines) in [(false, 0), (true, 1)] {
        let bank = &tested.bank;
        let banker = &banker;
        let done = bank.db().transact(MINE, async |tx| {
            let cash = deposit(alice.account, 5);
            bank.deposit_in(tx, banker, key("mine"), cash).await?;
            if commits { Ok(()) } else { Err(simplebank::Error::Forbidden) }
        });
        assert_eq!(done.await.is_ok(), commits);
        assert_eq!(actions(bank).await.len(), lines);
        assert_eq!(tested.state(alice.account).await.0, if commits { 5 } else { 0 });
    }
}

/// The control: where the record can't be written, nothing that it would tell of happens.
#[tokio::test]
async fn without_a_record_there_is_no_deed() {
    let tested = TestBank::new().await;
    let alice = tested.customer("alice", 10).await;
    let bob = tested.customer("bob", 0).await;
    let banker = as_banker(&tested.user("carol").await);
    let sql = "revoke insert on simplebank.audit from simplebank_app";
    sqlx::raw_sql(sql).execute(&tested.owner().await).await.unwrap();
    let bank = &tested.bank;
    assert_eq!(code(bank.deposit(&banker, key("1"), deposit(alice.account, 5)).await), "internal");
    assert_eq!(code(bank.freeze(&banker, alice.account).await), "internal");
    assert_eq!(code(log_in(bank, "alice", PASSWORD).await), "internal");
    assert_eq!(tested.state(alice.account).await.0, 10);
    // Whoever is refused is refused all the same, and customers pay.
    assert_eq!(code(log_in(bank, "nobody", PASSWORD).await), "wrong_credentials");
    tested.transfer(&alice.principal, "2", alice.account, bob.account, 5).await.unwrap();
}

#[tokio::test]
async fn lines_are_found_by_user_action_and_time_and_page_by_page() {
    let tested = TestBank::new().await;
    let bank = &tested.bank;
    let (alice, bob) = (tested.user("alice").await, tested.user("bob").await);
    for username in ["alice", "bob", "alice"] {
        log_in(bank, username, PASSWORD).await.unwrap();
        tested.clock.advance(Duration::hours(1));
    }
    bank.set_role(&Principal::Operator, alice.id, Role::Banker).await.unwrap();
    let all = lines(bank, EVERYTHING).await;
    assert_eq!(all.len(), 4);
    let found = async |filter| {
        let found = lines(bank, filter).await;
        found.iter().map(|it| all.iter().position(|line| line == it).unwrap()).collect::<Vec<_>>()
    };
    // Done by her, and to her.
    assert_eq!(found(Filter { user: Some(alice.id), ..EVERYTHING }).await, [0, 1, 3]);
    assert_eq!(found(Filter { user: Some(bob.id), ..EVERYTHING }).await, [2]);
    assert_eq!(found(Filter { action: Some(Action::RoleSet), ..EVERYTHING }).await, [0]);
    let (since, until) = (Some(all[2].entry.at), Some(all[0].entry.at));
    assert_eq!(found(Filter { since, until, ..EVERYTHING }).await, [1, 2]);

    let mut paged = Vec::new();
    let mut cursor = None;
    loop {
        let page = Page { cursor, limit: PageLimit::new(3).unwrap() };
        let listing = bank.audit(&Principal::Operator, EVERYTHING, page).await.unwrap();
        paged.extend(listing.items);
        cursor = listing.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(paged, all);
    assert_eq!(
        code(bank.audit(&as_depositor(&bob), EVERYTHING, Page::default()).await),
        "forbidden"
    );
    bank.audit(&as_banker(&alice), EVERYTHING, Page::default()).await.unwrap();
}

#[tokio::test]
async fn a_frozen_user_is_out_at_once_and_still_paid() {
    let tested = TestBank::new().await;
    let bank = &tested.bank;
    let (alice, bob) = (tested.customer("alice", 100).await, tested.customer("bob", 0).await);
    let banker = as_banker(&tested.user("carol").await);
    let login = crate::sessions::log_in(&tested, "bob").await;
    let token = || crate::sessions::access(&login);
    bank.authenticate_recent(token()).await.unwrap();

    let frozen = bank.freeze_user(&banker, bob.user.id).await.unwrap();
    assert!(frozen.frozen_at.is_some());
    assert_eq!(bank.freeze_user(&banker, bob.user.id).await.unwrap(), frozen);
    assert_eq!(code(bank.authenticate_recent(token()).await), "unauthenticated");
    assert_eq!(code(bank.authenticate(token()).await), "unauthenticated");
    assert_eq!(code(bank.renew(login.refresh_token.clone()).await), "unauthenticated");
    // Only who knows the password is told why.
    assert_eq!(code(log_in(bank, "bob", PASSWORD).await), "user_frozen");
    assert_eq!(code(log_in(bank, "bob", "a wrong passphrase").await), "wrong_credentials");
    tested.transfer(&alice.principal, "k", alice.account, bob.account, 7).await.unwrap();
    assert_eq!(tested.state(bob.account).await.0, 7);

    bank.unfreeze_user(&banker, bob.user.id).await.unwrap();
    assert_eq!(code(bank.authenticate(token()).await), "unauthenticated");
    log_in(bank, "bob", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn bankers_freeze_depositors_and_the_operator_freezes_bankers() {
    let tested = TestBank::new().await;
    let bank = &tested.bank;
    let (alice, bob) = (tested.user("alice").await, tested.user("bob").await);
    bank.set_role(&Principal::Operator, bob.id, Role::Banker).await.unwrap();
    let carol = as_banker(&tested.user("carol").await);
    assert_eq!(code(bank.freeze_user(&as_depositor(&alice), bob.id).await), "forbidden");
    assert_eq!(code(bank.freeze_user(&carol, bob.id).await), "forbidden");
    assert_eq!(code(bank.freeze_user(&as_banker(&bob), bob.id).await), "forbidden");
    bank.freeze_user(&carol, alice.id).await.unwrap();
    bank.freeze_user(&Principal::Operator, bob.id).await.unwrap();
    for missing in
        [simplebank::core::UserId::OPERATOR, simplebank::core::UserId::from_parts(1, [1; 10])]
    {
        assert_eq!(code(bank.freeze_user(&Principal::Operator, missing).await), "not_found");
    }
    assert_eq!(
        actions(bank).await,
        [
            Action::RoleSet,
            Action::Refused,
            Action::Refused,
            Action::Refused,
            Action::UserFrozen,
            Action::UserFrozen
        ]
    );
}

/// Nobody logs in while they are being frozen.
#[tokio::test]
async fn a_login_and_a_freeze_at_once_leave_no_session() {
    let tested = TestBank::new().await;
    let alice = tested.user("alice").await;
    for _ in 0..5 {
        let bank = tested.bank.clone();
        let logins: Vec<_> = (0..4)
            .map(|_| {
                let bank = bank.clone();
                tokio::spawn(async move { log_in(&bank, "alice", PASSWORD).await.is_ok() })
            })
            .collect();
        bank.freeze_user(&Principal::Operator, alice.id).await.unwrap();
        for login in logins {
            login.await.unwrap();
        }
        let sql = "select count(*) from simplebank.sessions where revoked_at is null";
        let live: i64 = sqlx::query_scalar(sql).fetch_one(bank.db().pool()).await.unwrap();
        assert_eq!(live, 0);
        bank.unfreeze_user(&Principal::Operator, alice.id).await.unwrap();
    }
}
