//! The table `users`.

use simplebank_core::{
    Role, UserId,
    user::{Email, User, Username},
};
use time::OffsetDateTime;

use crate::{
    Error, Tx,
    row::{UserRow, next_id},
};

/// Stores a new user with a password hash, a PHC string.
///
/// # Errors
///
/// [`Error::Constraint`] with [`Constraint::UsersUsername`](crate::Constraint::UsersUsername) when the name is taken.
pub async fn insert(tx: &mut Tx<'_>, user: &User, password_hash: &str) -> Result<(), Error> {
    sqlx::query!(
        r#"
        insert into simplebank.users
            (id, username, password_hash, full_name, email, role, password_changed_at, created_at, email_verified_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        "#,
        user.id.as_uuid(),
        user.username.as_str(),
        password_hash,
        user.full_name.as_str(),
        user.email.as_str(),
        user.role.as_str(),
        user.password_changed_at,
        user.created_at,
        user.email_verified_at,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The user, or `None`.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn find(tx: &mut Tx<'_>, id: UserId) -> Result<Option<User>, Error> {
    let row = sqlx::query_as!(
        UserRow,
        r#"
        select id, username, full_name, email, email_verified_at, role, password_changed_at, created_at
        from simplebank.users
        where id = $1
        "#,
        id.as_uuid(),
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(User::try_from).transpose()
}

/// The user of that name, or `None`.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn find_by_username(tx: &mut Tx<'_>, username: &Username) -> Result<Option<User>, Error> {
    let row = sqlx::query_as!(
        UserRow,
        r#"
        select id, username, full_name, email, email_verified_at, role, password_changed_at, created_at
        from simplebank.users
        where username = $1
        "#,
        username.as_str(),
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(User::try_from).transpose()
}

/// The password hash of a user, a PHC string, or `None` if there is no such user.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn password_hash(tx: &mut Tx<'_>, id: UserId) -> Result<Option<String>, Error> {
    let hash = sqlx::query_scalar!(
        "select password_hash from simplebank.users where id = $1",
        id.as_uuid(),
    );
    Ok(hash.fetch_optional(tx.connection()).await?)
}

/// Up to `limit` users after the one with id `after`, in ascending order of their ids, without the operator.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn list(tx: &mut Tx<'_>, after: Option<UserId>, limit: i64) -> Result<Vec<User>, Error> {
    let rows = sqlx::query_as!(
        UserRow,
        r#"
        select id, username, full_name, email, email_verified_at, role, password_changed_at, created_at
        from simplebank.users
        where id <> $3
          and id >= $1
        order by id
        limit $2
        "#,
        next_id(after.map(UserId::as_uuid)),
        limit,
        UserId::OPERATOR.as_uuid(),
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(User::try_from).collect()
}

/// The user, locked until the transaction ends, or `None`.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn lock(tx: &mut Tx<'_>, id: UserId) -> Result<Option<User>, Error> {
    let row = sqlx::query_as!(
        UserRow,
        r#"
        select id, username, full_name, email, email_verified_at, role, password_changed_at, created_at
        from simplebank.users
        where id = $1
        for no key update
        "#,
        id.as_uuid(),
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(User::try_from).transpose()
}

/// Notes that `email` was shown to be a user's at `now`; the answer is false if it is their address no more.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn set_email_verified(
    tx: &mut Tx<'_>,
    id: UserId,
    email: &Email,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let done = sqlx::query!(
        r#"
        update simplebank.users
        set email_verified_at = coalesce(email_verified_at, $3)
        where id = $1
          and email = $2
        "#,
        id.as_uuid(),
        email.as_str(),
        now,
    );
    Ok(done.execute(tx.connection()).await?.rows_affected() == 1)
}

/// Makes a user a `role`; the answer is false if there is no such user.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn set_role(tx: &mut Tx<'_>, id: UserId, role: Role) -> Result<bool, Error> {
    let done = sqlx::query!(
        "update simplebank.users set role = $2 where id = $1",
        id.as_uuid(),
        role.as_str(),
    )
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts another hash of the same password, a PHC string, in the place of a user's.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn set_password_hash(tx: &mut Tx<'_>, id: UserId, hash: &str) -> Result<(), Error> {
    sqlx::query!(
        "update simplebank.users set password_hash = $2 where id = $1",
        id.as_uuid(),
        hash,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Gives a user another password at `now`, by its hash, a PHC string.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn change_password(
    tx: &mut Tx<'_>,
    id: UserId,
    hash: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        "update simplebank.users set password_hash = $2, password_changed_at = $3 where id = $1",
        id.as_uuid(),
        hash,
        now,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}
