//! HTTP requests whose clients hang up.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use super::{CENTS, CLIENTS, CONNECTIONS, Stage, come_to_rest, lock};
use crate::{
    bank,
    http::{Server, log_in},
    random::Random,
    wish::Wish,
};

/// [`CENTS`] as it is written.
const AMOUNT: &str = "0.01";
/// The longest that a client waits who hangs up in the end: some answers are there before.
const WAIT_MAX_MICROS: u64 = 20_000;
/// How often each request is sent again.
const AGAIN: usize = 2;

/// When a client closes the connection.
#[derive(Clone, Copy, Debug)]
enum HangUp {
    InHead,
    InBody,
    /// When all is sent.
    AtOnce,
    /// The same, by a reset.
    Reset,
    /// When the answer hasn't come by then.
    Within(Duration),
}

impl HangUp {
    fn draw(random: &mut Random) -> Self {
        match random.below(6) {
            0 => Self::InHead,
            1 => Self::InBody,
            2 => Self::AtOnce,
            3 => Self::Reset,
            _ => Self::Within(Duration::from_micros(random.below(WAIT_MAX_MICROS))),
        }
    }
}

/// A transfer and how it is asked for.
struct Request {
    wish: Wish,
    text: String,
    /// The body of the answer, if there was one.
    answer: Option<String>,
}

type Requests = Arc<Mutex<Vec<Request>>>;

/// Has so many clients hang up, and then sends everything again.
pub(super) async fn run(stage: &Arc<Stage>, aborts: u64) {
    let bank = bank::open(&stage.url, CONNECTIONS).await;
    let tokens = Arc::new(log_in(&bank, stage.world.customers().len()).await);
    let server = Server::start(bank).await;
    let requests = Requests::default();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (stage, tokens, requests) =
            (Arc::clone(stage), Arc::clone(&tokens), Arc::clone(&requests));
        let (random, address) = (stage.world.random(CLIENTS + number), server.address());
        clients.spawn(async move {
            let client = Client { stage, tokens, requests, address };
            client.run(random, aborts).await;
        });
    }
    clients.join_all().await;
    come_to_rest(stage).await;
    let count = |is_answered: bool| {
        let requests = lock(&requests);
        let count =
            requests.iter().filter(|request| request.answer.is_some() == is_answered).count();
        u64::try_from(count).expect("a few thousand")
    };
    lock(&stage.report).tried(count(false), "HTTP requests hung up on");
    lock(&stage.report).tried(count(true), "answered between them");
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (stage, tokens, requests) =
            (Arc::clone(stage), Arc::clone(&tokens), Arc::clone(&requests));
        let client = Client { stage, tokens, requests, address: server.address() };
        clients.spawn(async move { client.send_all_again().await });
    }
    clients.join_all().await;
    if !server.stop().await {
        stage.found("the server did not end in an orderly way".to_owned());
    }
}

struct Client {
    stage: Arc<Stage>,
    tokens: Arc<Vec<String>>,
    requests: Requests,
    address: SocketAddr,
}

impl Client {
    /// Hangs up on one request, and waits for the answer to another.
    async fn run(&self, mut random: Random, aborts: u64) {
        while self.stage.goes_on(aborts) {
            let mut request = self.request(&mut random);
            let hang_up = HangUp::draw(&mut random);
            request.answer = self.send_and_hang_up(&request.text, hang_up).await;
            match &request.answer {
                Some(body) => self.read_elsewhere(&request.wish, body).await,
                None => self.stage.abort(),
            }
            lock(&self.requests).push(request);

            let mut request = self.request(&mut random);
            request.answer = self.send(&request).await;
            if let Some(body) = &request.answer {
                self.read_elsewhere(&request.wish, body).await;
            }
            lock(&self.requests).push(request);
        }
    }

    fn request(&self, random: &mut Random) -> Request {
        let customers = self.stage.world.customers();
        let customers: Vec<_> = customers.iter().zip(self.tokens.iter()).collect();
        let (from, token) = *random.pick(&customers);
        let to = loop {
            let (to, _) = random.pick(&customers);
            if to.account != from.account {
                break to;
            }
        };
        let wish = Wish::note(&self.stage.log, from, to, CENTS);
        let body = format!(
            r#"{{"from_account_id": "{}", "to_account_id": "{}", "amount": "{AMOUNT}", "currency": "EUR"}}"#,
            from.account, to.account
        );
        let text = format!(
            "POST /v1/transfers HTTP/1.1\r\nHost: bank\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Idempotency-Key: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            wish.key,
            body.len(),
        );
        Request { wish, text, answer: None }
    }

    /// Sends as much as the client gets to; returns the answer if it came in time.
    async fn send_and_hang_up(&self, text: &str, hang_up: HangUp) -> Option<String> {
        let (head, body) = text.split_once("\r\n\r\n").expect("it has a head and a body");
        let whole = text.len();
        let (length, wait) = match hang_up {
            HangUp::InHead => (head.len() / 2, None),
            HangUp::InBody => (whole - body.len() / 2, None),
            HangUp::AtOnce | HangUp::Reset => (whole, None),
            HangUp::Within(wait) => (whole, Some(wait)),
        };
        let mut stream = self.connect().await;
        let sent = text.get(..length).expect("it is ASCII");
        stream.write_all(sent.as_bytes()).await.expect("the server listens");
        match (hang_up, wait) {
            (HangUp::Reset, _) => stream.set_zero_linger().expect("the socket is open"),
            (_, Some(wait)) => {
                let answer = tokio::time::timeout(wait, read(&mut stream)).await.ok()??;
                return self.body(&answer);
            }
            (_, None) => {}
        }
        None
    }

    /// Sends a request, and returns the body of its answer.
    async fn send(&self, request: &Request) -> Option<String> {
        let mut stream = self.connect().await;
        stream.write_all(request.text.as_bytes()).await.expect("the server listens");
        let Some(answer) = read(&mut stream).await else {
            self.stage.found(format!("{}: no whole answer", request.wish.key));
            return None;
        };
        self.body(&answer)
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the server listens")
    }

    /// The body of an answer, which must be a receipt.
    fn body(&self, answer: &str) -> Option<String> {
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.1 201 ") => Some(body.to_owned()),
            _ => {
                self.stage.found(format!("not a receipt: {answer}"));
                None
            }
        }
    }

    /// What was acknowledged must be there for somebody else.
    async fn read_elsewhere(&self, wish: &Wish, body: &str) {
        const TRANSFER: &str =
            "select transfer_id::text from simplebank.idempotency where key = $1";
        let found = sqlx::query_scalar(TRANSFER).bind(wish.key.as_str());
        let found: Option<String> =
            found.fetch_optional(self.stage.world.owner()).await.expect("the owner may read");
        if !found.as_deref().is_some_and(|transfer| body.contains(transfer)) {
            self.stage.found(format!("{}: answered {body}, found {found:?}", wish.key));
        }
    }

    /// Sends requests again, as long as there are any: all answers must be the same.
    async fn send_all_again(&self) {
        while let Some(request) = take(&self.requests) {
            let mut first = request.answer.clone();
            for _ in 0..AGAIN {
                let Some(answer) = self.send(&request).await else { return };
                let first = first.get_or_insert_with(|| answer.clone());
                if *first != answer {
                    let text = format!("{}: first {first}, then {answer}", request.wish.key);
                    self.stage.found(text);
                }
            }
            let answer = first.unwrap_or_default();
            self.read_elsewhere(&request.wish, &answer).await;
            // Past the server, and for the log.
            match request.wish.send(self.stage.world.bank()).await {
                Ok(receipt) => request.wish.acknowledged(&self.stage.log, &receipt),
                Err(error) => self.stage.found(format!("{}: {error:?}", request.wish.key)),
            }
        }
    }
}

fn take(requests: &Requests) -> Option<Request> {
    lock(requests).pop()
}

/// Everything until the server closes the connection, if that is a whole answer.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.ok()?;
    let answer = String::from_utf8(bytes).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    (length.parse() == Ok(body.len())).then_some(answer)
}
