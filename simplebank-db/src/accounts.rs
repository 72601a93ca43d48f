//! The table `accounts`.
//!
//! What is written into a column of a domain is cast to the type below it: the macros then check the argument, and the driver
//! needs to ask the server nothing about the domain.

use simplebank_core::{
    Account, AccountId, Amount, Balance, UserId,
    account::{Owner, Status},
};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::{
    Error, Tx,
    row::{AccountRow, next_id, parse},
};

/// Stores a new account; it begins with a balance of zero.
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
            (id, kind, owner_id, currency, overdraft_limit, status, created_at)
        values ($1, $2::text, $3, $4::text, $5::bigint, $6::text, $7)
        "#,
        account.id.as_uuid(),
        kind,
        owner_id,
        account.currency.code(),
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
        select a.id, a.owner_id, u.username as "owner_username?", a.currency, a.balance, a.version, a.revision, a.held,
               a.overdraft_limit, a.transfer_limit, a.daily_limit, a.spent_day, a.spent, a.spent_allowed, a.notice_from, a.status, a.created_at
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
        select a.id, a.owner_id, u.username as "owner_username?", a.currency, a.balance, a.version, a.revision, a.held,
               a.overdraft_limit, a.transfer_limit, a.daily_limit, a.spent_day, a.spent, a.spent_allowed, a.notice_from, a.status, a.created_at
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

/// Locks some accounts in ascending order of their ids, so that two callers never wait for each other, and returns those
/// that exist.
///
/// # Errors
///
/// [`Error::Overload`] when a lock is not to be had in time.
pub async fn lock_all(tx: &mut Tx<'_>, ids: &[AccountId]) -> Result<Vec<Account>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    // Rows are locked in the order in which the sort hands them on.
    let rows = sqlx::query_as!(
        AccountRow,
        r#"
        select a.id, a.owner_id, u.username as "owner_username?", a.currency, a.balance, a.version, a.revision, a.held,
               a.overdraft_limit, a.transfer_limit, a.daily_limit, a.spent_day, a.spent, a.spent_allowed, a.notice_from, a.status, a.created_at
        from simplebank.accounts a
        left join simplebank.users u on u.id = a.owner_id
        where a.id = any($1)
        order by a.id
        for no key update of a
        "#,
        &ids,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Account::try_from).collect()
}

/// Those of some accounts that somebody else has locked right now.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn locked_elsewhere(tx: &mut Tx<'_>, ids: &[AccountId]) -> Result<Vec<AccountId>, Error> {
    let wanted: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let ids = sqlx::query_scalar!(
        r#"
        with free as materialized (
            select id from simplebank.accounts where id = any($1) for no key update skip locked
        )
        select id from simplebank.accounts where id = any($1) and id not in (select id from free)
        "#,
        &wanted,
    );
    let ids = ids.fetch_all(tx.connection()).await?;
    Ok(ids.into_iter().map(AccountId::from_uuid).collect())
}

/// Those of some accounts that exist, in ascending order of their ids.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn find_all(
    executor: impl PgExecutor<'_>,
    ids: &[AccountId],
) -> Result<Vec<Account>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query_as!(
        AccountRow,
        r#"
        select a.id, a.owner_id, u.username as "owner_username?", a.currency, a.balance, a.version, a.revision, a.held,
               a.overdraft_limit, a.transfer_limit, a.daily_limit, a.spent_day, a.spent, a.spent_allowed, a.notice_from, a.status, a.created_at
        from simplebank.accounts a
        left join simplebank.users u on u.id = a.owner_id
        where a.id = any($1)
        order by a.id
        "#,
        &ids,
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(Account::try_from).collect()
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
        select a.id, a.owner_id, u.username as "owner_username?", a.currency, a.balance, a.version, a.revision, a.held,
               a.overdraft_limit, a.transfer_limit, a.daily_limit, a.spent_day, a.spent, a.spent_allowed, a.notice_from, a.status, a.created_at
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
        select a.id, a.owner_id, u.username as "owner_username?", a.currency, a.balance, a.version, a.revision, a.held,
               a.overdraft_limit, a.transfer_limit, a.daily_limit, a.spent_day, a.spent, a.spent_allowed, a.notice_from, a.status, a.created_at
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
    /// The sum of the open holds on it, in minor units: more than a balance counts, if somebody tampered.
    pub open_holds: i128,
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
        select a.id, a.owner_id, u.username as "owner_username?", a.currency, a.balance, a.version, a.revision, a.held,
               a.overdraft_limit, a.transfer_limit, a.daily_limit, a.spent_day, a.spent, a.spent_allowed, a.notice_from, a.status, a.created_at,
               newest.version as "newest_version?", newest.balance_after as "newest_balance_after?",
               (select sum(h.amount)::text from simplebank.holds h where h.from_account_id = a.id and h.state = 'open') as open_holds
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
                revision: row.revision,
                held: row.held,
                overdraft_limit: row.overdraft_limit,
                transfer_limit: row.transfer_limit,
                daily_limit: row.daily_limit,
                spent_day: row.spent_day,
                spent: row.spent,
                spent_allowed: row.spent_allowed,
                notice_from: row.notice_from,
                status: row.status,
                created_at: row.created_at,
            };
            let newest_entry =
                row.newest_version.zip(row.newest_balance_after.map(Balance::from_minor));
            let open_holds = row.open_holds.as_deref().unwrap_or("0");
            let open_holds = parse("holds", "amount", row.id, open_holds)?;
            Ok(Audited { account: account.try_into()?, newest_entry, open_holds })
        })
        .collect()
}

/// Sets the limits of an account. Lock it before.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn set_limits(tx: &mut Tx<'_>, account: &Account) -> Result<(), Error> {
    sqlx::query!(
        r#"
        update simplebank.accounts
        set overdraft_limit = $2::bigint, transfer_limit = $3::bigint, daily_limit = $4::bigint
        where id = $1
        "#,
        account.id.as_uuid(),
        account.overdraft_limit.minor(),
        account.limits.per_transfer.map(Amount::minor),
        account.limits.per_day.map(Amount::minor),
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Sets from which amount on the owner of an account is told what went out.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn set_notice_from(
    tx: &mut Tx<'_>,
    id: AccountId,
    notice_from: Option<Amount>,
) -> Result<(), Error> {
    let done = sqlx::query!(
        "update simplebank.accounts set notice_from = $2::bigint where id = $1",
        id.as_uuid(),
        notice_from.map(Amount::minor),
    );
    done.execute(tx.connection()).await?;
    Ok(())
}

/// Sets whether an account takes part. Lock it before.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn set_status(tx: &mut Tx<'_>, id: AccountId, status: Status) -> Result<(), Error> {
    sqlx::query!(
        "update simplebank.accounts set status = $2::text where id = $1",
        id.as_uuid(),
        status.as_str(),
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}
