//! The bank's server in this process, and clients that see every byte of its answers.

use std::net::{Ipv4Addr, SocketAddr};

use secrecy::ExposeSecret as _;
use serde_json::Value;
use simplebank::{Bank, LogIn};
use simplebank_http::{
    router,
    server::{End, Limits, serve},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use uuid::Uuid;

use crate::{
    bank::{self, Customer},
    load::Told,
};

/// The bank's server.
pub(crate) struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<End>,
}

impl Server {
    /// Serves a bank on a port of its own.
    pub(crate) async fn start(bank: Bank) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it has just been bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let app = router(bank, &[]);
        let ended = tokio::spawn(async move {
            serve(listener, app, Limits::default(), async { drop(stopped.await) }).await
        });
        Self { address, stop, ended }
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it; true if it has answered everybody.
    pub(crate) async fn stop(self) -> bool {
        drop(self.stop);
        matches!(self.ended.await, Ok(End::Drained))
    }
}

/// A token for each of so many customers.
pub(crate) async fn log_in(bank: &Bank, customers: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for number in 0..customers {
        let command = LogIn {
            username: bank::username(number),
            password: bank::PASSWORD.into(),
            user_agent: None,
        };
        let login = bank.log_in(command).await.expect("they are registered");
        tokens.push(login.access_token.token.expose_secret().to_owned());
    }
    tokens
}

/// A request that posts something; the connection stays open.
pub(crate) fn post(path: &str, token: &str, key: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: bank\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len(),
    )
}

/// The body of a request for a transfer of so many cents.
pub(crate) fn transfer_body(from: &Customer, to: &Customer, cents: i64) -> String {
    format!(
        r#"{{"from_account_id": "{}", "to_account_id": "{}", "amount": "{}.{:02}", "currency": "EUR"}}"#,
        from.account,
        to.account,
        cents / 100,
        cents % 100,
    )
}

/// What a receipt says.
pub(crate) fn acknowledged(receipt: &Value) -> Option<Told> {
    let entry = receipt.get("from_entry").or_else(|| receipt.get("entry"))?;
    let balance_after = entry.get("balance_after")?.as_str()?;
    Some(Told::Acknowledged {
        transfer: receipt.pointer("/transfer/id")?.as_str()?.parse::<Uuid>().ok()?,
        version: entry.get("version")?.as_i64()?,
        // "12.50" is 1250.
        balance_after: balance_after.replacen('.', "", 1).parse().ok()?,
    })
}

/// What the server has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// A connection that is used again for as long as it can be.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

impl Connection {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// Sends a request and returns the whole answer; none if the connection broke. Dropped before that, it hangs up.
    pub(crate) async fn ask(&mut self, request: &str) -> Option<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).await.ok()?;
                stream.set_nodelay(true).ok()?;
                stream
            }
        };
        stream.write_all(request.as_bytes()).await.ok()?;
        let answer = read(&mut stream).await?;
        self.stream = Some(stream);
        Some(answer)
    }
}

async fn read(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::with_capacity(4 * 1024);
    loop {
        if let Some(answer) = whole(&bytes) {
            return Some(answer);
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// The answer, once all of it is there.
fn whole(bytes: &[u8]) -> Option<Answer> {
    let (head, body) = std::str::from_utf8(bytes).ok()?.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let answer = Answer { status, head: head.to_owned(), body: body.to_owned() };
    let length: usize = answer.header("content-length")?.parse().ok()?;
    (body.len() == length).then_some(answer)
}
