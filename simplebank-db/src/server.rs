//! What the server is and how it is set: for health checks, the refusal of unsafe durability, and `simplebank doctor`.

use crate::{Db, Error, migrate};

/// What a health check and an operator want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// PostgreSQL's version, such as `15.18`.
    pub version: String,
    /// The database.
    pub database: String,
    /// Who logged in.
    pub login: String,
    /// As whom the connection acts.
    pub role: String,
    /// Whether that role is a superuser.
    pub is_superuser: bool,
    /// The tables among entries, transfers and idempotency that the role could UPDATE, DELETE or TRUNCATE.
    pub rewritable: Vec<String>,
    /// The settings on which durability rests, with their values: `fsync`, `full_page_writes`, `synchronous_commit`.
    pub durability: Vec<(String, String)>,
    /// The newest migration that the database has; 0 if none.
    pub migrated_to: i64,
    /// The newest migration that this program has.
    pub latest_migration: i64,
}

impl Server {
    /// The durability settings that are off, so that a crash could lose what was acknowledged (design D5).
    #[must_use]
    pub fn unsafe_settings(&self) -> Vec<&str> {
        self.durability
            .iter()
            .filter(|(_, value)| value == "off")
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// True when the database has exactly this program's migrations.
    #[must_use]
    pub const fn is_migrated(&self) -> bool {
        self.migrated_to == self.latest_migration
    }
}

impl Db {
    /// Asks the server what it is.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] or [`Error::Overload`] when it doesn't answer.
    pub async fn server(&self) -> Result<Server, Error> {
        let mut connection = self.pool().acquire().await?;
        let may_look = sqlx::query_scalar!(
            r#"select coalesce(has_schema_privilege(to_regnamespace('simplebank'), 'usage'), false) as "may_look!""#
        )
        .fetch_one(&mut *connection)
        .await?;
        // Where all migrations were taken back the schema stays, and the application may not even look into it.
        let applied = if may_look { migrate::applied(&mut connection).await? } else { Vec::new() };
        let migrated_to = applied.last().copied().unwrap_or(0);
        let row = sqlx::query!(
            r#"
            select current_setting('server_version') as "version!", current_database() as "database!",
                   session_user::text as "login!", current_user::text as "role!",
                   (select rolsuper from pg_catalog.pg_roles where rolname = current_user) as "is_superuser!"
            "#
        )
        .fetch_one(&mut *connection)
        .await?;
        let settings = sqlx::query!(
            r#"
            select name as "name!", setting as "setting!"
            from pg_catalog.pg_settings
            where name in ('fsync', 'full_page_writes', 'synchronous_commit')
            order by name
            "#
        )
        .fetch_all(&mut *connection)
        .await?;
        let rewritable = sqlx::query_scalar!(
            r#"
            select c.relname::text as "name!"
            from pg_catalog.pg_class c
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'simplebank'
              and c.relname in ('entries', 'transfers', 'idempotency', 'reversals', 'account_limits', 'audit')
              and has_table_privilege(c.oid, 'update, delete, truncate')
            order by c.relname
            "#
        )
        .fetch_all(&mut *connection)
        .await?;
        Ok(Server {
            version: row.version,
            database: row.database,
            login: row.login,
            role: row.role,
            is_superuser: row.is_superuser,
            rewritable,
            durability: settings
                .into_iter()
                .map(|setting| (setting.name, setting.setting))
                .collect(),
            migrated_to,
            latest_migration: migrate::latest(),
        })
    }

    /// Asks the server for nothing, to see that it answers.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] or [`Error::Overload`] when it doesn't.
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query!("select 1 as one").fetch_one(self.pool()).await?;
        Ok(())
    }
}
