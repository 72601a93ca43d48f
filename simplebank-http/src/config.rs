//! The settings of the binary: flags and environment variables, one source for both and for `--help`.

use std::{env, fmt, net::SocketAddr, num::NonZeroU32, thread, time::Duration};

use clap::{
    CommandFactory as _, FromArgMatches as _, Parser, ValueEnum,
    builder::{BoolishValueParser, Resettable},
    error::{ContextKind, ContextValue, ErrorKind},
};
use secrecy::SecretString;
use simplebank::{mail::MailArgs, token::Leeway};
use simplebank_localpg::DatabaseArgs;

use crate::{Edge, ForwardedHeader, Network, Origin, Proxies, RateLimits};

/// The longest life of a token that may be set: thirty days.
const TOKEN_DURATION_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// The longest life of a session that may be set: a year.
const SESSION_DURATION_MAX: Duration = Duration::from_secs(365 * 24 * 3600);
/// The longest grace that may be set: a minute. A thief has as long to use a token that its owner has spent.
const REFRESH_GRACE_MAX: Duration = Duration::from_secs(60);
/// The longest wait for a connection to the database that may be set: a minute.
const DATABASE_WAIT_MAX: Duration = Duration::from_secs(60);
/// The longest wait for running requests that may be set: an hour.
const SHUTDOWN_DEADLINE_MAX: Duration = Duration::from_secs(3600);

/// Serves a bank over HTTP.
///
/// Without any setting it keeps its data in a local PostgreSQL that it starts itself. Each setting is a flag or an
/// environment variable; the flag counts. An empty variable counts as not set.
#[derive(Debug, Parser)]
#[command(name = "simplebank-http", version, max_term_width = 110)]
pub struct Config {
    /// Which database to use.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Most connections to the database at a time, besides up to five that serve one purpose each.
    #[arg(long, value_name = "NUMBER", env, default_value_t = 10, help_heading = "Database",
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub database_connections_max: u32,
    /// How long a request waits for one of these connections before it is told to try later, such as 500ms.
    #[arg(long, value_name = "DURATION", env, default_value = "500ms", help_heading = "Database",
        value_parser = parse_database_wait)]
    pub database_wait: Duration,
    /// Don't bring the database's schema up to date at start.
    #[arg(long, env, help_heading = "Database", value_parser = BoolishValueParser::new())]
    pub no_migrate: bool,
    /// Run on a database that can lose acknowledged transfers in a crash, because fsync, full_page_writes or
    /// synchronous_commit is off.
    #[arg(long, env, help_heading = "Database", value_parser = BoolishValueParser::new())]
    pub allow_unsafe_durability: bool,

    /// Where to listen: address and port; without an address (`:8080`) on all of them.
    #[arg(long, value_name = "ADDRESS", env, default_value = "127.0.0.1:8080", help_heading = "HTTP",
        value_parser = parse_address)]
    pub http_server_address: SocketAddr,
    /// Most connections of clients at a time; further ones wait.
    #[arg(long, value_name = "NUMBER", env, default_value_t = 1024, help_heading = "HTTP",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections_max: u32,
    /// How many threads answer requests [default: half as many as there are processors, since a database on the same machine
    /// needs the others].
    #[arg(long, value_name = "NUMBER", env, help_heading = "HTTP",
        value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub server_threads: Option<u32>,
    /// How long running requests may go on when the server is stopped, such as 10s.
    #[arg(long, value_name = "DURATION", env, default_value = "10s", help_heading = "HTTP",
        value_parser = parse_shutdown_deadline)]
    pub shutdown_deadline: Duration,
    /// Origins of pages that may use the bank in a browser, with commas between them, such as `https://app.example`;
    /// none by default.
    #[arg(long, value_name = "ORIGINS", env, value_delimiter = ',', help_heading = "HTTP",
        value_parser = parse_origin)]
    pub allowed_origins: Vec<Origin>,
    /// Networks of the proxies before the server, with commas between them, such as `10.0.0.0/8`: only they are believed whom
    /// they speak for; none by default.
    #[arg(long, value_name = "NETWORKS", env, value_delimiter = ',', help_heading = "HTTP",
        value_parser = parse_network)]
    pub trusted_proxies: Vec<Network>,
    /// The header to which those proxies append whom they speak for; the other one is not read.
    #[arg(
        long,
        value_name = "HEADER",
        env,
        default_value = "x-forwarded-for",
        help_heading = "HTTP"
    )]
    pub forwarded_header: ForwardedHeader,
    /// Whether anybody may ask too often.
    #[arg(long, value_name = "WHETHER", env, default_value = "on", help_heading = "HTTP")]
    pub rate_limit: RateLimit,
    /// Logins, registrations, renewals and codes from one network in a minute, where limits are on; of logins with one name, a
    /// sixth of it.
    #[arg(long, value_name = "NUMBER", env, default_value = "60", help_heading = "HTTP")]
    pub login_rate_limit: NonZeroU32,
    /// Requests of one user in a second, where limits are on.
    #[arg(long, value_name = "NUMBER", env, default_value = "10000", help_heading = "HTTP")]
    pub request_rate_limit: NonZeroU32,

    /// Key of all tokens of the kinds paseto and jwt: 64 hex digits, as `openssl rand -hex 32` makes them, or 32
    /// characters, or PASERK k4.local, or JWK; without one, a random key is kept in the file token.key of the data
    /// directory.
    #[arg(long, value_name = "KEY", env, hide_env_values = true, help_heading = "Tokens",
        value_parser = parse_secret)]
    pub token_symmetric_key: Option<SecretString>,
    /// Key of all tokens of the kinds paseto-public and jwt-eddsa: PASERK k4.secret, as `simplebank token generate-key`
    /// makes it, or JWK; without one, a random key is kept in the file token.secret.key of the data directory.
    #[arg(long, value_name = "KEY", env, hide_env_values = true, help_heading = "Tokens",
        value_parser = parse_secret)]
    pub token_secret_key: Option<SecretString>,
    /// Further keys whose tokens are accepted, though none are made with them, with commas between them: old ones until
    /// their last token has expired, and with several servers the next one. Hex or PASERK k4.local, or of pairs PASERK
    /// k4.public.
    #[arg(long, value_name = "KEYS", env, hide_env_values = true, value_delimiter = ',',
        help_heading = "Tokens", value_parser = parse_secret)]
    pub token_verifying_keys: Vec<SecretString>,
    /// What tokens are made as.
    #[arg(long, value_name = "KIND", env, default_value = "paseto", help_heading = "Tokens")]
    pub token_kind: TokenKind,
    /// How far the clocks of servers that share a key may be apart, up to 60s.
    #[arg(long, value_name = "DURATION", env, default_value = "0s", help_heading = "Tokens",
        value_parser = parse_leeway)]
    pub token_leeway: Leeway,
    /// How long an access token lives, such as 15m.
    #[arg(long, value_name = "DURATION", env, default_value = "15m", help_heading = "Tokens",
        value_parser = parse_token_duration)]
    pub access_token_duration: Duration,
    /// How long a refresh token lives, and with it a session that is not renewed, such as 14d; not shorter than access tokens.
    #[arg(long, value_name = "DURATION", env, default_value = "14d", help_heading = "Tokens",
        value_parser = parse_token_duration)]
    pub refresh_token_duration: Duration,
    /// How long a spent refresh token may be shown again by who has lost the answer, up to 60s; after that it ends its session.
    #[arg(long, value_name = "DURATION", env, default_value = "10s", help_heading = "Tokens",
        value_parser = parse_refresh_grace)]
    pub refresh_grace: Duration,
    /// How long a session lives, however often it is renewed; not shorter than refresh tokens.
    #[arg(long, value_name = "DURATION", env, default_value = "90d", help_heading = "Tokens",
        value_parser = parse_session_duration)]
    pub session_duration: Duration,
    /// How many sessions a user may have at a time: when a further one begins, the oldest ends.
    #[arg(long, value_name = "NUMBER", env, default_value_t = 20, help_heading = "Tokens",
        value_parser = clap::value_parser!(u32).range(1..=100))]
    pub sessions_max: u32,

    /// How much memory one password's hash takes, in MiB: 19 at least. One that took less is made anew when its user logs in.
    #[arg(long, value_name = "MIB", env, default_value_t = 19, help_heading = "Passwords",
        value_parser = clap::value_parser!(u32).range(19..=1024))]
    pub password_memory: u32,
    /// How often the hash fills that memory: 2 at least.
    #[arg(long, value_name = "NUMBER", env, default_value_t = 2, help_heading = "Passwords",
        value_parser = clap::value_parser!(u32).range(2..=50))]
    pub password_passes: u32,
    /// In how many lanes; each hash is computed by one core all the same.
    #[arg(long, value_name = "NUMBER", env, default_value_t = 1, help_heading = "Passwords",
        value_parser = clap::value_parser!(u32).range(1..=16))]
    pub password_lanes: u32,

    /// Where mail goes.
    #[command(flatten)]
    pub mail: MailArgs,
    /// Whether users may move money out before they have shown that their e-mail address is theirs [default: required with
    /// an SMTP server, otherwise optional, since nobody gets the mails then].
    #[arg(long, value_name = "WHETHER", env, help_heading = "Mail")]
    pub email_verification: Option<EmailVerification>,
    /// Don't send mails from here: `simplebank worker` does, elsewhere.
    #[arg(long, env, help_heading = "Mail", value_parser = BoolishValueParser::new())]
    pub no_worker: bool,

    /// Where this runs: in production, logs are JSON unless --log-format says otherwise.
    #[arg(
        long,
        value_name = "ENVIRONMENT",
        env,
        default_value = "development",
        help_heading = "Logs"
    )]
    pub environment: Environment,
    /// How logs are written [default: text, in production json].
    #[arg(long, value_name = "FORMAT", env, help_heading = "Logs")]
    pub log_format: Option<LogFormat>,
    /// What is logged: error, warn, info, debug or trace, or directives such as info,simplebank_db=debug.
    #[arg(long, value_name = "LEVEL", env = "RUST_LOG", default_value = "info", help_heading = "Logs",
        value_parser = parse_filter)]
    pub log_level: String,
}

/// What tokens are made as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TokenKind {
    /// PASETO v4.local: encrypted, so that nobody but the bank can read it.
    Paseto,
    /// PASETO v4.public: signed with a pair of keys, so that whoever has the public one can verify and nobody alter it.
    PasetoPublic,
    /// JWT with HS256: signed, so that everybody can read and nobody alter it.
    Jwt,
    /// JWT with EdDSA: signed with a pair of keys, as paseto-public.
    JwtEddsa,
}

/// Whether who asks too often is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RateLimit {
    /// They are.
    On,
    /// They are not: somebody else sees to it.
    Off,
}

/// Whether users must have shown that their e-mail address is theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EmailVerification {
    /// They need not.
    Optional,
    /// Until then they look and are paid, and move nothing out.
    Required,
}

/// Where the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// On somebody's own machine.
    Development,
    /// For real.
    Production,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

impl Config {
    /// The settings of this process. Prints help or what is wrong and ends the process where clap would.
    #[must_use]
    pub fn from_process() -> Self {
        Self::try_from_args(env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// The settings in `arguments` and in the environment.
    ///
    /// # Errors
    ///
    /// What is wrong with which setting, or the text of `--help` or `--version`.
    pub fn try_from_args<A>(arguments: impl IntoIterator<Item = A>) -> Result<Self, clap::Error>
    where
        A: Into<std::ffi::OsString> + Clone,
    {
        // An empty variable counts as not set, so clap must not see it.
        let mut command = Self::command().mut_args(|argument| match argument.get_env() {
            Some(name) if env::var_os(name).is_some_and(|value| value.is_empty()) => {
                argument.env(Resettable::Reset)
            }
            Some(_) | None => argument,
        });
        let config = command
            .try_get_matches_from_mut(arguments)
            .and_then(|mut matches| Self::from_arg_matches_mut(&mut matches))
            .map_err(|error| name_variable(&mut command, error))?;
        if config.refresh_token_duration < config.access_token_duration {
            let text = "--refresh-token-duration (REFRESH_TOKEN_DURATION) must not be shorter than \
                        --access-token-duration (ACCESS_TOKEN_DURATION)\n";
            return Err(command.error(ErrorKind::ValueValidation, text));
        }
        if config.session_duration < config.refresh_token_duration {
            let text = "--session-duration (SESSION_DURATION) must not be shorter than \
                        --refresh-token-duration (REFRESH_TOKEN_DURATION)\n";
            return Err(command.error(ErrorKind::ValueValidation, text));
        }
        Ok(config)
    }

    /// Whether an address must be verified.
    #[must_use]
    pub fn email_verification(&self) -> simplebank::EmailVerification {
        match self.email_verification {
            Some(EmailVerification::Required) => simplebank::EmailVerification::Required,
            Some(EmailVerification::Optional) => simplebank::EmailVerification::Optional,
            None if self.mail.reaches_people() => simplebank::EmailVerification::Required,
            None => simplebank::EmailVerification::Optional,
        }
    }

    /// What stands between the bank and the world.
    #[must_use]
    pub fn edge(&self) -> Edge {
        let limits = RateLimits {
            entries_per_minute: self.login_rate_limit,
            requests_per_second: self.request_rate_limit,
        };
        Edge {
            allowed_origins: self.allowed_origins.clone(),
            proxies: Proxies {
                trusted: self.trusted_proxies.clone(),
                header: self.forwarded_header,
            },
            rate_limits: match self.rate_limit {
                RateLimit::On => Some(limits),
                RateLimit::Off => None,
            },
        }
    }

    /// How many threads answer requests: at least one.
    #[must_use]
    pub fn server_threads(&self) -> usize {
        let half = || thread::available_parallelism().map_or(1, |all| all.get().div_ceil(2));
        let asked_for = self.server_threads.map(|threads| usize::try_from(threads).unwrap_or(1));
        asked_for.unwrap_or_else(half)
    }

    /// How logs are written.
    #[must_use]
    pub fn log_format(&self) -> LogFormat {
        self.log_format.unwrap_or(match self.environment {
            Environment::Development => LogFormat::Text,
            Environment::Production => LogFormat::Json,
        })
    }
}

/// Adds to an error about a flag which variable sets it as well: that may be where the value came from.
fn name_variable(command: &mut clap::Command, mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(about)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let flag = about.split([' ', '=']).next().unwrap_or_default().trim_start_matches("--");
    let argument = command.get_arguments().find(|argument| argument.get_long() == Some(flag));
    if let Some(variable) = argument.and_then(clap::Arg::get_env) {
        let named = format!("{about} (or {})", variable.display());
        error.insert(ContextKind::InvalidArg, ContextValue::String(named));
    }
    error
}

fn parse_address(text: &str) -> Result<SocketAddr, &'static str> {
    let everywhere = text.starts_with(':').then(|| format!("0.0.0.0{text}"));
    let here = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let address = everywhere.or(here).unwrap_or_else(|| text.to_owned());
    address
        .parse()
        .map_err(|_| "expected an address and a port, such as 127.0.0.1:8080, [::1]:8080 or :8080")
}

fn parse_duration(text: &str, min: Duration, max: Duration) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|_| "expected a duration such as 90s, 15m, 1h30m or 24h".to_owned())?;
    if (min..=max).contains(&duration) {
        Ok(duration)
    } else {
        let (min, max) = (humantime::format_duration(min), humantime::format_duration(max));
        Err(format!("expected a duration from {min} to {max}"))
    }
}

fn parse_token_duration(text: &str) -> Result<Duration, String> {
    parse_duration(text, Duration::from_secs(1), TOKEN_DURATION_MAX)
}

fn parse_refresh_grace(text: &str) -> Result<Duration, String> {
    parse_duration(text, Duration::ZERO, REFRESH_GRACE_MAX)
}

fn parse_session_duration(text: &str) -> Result<Duration, String> {
    parse_duration(text, Duration::from_secs(1), SESSION_DURATION_MAX)
}

fn parse_leeway(text: &str) -> Result<Leeway, String> {
    let max = Duration::from_secs(Leeway::SECONDS_MAX.into());
    let duration = parse_duration(text, Duration::ZERO, max)?;
    let seconds = u8::try_from(duration.as_secs()).ok().filter(|_| duration.subsec_nanos() == 0);
    seconds.and_then(Leeway::from_seconds).ok_or_else(|| "expected whole seconds".to_owned())
}

fn parse_shutdown_deadline(text: &str) -> Result<Duration, String> {
    parse_duration(text, Duration::from_secs(1), SHUTDOWN_DEADLINE_MAX)
}

fn parse_database_wait(text: &str) -> Result<Duration, String> {
    parse_duration(text, Duration::from_millis(10), DATABASE_WAIT_MAX)
}

fn parse_origin(text: &str) -> Result<Origin, crate::InvalidOrigin> {
    text.trim().parse()
}

fn parse_network(text: &str) -> Result<Network, crate::InvalidNetwork> {
    text.trim().parse()
}

/// Takes anything: what is wrong with a key is told where the value isn't.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a result")]
fn parse_secret(text: &str) -> Result<SecretString, fmt::Error> {
    Ok(text.into())
}

fn parse_filter(text: &str) -> Result<String, String> {
    let error =
        |error| format!("expected a level or directives such as info,simplebank_db=debug: {error}");
    tracing_subscriber::EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Config, String> {
        let arguments = std::iter::once(&"simplebank-http").chain(arguments);
        Config::try_from_args(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_is_sound() {
        Config::command().debug_assert();
    }

    #[test]
    fn addresses_are_read_as_the_course_writes_them() {
        for (text, address) in [
            (":8080", "0.0.0.0:8080"),
            ("0.0.0.0:8080", "0.0.0.0:8080"),
            ("localhost:1", "127.0.0.1:1"),
            ("[::1]:8080", "[::1]:8080"),
        ] {
            let config = read(&["--http-server-address", text]).unwrap();
            assert_eq!(config.http_server_address, address.parse().unwrap(), "{text}");
        }
    }

    #[test]
    fn half_of_the_processors_answer_requests_and_never_none() {
        assert_eq!(read(&["--server-threads", "3"]).unwrap().server_threads(), 3);
        let all = thread::available_parallelism().unwrap().get();
        let threads = read(&[]).unwrap().server_threads();
        assert!(threads >= 1 && threads <= all.div_ceil(2), "{threads} of {all}");
        read(&["--server-threads", "0"]).unwrap_err();
    }

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let config =
            read(&["--access-token-duration", "1h30m", "--refresh-token-duration", "24h"]).unwrap();
        assert_eq!(config.access_token_duration, Duration::from_secs(5400));
        assert_eq!(config.refresh_token_duration, Duration::from_secs(86400));
    }

    #[test]
    fn wrong_values_are_told_with_both_names_of_the_setting() {
        for (flag, value, variable) in [
            ("--http-server-address", "8080", "HTTP_SERVER_ADDRESS"),
            ("--access-token-duration", "0s", "ACCESS_TOKEN_DURATION"),
            ("--access-token-duration", "-15m", "ACCESS_TOKEN_DURATION"),
            ("--refresh-grace", "61s", "REFRESH_GRACE"),
            ("--session-duration", "366d", "SESSION_DURATION"),
            ("--session-duration", "13d", "SESSION_DURATION"),
            ("--sessions-max", "0", "SESSIONS_MAX"),
            ("--password-memory", "18", "PASSWORD_MEMORY"),
            ("--password-passes", "1", "PASSWORD_PASSES"),
            ("--password-lanes", "0", "PASSWORD_LANES"),
            ("--access-token-duration", "15d", "ACCESS_TOKEN_DURATION"),
            ("--refresh-token-duration", "400d", "REFRESH_TOKEN_DURATION"),
            ("--token-kind", "none", "TOKEN_KIND"),
            ("--token-leeway", "61s", "TOKEN_LEEWAY"),
            ("--token-leeway", "1500ms", "TOKEN_LEEWAY"),
            ("--allowed-origins", "*", "ALLOWED_ORIGINS"),
            ("--trusted-proxies", "10.0.0.0/8,proxy", "TRUSTED_PROXIES"),
            ("--forwarded-header", "via", "FORWARDED_HEADER"),
            ("--rate-limit", "perhaps", "RATE_LIMIT"),
            ("--login-rate-limit", "0", "LOGIN_RATE_LIMIT"),
            ("--request-rate-limit", "-1", "REQUEST_RATE_LIMIT"),
            ("--environment", "test", "ENVIRONMENT"),
            ("--log-format", "xml", "LOG_FORMAT"),
            ("--log-level", "a=b=c", "RUST_LOG"),
            ("--connections-max", "0", "CONNECTIONS_MAX"),
            ("--shutdown-deadline", "soon", "SHUTDOWN_DEADLINE"),
            ("--smtp-url", "mail.example", "SMTP_URL"),
            ("--smtp-url", "smtp://u:hush@mail.example?tls=none", "SMTP_URL"),
            ("--mail-from", "bank", "MAIL_FROM"),
            ("--public-url", "bank.example", "PUBLIC_URL"),
            ("--email-verification", "perhaps", "EMAIL_VERIFICATION"),
        ] {
            let error = read(&[&format!("{flag}={value}")]).unwrap_err();
            assert!(error.contains(flag) && error.contains(variable), "{flag}: {error}");
        }
    }

    #[test]
    fn a_key_is_never_shown() {
        let config = read(&["--token-symmetric-key", "12345678901234567890123456789012"]).unwrap();
        assert!(!format!("{config:?}").contains("1234567890"));
    }

    #[test]
    fn addresses_must_be_verified_where_mail_reaches_people() {
        use simplebank::EmailVerification::{Optional, Required};
        let asked = |arguments: &[&str]| read(arguments).unwrap().email_verification();
        assert_eq!(asked(&[]), Optional);
        assert_eq!(asked(&["--smtp-url", "smtps://u:hush@mail.example"]), Required);
        let both = ["--smtp-url", "smtps://mail.example", "--email-verification", "optional"];
        assert_eq!(asked(&both), Optional);
        assert_eq!(asked(&["--email-verification", "required"]), Required);
        let config = read(&["--smtp-url", "smtps://u:hush@mail.example"]).unwrap();
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn production_logs_for_machines_unless_told_otherwise() {
        let format = |arguments: &[&str]| read(arguments).unwrap().log_format();
        assert_eq!(format(&[]), LogFormat::Text);
        assert_eq!(format(&["--environment", "production"]), LogFormat::Json);
        assert_eq!(
            format(&["--environment", "production", "--log-format", "text"]),
            LogFormat::Text
        );
    }
}
