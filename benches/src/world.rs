//! A bank with customers: a user, a session and an account each, and a token that the server accepts.

use simplebank::{
    TokenSettings,
    core::{AccountId, Principal, Role, SessionId, TokenId, UserId, user::Username},
    db::Migrations,
    ports::{Clock as _, SystemClock},
    token::{Claims, PasetoLocal, SymmetricKey, TokenKind, TokenMaker as _},
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    Failure,
    cluster::Cluster,
    number::{thousands, wide},
    random::Random,
};

/// How far below zero each account may go: all customers have credit, so nobody is refused, as in the course's transaction.
const OVERDRAFT_LIMIT: i64 = 1_000_000_000_000;
/// How long tokens and sessions live: longer than any comparison.
const LIFE: Duration = Duration::days(7);
/// How long ago the accounts were opened: before everything that is in the ledger.
const OPENED_AGO: Duration = Duration::days(400);
/// The currency of all accounts.
pub(crate) const CURRENCY: &str = "EUR";

/// A customer.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) principal: Principal,
    pub(crate) account_id: AccountId,
    pub(crate) access_token: String,
}

/// All customers, and the secret of their tokens.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) customers: Vec<Customer>,
    /// 64 hex digits.
    pub(crate) token_key: String,
}

/// A customer's rows.
struct Rows {
    user: UserId,
    username: Username,
    session: SessionId,
    account: AccountId,
    refresh_token_hash: [u8; 32],
}

impl World {
    /// Makes the database `name` with so many customers.
    pub(crate) async fn create(
        cluster: &Cluster,
        name: &str,
        customers: u32,
        mut random: Random,
    ) -> Result<Self, Failure> {
        cluster.execute("postgres", &format!("create database {name}")).await?;
        let mut migrations = Migrations::connect(&cluster.url(name)).await?;
        migrations.up().await?;
        migrations.close().await?;
        let now = SystemClock.now();
        let rows: Result<Vec<Rows>, Failure> =
            (1..=customers).map(|number| Rows::new(number, now, &mut random)).collect();
        let rows = rows?;
        insert(cluster, name, &rows, now).await?;
        cluster.execute(name, "vacuum analyze").await?;
        let key = random.bytes::<32>();
        let tokens = PasetoLocal::new(&SymmetricKey::from_bytes(&key)?);
        let customers = rows.into_iter().map(|row| row.customer(&tokens, now, &mut random));
        Ok(Self {
            customers: customers.collect::<Result<_, Failure>>()?,
            token_key: key.iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }
}

impl Rows {
    fn new(number: u32, now: OffsetDateTime, random: &mut Random) -> Result<Self, Failure> {
        let ms = u64::try_from(now.unix_timestamp_nanos() / 1_000_000)?;
        Ok(Self {
            user: UserId::from_parts(ms, random.bytes()),
            username: format!("customer_{number}").parse()?,
            session: SessionId::from_parts(ms, random.bytes()),
            account: AccountId::from_parts(ms, random.bytes()),
            refresh_token_hash: random.bytes(),
        })
    }

    fn customer(
        self,
        tokens: &PasetoLocal,
        now: OffsetDateTime,
        random: &mut Random,
    ) -> Result<Customer, Failure> {
        let settings = TokenSettings::default();
        let claims = Claims {
            id: TokenId::from_parts(wide(0), random.bytes()),
            subject: self.user,
            role: Role::Depositor,
            session: self.session,
            kind: TokenKind::Access,
            issuer: settings.issuer,
            audience: settings.audience,
            issued_at: now,
            not_before: now,
            expires_at: now + LIFE,
        };
        let access_token = tokens.issue(&claims.whole_seconds())?;
        let principal =
            Principal::User { id: self.user, username: self.username, role: Role::Depositor };
        Ok(Customer { principal, account_id: self.account, access_token })
    }
}

async fn insert(
    cluster: &Cluster,
    name: &str,
    rows: &[Rows],
    now: OffsetDateTime,
) -> Result<(), Failure> {
    let users: Vec<Uuid> = rows.iter().map(|row| row.user.as_uuid()).collect();
    let usernames: Vec<String> = rows.iter().map(|row| row.username.to_string()).collect();
    let sessions: Vec<Uuid> = rows.iter().map(|row| row.session.as_uuid()).collect();
    let accounts: Vec<Uuid> = rows.iter().map(|row| row.account.as_uuid()).collect();
    let hashes: Vec<Vec<u8>> = rows.iter().map(|row| row.refresh_token_hash.to_vec()).collect();
    let mut connection = cluster.connect(name).await?;
    let statement = "insert into simplebank.users
            (id, username, password_hash, full_name, email, role, password_changed_at, created_at)
        select id, username, '!', 'A Customer', username || '@example.org', 'depositor', $3, $3
        from unnest($1::uuid[], $2::text[]) as u (id, username)";
    sqlx::query(statement).bind(&users).bind(&usernames).bind(now).execute(&mut connection).await?;
    let statement = "insert into simplebank.sessions (id, user_id, refresh_token_hash, expires_at, created_at)
        select id, user_id, hash, $4, $5 from unnest($1::uuid[], $2::uuid[], $3::bytea[]) as s (id, user_id, hash)";
    sqlx::query(statement)
        .bind(&sessions)
        .bind(&users)
        .bind(&hashes)
        .bind(now + LIFE)
        .bind(now)
        .execute(&mut connection)
        .await?;
    let statement = "insert into simplebank.accounts (id, kind, owner_id, currency, overdraft_limit, created_at)
        select id, 'customer', owner_id, $3, $4, $5 from unnest($1::uuid[], $2::uuid[]) as a (id, owner_id)";
    sqlx::query(statement)
        .bind(&accounts)
        .bind(&users)
        .bind(CURRENCY)
        .bind(OVERDRAFT_LIMIT)
        .bind(now - OPENED_AGO)
        .execute(&mut connection)
        .await?;
    Ok(())
}

/// Checks that the ledger has all of `acknowledged` and no transfer else, and keeps every invariant that `simplebank verify` knows.
pub(crate) async fn check(cluster: &Cluster, name: &str, acknowledged: u64) -> Result<(), Failure> {
    let stored = cluster.count(name, "select count(*) from simplebank.transfers").await?;
    if u64::try_from(stored)? != acknowledged {
        return Err(format!(
            "the bank's ledger is wrong: it has {stored} transfers, and acknowledged {acknowledged}"
        )
        .into());
    }
    let bank = crate::in_process::open(&cluster.url(name)).await?;
    let begun_at = std::time::Instant::now();
    let report = bank.verify(|_| ()).await?;
    bank.db().close().await;
    if let Some(violation) = report.violation {
        return Err(format!("the bank's ledger is wrong: {violation:?}").into());
    }
    println!(
        "  the bank's ledger is right: {} transfers, {} rows verified in {:.1?}",
        thousands(acknowledged),
        thousands(report.rows),
        begun_at.elapsed()
    );
    Ok(())
}
