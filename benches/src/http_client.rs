//! A lean HTTP/1.1 client, because it shares the processors with what it measures: one thread, requests as ready bytes, answers
//! read no further than needed. Each connection has one request at a time.

use std::{
    io::Write as _,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    Failure,
    measure::{Log, Running, Schedule},
    server_process::ANSWER_LIMIT,
    workload::{Choice, Chooser},
    world::{CURRENCY, World},
};

/// The largest answer: those to transfers have about a thousand bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How the server says that it has too much to do.
const OVERLOADED: &str = r#""code":"overloaded""#;

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) world: Arc<World>,
    pub(crate) connections: u32,
    pub(crate) chooser: Chooser,
    /// What all idempotency keys of this load begin with.
    pub(crate) keys: String,
    pub(crate) schedule: Schedule,
}

/// An answer, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// How long to wait before trying again, if it says so.
    retry_after: Option<Duration>,
    /// What it said, unless it was the usual.
    body: String,
}

/// Runs a load to its end; blocks.
pub(crate) fn run(load: &Load) -> Result<Log, Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut streams = Vec::new();
        for _ in 0..load.connections {
            let stream = TcpStream::connect(load.address).await?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let mut chooser = load.chooser.clone();
        let running = Running::begin(load.schedule);
        let mut clients = JoinSet::new();
        for (number, stream) in streams.into_iter().enumerate() {
            let client = Client {
                stream,
                world: Arc::clone(&load.world),
                chooser: chooser.split(),
                keys: format!("{}-{number}", load.keys),
                host: load.address,
                request: Vec::new(),
                received: Vec::new(),
            };
            clients.spawn(client.run(running));
        }
        let mut log = Log::default();
        while let Some(told) = clients.join_next().await {
            log.add(told??);
        }
        Ok(log)
    })
}

struct Client {
    stream: TcpStream,
    world: Arc<World>,
    chooser: Chooser,
    keys: String,
    host: SocketAddr,
    request: Vec<u8>,
    received: Vec<u8>,
}

impl Client {
    async fn run(mut self, running: Running) -> Result<Log, Failure> {
        let mut log = Log::default();
        let mut number = 0_u64;
        while !running.is_over() {
            number += 1;
            let choice = self.chooser.next();
            self.write_request(choice, number)?;
            let asked_at = Instant::now();
            let answer = timeout(ANSWER_LIMIT, self.ask())
                .await
                .map_err(|_| "the server did not answer")??;
            match answer {
                Answer { status: 201, .. } => log.acknowledge(1, asked_at, running),
                Answer { status: 503, retry_after: Some(wait), body }
                    if body.contains(OVERLOADED) =>
                {
                    log.refused += 1;
                    sleep(wait).await;
                }
                Answer { status, body, .. } => {
                    return Err(format!("the server answered {status}: {body}").into());
                }
            }
        }
        Ok(log)
    }

    fn write_request(&mut self, choice: Choice, number: u64) -> Result<(), Failure> {
        let customer =
            |number: usize| self.world.customers.get(number).ok_or("there is no such customer");
        let (from, to) = (customer(choice.from)?, customer(choice.to)?);
        // All parts have a fixed length, so the body's is known: an amount has one digit before the point.
        let body = format_args!(
            r#"{{"from_account_id":"{}","to_account_id":"{}","amount":"{}.{:02}","currency":"{CURRENCY}"}}"#,
            from.account_id,
            to.account_id,
            choice.amount / 100,
            choice.amount % 100
        );
        let length = r#"{"from_account_id":"","to_account_id":"","amount":"0.00","currency":"EUR"}"#
            .len() + 2 * 36;
        self.request.clear();
        write!(
            self.request,
            "POST /v1/transfers HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Idempotency-Key: {}-{number}\r\nContent-Length: {length}\r\n\r\n{body}",
            self.host, from.access_token, self.keys
        )?;
        Ok(())
    }

    async fn ask(&mut self) -> Result<Answer, Failure> {
        self.stream.write_all(&self.request).await?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err("the server closed a connection".into());
            }
            if let Some(answer) = answer(&self.received)? {
                return Ok(answer);
            }
            if self.received.len() > ANSWER_BYTES_MAX {
                return Err("the server's answer has no end".into());
            }
        }
    }
}

/// The answer in `received`, if it is whole.
fn answer(received: &[u8]) -> Result<Option<Answer>, Failure> {
    let end = b"\r\n\r\n";
    let Some(head_length) = received.windows(end.len()).position(|window| window == end) else {
        return Ok(None);
    };
    let (head, rest) = received.split_at(head_length + end.len());
    let head = std::str::from_utf8(head)?;
    let mut lines = head.split("\r\n");
    let status =
        lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| format!("the server does not speak HTTP/1.1: {head}"))?;
    let (mut length, mut retry_after) = (None, None);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<usize>().ok();
        }
        if name.eq_ignore_ascii_case("retry-after") {
            retry_after = value.trim().parse().ok().map(Duration::from_secs);
        }
    }
    let length = length.ok_or("the server's answer has no length")?;
    if rest.len() < length {
        return Ok(None);
    }
    let body =
        if status == 201 { String::new() } else { String::from_utf8_lossy(rest).into_owned() };
    Ok(Some(Answer { status, retry_after, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_whole() {
        let text =
            b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 5\r\n\r\nlater";
        for cut in 0..text.len() {
            assert_eq!(answer(text.split_at(cut).0).unwrap(), None, "{cut}");
        }
        let expected = Answer {
            status: 503,
            retry_after: Some(Duration::from_secs(1)),
            body: "later".to_owned(),
        };
        assert_eq!(answer(text).unwrap(), Some(expected));
        let created =
            answer(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}").unwrap().unwrap();
        assert_eq!((created.status, created.retry_after), (201, None));
        assert!(answer(b"HTTP/1.0 201 Created\r\n\r\n").is_err());
    }
}
