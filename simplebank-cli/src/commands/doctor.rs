//! `simplebank doctor`: what there is, whether it will do, and what to do where it won't.

use serde::Serialize;
use simplebank::{
    Error, Kind,
    db::{self, Db, server::Server},
};
use simplebank_localpg::{Database, DatabaseArgs};

use super::{on_database, pool_options};
use crate::{
    exit::{Code, Failure, with_sources},
    output::{self, Column, Format, Row, text},
};

/// The role that serves customers, as the migrations make it.
const APPLICATION_ROLE: &str = "simplebank_app";

pub(super) fn run(settings: &DatabaseArgs, format: Format) -> Result<Code, Failure> {
    let mut report = Report::default();
    report.good("program", concat!("simplebank ", env!("CARGO_PKG_VERSION")));
    match settings.data_dir() {
        Ok(directory) => report.good("data_directory", directory.path().display().to_string()),
        // Whether one is needed, opening the database tells.
        Err(_) => report.good("data_directory", "none"),
    }
    let looked = on_database(settings, format, async |database| {
        look(database, &mut report).await;
        Ok(Code::Done)
    });
    if let Err(failure) = looked {
        let advice = failure.hint().unwrap_or_else(|| {
            "do what the line above says, or name a running server by DATABASE_URL".to_owned()
        });
        report.add("connection", failure.message(), Verdict::Unreachable, Some(advice));
    }
    match format {
        Format::Table => output::last(&report.text())?,
        Format::Json => output::json(&report.document())?,
    }
    Ok(report.code())
}

async fn look(database: &Database, report: &mut Report) {
    report.good("database", database.describe());
    let is_local =
        if database.is_local() { "yes, in the data directory" } else { "no, it was given" };
    report.good("local", is_local);
    // As the application does it; failing that, as whoever may log in, to see at least what there is.
    let connected = match Db::connect(database.url(), pool_options()).await {
        Ok(db) => Ok((db, None)),
        Err(refused) => {
            Db::connect_as_login(database.url(), pool_options()).await.map(|db| (db, Some(refused)))
        }
    };
    let (db, refused) = match connected {
        Ok(connected) => connected,
        Err(error) => return unreachable(report, error),
    };
    match db.server().await {
        Ok(server) => judge(report, &server, refused.as_ref()),
        Err(error) => unreachable(report, error),
    }
    db.close().await;
}

fn unreachable(report: &mut Report, error: db::Error) {
    let why = with_sources(&error);
    let advice = if Error::from(error).kind() == Kind::Unavailable {
        "start the server, or correct host and port in --database-url or DATABASE_URL"
    } else {
        "correct user, password, database and parameters in --database-url or DATABASE_URL"
    };
    report.add("connection", why, Verdict::Unreachable, Some(advice.to_owned()));
}

fn judge(report: &mut Report, server: &Server, refused: Option<&db::Error>) {
    report.good("connection", "established");
    report.good("server", format!("PostgreSQL {}", server.version));
    report.good("database_name", server.database.as_str());
    report.good("login", server.login.as_str());
    judge_role(report, server, refused);
    for (name, value) in &server.durability {
        let is_unsafe = server.unsafe_settings().contains(&name.as_str());
        let advice = is_unsafe.then(|| {
            format!(
                "a crash can lose money that was acknowledged: \
                 `alter system set {name} = on; select pg_reload_conf();`"
            )
        });
        let verdict = if is_unsafe { Verdict::Unsafe } else { Verdict::Ok };
        report.add(name, value.clone(), verdict, advice);
    }
    judge_migrations(report, server);
}

fn judge_role(report: &mut Report, server: &Server, refused: Option<&db::Error>) {
    if let Some(error) = refused {
        let (why, advice) = if let db::Error::NotMigrated(_) = error {
            ("it does not exist".to_owned(), "`simplebank migrate up` makes it".to_owned())
        } else {
            let grant =
                format!("as an administrator: `grant {APPLICATION_ROLE} to {}`", server.login);
            (with_sources(error), grant)
        };
        let why = format!("cannot become {APPLICATION_ROLE}: {why}");
        return report.add("role", why, Verdict::Wrong, Some(advice));
    }
    report.good("role", server.role.as_str());
    if server.is_superuser {
        let advice = format!("as an administrator: `alter role {} nosuperuser`", server.role);
        report.add("superuser", "yes".to_owned(), Verdict::Unsafe, Some(advice));
    } else {
        report.good("superuser", "no");
    }
    if server.rewritable.is_empty() {
        let found = if server.migrated_to == 0 { "no tables yet" } else { "nothing" };
        report.good("can_rewrite", found);
    } else {
        let tables = server.rewritable.join(", ");
        let of_schema: Vec<String> =
            server.rewritable.iter().map(|table| format!("simplebank.{table}")).collect();
        let advice = format!(
            "the ledger must be append-only: `revoke update, delete, truncate on {} from {}`, \
             and whatever else gives it these rights",
            of_schema.join(", "),
            server.role
        );
        report.add("can_rewrite", tables, Verdict::Unsafe, Some(advice));
    }
}

fn judge_migrations(report: &mut Report, server: &Server) {
    let (has, latest) = (server.migrated_to, server.latest_migration);
    let found = format!("{has} of {latest}");
    if server.is_migrated() {
        report.good("migrations", found);
    } else {
        let advice = if has < latest {
            "run `simplebank migrate up`"
        } else {
            "the database is newer than this program: use a newer one"
        };
        report.add("migrations", found, Verdict::Wrong, Some(advice.to_owned()));
    }
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Will do.
    Ok,
    /// Works until something goes wrong.
    Unsafe,
    /// Does not work.
    Wrong,
    /// Nobody answers.
    Unreachable,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unsafe => "UNSAFE",
            Self::Wrong => "WRONG",
            Self::Unreachable => "UNREACHABLE",
        }
    }
}

#[derive(Debug, Default)]
struct Report(Vec<Check>);

#[derive(Debug)]
struct Check {
    name: String,
    found: String,
    verdict: Verdict,
    advice: Option<String>,
}

/// A check, in words.
#[derive(Debug, Serialize)]
struct CheckRow<'a> {
    name: &'a str,
    found: &'a str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    ok: bool,
    checks: Vec<CheckRow<'a>>,
}

impl Row for CheckRow<'_> {
    const COLUMNS: &'static [Column] = &[text("check", 18), text("verdict", 8), text("found", 0)];

    fn cells(&self) -> Vec<String> {
        [self.name, self.verdict, self.found].map(str::to_owned).into()
    }
}

impl Report {
    fn good(&mut self, name: &str, found: impl Into<String>) {
        self.add(name, found.into(), Verdict::Ok, None);
    }

    fn add(&mut self, name: &str, found: String, verdict: Verdict, advice: Option<String>) {
        self.0.push(Check { name: name.to_owned(), found, verdict, advice });
    }

    fn has(&self, verdict: Verdict) -> bool {
        self.0.iter().any(|check| check.verdict == verdict)
    }

    fn code(&self) -> Code {
        if self.has(Verdict::Unreachable) {
            Code::Setup
        } else if self.has(Verdict::Unsafe) || self.has(Verdict::Wrong) {
            Code::No
        } else {
            Code::Done
        }
    }

    fn rows(&self) -> Vec<CheckRow<'_>> {
        let rows = self.0.iter().map(|check| CheckRow {
            name: check.name.as_str(),
            found: check.found.as_str(),
            verdict: check.verdict.as_str(),
            advice: check.advice.as_deref(),
        });
        rows.collect()
    }

    fn document(&self) -> Document<'_> {
        Document { ok: self.code() == Code::Done, checks: self.rows() }
    }

    fn text(&self) -> String {
        let mut text = output::table(&self.rows(), true);
        let to_do = self.0.iter().filter_map(|check| Some((check, check.advice.as_deref()?)));
        for (number, (check, advice)) in to_do.enumerate() {
            text.push_str(if number == 0 { "\nTo do:\n" } else { "" });
            text.push_str(&format!("  {}: {advice}\n", check.name));
        }
        text
    }
}
