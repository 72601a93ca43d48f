//! The table `accounts`.

use simplebank_core::{
    Account, AccountId, Balance, UserId,
    account::{Owner, Status},
};

use crate::{
    Error, Tx,
    row::{AccountRow, next_id},
};

/// Stores a new account.
///
/// # Errors
///
/// [`Error::Constraint`] with [`Constraint::AccountsOwnerCurrency`](crate::Constraint::AccountsOwnerCurrency) when the
/// owner has one in that currency.
pub async fn insert(tx: &mut Tx<'_>, account: &Account) -> Result<(), Error> {
    let (kind, owner_id) = match &account.owner {
        Owner::Customer { id, .. } => ("customer", Some(id.as_uuid())),
        Owner::Cash => ("cash", None),
    };
    sqlx::query!(
        r#"
        insert into simplebank.accounts
            (id, kind, owner_id, currency, balance, version, overdraft_limit, status, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        "#,
        account.id.as_uuid(),
        kind,
        owner_id,
        account.currency.code(),
        account.balance.minor(),
        account.version,
        account.overdraft_limit.minor(),
        account.status.as_str(),
        account.created_at,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The account, or `None`.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn find(tx: &mut Tx<'_>, id: AccountId) -> Result<Option<Account>, Error> {
    let row = sqlx::query_as!(
        AccountRow,
        r#"
        select a.id, a.owner_id, u.username as "owner_username?", a.currency, a.balance, a.version,
               a.overdraft_limit, a.status, a.created_at
        from simplebank.accounts a
        left join simplebank.users u on u.id = a.owner_id
        where a.id = $1
        "#,
        id.as_uuid(),
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(Account::try_from).transpose()
}

/// The account, locked until the transaction ends, or `None`.
///
/// # Errors
///
/// [`Error::Overload`] when the lock is not to be had in time.
pub async fn lock(tx: &mut Tx<'_>, id: AccountId) -> Result<Option<Account>, Error> {
    // `no key`: foreign keys of transfers and entries may be checked meanwhile.
    let row = sqlx::query_as!(
        AccountRow,
        r#"
        select a.id, a.owner_id, u.username as "owner_username?", a.currency, a.balance, a.version,
               a.overdraft_limit, a.status, a.created_at
        from simplebank.accounts a
        left join simplebank.users u on u.id = a.owner_id
        where a.id = $1
        for no key update of a
        "#,
        id.as_uuid(),
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(Account::try_from).transpose()
}

/// Up to `limit` accounts of a customer after the one with id `after`, in ascending order of their ids.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn list_of(
    tx: &mut Tx<'_>,
    owner: UserId,
    after: Option<AccountId>,
    limit: i64,
) -> Result<Vec<Account>, Error> {
    let rows = sqlx::query_as!(
        AccountRow,
        r#"
        select a.id, a.owner_id, u.username as "owner_username?", a.currency, a.balance, a.version,
               a.overdraft_limit, a.status, a.created_at
        from simplebank.accounts a
        join simplebank.users u on u.id = a.owner_id
        where a.owner_id = $1
          and a.id >= $2
        order by a.id
        limit $3
        "#,
        owner.as_uuid(),
        next_id(after.map(AccountId::as_uuid)),
        limit,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Account::try_from).collect()
}

/// Up to `limit` accounts of all customers after the one with id `after`, in ascending order of their ids.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn list(
    tx: &mut Tx<'_>,
    after: Option<AccountId>,
    limit: i64,
) -> Result<Vec<Account>, Error> {
    let rows = sqlx::query_as!(
        AccountRow,
        r#"
        select a.id, a.owner_id, u.username as "owner_username?", a.currency, a.balance, a.version,
               a.overdraft_limit, a.status, a.created_at
        from simplebank.accounts a
        join simplebank.users u on u.id = a.owner_id
        where a.id >= $1
        order by a.id
        limit $2
        "#,
        next_id(after.map(AccountId::as_uuid)),
        limit,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Account::try_from).collect()
}

/// An account and what an auditor compares it with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// The account.
    pub account: Account,
    /// The version of its newest entry and the balance after that, if it has entries.
    pub newest_entry: Option<(i64, Balance)>,
}

/// Up to `limit` accounts of all kinds after the one with id `after`, in ascending order of their ids, for an auditor.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn audit(
    tx: &mut Tx<'_>,
    after: Option<AccountId>,
    limit: i64,
) -> Result<Vec<Audited>, Error> {
    let rows = sqlx::query!(
        r#"
        select a.id, a.owner_id, u.username as "owner_username?", a.currency, a.balance, a.version,
               a.overdraft_limit, a.status, a.created_at,
               newest.version as "newest_version?", newest.balance_after as "newest_balance_after?"
        from simplebank.accounts a
        left join simplebank.users u on u.id = a.owner_id
        left join lateral (
            select e.version, e.balance_after
            from simplebank.entries e
            where e.account_id = a.id
            order by e.version desc
            limit 1
        ) newest on true
        where a.id >= $1
        order by a.id
        limit $2
        "#,
        next_id(after.map(AccountId::as_uuid)),
        limit,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            let account = AccountRow {
                id: row.id,
                owner_id: row.owner_id,
                owner_username: row.owner_username,
                currency: row.currency,
                balance: row.balance,
                version: row.version,
                overdraft_limit: row.overdraft_limit,
                status: row.status,
                created_at: row.created_at,
            };
            let newest_entry =
                row.newest_version.zip(row.newest_balance_after.map(Balance::from_minor));
            Ok(Audited { account: account.try_into()?, newest_entry })
        })
        .collect()
}

/// Sets whether an account takes part. Lock it before.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn set_status(tx: &mut Tx<'_>, id: AccountId, status: Status) -> Result<(), Error> {
    sqlx::query!(
        "update simplebank.accounts set status = $2 where id = $1",
        id.as_uuid(),
        status.as_str(),
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}
