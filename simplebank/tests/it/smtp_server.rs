//! A small SMTP server on loopback (RFC 5321), which keeps what it is sent.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer},
};

/// What it does to whoever sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Good,
    /// Refuses every recipient for now.
    Greylisting,
    /// Takes the mail, and hangs up before it says so.
    HangsUp,
    /// Takes connections and never says a word.
    Silent,
}

/// A mail as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
}

impl Received {
    /// The value of a line in the head.
    pub(crate) fn header(&self, name: &str) -> &str {
        let head = self.text.split("\r\n\r\n").next().unwrap();
        let line = head.split("\r\n").find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {head}"))
    }

    /// What the link in it says: the id of the request and the code.
    pub(crate) fn link(&self) -> (String, String) {
        // Lines that were too long for quoted-printable, and its `=`.
        let text = self.text.replace("=\r\n", "").replace("=3D", "=");
        let (_, rest) = text.split_once("/v1/verify-email?id=").unwrap();
        let (id, rest) = rest.split_once("&code=").unwrap();
        let code =
            rest.split(|end: char| !end.is_ascii_alphanumeric() && end != '-').next().unwrap();
        (id.to_owned(), code.to_owned())
    }
}

/// When it speaks TLS.
#[derive(Clone)]
pub(crate) enum Tls {
    Never,
    FromTheFirstByte(TlsAcceptor),
    /// By STARTTLS (RFC 3207).
    WhenAsked(TlsAcceptor),
}

/// A server's half of TLS for these addresses, and the certificate to trust.
pub(crate) fn tls_for(addresses: &[&str]) -> (TlsAcceptor, String) {
    let names: Vec<String> = addresses.iter().map(|&address| address.to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

#[derive(Clone)]
pub(crate) struct SmtpServer {
    pub(crate) address: SocketAddr,
    tls: Tls,
    state: Arc<Mutex<(Mood, Vec<Received>)>>,
}

impl SmtpServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(Tls::Never).await
    }

    pub(crate) async fn start_with(tls: Tls) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new((Mood::Good, Vec::new())));
        let server = Self { address, tls, state };
        let accepting = server.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let server = accepting.clone();
                // Clients that are killed hang up where they like.
                tokio::spawn(async move { drop(server.serve(stream).await) });
            }
        });
        server
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        self.state.lock().unwrap().0 = mood;
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().1.clone()
    }

    fn mood(&self) -> Mood {
        self.state.lock().unwrap().0
    }

    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        if self.mood() == Mood::Silent {
            return std::future::pending().await;
        }
        const HELLO: &[u8] = b"220 bank.test\r\n";
        match &self.tls {
            Tls::Never => {
                stream.write_all(HELLO).await?;
                self.converse(stream, "").await?;
            }
            Tls::FromTheFirstByte(tls) => {
                let mut stream = tls.accept(stream).await?;
                stream.write_all(HELLO).await?;
                self.converse(stream, "").await?;
            }
            Tls::WhenAsked(tls) => {
                stream.write_all(HELLO).await?;
                if let Some(stream) = self.converse(stream, "250-STARTTLS\r\n").await? {
                    self.converse(tls.accept(stream).await?, "").await?;
                }
            }
        }
        Ok(())
    }

    /// Returns the stream when the client wants TLS on it.
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        offer: &str,
    ) -> std::io::Result<Option<S>> {
        let mut stream = BufReader::new(stream);
        let (mut from, mut to) = (String::new(), Vec::new());
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(None);
            }
            let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
            let path = || line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
            let answer = match verb.as_str() {
                "EHLO" => &format!("250-bank.test\r\n{offer}250 8BITMIME\r\n"),
                "STAR" if !offer.is_empty() => {
                    stream.write_all(b"220 go on\r\n").await?;
                    return Ok(Some(stream.into_inner()));
                }
                "MAIL" => {
                    from = path();
                    "250 ok\r\n"
                }
                "RCPT" if self.mood() == Mood::Greylisting => "450 not now\r\n",
                "RCPT" => {
                    to.push(path());
                    "250 ok\r\n"
                }
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await?;
                    let text = read_text(&mut stream).await?;
                    let mail = Received { from: from.clone(), to: std::mem::take(&mut to), text };
                    self.state.lock().unwrap().1.push(mail);
                    if self.mood() == Mood::HangsUp {
                        return Ok(None);
                    }
                    "250 taken\r\n"
                }
                "QUIT" => "221 bye\r\n",
                _ => "502 what?\r\n",
            };
            stream.write_all(answer.as_bytes()).await?;
        }
    }
}

/// Up to the line with a dot alone (RFC 5321 §4.5.2).
async fn read_text(stream: &mut BufReader<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
