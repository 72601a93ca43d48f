//! Deposits, withdrawals and transfers: what moves, what is refused, and what a key promises.

use simplebank::{
    Transfer,
    core::{AccountId, Amount, Memo, Principal},
};

use crate::{TestBank, amount, as_banker, code, currency, deposit, key, transfer, withdrawal};

#[tokio::test]
async fn a_transfer_moves_money_and_tells_both_sides() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 1000).await, bank.customer("bob", 0).await);
    let receipt =
        bank.transfer(&alice.principal, "k", alice.account, bob.account, 300).await.unwrap();
    assert_eq!((receipt.account.id, receipt.account.balance.minor()), (alice.account, 700));
    assert_eq!(
        (receipt.entry().amount.minor(), receipt.entry().balance_after.minor()),
        (-300, 700)
    );
    assert_eq!(
        (bank.state(alice.account).await, bank.state(bob.account).await),
        ((700, 2), (300, 1))
    );
    let id = receipt.posting.transfer().id;
    for side in [&alice.principal, &bob.principal, &Principal::Operator] {
        assert_eq!(&bank.bank.transfer_by_id(side, id).await.unwrap(), receipt.posting.transfer());
    }
    bank.is_whole().await;
}

#[tokio::test]
async fn bankers_take_cash_in_and_pay_it_out() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 0).await, bank.customer("bob", 0).await);
    let banker = as_banker(&bob.user);
    let paid_in = bank.bank.deposit(&banker, key("in"), deposit(alice.account, 500)).await.unwrap();
    assert_eq!((paid_in.account.id, paid_in.account.balance.minor()), (alice.account, 500));
    let paid_out =
        bank.bank.withdraw(&banker, key("out"), withdrawal(alice.account, 200)).await.unwrap();
    assert_eq!((paid_out.entry().amount.minor(), paid_out.account.balance.minor()), (-200, 300));
    for depositor in [&alice.principal, &bob.principal] {
        let answer = bank.bank.deposit(depositor, key("x"), deposit(alice.account, 1)).await;
        assert_eq!(code(answer), "forbidden");
        let answer = bank.bank.withdraw(depositor, key("x"), withdrawal(alice.account, 1)).await;
        assert_eq!(code(answer), "forbidden");
    }
    bank.is_whole().await;
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 100).await, bank.customer("bob", 100).await);
    let frozen = bank.customer("carol", 100).await;
    bank.bank.freeze(&Principal::Operator, frozen.account).await.unwrap();
    let dollars = bank.open(&bob.principal, "USD").await.id;
    let missing = AccountId::from_parts(1, [1; 10]);
    let in_dollars =
        Transfer { currency: currency("USD"), ..transfer(alice.account, bob.account, 1) };
    let states = async || {
        let mut states = Vec::new();
        for account in [alice.account, bob.account, frozen.account, dollars] {
            states.push(bank.state(account).await);
        }
        states
    };
    let (before, (transfers, entries, _)) = (states().await, bank.rows().await);
    for (number, (by, command, expected)) in [
        (&alice, transfer(alice.account, bob.account, 101), "insufficient_funds"),
        (&alice, transfer(alice.account, bob.account, i64::MAX), "insufficient_funds"),
        (&alice, transfer(alice.account, alice.account, 1), "same_account"),
        (&alice, transfer(alice.account, missing, 1), "account_not_found"),
        (&alice, transfer(missing, alice.account, 1), "account_not_found"),
        (&alice, transfer(bob.account, alice.account, 1), "account_not_found"),
        (&alice, transfer(alice.account, dollars, 1), "currency_mismatch"),
        (&alice, in_dollars, "currency_mismatch"),
        (&alice, transfer(alice.account, frozen.account, 1), "account_frozen"),
        (&frozen, transfer(frozen.account, alice.account, 1), "account_frozen"),
    ]
    .into_iter()
    .enumerate()
    {
        let key = key(&format!("refused-{number}"));
        assert_eq!(code(bank.bank.transfer(&by.principal, key, command).await), expected);
        assert_eq!(states().await, before, "{expected}");
    }
    let (transfers_after, entries_after, _) = bank.rows().await;
    assert_eq!((transfers_after, entries_after), (transfers, entries));
    bank.is_whole().await;
}

#[tokio::test]
async fn money_goes_nowhere_near_a_cash_account_by_transfer() {
    let bank = TestBank::new().await;
    let alice = bank.customer("alice", 100).await;
    let sql = "select id from simplebank.accounts where kind = 'cash'";
    let cash: uuid::Uuid = sqlx::query_scalar(sql).fetch_one(bank.bank.db().pool()).await.unwrap();
    let cash = AccountId::from_uuid(cash);
    for (by, from, to) in [
        (&alice.principal, alice.account, cash),
        (&alice.principal, cash, alice.account),
        (&Principal::Operator, cash, alice.account),
    ] {
        let answer = bank.transfer(by, &format!("{from}"), from, to, 1).await;
        assert_eq!(code(answer), "account_not_found");
    }
}

#[tokio::test]
async fn the_edges_of_i64_are_refused_on_either_side() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 0).await, bank.customer("bob", 1).await);
    let most = deposit(alice.account, i64::MAX - 1);
    bank.bank.deposit(&Principal::Operator, key("most"), most).await.unwrap();
    bank.transfer(&bob.principal, "one", bob.account, alice.account, 1).await.unwrap();
    assert_eq!(bank.state(alice.account).await.0, i64::MAX);
    let more =
        bank.bank.deposit(&Principal::Operator, key("more"), deposit(bob.account, i64::MAX)).await;
    assert_eq!(code(more), "balance_out_of_range");
    bank.is_whole().await;
}

#[tokio::test]
async fn a_key_sent_again_gives_the_same_answer_and_no_second_effect() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 1000).await, bank.customer("bob", 0).await);
    let first =
        bank.transfer(&alice.principal, "k", alice.account, bob.account, 300).await.unwrap();
    // Whatever happens in between: more transfers, a freeze, time.
    bank.transfer(&alice.principal, "other", alice.account, bob.account, 1).await.unwrap();
    bank.bank.freeze(&Principal::Operator, alice.account).await.unwrap();
    bank.clock.advance(time::Duration::days(400));
    let (rows, state) = (bank.rows().await, bank.state(alice.account).await);
    for _ in 0..3 {
        let again =
            bank.transfer(&alice.principal, "k", alice.account, bob.account, 300).await.unwrap();
        assert_eq!(again, first);
    }
    assert_eq!((bank.rows().await, bank.state(alice.account).await), (rows, state));

    let paid_in =
        bank.bank.deposit(&Principal::Operator, key("in"), deposit(bob.account, 5)).await.unwrap();
    bank.transfer(&bob.principal, "spend", bob.account, alice.account, 1).await.unwrap_err();
    let again =
        bank.bank.deposit(&Principal::Operator, key("in"), deposit(bob.account, 5)).await.unwrap();
    assert_eq!(again, paid_in);
}

#[tokio::test]
async fn a_refusal_stays_a_refusal_under_its_key() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 0).await, bank.customer("bob", 0).await);
    let refused =
        bank.transfer(&alice.principal, "k", alice.account, bob.account, 10).await.unwrap_err();
    bank.bank.deposit(&Principal::Operator, key("in"), deposit(alice.account, 100)).await.unwrap();
    let again =
        bank.transfer(&alice.principal, "k", alice.account, bob.account, 10).await.unwrap_err();
    assert_eq!(again.to_string(), refused.to_string());
    assert_eq!(bank.state(alice.account).await.0, 100);
    bank.transfer(&alice.principal, "another", alice.account, bob.account, 10).await.unwrap();
}

#[tokio::test]
async fn a_key_names_one_wish_of_one_user() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 100).await, bank.customer("bob", 100).await);
    bank.transfer(&alice.principal, "k", alice.account, bob.account, 10).await.unwrap();
    let before = (bank.rows().await, bank.state(alice.account).await);
    for other in [
        transfer(alice.account, bob.account, 11),
        transfer(bob.account, alice.account, 10),
        Transfer { currency: currency("USD"), ..transfer(alice.account, bob.account, 10) },
    ] {
        assert_eq!(
            code(bank.bank.transfer(&alice.principal, key("k"), other).await),
            "idempotency_key_reused"
        );
    }
    assert_eq!((bank.rows().await, bank.state(alice.account).await), before);
    // Another user's same key is another wish.
    bank.transfer(&bob.principal, "k", bob.account, alice.account, 10).await.unwrap();
    // And so is a deposit under a transfer's key.
    let banker = as_banker(&alice.user);
    let answer = bank.bank.deposit(&banker, key("k"), deposit(alice.account, 10)).await;
    assert_eq!(code(answer), "idempotency_key_reused");
}

#[tokio::test]
async fn currencies_without_and_with_three_decimals_move_exactly() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 0).await, bank.customer("bob", 0).await);
    for (code, text) in [("JPY", "1234"), ("KWD", "1.234"), ("EUR", "12.34")] {
        let (mine, theirs) = if code == "EUR" {
            (alice.account, bob.account)
        } else {
            (bank.open(&alice.principal, code).await.id, bank.open(&bob.principal, code).await.id)
        };
        let amount = Amount::parse(text, currency(code)).unwrap();
        let paid_in = simplebank::Deposit {
            account_id: mine,
            amount,
            currency: currency(code),
            memo: Memo::NONE,
        };
        bank.bank.deposit(&Principal::Operator, key(code), paid_in).await.unwrap();
        let command = Transfer {
            from_account_id: mine,
            to_account_id: theirs,
            amount,
            currency: currency(code),
            memo: Memo::NONE,
        };
        let receipt = bank.bank.transfer(&alice.principal, key(code), command).await.unwrap();
        assert_eq!(
            receipt.posting.to_entry().balance_after.to_decimal(currency(code)).to_string(),
            text
        );
    }
    assert_eq!(amount(1).minor(), 1);
    bank.is_whole().await;
}
