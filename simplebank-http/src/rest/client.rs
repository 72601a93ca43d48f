//! Who is at the other end: the address of the client, also behind proxies that are trusted to tell it.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
};
use ipnet::IpNet;
use simplebank::{Bank, core::audit::Origin};
use thiserror::Error;

use super::rates::Rates;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Which proxies stand before the server, and where they write down whom they speak for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Their networks; of everybody else the header is not read. None by default.
    pub trusted: Vec<Network>,
    /// The header. Each of them must append to it, or write it anew: the other one is never read.
    pub header: ForwardedHeader,
}

/// A header in which proxies write down whom they speak for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// A network, such as `10.0.0.0/8`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// A text is not a network.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not a network: expected an address or a network such as 10.0.0.0/8 or fd00::/8")]
pub struct InvalidNetwork;

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address.or_else(|_| text.parse()).map(Self).map_err(|_| InvalidNetwork)
    }
}

impl Proxies {
    /// The client of a request that came from `peer`: the nearest hop that is no trusted proxy. What a client writes into the
    /// header stands to the left of what the proxies append, and is never reached.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut nearest = peer.to_canonical();
        if !self.trusts(nearest) {
            return nearest;
        }
        let name = match self.header {
            ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => header::FORWARDED,
        };
        let lines: Vec<&HeaderValue> = headers.get_all(name).iter().collect();
        for line in lines.into_iter().rev() {
            // Whatever is no text is no address either.
            let text = line.to_str().unwrap_or("-");
            for hop in text.rsplit(',') {
                let Some(address) = self.address(hop) else { return nearest };
                nearest = address.to_canonical();
                if !self.trusts(nearest) {
                    return nearest;
                }
            }
        }
        nearest
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|Network(network)| network.contains(&address))
    }

    /// The address of one hop, if the header tells one.
    fn address(&self, hop: &str) -> Option<IpAddr> {
        let node = match self.header {
            ForwardedHeader::XForwardedFor => hop,
            ForwardedHeader::Forwarded => hop.split(';').find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                name.trim().eq_ignore_ascii_case("for").then_some(value)
            })?,
        };
        let node = node.trim();
        let node = node.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(node);
        let bare = node.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(node);
        let with_port = || node.parse::<SocketAddr>().map(|address| address.ip());
        bare.parse().or_else(|_| with_port()).ok()
    }
}

/// The client of a request, and how much it may ask.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    pub(super) address: Option<IpAddr>,
    pub(super) request_id: Option<HeaderValue>,
    pub(super) rates: Option<Arc<Rates>>,
}

impl Client {
    /// Who has sent a request; the accept loop knows the address, and so does axum's own with `ConnectInfo`.
    pub(super) fn of(
        request: &Request,
        proxies: &Proxies,
        request_id: &HeaderValue,
        rates: Option<Arc<Rates>>,
    ) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let address = peer.map(|ConnectInfo(peer)| proxies.client(peer.ip(), request.headers()));
        Self { address, request_id: Some(request_id.clone()), rates }
    }

    fn origin(&self) -> Origin {
        let id = self.request_id.as_ref().and_then(|id| id.to_str().ok());
        Origin { address: self.address, request_id: id.map(str::to_owned) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// The bank, asked from where the request came: for whatever the audit record may tell of.
#[derive(Debug)]
pub(crate) struct Asked(pub(crate) Bank);

impl FromRequestParts<Bank> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, bank: &Bank) -> Result<Self, Infallible> {
        let client = Client::from_request_parts(parts, bank).await?;
        Ok(Self(bank.asked_from(client.origin())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, header: ForwardedHeader, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8", "192.0.2.9"].map(|text| text.parse().unwrap());
        let proxies = Proxies { trusted: trusted.into(), header };
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_nearest_hop_that_is_no_proxy_is_the_client() {
        use ForwardedHeader::{Forwarded, XForwardedFor};
        for (peer, header, lines, expected) in [
            // Whoever is no proxy says what they like.
            ("198.51.100.1", XForwardedFor, &["x-forwarded-for: 1.1.1.1"][..], "198.51.100.1"),
            ("198.51.100.1", Forwarded, &["forwarded: for=1.1.1.1"], "198.51.100.1"),
            ("10.0.0.1", XForwardedFor, &[], "10.0.0.1"),
            ("10.0.0.1", XForwardedFor, &["x-forwarded-for: 198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", XForwardedFor, &["x-forwarded-for: 198.51.100.7"], "198.51.100.7"),
            // What the client has written stands to the left.
            (
                "10.0.0.1",
                XForwardedFor,
                &["x-forwarded-for: 1.1.1.1, 198.51.100.7, 10.0.0.2"],
                "198.51.100.7",
            ),
            (
                "10.0.0.1",
                XForwardedFor,
                &["x-forwarded-for: 1.1.1.1", "x-forwarded-for: 198.51.100.7:4711"],
                "198.51.100.7",
            ),
            ("10.0.0.1", XForwardedFor, &["x-forwarded-for: 10.0.0.3,10.0.0.2"], "10.0.0.3"),
            // What is no address ends the search: the last proxy is known.
            (
                "10.0.0.1",
                XForwardedFor,
                &["x-forwarded-for: 1.1.1.1, nonsense, 10.0.0.2"],
                "10.0.0.2",
            ),
            ("10.0.0.1", XForwardedFor, &["x-forwarded-for: "], "10.0.0.1"),
            ("10.0.0.1", XForwardedFor, &["x-forwarded-for: 1.1.1.1, \u{e9}"], "10.0.0.1"),
            ("fd00::1", XForwardedFor, &["x-forwarded-for: [2001:db8::7]:443"], "2001:db8::7"),
            // The header that the proxies don't write is the client's.
            (
                "10.0.0.1",
                XForwardedFor,
                &["forwarded: for=1.1.1.1", "x-forwarded-for: 198.51.100.7"],
                "198.51.100.7",
            ),
            ("10.0.0.1", Forwarded, &["x-forwarded-for: 1.1.1.1"], "10.0.0.1"),
            (
                "10.0.0.1",
                Forwarded,
                &["forwarded: for=1.1.1.1, proto=https;For=\"[2001:db8::7]:443\", for=192.0.2.9"],
                "2001:db8::7",
            ),
            ("10.0.0.1", Forwarded, &["forwarded: for=1.1.1.1, for=unknown"], "10.0.0.1"),
            ("10.0.0.1", Forwarded, &["forwarded: for=1.1.1.1, proto=https"], "10.0.0.1"),
        ] {
            assert_eq!(client(peer, header, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn networks_are_exact() {
        for good in ["10.0.0.0/8", "::1", "127.0.0.1", "fd00::/8", "0.0.0.0/0"] {
            assert!(good.parse::<Network>().is_ok(), "{good}");
        }
        for bad in ["", "*", "10.0.0.0/33", "10.0.0", "localhost", "10.0.0.0/8 ", "/8"] {
            assert_eq!(bad.parse::<Network>(), Err(InvalidNetwork), "{bad}");
        }
    }
}
