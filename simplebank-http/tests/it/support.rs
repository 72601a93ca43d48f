//! A bank of a test's own behind the real accept loop, and clients that speak to it.

use std::{fmt::Debug, time::Duration};

use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use simplebank::{
    Bank, Builder, EmailVerification, Page, PageLimit,
    core::{AccountId, Principal, Role, UserId},
    testing::{FixedClock, TestDatabase},
};
use simplebank_http::{
    Origin, router,
    server::{End, Limits, serve},
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// Long enough, and no context word.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A bank that is served; it ends with the test.
pub(crate) struct World {
    pub(crate) bank: Bank,
    pub(crate) clock: FixedClock,
    pub(crate) base: String,
    pub(crate) client: Client,
    pub(crate) database: TestDatabase,
    _server: Server,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) ended: JoinHandle<End>,
}

impl Server {
    pub(crate) async fn start(app: axum::Router, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        let ended = tokio::spawn(serve(listener, app, limits, stopped));
        Self { address, stop: Some(stop), ended }
    }
}

pub(crate) fn client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_origins(&[]).await
    }

    pub(crate) async fn with_origins(origins: &[Origin]) -> Self {
        Self::with(origins, EmailVerification::Optional).await
    }

    /// A bank in which who has not verified their address moves no money out.
    pub(crate) async fn with_verification() -> Self {
        Self::with(&[], EmailVerification::Required).await
    }

    async fn with(origins: &[Origin], email_verification: EmailVerification) -> Self {
        Self::built(origins, |builder| builder.email_verification(email_verification)).await
    }

    /// A bank with settings of its own.
    pub(crate) async fn built(origins: &[Origin], set: impl FnOnce(Builder) -> Builder) -> Self {
        let database = TestDatabase::new().await;
        let clock = FixedClock::default();
        let builder = Bank::builder(database.db().clone()).clock(clock.clone());
        let builder = builder.email_verification(EmailVerification::Optional);
        let bank = set(builder).build().unwrap();
        let server = Server::start(router(bank.clone(), origins), Limits::default()).await;
        let base = format!("http://{}", server.address);
        Self { bank, clock, base, client: client(), database, _server: server }
    }

    /// Somebody who is not logged in.
    pub(crate) fn anyone(&self) -> User<'_> {
        User { world: self, token: None, refresh_token: String::new(), id: String::new() }
    }

    /// Registers somebody and logs them in.
    pub(crate) async fn user(&self, username: &str) -> User<'_> {
        let registration = json!({
            "username": username, "password": PASSWORD,
            "full_name": "Somebody", "email": format!("{username}@example.org"),
        });
        let user = self.anyone().post("/v1/users", registration).await.is(201);
        let id = user["id"].as_str().unwrap().to_owned();
        self.log_in(username, id).await
    }

    pub(crate) async fn log_in(&self, username: &str, id: String) -> User<'_> {
        let credentials = json!({"username": username, "password": PASSWORD});
        let login = self.anyone().post("/v1/users/login", credentials).await.is(200);
        let text = |name: &str| login[name].as_str().unwrap().to_owned();
        let (token, refresh_token) = (Some(text("access_token")), text("refresh_token"));
        User { world: self, token, refresh_token, id }
    }

    /// Somebody who works for the bank.
    pub(crate) async fn banker(&self, username: &str) -> User<'_> {
        let user = self.user(username).await;
        let id = UserId::from_uuid(user.id.parse().unwrap());
        self.bank.set_role(&Principal::Operator, id, Role::Banker).await.unwrap();
        user
    }

    /// Everything that a request could have changed, and that the ledger is whole.
    pub(crate) async fn state(&self) -> impl PartialEq + Debug + use<> {
        let report = self.bank.verify(|_| {}).await.unwrap();
        assert_eq!(report.violation, None);
        let page = Page { cursor: None, limit: PageLimit::MAX };
        let users = self.bank.users(&Principal::Operator, page).await.unwrap().items;
        let page = Page { cursor: None, limit: PageLimit::MAX };
        let accounts = self.bank.accounts(&Principal::Operator, None, page).await.unwrap().items;
        (report.rows, users, accounts)
    }
}

/// Somebody who sends requests.
pub(crate) struct User<'a> {
    pub(crate) world: &'a World,
    pub(crate) token: Option<String>,
    pub(crate) refresh_token: String,
    pub(crate) id: String,
}

impl User<'_> {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.world.client.request(method, format!("{}{path}", self.world.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    /// Moves money under a key.
    pub(crate) async fn pay(&self, key: &str, path: &str, body: Value) -> Answer {
        let request = self.request(Method::POST, path).header("Idempotency-Key", key);
        send(request.json(&body)).await
    }

    /// Opens an account; returns its id.
    pub(crate) async fn account(&self, currency: &str) -> String {
        let account = self.post("/v1/accounts", json!({"currency": currency})).await.is(201);
        account["id"].as_str().unwrap().to_owned()
    }

    /// Takes cash in, as a banker.
    pub(crate) async fn deposit(&self, key: &str, account: &str, amount: &str) -> Answer {
        let body = json!({"amount": amount, "currency": "EUR"});
        self.pay(key, &format!("/v1/accounts/{account}/deposits"), body).await
    }

    /// Transfers euros.
    pub(crate) async fn transfer(&self, key: &str, from: &str, to: &str, amount: &str) -> Answer {
        self.pay(key, "/v1/transfers", transfer_body(from, to, amount)).await
    }

    pub(crate) async fn balance(&self, account: &str) -> String {
        let account = self.get(&format!("/v1/accounts/{account}")).await.is(200);
        account["balance"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn transfer_body(from: &str, to: &str, amount: &str) -> Value {
    json!({"from_account_id": from, "to_account_id": to, "amount": amount, "currency": "EUR"})
}

/// An account id that nobody has.
pub(crate) fn nobodys_account() -> String {
    AccountId::from_parts(1, [7; 10]).to_string()
}

pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

/// What came back, to the byte.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The body of an answer with this status.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        self.json()
    }

    /// The body of a problem with this status, this code and these wrong fields, in any order.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str, fields: &[&str]) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{self:?}");
        assert_eq!(problem["type"], "about:blank", "{self:?}");
        assert_eq!(problem["code"], code, "{self:?}");
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let mut told: Vec<_> =
            errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
        let mut expected = fields.to_vec();
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected, "{self:?}");
        problem
    }
}

/// The names of an object's members, sorted.
#[track_caller]
pub(crate) fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}
