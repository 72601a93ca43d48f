//! The table `sessions`.

use simplebank_core::{SessionId, UserId, session::Session, user::User};
use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Error, Tx, row::UserRow};

/// Stores a new session with the SHA-256 of its refresh token.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn insert(
    tx: &mut Tx<'_>,
    session: &Session,
    refresh_token_hash: &[u8; 32],
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        insert into simplebank.sessions (id, user_id, refresh_token_hash, revoked_at, expires_at, created_at)
        values ($1, $2, $3, $4, $5, $6)
        "#,
        session.id.as_uuid(),
        session.user_id.as_uuid(),
        refresh_token_hash.as_slice(),
        session.revoked_at,
        session.expires_at,
        session.created_at,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// A session, the user it belongs to as they are now, and the SHA-256 of its refresh token.
#[derive(Clone, Debug)]
pub struct Login {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
    /// SHA-256 of the refresh token.
    pub refresh_token_hash: Vec<u8>,
}

/// Those of some sessions that exist, with their users.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn find_all(
    executor: impl PgExecutor<'_>,
    ids: &[SessionId],
) -> Result<Vec<Login>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"
        select s.id, s.user_id, s.refresh_token_hash, s.revoked_at, s.expires_at, s.created_at,
               u.username, u.full_name, u.email, u.email_verified_at, u.role, u.frozen_at, u.password_changed_at, u.created_at as user_created_at
        from simplebank.sessions s
        join simplebank.users u on u.id = s.user_id
        where s.id = any($1)
        "#,
        &ids,
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            let session = Session {
                id: SessionId::from_uuid(row.id),
                user_id: UserId::from_uuid(row.user_id),
                revoked_at: row.revoked_at,
                expires_at: row.expires_at,
                created_at: row.created_at,
            };
            let user = UserRow {
                id: row.user_id,
                username: row.username,
                full_name: row.full_name,
                email: row.email,
                email_verified_at: row.email_verified_at,
                role: row.role,
                frozen_at: row.frozen_at,
                password_changed_at: row.password_changed_at,
                created_at: row.user_created_at,
            };
            let refresh_token_hash = row.refresh_token_hash;
            Ok(Login { session, user: user.try_into()?, refresh_token_hash })
        })
        .collect()
}

/// Ends a session at `now`; ending it twice changes nothing.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn revoke(tx: &mut Tx<'_>, id: SessionId, now: OffsetDateTime) -> Result<(), Error> {
    sqlx::query!(
        "update simplebank.sessions set revoked_at = $2 where id = $1 and revoked_at is null",
        id.as_uuid(),
        now,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Ends all sessions of a user at `now`.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn revoke_all_of(
    tx: &mut Tx<'_>,
    user: UserId,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let done = sqlx::query!(
        "update simplebank.sessions set revoked_at = $2 where user_id = $1 and revoked_at is null",
        user.as_uuid(),
        now,
    );
    done.execute(tx.connection()).await?;
    Ok(())
}
