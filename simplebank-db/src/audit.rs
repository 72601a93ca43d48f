//! The table `audit`.

use simplebank_core::{
    UserId,
    audit::{Action, Entry, Object, Origin},
    user::Username,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    Error, Tx,
    row::{in_range, parse},
};

/// Writes a line into the record, to commit or vanish with what it tells of.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn insert(tx: &mut Tx<'_>, entry: &Entry) -> Result<(), Error> {
    insert_all(tx, std::slice::from_ref(entry)).await
}

/// [`insert`] for several lines, by one statement.
///
/// # Errors
///
/// Whatever the database answers.
#[expect(
    clippy::as_conversions,
    reason = "how `query!` is told that an array holds nulls; it converts nothing"
)]
pub async fn insert_all(tx: &mut Tx<'_>, entries: &[Entry]) -> Result<(), Error> {
    fn column<T>(entries: &[Entry], value: impl Fn(&Entry) -> T) -> Vec<T> {
        entries.iter().map(value).collect()
    }
    let uuid = |object: Object| object.as_uuid();
    sqlx::query!(
        r#"
        insert into simplebank.audit
            (at, actor_id, action, object_kind, object_id, detail, address, request_id, times)
        select at, actor_id, action, object_kind, object_id, detail, address::inet, request_id, times
        from unnest($1::timestamptz[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[],
                    $9::integer[])
            with ordinality
            as e (at, actor_id, action, object_kind, object_id, detail, address, request_id, times, n)
        order by n
        "#,
        &column(entries, |entry| entry.at),
        &column(entries, |entry| entry.actor.map(UserId::as_uuid)) as &[Option<Uuid>],
        &column(entries, |entry| entry.action.as_str().to_owned()),
        &column(entries, |entry| entry.object.map(|object| object.kind().to_owned()))
            as &[Option<String>],
        &column(entries, |entry| entry.object.map(uuid)) as &[Option<Uuid>],
        &column(entries, |entry| entry.detail.clone()) as &[Option<String>],
        &column(entries, |entry| entry.origin.address.map(|address| address.to_string()))
            as &[Option<String>],
        &column(entries, |entry| entry.origin.request_id.clone()) as &[Option<String>],
        &column(entries, |entry| i32::try_from(entry.times).unwrap_or(i32::MAX)),
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Which lines are wanted: those for which all that is said holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Done by this user, or to them.
    pub user: Option<UserId>,
    /// This was done.
    pub action: Option<Action>,
    /// Then or later.
    pub since: Option<OffsetDateTime>,
    /// Before then.
    pub until: Option<OffsetDateTime>,
}

/// A line as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// In which order lines were written: 1 or more, with gaps.
    pub number: i64,
    /// What it says.
    pub entry: Entry,
    /// The login name of its actor.
    pub username: Option<Username>,
}

/// Up to `limit` lines before the one of number `before`, newest first.
///
/// # Errors
///
/// Whatever the database answers.
pub async fn list(
    tx: &mut Tx<'_>,
    filter: &Filter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Line>, Error> {
    const TABLE: &str = "audit";
    let rows = sqlx::query!(
        r#"
        select e.number, e.at, e.actor_id, u.username as "username?", e.action, e.object_kind, e.object_id, e.detail,
               host(e.address) as address, e.request_id, e.times
        from simplebank.audit e
        left join simplebank.users u on u.id = e.actor_id
        where ($1::bigint is null or e.number < $1)
          and ($2::uuid is null or e.actor_id = $2 or e.object_id = $2)
          and ($3::text is null or e.action = $3)
          and ($4::timestamptz is null or e.at >= $4)
          and ($5::timestamptz is null or e.at < $5)
        order by e.number desc
        limit $6
        "#,
        before,
        filter.user.map(UserId::as_uuid),
        filter.action.map(Action::as_str),
        filter.since,
        filter.until,
        limit,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            let object = match row.object_kind.as_deref().zip(row.object_id) {
                Some((kind, id)) => {
                    Some(in_range(TABLE, "object_kind", row.number, Object::from_parts(kind, id))?)
                }
                None => None,
            };
            let address =
                row.address.as_deref().map(|text| parse(TABLE, "address", row.number, text));
            let entry = Entry {
                at: row.at,
                actor: row.actor_id.map(UserId::from_uuid),
                action: parse(TABLE, "action", row.number, &row.action)?,
                object,
                detail: row.detail,
                origin: Origin { address: address.transpose()?, request_id: row.request_id },
                times: in_range(TABLE, "times", row.number, u32::try_from(row.times).ok())?,
            };
            let username = row.username.as_deref();
            let username = username.map(|name| parse("users", "username", row.number, name));
            Ok(Line { number: row.number, entry, username: username.transpose()? })
        })
        .collect()
}
