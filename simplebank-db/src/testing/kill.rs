//! Killing backends.

use sqlx::PgPool;

/// How long a backend may take to end, in milliseconds.
const TIMEOUT_MS: i64 = 5_000;

/// Ends all other sessions of the pool's database, and waits until each is gone (at most 5 s); returns how many have ended.
///
/// Their clients see 57P01 or a closed connection. The pool must log in as a superuser or as the sessions' own user, as
/// [`TestDatabase::owner`](super::TestDatabase::owner) does. Sessions with the pool's own `application_name` are spared,
/// unless it is empty: they are the pool's.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn kill_backends(owner: &PgPool) -> Result<u64, sqlx::Error> {
    kill(owner, None).await
}

/// Ends the session of the pool's database whose process has this number, as `pg_backend_pid()` tells it, and waits until
/// it is gone (at most 5 s); true if there was one and it has ended.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn kill_backend(owner: &PgPool, pid: i32) -> Result<bool, sqlx::Error> {
    Ok(kill(owner, Some(pid)).await? > 0)
}

/// The sessions are chosen first: a function in `where` could run before the other conditions are asked.
async fn kill(owner: &PgPool, pid: Option<i32>) -> Result<u64, sqlx::Error> {
    let sql = "with others as materialized (
            select pid
            from pg_stat_activity
            where datname = current_database()
                and backend_type = 'client backend'
                and pid <> pg_backend_pid()
                and (application_name = '' or application_name <> current_setting('application_name'))
                and pid = coalesce($1, pid)
        )
        select count(*) filter (where pg_terminate_backend(pid, $2)) from others";
    let ended: i64 = sqlx::query_scalar(sql).bind(pid).bind(TIMEOUT_MS).fetch_one(owner).await?;
    Ok(u64::try_from(ended).unwrap_or_default())
}
