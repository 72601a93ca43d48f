//! The server behind the proxy.

use std::{io, net::Ipv4Addr, path::PathBuf};

use sqlx::{
    ConnectOptions as _,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::net::{TcpStream, UnixStream};

use super::wire::Wire;
use crate::testing::Failure;

/// Where the server listens.
#[derive(Clone, Debug)]
pub(super) enum Upstream {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl Upstream {
    pub(super) fn of(options: &PgConnectOptions) -> Result<Self, Failure> {
        let (host, port) = (options.get_host(), options.get_port());
        let directory = match options.get_socket() {
            Some(directory) => Some(directory.clone()),
            None => host.starts_with('/').then(|| PathBuf::from(host)),
        };
        if let Some(directory) = directory {
            return Ok(Self::Unix(directory.join(format!(".s.PGSQL.{port}"))));
        }
        match options.get_ssl_mode() {
            PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer => {
                Ok(Self::Tcp { host: host.to_owned(), port })
            }
            mode @ (PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull) => {
                Err(format!("the proxy must read what it passes on, and sslmode is {mode:?}")
                    .into())
            }
        }
    }

    pub(super) async fn connect(&self) -> io::Result<Wire> {
        match self {
            Self::Tcp { host, port } => {
                Wire::tcp(TcpStream::connect((host.as_str(), *port)).await?)
            }
            Self::Unix(path) => Ok(Wire::unix(UnixStream::connect(path).await?)),
        }
    }
}

/// A URL of the same database for the same user, at this port of the loopback interface, in plain text.
pub(super) fn url_through(options: &PgConnectOptions, port: u16) -> Result<String, Failure> {
    let host = Ipv4Addr::LOCALHOST.to_string();
    let plain = options.clone().host(&host).port(port).ssl_mode(PgSslMode::Disable);
    let mut url = plain.to_url_lossy();
    // The path of a socket would still be there, and these two would not.
    url.set_host(Some(&host))?;
    for (key, value) in
        [("application_name", options.get_application_name()), ("options", options.get_options())]
    {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(key, value);
        }
    }
    Ok(url.into())
}
