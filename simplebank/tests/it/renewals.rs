//! Refresh tokens rotate: each is good for one renewal, and one that is shown again ends its session.

use std::{collections::BTreeSet, time::Duration as StdDuration};

use secrecy::{ExposeSecret as _, SecretString};
use simplebank::{
    Bank, Builder, LogIn, LoggedIn, Renewed, SessionSettings, TokenSettings,
    core::{TokenId, session::UserAgent},
    db::{Db, PoolOptions},
    testing::{Fault, FixedClock, Proxy, Strike, TestDatabase, drop_after},
    token::{
        EdDsa, Expected, KeyRing, PasetoLocal, SecretKey, SymmetricKey, TokenKind, TokenMaker,
    },
};
use sqlx::PgPool;
use time::Duration;
use tokio::task::JoinSet;

use crate::{PASSWORD, code, registration};

/// A database with alice in it, and any number of servers on it that share a key and a clock.
struct World {
    database: TestDatabase,
    owner: PgPool,
    clock: FixedClock,
    key: SymmetricKey,
}

impl World {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        let owner = database.owner().await;
        let key = SymmetricKey::generate().unwrap();
        let world = Self { database, owner, clock: FixedClock::default(), key };
        world.bank().register(registration("alice")).await.unwrap();
        world
    }

    fn builder(&self, db: &Db) -> Builder {
        Bank::builder(db.clone()).clock(self.clock.clone()).tokens(PasetoLocal::new(&self.key))
    }

    /// A server of its own.
    fn bank(&self) -> Bank {
        self.builder(self.database.db()).build().unwrap()
    }

    fn with(&self, settings: SessionSettings) -> Bank {
        self.builder(self.database.db()).session_settings(settings).build().unwrap()
    }

    /// Which of its session's refresh tokens it is.
    fn id(&self, token: &SecretString) -> TokenId {
        id_by(&PasetoLocal::new(&self.key), token, &self.clock)
    }

    /// Seconds pass.
    fn wait(&self, seconds: i64) {
        self.clock.advance(Duration::seconds(seconds));
    }

    async fn sessions(&self) -> (i64, i64) {
        let sql =
            "select count(*), count(*) filter (where revoked_at is null) from simplebank.sessions";
        sqlx::query_as(sql).fetch_one(&self.owner).await.unwrap()
    }
}

fn id_by(maker: &dyn TokenMaker, token: &SecretString, clock: &FixedClock) -> TokenId {
    use simplebank::ports::Clock as _;
    let expected =
        Expected { kind: TokenKind::Refresh, issuer: "simplebank", audience: "simplebank" };
    maker.verify(token.expose_secret(), &expected, clock.now()).unwrap().id
}

async fn log_in(bank: &Bank) -> LoggedIn {
    let user_agent = UserAgent::new("test/1");
    let command = LogIn { username: "alice".to_owned(), password: PASSWORD.into(), user_agent };
    bank.log_in(command).await.unwrap()
}

async fn renew(bank: &Bank, token: &SecretString) -> Renewed {
    bank.renew(token.clone()).await.unwrap()
}

/// The token opens nothing, and nothing new is had for it.
async fn is_over(bank: &Bank, access: &SecretString, refresh: &SecretString) {
    assert_eq!(code(bank.authenticate(access.clone()).await), "unauthenticated");
    assert_eq!(code(bank.renew(refresh.clone()).await), "unauthenticated");
}

#[tokio::test]
async fn each_renewal_gives_another_refresh_token() {
    let world = World::new().await;
    let bank = world.bank();
    let login = log_in(&bank).await;
    let mut seen = BTreeSet::from([world.id(&login.refresh_token)]);
    let mut token = login.refresh_token;
    for _ in 0..5 {
        world.wait(60);
        let renewed = renew(&bank, &token).await;
        assert_eq!(renewed.session_id, login.session_id);
        let caller = bank.authenticate(renewed.access_token.token).await.unwrap();
        assert_eq!(caller.session_id, login.session_id);
        assert!(seen.insert(world.id(&renewed.refresh_token)));
        token = renewed.refresh_token;
    }
    // What is kept is none of them, and none of their ids.
    let row: String = sqlx::query_scalar("select s::text from simplebank.sessions s")
        .fetch_one(&world.owner)
        .await
        .unwrap();
    assert!(!row.contains(token.expose_secret()));
    for id in seen {
        let id = id.to_string();
        assert!(!row.contains(&id) && !row.contains(&id.replace('-', "")));
    }
}

#[tokio::test]
async fn any_spent_token_ends_the_session_on_every_server() {
    // How many renewals ago the stolen token was the newest.
    for ago in 1..=3 {
        let world = World::new().await;
        let (here, there) = (world.bank(), world.bank());
        let mut tokens = vec![log_in(&here).await.refresh_token];
        let other = log_in(&here).await;
        let mut access = None;
        for _ in 0..3 {
            world.wait(60);
            let renewed = renew(&here, tokens.last().unwrap()).await;
            tokens.push(renewed.refresh_token);
            access = Some(renewed.access_token.token);
        }
        let access = access.unwrap();
        // Both servers have just seen that the session lives.
        for bank in [&here, &there] {
            bank.authenticate_recent(access.clone()).await.unwrap();
        }
        let stolen = &tokens[tokens.len() - 1 - ago];
        world.wait(60);
        assert_eq!(code(there.renew(stolen.clone()).await), "unauthenticated");
        is_over(&here, &access, tokens.last().unwrap()).await;
        is_over(&there, &access, tokens.last().unwrap()).await;
        let refused = there.authenticate_recent(access.clone()).await;
        assert_eq!(code(refused), "unauthenticated", "where it was ended, at once");
        let begun_at = std::time::Instant::now();
        while here.authenticate_recent(access.clone()).await.is_ok() {
            assert!(begun_at.elapsed() < StdDuration::from_secs(2), "elsewhere, within a second");
            tokio::task::yield_now().await;
        }
        // The user's other session has nothing to do with it.
        renew(&here, &other.refresh_token).await;
        assert_eq!(world.sessions().await, (2, 1));
    }
}

/// The control of `any_spent_token_ends_the_session_on_every_server`: it is the spent token that ends it.
#[tokio::test]
async fn the_newest_token_ends_nothing() {
    let world = World::new().await;
    let (here, there) = (world.bank(), world.bank());
    let mut token = log_in(&here).await.refresh_token;
    for bank in [&here, &there, &here] {
        world.wait(60);
        token = renew(bank, &token).await.refresh_token;
    }
    assert_eq!(world.sessions().await, (1, 1));
}

#[tokio::test]
async fn who_has_lost_the_answer_gets_the_same_token_within_the_grace() {
    let world = World::new().await;
    let bank = world.bank();
    let login = log_in(&bank).await;
    world.wait(60);
    let lost = renew(&bank, &login.refresh_token).await;
    world.wait(9);
    // Any server can tell it.
    let again = renew(&world.bank(), &login.refresh_token).await;
    assert_eq!(world.id(&again.refresh_token), world.id(&lost.refresh_token));
    assert_eq!(again.refresh_token_expires_at, lost.refresh_token_expires_at);
    bank.authenticate(again.access_token.token).await.unwrap();
    // Either writing of it goes on; the other one is spent with it.
    let next = renew(&bank, &lost.refresh_token).await;
    let next_again = renew(&bank, &again.refresh_token).await;
    assert_eq!(world.id(&next.refresh_token), world.id(&next_again.refresh_token));
    // The one that was shown twice is two renewals old by now, and no answer to it can have been lost.
    assert_eq!(code(bank.renew(login.refresh_token).await), "unauthenticated");
    is_over(&bank, &next.access_token.token, &next.refresh_token).await;
}

#[tokio::test]
async fn a_maker_without_nonce_gives_the_same_token_to_the_byte() {
    let world = World::new().await;
    let maker = || EdDsa::new(SecretKey::generate().unwrap());
    let bank = world.builder(world.database.db()).tokens(maker()).build().unwrap();
    let login = log_in(&bank).await;
    let [first, second] =
        [renew(&bank, &login.refresh_token).await, renew(&bank, &login.refresh_token).await];
    assert_eq!(first.refresh_token.expose_secret(), second.refresh_token.expose_secret());
}

#[tokio::test]
async fn after_the_grace_the_spent_token_ends_the_session() {
    for (grace, waits) in [(10, 10), (0, 0), (60, 60)] {
        let world = World::new().await;
        let settings =
            SessionSettings { grace: Duration::seconds(grace), ..SessionSettings::default() };
        let bank = world.with(settings);
        let login = log_in(&bank).await;
        let renewed = renew(&bank, &login.refresh_token).await;
        world.wait(waits);
        assert_eq!(code(bank.renew(login.refresh_token).await), "unauthenticated");
        is_over(&bank, &renewed.access_token.token, &renewed.refresh_token).await;
    }
}

/// Renews with one token many times at once, on two servers; returns what came of each.
async fn crowd(world: &World, settings: SessionSettings) -> (Vec<Renewed>, usize) {
    let banks = [world.with(settings.clone()), world.with(settings)];
    let login = log_in(&banks[0]).await;
    let mut renewing = JoinSet::new();
    for bank in banks.iter().cycle().take(24) {
        let (bank, token) = (bank.clone(), login.refresh_token.clone());
        renewing.spawn(async move { bank.renew(token).await });
    }
    let answers = renewing.join_all().await;
    let refused = answers.iter().filter(|answer| answer.is_err()).count();
    (answers.into_iter().filter_map(Result::ok).collect(), refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_renewals_at_once_one_branch_is_left() {
    let world = World::new().await;
    let (renewed, refused) = crowd(&world, SessionSettings::default()).await;
    assert_eq!((renewed.len(), refused), (24, 0));
    let ids: BTreeSet<_> = renewed.iter().map(|one| world.id(&one.refresh_token)).collect();
    assert_eq!(ids.len(), 1);
    // It lives, and goes on.
    world.wait(60);
    let next = renew(&world.bank(), &renewed[7].refresh_token).await;
    world.bank().authenticate(next.access_token.token).await.unwrap();
    assert_eq!(world.sessions().await, (1, 1));
}

/// The control of `of_many_renewals_at_once_one_branch_is_left`: without the grace, an honest crowd is taken for thieves.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_grace_a_crowd_ends_its_own_session() {
    let world = World::new().await;
    let none = SessionSettings { grace: Duration::ZERO, ..SessionSettings::default() };
    let (renewed, refused) = crowd(&world, none).await;
    assert_eq!((renewed.len(), refused), (1, 23));
    is_over(&world.bank(), &renewed[0].access_token.token, &renewed[0].refresh_token).await;
    assert_eq!(world.sessions().await, (1, 0));
}

/// The control of the row's lock: two who have read the same session without it both take its token for the newest, and one of the
/// two that they hand out is worth nothing.
#[tokio::test]
async fn without_the_lock_two_branches_are_handed_out() {
    let world = World::new().await;
    log_in(&world.bank()).await;
    let read = "select refresh_token_hash from simplebank.sessions";
    let mut seen = Vec::new();
    for _ in 0..2 {
        let hash: Vec<u8> = sqlx::query_scalar(read).fetch_one(&world.owner).await.unwrap();
        seen.push(hash);
    }
    let write = "update simplebank.sessions
        set generation = generation + 1, previous_token_hash = $1, refresh_token_hash = $2, rotation_salt = $2";
    for (hash, successor) in seen.iter().zip([[1_u8; 32], [2; 32]]) {
        let write = sqlx::query(write).bind(hash).bind(successor.as_slice());
        write.execute(&world.owner).await.unwrap();
    }
    let left =
        "select generation, previous_token_hash, refresh_token_hash from simplebank.sessions";
    let left: (i32, Vec<u8>, Vec<u8>) = sqlx::query_as(left).fetch_one(&world.owner).await.unwrap();
    assert_eq!(left, (2, seen[0].clone(), vec![2; 32]), "nobody knows the first branch any more");
}

/// Cut off at any await, a renewal has happened or not; either way the same token renews the session.
#[tokio::test]
async fn a_renewal_that_is_cut_off_locks_nobody_out() {
    let world = World::new().await;
    let bank = world.bank();
    let mut token = log_in(&bank).await.refresh_token;
    let mut cut_off = 0;
    // How often it is polled until it is done differs from one time to the next, but never is it done with the first.
    for polls in (0..20).cycle().take(200) {
        let renewed = drop_after(polls, bank.renew(token.clone())).await;
        cut_off += usize::from(renewed.is_none());
        // What was begun on the database may still be there.
        let again = renew(&bank, &token).await;
        if let Some(renewed) = renewed {
            assert_eq!(world.id(&renewed.unwrap().refresh_token), world.id(&again.refresh_token));
        }
        world.wait(11);
        token = again.refresh_token;
    }
    assert!(cut_off >= 20, "{cut_off}");
    assert_eq!(world.sessions().await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_in_commit_locks_nobody_out() {
    let world = World::new().await;
    let proxy = Proxy::start(&world.database.url()).await;
    let db = Db::connect(&proxy.url(), PoolOptions::default()).await.unwrap();
    let bank = world.builder(&db).build().unwrap();
    let mut token = log_in(&bank).await.refresh_token;
    for fault in [
        Fault::BeforeCommit(Strike::Cut),
        Fault::DuringCommit,
        Fault::AfterCommit(Strike::Cut),
        Fault::AfterCommit(Strike::Hang),
        Fault::LateCommit(StdDuration::from_millis(100)),
    ] {
        proxy.arm(fault);
        let renewed = renew(&bank, &token).await;
        proxy.settled().await;
        let again = renew(&bank, &token).await;
        assert_eq!(world.id(&again.refresh_token), world.id(&renewed.refresh_token), "{fault:?}");
        world.wait(11);
        token = renewed.refresh_token;
    }
    assert_eq!(proxy.hits(), 5);
    let generation: i32 = sqlx::query_scalar("select generation from simplebank.sessions")
        .fetch_one(&world.owner)
        .await
        .unwrap();
    assert_eq!(generation, 5, "one for each");
}

#[tokio::test]
async fn a_session_that_is_not_renewed_ends() {
    let world = World::new().await;
    let tokens = TokenSettings { refresh_duration: Duration::days(14), ..TokenSettings::default() };
    let bank = world.builder(world.database.db()).token_settings(tokens).build().unwrap();
    let (used, unused) = (log_in(&bank).await, log_in(&bank).await);
    let day = 24 * 3600;
    world.wait(14 * day - 1);
    let renewed = renew(&bank, &used.refresh_token).await;
    world.wait(1);
    assert_eq!(code(bank.renew(unused.refresh_token).await), "unauthenticated");
    // The control: the one that was renewed goes on.
    world.wait(13 * day);
    renew(&bank, &renewed.refresh_token).await;
}

#[tokio::test]
async fn however_often_it_is_renewed_a_session_ends() {
    let world = World::new().await;
    let bank = world.bank();
    let login = log_in(&bank).await;
    let mut token = login.refresh_token;
    for _ in 0..8 {
        world.clock.advance(Duration::days(10));
        token = renew(&bank, &token).await.refresh_token;
    }
    world.clock.advance(Duration::days(10) - Duration::minutes(5));
    let last = renew(&bank, &token).await;
    // Neither token is good for longer than the session.
    let end = last.refresh_token_expires_at;
    assert_eq!(last.access_token.expires_at, end);
    bank.authenticate(last.access_token.token.clone()).await.unwrap();
    world.clock.advance(Duration::minutes(5));
    is_over(&bank, &last.access_token.token, &last.refresh_token).await;
    // The control: the limit is a setting.
    let world = World::new().await;
    let duration = Duration::days(1_000);
    let bank = world.with(SessionSettings { duration, ..SessionSettings::default() });
    let mut token = log_in(&bank).await.refresh_token;
    for _ in 0..10 {
        world.clock.advance(Duration::days(10));
        token = renew(&bank, &token).await.refresh_token;
    }
}

#[tokio::test]
async fn with_one_session_too_many_the_oldest_ends() {
    let world = World::new().await;
    let bank = world.with(SessionSettings { per_user_max: 3, ..SessionSettings::default() });
    let mut logins = Vec::new();
    for _ in 0..3 {
        logins.push(log_in(&bank).await);
        world.wait(1);
    }
    let access = |login: &LoggedIn| login.access_token.token.clone();
    for login in &logins {
        bank.authenticate_recent(access(login)).await.unwrap();
    }
    log_in(&bank).await;
    assert_eq!(code(bank.authenticate_recent(access(&logins[0])).await), "unauthenticated");
    is_over(&bank, &access(&logins[0]), &logins[0].refresh_token).await;
    for login in &logins[1..] {
        bank.authenticate(access(login)).await.unwrap();
    }
    // One that has ended makes room.
    bank.log_out(logins[1].session_id).await.unwrap();
    log_in(&bank).await;
    bank.authenticate(access(&logins[2])).await.unwrap();
    // What has ended is cleared away.
    assert_eq!(world.sessions().await, (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_log_in_at_once_each_is_counted() {
    let world = World::new().await;
    let bank = world.with(SessionSettings { per_user_max: 3, ..SessionSettings::default() });
    let mut logging_in = JoinSet::new();
    for _ in 0..8 {
        let bank = bank.clone();
        logging_in.spawn(async move { log_in(&bank).await });
    }
    logging_in.join_all().await;
    assert_eq!(world.sessions().await.1, 3);
}

#[tokio::test]
async fn a_new_key_logs_nobody_out() {
    let world = World::new().await;
    let new = SymmetricKey::generate().unwrap();
    let login = log_in(&world.bank()).await;
    let ring = KeyRing::new(new.clone()).accepting(world.key.clone()).unwrap();
    let during = world.builder(world.database.db()).tokens(PasetoLocal::new(ring)).build().unwrap();
    during.authenticate(login.access_token.token.clone()).await.unwrap();
    let renewed = renew(&during, &login.refresh_token).await;
    // A lost answer is told again by the new key, too.
    let again = renew(&during, &login.refresh_token).await;
    let id = |token: &SecretString| id_by(&PasetoLocal::new(&new), token, &world.clock);
    assert_eq!(id(&renewed.refresh_token), id(&again.refresh_token));
    // Once the old key is gone, what the new one has made goes on; the control is what the old one has made.
    let after = world.builder(world.database.db()).tokens(PasetoLocal::new(&new)).build().unwrap();
    renew(&after, &renewed.refresh_token).await;
    assert_eq!(code(after.authenticate(login.access_token.token).await), "unauthenticated");
    assert_eq!(world.sessions().await, (1, 1));
}

#[tokio::test]
async fn a_user_sees_and_ends_their_own_sessions_and_no_others() {
    let world = World::new().await;
    let bank = world.bank();
    let first = log_in(&bank).await;
    world.wait(1);
    let second = log_in(&bank).await;
    let eve = bank.register(registration("eve")).await.unwrap();
    let caller = bank.authenticate(first.access_token.token.clone()).await.unwrap();
    world.wait(60);
    renew(&bank, &second.refresh_token).await;
    let open = bank.own_sessions(&caller).await.unwrap();
    let ids: Vec<_> = open.iter().map(|session| session.id).collect();
    assert_eq!(ids, [first.session_id, second.session_id]);
    assert!(open[0].renewed_at == open[0].created_at && open[1].renewed_at > open[1].created_at);
    assert_eq!(open[0].user_agent, UserAgent::new("test/1"));
    // Another's session is as one that is not there, and stays.
    let theirs = bank.end_session(&eve.principal(), second.session_id).await.unwrap_err();
    let missing = simplebank::core::SessionId::from_parts(1, [1; 10]);
    let nobodys = bank.end_session(&eve.principal(), missing).await.unwrap_err();
    assert_eq!((theirs.code(), theirs.to_string()), ("not_found", nobodys.to_string()));
    bank.authenticate(second.access_token.token.clone()).await.unwrap();

    bank.authenticate_recent(second.access_token.token.clone()).await.unwrap();
    for _ in 0..2 {
        bank.end_session(&caller.principal(), second.session_id).await.unwrap();
    }
    let refused = bank.authenticate_recent(second.access_token.token.clone()).await;
    assert_eq!(code(refused), "unauthenticated");
    assert_eq!(bank.own_sessions(&caller).await.unwrap().len(), 1);
    let third = log_in(&bank).await;
    bank.log_out_everywhere(&caller.principal()).await.unwrap();
    for login in [&first, &third] {
        is_over(&bank, &login.access_token.token, &login.refresh_token).await;
    }
    assert_eq!(bank.own_sessions(&caller).await.unwrap(), []);
    log_in(&bank).await;
}

#[tokio::test]
async fn a_refresh_token_logs_out_even_when_it_is_spent() {
    let world = World::new().await;
    let bank = world.bank();
    let login = log_in(&bank).await;
    let renewed = renew(&bank, &login.refresh_token).await;
    for _ in 0..2 {
        bank.log_out_by(login.refresh_token.clone()).await.unwrap();
        is_over(&bank, &renewed.access_token.token, &renewed.refresh_token).await;
    }
    let refused = bank.log_out_by(login.access_token.token).await;
    assert_eq!(code(refused), "unauthenticated");
}
