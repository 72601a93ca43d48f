//! Messages of the PostgreSQL protocol, version 3 (PostgreSQL 15, chapter 55): told apart, and left as they are.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
};

/// No message, and no flight of messages, may be longer: what is held back is held in memory.
pub(super) const MESSAGE_MAX_BYTES: usize = 64 << 20;
/// At least so much is read at a time.
const READ_BYTES: usize = 16 << 10;
/// A length takes four bytes, and counts them.
const LENGTH_BYTES: usize = 4;

/// The code in the place of a version that asks for TLS.
const SSL_REQUEST: u32 = 80_877_103;
/// The code that asks for encryption by GSSAPI.
const GSSENC_REQUEST: u32 = 80_877_104;
/// The code that asks to cancel what another connection is doing.
const CANCEL_REQUEST: u32 = 80_877_102;

/// A message: one byte that says what it is, its length, its body.
#[derive(Debug)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn kind(&self) -> u8 {
        self.0.first().copied().unwrap_or_default()
    }

    pub(super) fn body(&self) -> &[u8] {
        self.0.get(1 + LENGTH_BYTES..).unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A simple query.
    pub(super) fn query(sql: &str) -> Self {
        let length = u32::try_from(LENGTH_BYTES + sql.len() + 1).unwrap_or(u32::MAX);
        let mut bytes = vec![b'Q'];
        bytes.extend(length.to_be_bytes());
        bytes.extend(sql.as_bytes());
        bytes.push(0);
        Self(bytes)
    }
}

/// The first text in a body and what follows it.
pub(super) fn text(body: &[u8]) -> (&[u8], &[u8]) {
    let end = body.iter().position(|byte| *byte == 0).unwrap_or(body.len());
    let (text, rest) = body.split_at(end);
    (text, rest.get(1..).unwrap_or_default())
}

/// What a client says before anything else; it has no kind, and says what it is in its body.
#[derive(Debug)]
pub(super) enum Opening {
    /// It asks for encryption, and goes on when that is refused.
    Encryption,
    /// It asks to cancel a statement, and expects no answer.
    Cancel(Vec<u8>),
    /// It logs in.
    Startup(Vec<u8>),
}

/// One side of a connection. Dropping it closes it.
pub(super) struct Wire {
    reader: Box<dyn AsyncRead + Send + Sync + Unpin>,
    writer: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    /// What has been read, and the place in it from which on it hasn't been taken yet.
    buffer: Vec<u8>,
    taken: usize,
}

impl Wire {
    pub(super) fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        Ok(Self::new(Box::new(reader), Box::new(writer)))
    }

    pub(super) fn unix(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self::new(Box::new(reader), Box::new(writer))
    }

    fn new(
        reader: Box<dyn AsyncRead + Send + Sync + Unpin>,
        writer: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    ) -> Self {
        Self { reader, writer, buffer: Vec::new(), taken: 0 }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes).await?;
        self.writer.flush().await
    }

    /// The next message; `None` when the other side has closed. Dropping the future loses nothing.
    pub(super) async fn message(&mut self) -> io::Result<Option<Message>> {
        loop {
            if let Some(message) = self.message_read()? {
                return Ok(Some(message));
            }
            if !self.read().await? {
                return Ok(None);
            }
        }
    }

    /// The next message, if it has been read already.
    pub(super) fn message_read(&mut self) -> io::Result<Option<Message>> {
        let Some((_, rest)) = self.unread().split_first() else { return Ok(None) };
        let Some(length) = length(rest)? else { return Ok(None) };
        Ok(self.take(1 + length).map(Message))
    }

    /// What a new client begins with; `None` when it closes instead.
    pub(super) async fn opening(&mut self) -> io::Result<Option<Opening>> {
        loop {
            if let Some(length) = length(self.unread())?
                && let Some(bytes) = self.take(length)
            {
                let code = bytes.get(LENGTH_BYTES..).and_then(number);
                return Ok(Some(match code {
                    Some(SSL_REQUEST | GSSENC_REQUEST) => Opening::Encryption,
                    Some(CANCEL_REQUEST) => Opening::Cancel(bytes),
                    Some(_) | None => Opening::Startup(bytes),
                }));
            }
            if !self.read().await? {
                return Ok(None);
            }
        }
    }

    /// Waits until the other side closes; what it says is lost.
    pub(super) async fn closed(mut self) {
        while self.read().await.is_ok_and(|is_open| is_open) {
            self.taken = self.buffer.len();
        }
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        let bytes = self.unread().get(..length)?.to_vec();
        self.taken += length;
        Some(bytes)
    }

    /// Reads some more; false when the other side has closed.
    async fn read(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.reserve(READ_BYTES);
        Ok(self.reader.read_buf(&mut self.buffer).await? > 0)
    }
}

/// The length that stands here, if it has been read: at least its own four bytes, at most what is bearable.
fn length(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(length) = number(bytes) else { return Ok(None) };
    match usize::try_from(length) {
        Ok(length) if (LENGTH_BYTES..=MESSAGE_MAX_BYTES).contains(&length) => Ok(Some(length)),
        Ok(_) | Err(_) => Err(too_long()),
    }
}

pub(super) fn too_long() -> io::Error {
    let text = format!("a message of more than {MESSAGE_MAX_BYTES} bytes, or of no length");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}
