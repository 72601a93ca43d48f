//! Tables that an embedder has beside the bank's, in which a payment that was made twice, or half, shows.

use std::collections::BTreeMap;

use simplebank::db::{Error, Tx};
use sqlx::PgPool;

use crate::Report;

/// What callers were told of each payment: its number if it was acknowledged, nothing if they never heard. The latter may
/// have happened or not, but not twice, and not half.
pub(crate) type ToldPayments = BTreeMap<i64, Option<i64>>;

/// Neither table has a key that would refuse a second payment of the same id.
const TABLES: &str = "
    create table payments (number bigserial primary key, id bigint not null);
    create table deliveries (payment_id bigint not null);
    grant select, insert on payments, deliveries to simplebank_app;
    grant usage on payments_number_seq to simplebank_app";

const PAY: &str = "insert into payments (id) values ($1) returning number";
const DELIVER: &str = "insert into deliveries (payment_id) values ($1)";
const PAY_AND_DELIVER: &str = "
    with delivery as (
        insert into deliveries (payment_id) values ($1)
    )
    insert into payments (id) values ($1) returning number";
const PAID: &str = "select number from payments where id = $1";
const EFFECTS: &str = "
    select id, sum(paid)::bigint, sum(delivered)::bigint, min(number)
    from (
        select id, 1 as paid, 0 as delivered, number from payments
        union all
        select payment_id, 0, 1, null from deliveries
    ) as parts
    group by id
    order by id";

/// Makes the tables.
pub(crate) async fn create(owner: &PgPool) {
    sqlx::raw_sql(TABLES).execute(owner).await.expect("the owner may make tables");
}

/// Makes a payment, in two statements; returns its number.
pub(crate) async fn pay(tx: &mut Tx<'_>, id: i64) -> Result<i64, Error> {
    let number = sqlx::query_scalar(PAY).bind(id).fetch_one(tx.connection()).await?;
    sqlx::query(DELIVER).bind(id).execute(tx.connection()).await?;
    Ok(number)
}

/// Makes a payment in one statement that is a transaction by itself.
pub(crate) async fn pay_by_itself(pool: &PgPool, id: i64) -> Result<i64, Error> {
    Ok(sqlx::query_scalar(PAY_AND_DELIVER).bind(id).fetch_one(pool).await?)
}

/// The question whether a payment was made: its number if it was.
pub(crate) async fn paid(tx: &mut Tx<'_>, id: i64) -> Result<Option<i64>, Error> {
    Ok(sqlx::query_scalar(PAID).bind(id).fetch_optional(tx.connection()).await?)
}

/// The same, asked by somebody else.
pub(crate) async fn find(owner: &PgPool, id: i64) -> Vec<i64> {
    let found = sqlx::query_scalar(PAID).bind(id).fetch_all(owner).await;
    found.expect("the owner may read")
}

/// Compares the tables with what callers were told.
pub(crate) async fn check(owner: &PgPool, told: &ToldPayments, report: &mut Report) {
    let effects: Vec<(i64, i64, i64, Option<i64>)> =
        sqlx::query_as(EFFECTS).fetch_all(owner).await.expect("the owner may read");
    let mut missing = told.clone();
    for (id, paid, delivered, number) in effects {
        match missing.remove(&id) {
            None => report.violation(format!("payment {id}: nobody has asked for it")),
            Some(Some(expected)) if number != Some(expected) => {
                report.violation(format!("payment {id}: told {expected}, there is {number:?}"));
            }
            Some(_) => {}
        }
        report.expect((paid, delivered) == (1, 1), || {
            format!("payment {id}: paid {paid} times and delivered {delivered} times")
        });
    }
    for (id, number) in missing {
        report.expect(number.is_none(), || {
            format!("payment {id}: acknowledged as {number:?}, and lost")
        });
    }
}
