//! The tables `email_verifications` and `email_codes`.

use simplebank_core::{
    UserId, VerificationId,
    user::{Email, Username},
    verification::Attempt,
};
use time::OffsetDateTime;

use crate::{
    Error, Tx,
    row::{in_range, parse},
};

/// A request for a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Names the request.
    pub id: VerificationId,
    /// Whose address is to be shown to be theirs.
    pub user_id: UserId,
    /// The address.
    pub email: Email,
}

/// Stores a request made at `now`.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn insert(
    tx: &mut Tx<'_>,
    verification: &Verification,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        "insert into simplebank.email_verifications (id, user_id, email, requested_at) values ($1, $2, $3, $4)",
        verification.id.as_uuid(),
        verification.user_id.as_uuid(),
        verification.email.as_str(),
        now,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Deletes what a user requested before `since`.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn forget_before(
    tx: &mut Tx<'_>,
    user_id: UserId,
    since: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        "delete from simplebank.email_verifications where user_id = $1 and requested_at < $2",
        user_id.as_uuid(),
        since,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// How many requests of a user there are.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn count(tx: &mut Tx<'_>, user_id: UserId) -> Result<u32, Error> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from simplebank.email_verifications where user_id = $1"#,
        user_id.as_uuid(),
    );
    Ok(u32::try_from(count.fetch_one(tx.connection()).await?).unwrap_or(u32::MAX))
}

/// A request that still has a meaning: it is not used up, and its address is its user's and not verified. With the user's name.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn find_open(
    tx: &mut Tx<'_>,
    id: VerificationId,
) -> Result<Option<(Verification, Username)>, Error> {
    let row = sqlx::query!(
        r#"
        select v.user_id, v.email, u.username
        from simplebank.email_verifications v
        join simplebank.users u on u.id = v.user_id and u.email = v.email
        where v.id = $1
          and v.used_at is null
          and u.email_verified_at is null
        "#,
        id.as_uuid(),
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| {
        let email = parse("email_verifications", "email", id, &row.email)?;
        let username = parse("users", "username", row.user_id, &row.username)?;
        Ok((Verification { id, user_id: UserId::from_uuid(row.user_id), email }, username))
    })
    .transpose()
}

/// The newest request of a user.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn newest(tx: &mut Tx<'_>, user_id: UserId) -> Result<Option<VerificationId>, Error> {
    let id = sqlx::query_scalar!(
        r#"
        select id
        from simplebank.email_verifications
        where user_id = $1
        order by requested_at desc, id desc
        limit 1
        "#,
        user_id.as_uuid(),
    );
    Ok(id.fetch_optional(tx.connection()).await?.map(VerificationId::from_uuid))
}

/// Adds the SHA-256 of a code that is about to be sent.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn add_code(
    tx: &mut Tx<'_>,
    id: VerificationId,
    code_hash: &[u8; 32],
    expires_at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        insert into simplebank.email_codes (verification_id, code_hash, expires_at)
        values ($1, $2::bytea, $3)
        "#,
        id.as_uuid(),
        code_hash.as_slice(),
        expires_at,
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// What is known of a request when somebody comes with a code of this SHA-256 at `now`. The request is locked, so that two who come
/// at once are judged one after the other.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn lock(
    tx: &mut Tx<'_>,
    id: VerificationId,
    code_hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Option<(Verification, Attempt)>, Error> {
    let row = sqlx::query!(
        r#"
        select v.user_id, v.email, v.tries::integer as "tries!", v.used_at is not null as "is_used!",
               exists (
                   select
                   from simplebank.email_codes c
                   where c.verification_id = v.id
                     and c.code_hash = $2::bytea
                     and c.expires_at > $3
               ) as "is_right!"
        from simplebank.email_verifications v
        where v.id = $1
        for no key update of v
        "#,
        id.as_uuid(),
        code_hash.as_slice(),
        now,
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| {
        const TABLE: &str = "email_verifications";
        let user_id = UserId::from_uuid(row.user_id);
        let email = parse(TABLE, "email", id, &row.email)?;
        let tries = in_range(TABLE, "tries", id, u32::try_from(row.tries).ok())?;
        let attempt = Attempt { is_used: row.is_used, tries, is_right: row.is_right };
        Ok((Verification { id, user_id, email }, attempt))
    })
    .transpose()
}

/// Counts a wrong code.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn count_try(tx: &mut Tx<'_>, id: VerificationId) -> Result<(), Error> {
    let done = sqlx::query!(
        "update simplebank.email_verifications set tries = tries + 1 where id = $1",
        id.as_uuid(),
    );
    done.execute(tx.connection()).await?;
    Ok(())
}

/// Uses a request up.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn use_up(tx: &mut Tx<'_>, id: VerificationId, now: OffsetDateTime) -> Result<(), Error> {
    let done = sqlx::query!(
        "update simplebank.email_verifications set used_at = $2 where id = $1",
        id.as_uuid(),
        now,
    );
    done.execute(tx.connection()).await?;
    Ok(())
}
