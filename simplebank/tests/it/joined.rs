//! The embedder's rows and our transfer commit or vanish together.

use simplebank::{
    Error,
    db::{self, Tx, TxSpec},
};

use crate::{TestBank, deposit, key, transfer};

const ORDER: TxSpec = TxSpec::read_committed("order");

async fn orders(bank: &TestBank) -> i64 {
    sqlx::query_scalar("select count(*) from orders")
        .fetch_one(bank.bank.db().pool())
        .await
        .unwrap()
}

async fn bank_with_orders() -> TestBank {
    let bank = TestBank::new().await;
    let sql = "create table orders (id int primary key); grant select, insert on orders to simplebank_app";
    sqlx::raw_sql(sql).execute(&bank.owner().await).await.unwrap();
    bank
}

#[tokio::test]
async fn a_row_of_the_embedders_and_a_transfer_commit_together() {
    let bank = bank_with_orders().await;
    let (alice, shop) = (bank.customer("alice", 100).await, bank.customer("shop", 0).await);
    for (number, minor, is_paid) in [(1, 60, true), (2, 60, false)] {
        let paid = bank
            .bank
            .db()
            .transact(ORDER, async |tx| {
                sqlx::query("insert into orders values ($1)")
                    .bind(number)
                    .execute(tx.connection())
                    .await
                    .map_err(db::Error::from)?;
                let command = transfer(alice.account, shop.account, minor);
                bank.bank
                    .transfer_in(tx, &alice.principal, key(&format!("order-{number}")), command)
                    .await
            })
            .await;
        assert_eq!(paid.is_ok(), is_paid, "{paid:?}");
        assert_eq!((orders(&bank).await, bank.state(shop.account).await), (1, (60, 1)));
    }
    // A refusal that was rolled back was not recorded: the same key is judged anew.
    bank.bank
        .deposit(&simplebank::core::Principal::Operator, key("more"), deposit(alice.account, 100))
        .await
        .unwrap();
    bank.transfer(&alice.principal, "order-2", alice.account, shop.account, 60).await.unwrap();
    bank.is_whole().await;
}

#[tokio::test]
async fn a_transfer_joins_a_transaction_that_somebody_else_ends() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 100).await, bank.customer("bob", 0).await);
    for (is_kept, expected) in [(false, 0), (true, 40)] {
        #[expect(clippy::disallowed_methods, reason = "an embedder's own transaction")]
        let mut theirs = bank.bank.db().pool().begin().await.unwrap();
        let command = transfer(alice.account, bob.account, 40);
        bank.bank
            .transfer_in(&mut Tx::join(&mut theirs), &alice.principal, key("k"), command)
            .await
            .unwrap();
        if is_kept {
            theirs.commit().await.unwrap()
        } else {
            theirs.rollback().await.unwrap()
        }
        assert_eq!(bank.state(bob.account).await.0, expected);
    }
    bank.is_whole().await;
}

#[tokio::test]
async fn several_movements_fit_into_one_transaction_at_any_level() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 100).await, bank.customer("bob", 0).await);
    for (name, spec) in [
        ("rc", ORDER),
        ("rr", TxSpec::repeatable_read("order")),
        ("ser", TxSpec::serializable("order")),
    ] {
        bank.bank
            .db()
            .transact(spec, async |tx| {
                for n in 0..3 {
                    let key = key(&format!("{name}-{n}"));
                    bank.bank
                        .transfer_in(
                            tx,
                            &alice.principal,
                            key,
                            transfer(alice.account, bob.account, 10),
                        )
                        .await?;
                }
                Ok::<_, Error>(())
            })
            .await
            .unwrap();
    }
    assert_eq!(bank.state(bob.account).await, (90, 9));
    bank.is_whole().await;
}
