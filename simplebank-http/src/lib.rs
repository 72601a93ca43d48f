//! The bank over HTTP: REST, its OpenAPI document, health.
//!
//! [`router`] is the whole surface of a [`Bank`](simplebank::Bank), to be served with [`server::serve`] or mounted at the root
//! of a router of one's own. The binary `simplebank-http` adds settings, a database and a start-up message: [`start`].
//!
//! ```no_run
//! use simplebank::{Bank, db::{Db, PoolOptions}};
//! use simplebank_http::{router, server::{Limits, serve}};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let bank = Bank::new(Db::connect("postgres://localhost/simplebank", PoolOptions::default()).await?)?;
//! let app = axum::Router::new()
//!     .route("/hello", axum::routing::get(async || "a route of one's own"))
//!     .fallback_service(router(bank, &[]));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! serve(listener, app, Limits::default(), std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

pub mod config;
mod random;
mod rest;
pub mod server;
pub mod start;
mod stream;
pub mod telemetry;
mod token_key;
mod tokens;

pub use rest::{
    BATCH_BYTES_MAX, BODY_BYTES_MAX, BODY_READ_TIMEOUT, EDGE_CODES, Edge, ForwardedHeader,
    InvalidNetwork, InvalidOrigin, Network, Origin, Proxies, RateLimits, router, router_behind,
};
