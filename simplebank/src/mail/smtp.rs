//! Mail over SMTP.

use std::{fmt, io, str::FromStr, time::Duration};

use async_trait::async_trait;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor,
    transport::smtp::{
        SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT,
        authentication::Credentials,
        client::{self, Certificate, TlsParameters, TlsParametersBuilder},
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use thiserror::Error;
use url::{Host, Url};

use super::{Mail, MailError, Mailer};

/// How long each step of a conversation may take. A job's lease is longer than all of them together are allowed.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// How a certificate begins (RFC 7468).
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Where an SMTP server is, and how to speak to it. `Debug` and `Display` show no password.
///
/// | | |
/// |---|---|
/// | `smtps://user:password@mail.example` | TLS from the first byte, port 465 |
/// | `smtp://user:password@mail.example` | TLS by STARTTLS, or nothing is sent; port 587 |
/// | `smtp://127.0.0.1:1025` | no TLS; only to this machine itself, port 25 |
///
/// What isn't a letter, a digit or one of `-._~` in user and password is written as `%` and two hex digits.
#[derive(Clone)]
pub struct SmtpUrl {
    host: String,
    port: Option<u16>,
    tls: Tls,
    login: Option<(String, SecretString)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    Implicit,
    /// By STARTTLS, or nothing is sent.
    Upgraded,
    /// On loopback, where nobody listens in.
    None,
}

/// A text is not the address of an SMTP server.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "expected smtps://user:password@host or smtp://user:password@host, with a port where it is not the usual one"
)]
pub struct InvalidSmtpUrl;

impl FromStr for SmtpUrl {
    type Err = InvalidSmtpUrl;

    fn from_str(text: &str) -> Result<Self, InvalidSmtpUrl> {
        let url = Url::parse(text).map_err(|_| InvalidSmtpUrl)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(InvalidSmtpUrl)?;
        // `host_str` writes IPv6 in brackets, which belong to the URL and not to the address.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_bare =
            matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let tls = match url.scheme() {
            "smtps" => Tls::Implicit,
            "smtp" if is_loopback(&host) => Tls::None,
            "smtp" => Tls::Upgraded,
            _ => return Err(InvalidSmtpUrl),
        };
        let login = match (decoded(url.username())?, url.password()) {
            (user, None) if user.is_empty() => None,
            (user, Some(password)) if !user.is_empty() => Some((user, decoded(password)?.into())),
            (_, _) => return Err(InvalidSmtpUrl),
        };
        if is_bare { Ok(Self { host, port: url.port(), tls, login }) } else { Err(InvalidSmtpUrl) }
    }
}

fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Domain(name)) => {
            // A scheme that the standard doesn't know keeps addresses as names.
            name == "localhost"
                || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Ok(Host::Ipv6(_)) | Err(_) => {
            host.parse::<std::net::Ipv6Addr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

/// Undoes the URL's escapes.
fn decoded(text: &str) -> Result<String, InvalidSmtpUrl> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(InvalidSmtpUrl) };
        bytes.push(u8::try_from(high << 4 | low).map_err(|_| InvalidSmtpUrl)?);
    }
    String::from_utf8(bytes).map_err(|_| InvalidSmtpUrl)
}

impl fmt::Display for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls == Tls::Implicit { "smtps" } else { "smtp" };
        write!(f, "{scheme}://{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpUrl({self})")
    }
}

/// Sends mail to an SMTP server, each over a connection of its own.
#[derive(Clone)]
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    url: SmtpUrl,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Smtp").field(&self.url).finish()
    }
}

impl Smtp {
    /// Speaks to the server at `url`, which nobody asks before the first mail.
    ///
    /// # Errors
    ///
    /// [`MailError::Smtp`] when the host is none that a certificate could be for.
    pub fn new(url: SmtpUrl) -> Result<Self, MailError> {
        let tls = TlsParameters::builder(url.host.clone());
        Self::build(url, tls)
    }

    /// [`new`](Self::new) for a server whose certificate was signed by an authority of one's own, whose certificate is `pem`.
    ///
    /// # Errors
    ///
    /// [`MailError::Smtp`], also when `pem` is a broken certificate; [`MailError::Authority`] when it is none.
    pub fn trusting(url: SmtpUrl, pem: &[u8]) -> Result<Self, MailError> {
        // What is no PEM at all is read as no certificate, and would leave the public authorities alone.
        if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
            let error = io::Error::new(io::ErrorKind::InvalidData, "there is no certificate in it");
            return Err(MailError::Authority(error));
        }
        let authority = Certificate::from_pem(pem).map_err(MailError::Smtp)?;
        let tls = TlsParameters::builder(url.host.clone()).add_root_certificate(authority);
        Self::build(url, tls)
    }

    fn build(url: SmtpUrl, tls: TlsParametersBuilder) -> Result<Self, MailError> {
        let tls = tls.build().map_err(MailError::Smtp)?;
        let (tls, port) = match url.tls {
            Tls::Implicit => (client::Tls::Wrapper(tls), SUBMISSIONS_PORT),
            Tls::Upgraded => (client::Tls::Required(tls), SUBMISSION_PORT),
            Tls::None => (client::Tls::None, SMTP_PORT),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&url.host)
            .tls(tls)
            .port(url.port.unwrap_or(port))
            .timeout(Some(STEP_TIMEOUT));
        if let Some((user, password)) = &url.login {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self { transport: builder.build(), url })
    }
}

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        self.transport.send(mail.message()?).await.map(drop).map_err(MailError::Smtp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_left_out_on_this_machine_alone() {
        for (text, tls) in [
            ("smtps://mail.example", Tls::Implicit),
            ("smtps://127.0.0.1", Tls::Implicit),
            ("smtp://mail.example:25", Tls::Upgraded),
            ("smtp://10.0.0.1", Tls::Upgraded),
            ("smtp://localhost.example", Tls::Upgraded),
            ("smtp://127.0.0.1.example", Tls::Upgraded),
            ("smtp://[::2]:25", Tls::Upgraded),
            ("smtp://localhost:1025", Tls::None),
            ("smtp://127.0.0.1:1025", Tls::None),
            ("smtp://[::1]:1025", Tls::None),
        ] {
            assert_eq!(text.parse::<SmtpUrl>().unwrap().tls, tls, "{text}");
        }
        for bad in [
            "",
            "mail.example",
            "http://mail.example",
            "smtp://",
            "smtp://user@mail.example",
            "smtp://:password@mail.example",
            "smtp://mail.example/path",
            "smtp://mail.example?tls=none",
            "smtp://a:%zz@mail.example",
        ] {
            assert_eq!(bad.parse::<SmtpUrl>().err(), Some(InvalidSmtpUrl), "{bad}");
        }
    }

    #[test]
    fn a_password_is_read_and_never_shown() {
        let url: SmtpUrl = "smtp://alice:p%40ss%3Aword@mail.example:2525".parse().unwrap();
        let (user, password) = url.login.clone().unwrap();
        assert_eq!((user.as_str(), password.expose_secret()), ("alice", "p@ss:word"));
        assert_eq!(url.to_string(), "smtp://mail.example:2525");
        let smtp = Smtp::new(url.clone()).unwrap();
        assert!(!format!("{url:?}{smtp:?}").contains("word"));
    }
}
