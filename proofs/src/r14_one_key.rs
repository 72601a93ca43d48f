//! R14: a hundred uses of one key at the same time have one effect and one answer.
//!
//! Kinds of rounds take turns: the payer has the money; the payer lacks it, and the refusal stays when money comes; half of
//! the clients send something else under the key; and the first two over HTTP, where all answers must have the same bytes.
//!
//! The clients come on three roads at the same time: through the committer of one bank, through that of another on the same
//! database, and by `transfer_in` in transactions of their own. Those over HTTP take turns at the two banks' servers.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use simplebank::{
    Bank, Error, Receipt, Transfer,
    core::{IdempotencyKey, Rejection},
    db::TxSpec,
    testing::TestDatabase,
};
use tokio::task::JoinSet;

use crate::{
    Control, Proof, Report,
    bank::{self, Customer},
    http::{self, Connection, Server},
};

pub(crate) const PROOF: Proof = Proof {
    id: "R14",
    fault: "100 concurrent uses of one key",
    run: |scale| Box::pin(trial(KeyIs::RecordedWithTheMoney, scale.of(10, 1_000))),
    control: Some(Control {
        defect: "check, then insert",
        run: |_| Box::pin(trial(KeyIs::CheckedFirst, CONTROL_ROUNDS)),
    }),
};

const USES: usize = 100;
const CONNECTIONS: u32 = 30;
const CONTROL_ROUNDS: u64 = 3;
const RICH_CENTS: i64 = 1_000_000;
const PRICE_CENTS: i64 = 10;

/// What a key protects with.
#[derive(Clone, Copy, Debug)]
enum KeyIs {
    /// As the bank does it: a unique key in the transaction of the money.
    RecordedWithTheMoney,
    /// The naive way: in the same transaction, but looked up, and inserted if it was not there.
    CheckedFirst,
}

/// What a round asks for.
#[derive(Clone, Copy, Debug)]
enum Round {
    Paid,
    Refused,
    TwoContents,
    PaidOverHttp,
    RefusedOverHttp,
}

impl Round {
    const fn of(number: u64, key_is: KeyIs) -> Self {
        match (key_is, number % 5) {
            (KeyIs::CheckedFirst, _) | (_, 0) => Self::Paid,
            (_, 1) => Self::Refused,
            (_, 2) => Self::TwoContents,
            (_, 3) => Self::PaidOverHttp,
            _ => Self::RefusedOverHttp,
        }
    }
}

/// What a client was told.
#[derive(Debug, PartialEq)]
enum Answer {
    Paid(Box<Receipt>),
    Refused(Rejection),
    KeyReused,
    /// Anything else is a failure.
    Failed(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paid(receipt) => write!(f, "transfer {}", receipt.posting.transfer().id),
            Self::Refused(rejection) => f.write_str(rejection.code()),
            Self::KeyReused => f.write_str("idempotency_key_reused"),
            Self::Failed(text) => f.write_str(text),
        }
    }
}

impl From<Result<Receipt, Error>> for Answer {
    fn from(answer: Result<Receipt, Error>) -> Self {
        match answer {
            Ok(receipt) => Self::Paid(Box::new(receipt)),
            Err(Error::Rejected(rejection)) => Self::Refused(rejection),
            Err(Error::KeyReused) => Self::KeyReused,
            Err(error) => Self::Failed(format!("{error:?}")),
        }
    }
}

/// Which way a client takes.
#[derive(Clone, Copy, Debug)]
enum Road {
    Bank,
    OtherBank,
    OwnTransaction,
}

impl Road {
    const fn of(client: usize) -> Self {
        match client % 3 {
            0 => Self::Bank,
            1 => Self::OtherBank,
            _ => Self::OwnTransaction,
        }
    }
}

/// A server, and a token for each customer.
struct Door {
    server: Server,
    tokens: Vec<String>,
}

struct Stage {
    bank: Bank,
    other_bank: Bank,
    doors: [Door; 2],
    key_is: KeyIs,
    rich: Customer,
    poor: Customer,
    payee: Customer,
    /// How many naive payments were tried.
    naive: AtomicU64,
}

async fn trial(key_is: KeyIs, rounds: u64) -> Report {
    let mut report = Report::new();
    let database = TestDatabase::new().await;
    let owner = bank::owner(&database.url(), 1).await;
    let table = "create table used_keys (key text not null); grant select, insert on used_keys to simplebank_app";
    sqlx::raw_sql(table).execute(&owner).await.expect("the owner may make tables");
    let bank = bank::open(&database.url(), CONNECTIONS).await;
    let other_bank = bank::open(&database.url(), CONNECTIONS).await;
    let customers = bank::customers(&bank, 3, RICH_CENTS).await;
    let doors = [door(&bank).await, door(&other_bank).await];
    let [rich, poor, payee] = customers.try_into().expect("three were opened");
    let naive = AtomicU64::new(0);
    let stage = Arc::new(Stage { bank, other_bank, doors, key_is, rich, poor, payee, naive });
    for number in 0..rounds {
        match Round::of(number, key_is) {
            Round::Paid => paid(&stage, number, &mut report).await,
            Round::Refused => refused(&stage, number, &mut report).await,
            Round::TwoContents => two_contents(&stage, number, &mut report).await,
            Round::PaidOverHttp => paid_over_http(&stage, number, &mut report).await,
            Round::RefusedOverHttp => refused_over_http(&stage, number, &mut report).await,
        }
    }
    let uses = u64::try_from(USES).expect("a hundred");
    report.tried(rounds * uses, "uses");
    report.tried(rounds, "keys");
    let whole = stage.bank.verify(|_| ()).await.expect("the database answers");
    report.expect(whole.violation.is_none(), || format!("verify: {:?}", whole.violation));
    report
}

async fn door(bank: &Bank) -> Door {
    let tokens = http::log_in(bank, 3).await;
    Door { server: Server::start(bank.clone()).await, tokens }
}

/// Everybody sends the same, and there is money for all of them.
async fn paid(stage: &Arc<Stage>, round: u64, report: &mut Report) {
    let command = bank::transfer(&stage.rich, &stage.payee, PRICE_CENTS);
    let effect = Effect::before(stage, &stage.rich).await;
    let answers = use_at_once(stage, &stage.rich, round, [command.clone(), command.clone()]).await;
    effect.expect(stage, PRICE_CENTS, round, report).await;
    match stage.key_is {
        KeyIs::RecordedWithTheMoney => {
            let first = one_answer(&answers, round, report);
            let is_paid = matches!(first, Some(Answer::Paid(_)));
            report.expect(is_paid, || format!("round {round}: {}, not paid", shown(first)));
            for road in [Road::Bank, Road::OtherBank, Road::OwnTransaction] {
                let later = send(stage, road, &stage.rich, key(round), command.clone()).await;
                report.expect(Some(&later) == first, || format!("round {round}: later {later}"));
            }
            effect.expect(stage, PRICE_CENTS, round, report).await;
        }
        // It remembers no answers.
        KeyIs::CheckedFirst => {}
    }
}

/// Everybody sends the same, and there is a cent too little; once it is there, the same key is used once more.
async fn refused(stage: &Arc<Stage>, round: u64, report: &mut Report) {
    let (balance, _) = bank::state(&stage.bank, stage.poor.account).await;
    let command = bank::transfer(&stage.poor, &stage.payee, balance + 1);
    let effect = Effect::before(stage, &stage.poor).await;
    let answers = use_at_once(stage, &stage.poor, round, [command.clone(), command.clone()]).await;
    effect.expect(stage, 0, round, report).await;
    let first = one_answer(&answers, round, report);
    let expected = Answer::Refused(Rejection::InsufficientFunds { id: stage.poor.account });
    report.expect(first == Some(&expected), || format!("round {round}: {}", shown(first)));

    bank::deposit(&stage.bank, stage.poor.account, bank::key(&format!("a-cent-{round}")), 1).await;
    let effect = Effect::before(stage, &stage.poor).await;
    let answer = send(stage, Road::OtherBank, &stage.poor, key(round), command).await;
    effect.expect(stage, 0, round, report).await;
    report.expect(answer == expected, || format!("round {round}: when money had come, {answer}"));
}

/// Half of them send one thing and half another: whichever is first counts, and the other is refused.
async fn two_contents(stage: &Arc<Stage>, round: u64, report: &mut Report) {
    let prices = [PRICE_CENTS, PRICE_CENTS + 1];
    let commands = prices.map(|price| bank::transfer(&stage.rich, &stage.payee, price));
    let effect = Effect::before(stage, &stage.rich).await;
    let answers = use_at_once(stage, &stage.rich, round, commands).await;
    let (mut even, mut odd) = (Vec::new(), Vec::new());
    for (number, answer) in answers.into_iter().enumerate() {
        if number % 2 == 0 { even.push(answer) } else { odd.push(answer) }
    }
    let is_even_first = matches!(even.first(), Some(Answer::Paid(_)));
    let (price, paid, refused) =
        if is_even_first { (prices[0], even, odd) } else { (prices[1], odd, even) };
    effect.expect(stage, price, round, report).await;
    let winner = one_answer(&paid, round, report);
    let is_paid = matches!(winner, Some(Answer::Paid(_)));
    report.expect(is_paid, || format!("round {round}: the first content got {}", shown(winner)));
    let loser = one_answer(&refused, round, report);
    report.expect(loser == Some(&Answer::KeyReused), || {
        format!("round {round}: the second content got {}", shown(loser))
    });
}

/// Everybody sends the same bytes, and there is money for all of them.
async fn paid_over_http(stage: &Arc<Stage>, round: u64, report: &mut Report) {
    const RICH: usize = 0;
    let body = http::transfer_body(&stage.rich, &stage.payee, PRICE_CENTS);
    let effect = Effect::before(stage, &stage.rich).await;
    let first = one_text(stage, RICH, round, &body, report).await;
    effect.expect(stage, PRICE_CENTS, round, report).await;
    report.expect(first.starts_with("201 "), || format!("round {round}: {first}, not paid"));
}

/// Everybody sends the same bytes, and there is a cent too little; once it is there, they send them again.
async fn refused_over_http(stage: &Arc<Stage>, round: u64, report: &mut Report) {
    const POOR: usize = 1;
    let (balance, _) = bank::state(&stage.bank, stage.poor.account).await;
    let body = http::transfer_body(&stage.poor, &stage.payee, balance + 1);
    let effect = Effect::before(stage, &stage.poor).await;
    let first = one_text(stage, POOR, round, &body, report).await;
    effect.expect(stage, 0, round, report).await;
    let is_refused = first.starts_with("422 ") && first.contains("insufficient_funds");
    report.expect(is_refused, || format!("round {round}: {first}, not refused"));

    bank::deposit(&stage.bank, stage.poor.account, bank::key(&format!("a-cent-{round}")), 1).await;
    let effect = Effect::before(stage, &stage.poor).await;
    let later = one_text(stage, POOR, round, &body, report).await;
    effect.expect(stage, 0, round, report).await;
    report.expect(later == first, || format!("round {round}: when money had come, {later}"));
}

/// Sends a request of the customer of this number a hundred times at once, and returns what everybody was answered: the
/// status, the place of what was made, and the body, byte by byte.
async fn one_text(
    stage: &Arc<Stage>,
    customer: usize,
    round: u64,
    body: &str,
    report: &mut Report,
) -> String {
    let mut clients = JoinSet::new();
    for door in stage.doors.iter().cycle().take(USES) {
        let token = door.tokens.get(customer).expect("everybody has logged in");
        let request = http::post("/v1/transfers", token, key(round).as_str(), body);
        let mut connection = Connection::new(door.server.address());
        clients.spawn(async move { connection.ask(&request).await });
    }
    let texts = clients.join_all().await.into_iter().map(|answer| match answer {
        Some(answer) => {
            let place = answer.header("location").unwrap_or_default();
            format!("{} {place} {}", answer.status, answer.body)
        }
        None => "no whole answer".to_owned(),
    });
    let texts: Vec<String> = texts.collect();
    let first = texts.first().expect("a hundred have asked").clone();
    if let Some(other) = texts.iter().find(|text| **text != first) {
        report.violation(format!("round {round}: one was answered {first}, another {other}"));
    }
    first
}

fn key(round: u64) -> IdempotencyKey {
    bank::key(&format!("round-{round}"))
}

fn shown(answer: Option<&Answer>) -> String {
    answer.map_or_else(|| "no answer".to_owned(), ToString::to_string)
}

/// The first answer; all others must be equal to it.
fn one_answer<'a>(answers: &'a [Answer], round: u64, report: &mut Report) -> Option<&'a Answer> {
    let first = answers.first()?;
    if let Some(other) = answers.iter().find(|answer| *answer != first) {
        report.violation(format!("round {round}: one was told {first}, another {other}"));
    }
    Some(first)
}

/// Sends one or the other command under the round's key, in turn, all at once; the answers come in the order of the clients.
async fn use_at_once(
    stage: &Arc<Stage>,
    payer: &Customer,
    round: u64,
    commands: [Transfer; 2],
) -> Vec<Answer> {
    let mut clients = JoinSet::new();
    for (number, command) in commands.into_iter().cycle().take(USES).enumerate() {
        let (stage, payer, road) = (Arc::clone(stage), payer.clone(), Road::of(number));
        clients
            .spawn(async move { (number, send(&stage, road, &payer, key(round), command).await) });
    }
    let mut answers = clients.join_all().await;
    answers.sort_by_key(|(number, _)| *number);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

async fn send(
    stage: &Stage,
    road: Road,
    payer: &Customer,
    key: IdempotencyKey,
    command: Transfer,
) -> Answer {
    let by = &payer.principal;
    let (answer, _) = match (stage.key_is, road) {
        (KeyIs::CheckedFirst, _) => return naive(stage, payer, &key, command).await.into(),
        (_, Road::Bank) => bank::transfer_until_settled(&stage.bank, by, key, command).await,
        (_, Road::OtherBank) => {
            bank::transfer_until_settled(&stage.other_bank, by, key, command).await
        }
        (_, Road::OwnTransaction) => {
            bank::transfer_in_until_settled(&stage.bank, by, key, command).await
        }
    };
    answer.into()
}

/// Looks the key up and pays if it is not there. Each payment has a bank's key of its own, so the naive one is alone.
async fn naive(
    stage: &Stage,
    payer: &Customer,
    key: &IdempotencyKey,
    command: Transfer,
) -> Result<Receipt, Error> {
    const NAIVE: TxSpec = TxSpec::read_committed("naive");
    let known = "select exists (select from used_keys where key = $1)";
    let record = "insert into used_keys (key) values ($1)";
    let own = bank::key(&format!("own-{}", stage.naive.fetch_add(1, Ordering::Relaxed)));
    stage
        .bank
        .db()
        .transact(NAIVE, async |tx| {
            let known = sqlx::query_scalar(known).bind(key.as_str());
            if known.fetch_one(tx.connection()).await.map_err(simplebank::db::Error::from)? {
                return Err(Error::KeyReused);
            }
            let record = sqlx::query(record).bind(key.as_str());
            record.execute(tx.connection()).await.map_err(simplebank::db::Error::from)?;
            stage.bank.transfer_in(tx, &payer.principal, own.clone(), command.clone()).await
        })
        .await
}

/// Balances and versions of a payer and of the payee before something.
struct Effect {
    payer: Customer,
    before: [(i64, i64); 2],
}

impl Effect {
    async fn before(stage: &Stage, payer: &Customer) -> Self {
        Self { payer: payer.clone(), before: Self::now(stage, payer).await }
    }

    async fn now(stage: &Stage, payer: &Customer) -> [(i64, i64); 2] {
        let payer = bank::state(&stage.bank, payer.account).await;
        [payer, bank::state(&stage.bank, stage.payee.account).await]
    }

    /// Exactly one payment of `cents` must have happened since, or none if that is nothing.
    async fn expect(&self, stage: &Stage, cents: i64, round: u64, report: &mut Report) {
        let [payer, payee] = Self::now(stage, &self.payer).await;
        let [payer_before, payee_before] = self.before;
        let changes = [
            (payer.0 - payer_before.0, payer.1 - payer_before.1),
            (payee.0 - payee_before.0, payee.1 - payee_before.1),
        ];
        let payments = cents.signum();
        report.expect(changes == [(-cents, payments), (cents, payments)], || {
            format!("round {round}: balances and versions changed by {changes:?}, not one payment of {cents}")
        });
    }
}
