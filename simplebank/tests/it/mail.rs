//! From registering to a mail in a real SMTP server to a verified address, and whatever may come in between.

use simplebank::{
    Bank, EmailVerification, Member, Mode, Page, PlaceHold, Tick, Worker, WorkerOptions,
    core::{
        JobId, Principal, VerificationId,
        hold::Lasting,
        job::{Next, State},
        verification::Code,
    },
    mail::{Folder, Letterhead, Log, Mail, MailError, Mailer as _, Smtp, SmtpUrl},
    testing::{FixedClock, TestDatabase},
};
use time::Duration;
use tokio_rustls::TlsAcceptor;

use crate::{
    TestBank, as_depositor, code, deposit, key, registration,
    smtp_server::{Mood, Received, SmtpServer, Tls, tls_for},
    transfer,
};

/// A bank that asks for verified addresses, and the mail server that its worker speaks to.
pub(crate) struct World {
    pub(crate) test: TestBank,
    pub(crate) server: SmtpServer,
    pub(crate) worker: Worker,
}

pub(crate) fn letterhead() -> Letterhead {
    let from = "bank@example.org".parse().unwrap();
    Letterhead { from, public_url: "https://bank.example".to_owned() }
}

pub(crate) fn smtp(server: &SmtpServer) -> Smtp {
    Smtp::new(format!("smtp://{}", server.address).parse().unwrap()).unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::new().await;
        let clock = FixedClock::default();
        let bank = Bank::builder(database.db().clone())
            .clock(clock.clone())
            .email_verification(EmailVerification::Required)
            .build()
            .unwrap();
        let server = SmtpServer::start().await;
        let worker = Worker::new(bank.clone(), smtp(&server), letterhead());
        Self { test: TestBank { bank, clock, database }, server, worker }
    }

    pub(crate) fn bank(&self) -> &Bank {
        &self.test.bank
    }

    pub(crate) fn worker(&self, options: WorkerOptions) -> Worker {
        self.worker.clone().options(options)
    }

    /// Moves the clock past any lease and any pause, and works until nothing is left to do.
    pub(crate) async fn work_it_off(&self) {
        for _ in 0..100 {
            self.test.clock.advance(Duration::MINUTE);
            if self.worker.tick().await.unwrap() == Tick::Idle(None) {
                return;
            }
        }
        panic!("there is no end of work");
    }

    pub(crate) async fn jobs(&self) -> Vec<simplebank::core::Job> {
        self.bank().jobs(&Principal::Operator, Page::default()).await.unwrap().items
    }

    pub(crate) async fn verify(&self, mail: &Received) -> Result<(), simplebank::Error> {
        let (id, code) = read(mail);
        self.bank().verify_email(id, &code).await
    }

    pub(crate) async fn is_verified(&self, username: &str) -> bool {
        let username = username.parse().unwrap();
        let user = self.bank().user_by_name(&Principal::Operator, &username).await.unwrap();
        user.email_verified_at.is_some()
    }
}

fn read(mail: &Received) -> (VerificationId, Code) {
    let (id, code) = mail.link();
    (id.parse().unwrap(), code.parse().unwrap())
}

#[tokio::test]
async fn whoever_registers_is_sent_a_mail_confirms_and_may_pay() {
    let world = World::new().await;
    let alice = world.test.customer("alice", 100).await;
    world.test.clock.advance(Duration::SECOND);
    let bob = world.test.user("bob").await;
    let bobs = world.test.open(&as_depositor(&bob), "EUR").await.id;
    let pay =
        async || world.test.transfer(&alice.principal, "lunch", alice.account, bobs, 10).await;
    assert_eq!(code(pay().await), "email_not_verified");

    let Tick::Done(_) = world.worker.tick().await.unwrap() else { panic!("no mail was sent") };
    let mail = world.server.received().pop().unwrap();
    assert_eq!(
        (mail.from.as_str(), &mail.to[..]),
        ("bank@example.org", &["alice@example.org".to_owned()][..])
    );
    assert_eq!(mail.header("Subject"), "Confirm your e-mail address");
    assert!(mail.text.contains("text/plain") && mail.text.contains("text/html"), "{}", mail.text);
    assert!(mail.text.contains("https://bank.example/v1/verify-email"), "{}", mail.text);
    world.verify(&mail).await.unwrap();

    // The key was not spent by the refusal.
    pay().await.unwrap();
    assert_eq!(world.test.state(alice.account).await.0, 90);
    assert_eq!(code(world.verify(&mail).await), "wrong_code", "it is used up");
    assert!(!world.is_verified("bob").await);
}

#[tokio::test]
async fn who_is_not_verified_looks_and_is_paid_and_moves_nothing_out() {
    let world = World::new().await;
    let (alice, bob) =
        (world.test.customer("alice", 100).await, world.test.customer("bob", 0).await);
    let bank = world.bank();
    let by = &alice.principal;
    let order = || transfer(alice.account, bob.account, 1);
    assert_eq!(code(bank.transfer(by, key("1"), order()).await), "email_not_verified");
    assert_eq!(code(bank.dry_run().transfer(by, key("1"), order()).await), "email_not_verified");
    for mode in [Mode::Independent, Mode::Atomic] {
        let member = Member { key: key("2"), transfer: order() };
        assert_eq!(code(bank.post_all(by, vec![member], mode).await), "email_not_verified");
    }
    let hold = PlaceHold { transfer: order(), lasting: Lasting::default() };
    assert_eq!(code(bank.place_hold(by, key("3"), hold).await), "email_not_verified");
    let joined = bank.db().transact(simplebank::db::TxSpec::read_committed("test"), async |tx| {
        bank.transfer_in(tx, by, key("4"), order()).await
    });
    assert_eq!(code(joined.await), "email_not_verified");
    assert_eq!(world.test.state(alice.account).await, (100, 1));
    // They look, and are paid.
    bank.account(by, alice.account).await.unwrap();
    bank.deposit(&Principal::Operator, key("5"), deposit(alice.account, 1)).await.unwrap();
    // The control: where nobody asks for it, they pay.
    let lenient = TestBank { bank: Bank::new(bank.db().clone()).unwrap(), ..world.test };
    lenient.bank.transfer(by, key("1"), order()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_takes_a_mail_and_hangs_up_is_sent_it_again_under_the_same_message_id() {
    let world = World::new().await;
    world.test.user("alice").await;
    world.server.set_mood(Mood::HangsUp);
    let Tick::Failed(_, Next::RetryAt(at)) = world.worker.tick().await.unwrap() else { panic!() };
    assert_eq!(world.worker.tick().await.unwrap(), Tick::Idle(Some(at)), "not before its time");
    world.server.set_mood(Mood::Good);
    world.work_it_off().await;
    let mails = world.server.received();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
    assert_ne!(mails[0].link().1, mails[1].link().1);
    world.verify(&mails[0]).await.unwrap();
}

#[tokio::test]
async fn a_mail_that_is_refused_too_often_is_a_dead_letter_until_somebody_retries_it() {
    let world = World::new().await;
    world.test.user("alice").await;
    world.server.set_mood(Mood::Greylisting);
    let mut failures = 0;
    loop {
        match world.worker.tick().await.unwrap() {
            Tick::Failed(_, Next::RetryAt(_)) => failures += 1,
            Tick::Failed(_, Next::Dead) => break,
            Tick::Idle(Some(_)) => world.test.clock.advance(Duration::MINUTE),
            other @ (Tick::Idle(None) | Tick::Done(_) | Tick::Late(_)) => panic!("{other:?}"),
        }
    }
    assert_eq!(failures, 9);
    let [dead] = &world.jobs().await[..] else { panic!("there is one job") };
    assert_eq!(dead.state(dead.created_at), State::Dead);
    assert!(dead.last_error.as_ref().unwrap().contains("450"), "{dead:?}");
    world.work_it_off().await;
    assert_eq!(world.jobs().await.len(), 1);

    let operator = &Principal::Operator;
    let depositor = as_depositor(&world.test.user("bob").await);
    assert_eq!(code(world.bank().jobs(&depositor, Page::default()).await), "forbidden");
    assert_eq!(code(world.bank().retry_job(&depositor, dead.id).await), "forbidden");
    assert_eq!(code(world.bank().drop_job(&depositor, dead.id).await), "forbidden");
    world.server.set_mood(Mood::Good);
    world.bank().retry_job(operator, dead.id).await.unwrap();
    world.work_it_off().await;
    assert_eq!(world.server.received().len(), 2);
    let nothing = JobId::from_parts(1, [1; 10]);
    assert_eq!(code(world.bank().retry_job(operator, nothing).await), "not_found");
    assert_eq!(code(world.bank().drop_job(operator, dead.id).await), "not_found");
}

#[tokio::test]
async fn a_job_that_nobody_can_read_is_a_dead_letter_at_once() {
    let world = World::new().await;
    let sql = "insert into simplebank.jobs (id, kind, queue, payload, attempts_max, due_at, created_at)
        values (gen_random_uuid(), 'verify_email', 'default', '{\"kind\": \"verify_email\"}', 10, '2026-01-01', '2026-01-01')";
    sqlx::query(sql).execute(world.bank().db().pool()).await.unwrap();
    assert!(matches!(world.worker.tick().await.unwrap(), Tick::Failed(_, Next::Dead)));
    let [dead] = &world.jobs().await[..] else { panic!("there is one job") };
    assert!(dead.last_error.as_ref().unwrap().contains("verification_id"), "{dead:?}");
    world.bank().drop_job(&Principal::Operator, dead.id).await.unwrap();
}

#[tokio::test]
async fn who_could_not_register_is_sent_nothing() {
    let world = World::new().await;
    world.test.user("alice").await;
    assert_eq!(code(world.bank().register(registration("alice")).await), "username_taken");
    assert_eq!(world.jobs().await.len(), 1);
}

#[tokio::test]
async fn a_code_lives_for_fifteen_minutes_from_when_it_is_sent() {
    let world = World::new().await;
    for name in ["alice", "bob"] {
        world.test.user(name).await;
        // However long the mail had to wait.
        world.test.clock.advance(Duration::hours(3));
        world.worker.tick().await.unwrap();
    }
    let [alices, bobs] = &world.server.received()[..] else { panic!("there are two mails") };
    assert_eq!(code(world.verify(alices).await), "wrong_code", "three hours old");
    world.test.clock.advance(Duration::minutes(15));
    assert_eq!(code(world.verify(bobs).await), "wrong_code");
    world.test.clock.advance(-Duration::MICROSECOND);
    world.verify(bobs).await.unwrap();
}

#[tokio::test]
async fn five_wrong_codes_close_a_request_and_another_one_opens() {
    let world = World::new().await;
    let alice = as_depositor(&world.test.user("alice").await);
    world.worker.tick().await.unwrap();
    let mail = world.server.received().pop().unwrap();
    let (id, right) = read(&mail);
    let wrong = Code::from_bytes([0; 10]);
    for _ in 0..4 {
        assert_eq!(code(world.bank().verify_email(id, &wrong).await), "wrong_code");
    }
    assert_eq!(code(world.bank().verify_own_email(&alice, &wrong).await), "wrong_code");
    assert_eq!(code(world.bank().verify_email(id, &right).await), "wrong_code", "too late");
    let nothing = VerificationId::from_parts(1, [1; 10]);
    assert_eq!(code(world.bank().verify_email(nothing, &right).await), "wrong_code");

    world.test.clock.advance(Duration::SECOND);
    world.bank().request_email_verification(&alice).await.unwrap();
    world.worker.tick().await.unwrap();
    let (_, right) = read(&world.server.received().pop().unwrap());
    let user = world.bank().verify_own_email(&alice, &right).await.unwrap();
    assert!(user.email_verified_at.is_some());
    assert_eq!(code(world.bank().verify_own_email(&alice, &right).await), "wrong_code");
}

#[tokio::test]
async fn five_mails_a_day_are_enough_for_anybody() {
    let world = World::new().await;
    let alice = as_depositor(&world.test.user("alice").await);
    let ask = async || world.bank().request_email_verification(&alice).await;
    // With the one at registering, also if all ask at once.
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (bank, alice) = (world.bank().clone(), alice.clone());
        asking.spawn(async move { bank.request_email_verification(&alice).await.is_ok() });
    }
    assert_eq!(asking.join_all().await.into_iter().filter(|is_ok| *is_ok).count(), 4);
    assert_eq!(code(ask().await), "too_many_codes");
    world.test.clock.advance(Duration::DAY - Duration::SECOND);
    assert_eq!(code(ask().await), "too_many_codes");
    world.test.clock.advance(Duration::seconds(2));
    ask().await.unwrap();
    // Of those before, nothing is left to send.
    while world.worker.tick().await.unwrap() != Tick::Idle(None) {}
    assert_eq!(world.server.received().len(), 1);
    world.verify(&world.server.received()[0]).await.unwrap();
    // Whoever is verified asks for nothing more.
    ask().await.unwrap();
    assert_eq!(world.jobs().await, []);
    assert_eq!(
        code(
            world
                .bank()
                .request_email_verification(&Principal::User {
                    id: simplebank::core::UserId::from_parts(1, [9; 10]),
                    username: "nobody".parse().unwrap(),
                    role: simplebank::core::Role::Depositor
                })
                .await
        ),
        "not_found"
    );
}

#[tokio::test]
async fn a_code_for_another_address_than_the_users_proves_nothing() {
    let world = World::new().await;
    let alice = as_depositor(&world.test.user("alice").await);
    world.worker.tick().await.unwrap();
    let mail = world.server.received().pop().unwrap();
    world.bank().request_email_verification(&alice).await.unwrap();
    let sql = "update simplebank.users set email = 'other@example.org' where username = 'alice'";
    sqlx::query(sql).execute(world.bank().db().pool()).await.unwrap();
    assert_eq!(code(world.verify(&mail).await), "wrong_code");
    assert!(!world.is_verified("alice").await);
    // Nor is the old address written to any more.
    world.work_it_off().await;
    assert_eq!(world.server.received().len(), 1);
}

#[tokio::test]
async fn two_who_come_with_one_code_at_once_are_one_too_many() {
    let world = World::new().await;
    world.test.user("alice").await;
    world.worker.tick().await.unwrap();
    let (id, right) = read(&world.server.received().pop().unwrap());
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let bank = world.bank().clone();
        asking.spawn(async move { bank.verify_email(id, &right).await.is_ok() });
    }
    let accepted = asking.join_all().await.into_iter().filter(|is_ok| *is_ok).count();
    assert_eq!(accepted, 1);
}

#[tokio::test]
async fn the_database_does_not_know_the_code() {
    let world = World::new().await;
    world.test.user("alice").await;
    world.server.set_mood(Mood::HangsUp);
    world.worker.tick().await.unwrap();
    let (_, right) = read(&world.server.received().pop().unwrap());
    let bytes: String = right.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut rows = 0;
    for table in ["jobs", "email_verifications", "email_codes", "users"] {
        let sql = format!("select t::text from simplebank.{table} t");
        let texts: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_all(world.bank().db().pool())
            .await
            .unwrap();
        for text in &texts {
            assert!(
                !text.contains(&right.to_string()) && !text.contains(&bytes),
                "{table}: {text}"
            );
        }
        rows += texts.len();
    }
    assert!(rows >= 4);
}

#[tokio::test]
async fn mail_in_a_folder_is_for_its_owner_and_written_once() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("data/mail");
    let worker = Worker::new(world.bank().clone(), Folder::new(&place), letterhead());
    world.test.user("alice").await;
    let Tick::Done(job) = worker.tick().await.unwrap() else { panic!() };
    let files: Vec<_> = std::fs::read_dir(&place).unwrap().map(|file| file.unwrap()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    assert_eq!(file.file_name().to_str().unwrap(), format!("{job}.eml"));
    let mode = |path: &std::path::Path| {
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions())
            & 0o777
    };
    assert_eq!((mode(&file.path()), mode(&place)), (0o600, 0o700));
    let text = std::fs::read_to_string(file.path()).unwrap();
    let mail = Received { from: String::new(), to: Vec::new(), text };
    world.verify(&mail).await.unwrap();
}

fn hello() -> Mail {
    Mail {
        job: JobId::from_parts(1, [1; 10]),
        from: "bank@example.org".parse().unwrap(),
        to: "alice@example.org".parse().unwrap(),
        subject: "Hello",
        text: String::new(),
        html: String::new(),
        at: time::OffsetDateTime::UNIX_EPOCH,
    }
}

#[tokio::test]
async fn without_tls_nothing_leaves_this_machine() {
    let server = SmtpServer::start().await;
    // Linux connects 0.0.0.0 to itself; by its name it might be anybody.
    let url = format!("smtp://0.0.0.0:{}", server.address.port());
    let stranger = Smtp::new(url.parse().unwrap()).unwrap();
    let error = stranger.send(&hello()).await.unwrap_err();
    assert!(matches!(error, MailError::Smtp(_)), "{error:?}");
    assert_eq!(server.received(), []);
    // The control: the same server, known to be on this machine.
    smtp(&server).send(&hello()).await.unwrap();
    assert_eq!(server.received().len(), 1);
    Log.send(&hello()).await.unwrap();
}

#[tokio::test]
async fn tls_is_spoken_with_whom_the_certificate_names() {
    let (named, authority) = tls_for(&["127.0.0.1", "0.0.0.0"]);
    let (misnamed, other_authority) = tls_for(&["mail.example"]);
    // By STARTTLS, and from the first byte.
    for scheme in ["smtp://0.0.0.0", "smtps://127.0.0.1"] {
        let tls = |acceptor: &TlsAcceptor| match scheme {
            "smtp://0.0.0.0" => Tls::WhenAsked(acceptor.clone()),
            _ => Tls::FromTheFirstByte(acceptor.clone()),
        };
        let server = SmtpServer::start_with(tls(&named)).await;
        let url = |server: &SmtpServer| {
            format!("{scheme}:{}", server.address.port()).parse::<SmtpUrl>().unwrap()
        };
        let trusting = Smtp::trusting(url(&server), authority.as_bytes()).unwrap();
        trusting.send(&hello()).await.unwrap();
        assert_eq!(server.received().len(), 1, "{scheme}");
        // What is no certificate is not passed over.
        Smtp::trusting(url(&server), b"no certificate").unwrap_err();
        // Nobody vouches for it, or somebody else does.
        let careful = Smtp::new(url(&server)).unwrap();
        careful.send(&hello()).await.unwrap_err();
        let mistaken = Smtp::trusting(url(&server), other_authority.as_bytes()).unwrap();
        mistaken.send(&hello()).await.unwrap_err();
        assert_eq!(server.received().len(), 1, "{scheme}");
        // It is another one than was asked for.
        let other = SmtpServer::start_with(tls(&misnamed)).await;
        let deceived = Smtp::trusting(url(&other), other_authority.as_bytes()).unwrap();
        deceived.send(&hello()).await.unwrap_err();
        assert_eq!(other.received(), [], "{scheme}");
    }
}
