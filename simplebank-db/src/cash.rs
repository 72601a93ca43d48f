//! The cash accounts in the table `accounts`: one per currency.

use simplebank_core::{AccountId, Currency};
use time::OffsetDateTime;

use crate::{Error, Tx};

/// The cash account of a currency, or `None` before anybody has opened an account in it.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn find(tx: &mut Tx<'_>, currency: Currency) -> Result<Option<AccountId>, Error> {
    let id = sqlx::query_scalar!(
        "select id from simplebank.accounts where kind = 'cash' and currency = $1",
        currency.code(),
    );
    Ok(id.fetch_optional(tx.connection()).await?.map(AccountId::from_uuid))
}

/// Makes sure that a currency has a cash account; a new one gets `id`.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn ensure(
    tx: &mut Tx<'_>,
    id: AccountId,
    currency: Currency,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        insert into simplebank.accounts (id, kind, currency, created_at)
        values ($1, 'cash', $2::text, $3)
        on conflict (currency) where kind = 'cash' do nothing
        "#,
        id.as_uuid(),
        currency.code(),
        now,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}
