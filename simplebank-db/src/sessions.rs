//! The table `sessions`.

use simplebank_core::{
    SessionId, UserId,
    session::{OpenSession, Session, Shown, UserAgent},
    user::User,
};
use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Error, Tx, row::UserRow};

/// A session that begins.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The session.
    pub session: Session,
    /// What is kept of its refresh token.
    pub token_hash: [u8; 32],
    /// When it ends unless it is renewed.
    pub idle_ends_at: OffsetDateTime,
    /// What the user logs in with.
    pub user_agent: Option<UserAgent>,
}

/// Stores a new session.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn insert(tx: &mut Tx<'_>, new: &NewSession) -> Result<(), Error> {
    let NewSession { session, token_hash, idle_ends_at, user_agent } = new;
    sqlx::query!(
        r#"
        insert into simplebank.sessions
            (id, user_id, refresh_token_hash, revoked_at, expires_at, created_at, renewed_at, idle_ends_at, user_agent)
        values ($1, $2, $3, $4, $5, $6, $6, $7, $8)
        "#,
        session.id.as_uuid(),
        session.user_id.as_uuid(),
        token_hash.as_slice(),
        session.revoked_at,
        session.expires_at,
        session.created_at,
        idle_ends_at,
        user_agent.as_ref().map(UserAgent::as_str),
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// A session and the user it belongs to as they are now.
#[derive(Clone, Debug)]
pub struct Login {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
}

struct LoginRow {
    id: Uuid,
    user_id: Uuid,
    revoked_at: Option<OffsetDateTime>,
    expires_at: OffsetDateTime,
    created_at: OffsetDateTime,
    username: String,
    full_name: String,
    email: String,
    email_verified_at: Option<OffsetDateTime>,
    role: String,
    password_changed_at: OffsetDateTime,
    user_created_at: OffsetDateTime,
}

impl TryFrom<LoginRow> for Login {
    type Error = Error;

    fn try_from(row: LoginRow) -> Result<Self, Error> {
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
            password_changed_at: row.password_changed_at,
            created_at: row.user_created_at,
        };
        Ok(Self { session, user: user.try_into()? })
    }
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
    let rows = sqlx::query_as!(
        LoginRow,
        r#"
        select s.id, s.user_id, s.revoked_at, s.expires_at, s.created_at,
               u.username, u.full_name, u.email, u.email_verified_at, u.role, u.password_changed_at, u.created_at as user_created_at
        from simplebank.sessions s
        join simplebank.users u on u.id = s.user_id
        where s.id = any($1)
        "#,
        &ids,
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(Login::try_from).collect()
}

/// What is known of a session's refresh tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    newest_hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    /// From this and the previous token follows the newest; empty as long as that is the first.
    pub salt: Vec<u8>,
    /// When the newest was made.
    pub renewed_at: OffsetDateTime,
    /// When the session ends unless it is renewed.
    pub idle_ends_at: OffsetDateTime,
}

impl Refresh {
    /// Which token it is of which this is kept. A hash is no secret: comparing it tells nothing that helps to find the token.
    #[must_use]
    pub fn shown(&self, token_hash: &[u8; 32]) -> Shown {
        if self.newest_hash == token_hash {
            Shown::Newest
        } else if self.previous_hash.as_deref() == Some(token_hash) {
            Shown::Previous
        } else {
            Shown::Other
        }
    }
}

/// The session, locked until the transaction ends, or `None`.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn lock(tx: &mut Tx<'_>, id: SessionId) -> Result<Option<(Login, Refresh)>, Error> {
    // Locked first, so that the row is read as the last renewal has left it.
    let row = sqlx::query!(
        r#"
        select refresh_token_hash, previous_token_hash, rotation_salt,
               coalesce(renewed_at, created_at) as "renewed_at!",
               coalesce(idle_ends_at, expires_at) as "idle_ends_at!"
        from simplebank.sessions
        where id = $1
        for no key update
        "#,
        id.as_uuid(),
    )
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let refresh = Refresh {
        newest_hash: row.refresh_token_hash,
        previous_hash: row.previous_token_hash,
        salt: row.rotation_salt.unwrap_or_default(),
        renewed_at: row.renewed_at,
        idle_ends_at: row.idle_ends_at,
    };
    let login = find_all(tx.connection(), &[id]).await?.pop();
    Ok(login.map(|login| (login, refresh)))
}

/// A refresh token that takes the place of another.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// What is kept of the new one.
    pub token_hash: [u8; 32],
    /// From what it was made, together with the old one.
    pub salt: [u8; 32],
    /// When.
    pub renewed_at: OffsetDateTime,
    /// When the session ends unless it is renewed again.
    pub idle_ends_at: OffsetDateTime,
}

/// Puts a new refresh token in the place of the session's newest, which is kept as the previous one.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn rotate(tx: &mut Tx<'_>, id: SessionId, to: &Rotation) -> Result<(), Error> {
    sqlx::query!(
        r#"
        update simplebank.sessions
        set generation = generation + 1,
            previous_token_hash = refresh_token_hash,
            refresh_token_hash = $2,
            rotation_salt = $3,
            renewed_at = $4,
            idle_ends_at = $5
        where id = $1
        "#,
        id.as_uuid(),
        to.token_hash.as_slice(),
        to.salt.as_slice(),
        to.renewed_at,
        to.idle_ends_at,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// A user's sessions that live at `now`, in the order in which they were begun.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn open(
    tx: &mut Tx<'_>,
    user: UserId,
    now: OffsetDateTime,
) -> Result<Vec<OpenSession>, Error> {
    let rows = sqlx::query!(
        r#"
        select id, created_at, expires_at, user_agent,
               coalesce(renewed_at, created_at) as "renewed_at!",
               coalesce(idle_ends_at, expires_at) as "idle_ends_at!"
        from simplebank.sessions
        where user_id = $1
          and revoked_at is null
          and expires_at > $2
          and coalesce(idle_ends_at, expires_at) > $2
        order by created_at, id
        "#,
        user.as_uuid(),
        now,
    )
    .fetch_all(tx.connection())
    .await?;
    let open = rows.into_iter().map(|row| OpenSession {
        id: SessionId::from_uuid(row.id),
        created_at: row.created_at,
        renewed_at: row.renewed_at,
        idle_ends_at: row.idle_ends_at,
        expires_at: row.expires_at,
        user_agent: row.user_agent.as_deref().and_then(UserAgent::new),
    });
    Ok(open.collect())
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

/// Ends a session of a user's at `now`; the answer is false if it is none of theirs. Ending it twice changes nothing.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn revoke_own(
    tx: &mut Tx<'_>,
    user: UserId,
    id: SessionId,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let done = sqlx::query!(
        r#"
        update simplebank.sessions
        set revoked_at = coalesce(revoked_at, $3)
        where id = $2
          and user_id = $1
        "#,
        user.as_uuid(),
        id.as_uuid(),
        now,
    );
    Ok(done.execute(tx.connection()).await?.rows_affected() == 1)
}

/// Ends all sessions of a user at `now`, but for one if it is named.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn revoke_all(
    tx: &mut Tx<'_>,
    user: UserId,
    except: Option<SessionId>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        update simplebank.sessions
        set revoked_at = $3
        where user_id = $1
          and revoked_at is null
          and id is distinct from $2
        "#,
        user.as_uuid(),
        except.map(SessionId::as_uuid),
        now,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Deletes those of a user's sessions that have ended by `now`. Only who has locked the user should.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn clear_ended(tx: &mut Tx<'_>, user: UserId, now: OffsetDateTime) -> Result<(), Error> {
    sqlx::query!(
        r#"
        delete from simplebank.sessions
        where user_id = $1
          and (revoked_at is not null
               or expires_at <= $2
               or coalesce(idle_ends_at, expires_at) <= $2)
        "#,
        user.as_uuid(),
        now,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Ends the oldest of a user's sessions at `now`, so that at most `count` are left; returns how many. Only who has locked the user can rely on that.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn keep_newest(
    tx: &mut Tx<'_>,
    user: UserId,
    count: u32,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let done = sqlx::query!(
        r#"
        update simplebank.sessions
        set revoked_at = $3
        where id in (
            select id
            from simplebank.sessions
            where user_id = $1
              and revoked_at is null
            order by created_at desc, id desc
            offset $2
        )
        "#,
        user.as_uuid(),
        i64::from(count),
        now,
    );
    Ok(done.execute(tx.connection()).await?.rows_affected())
}
