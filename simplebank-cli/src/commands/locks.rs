//! `simplebank doctor --locks`: who waits for whose lock, now.

use serde::Serialize;
use simplebank::db::{Db, locks::Session};
use simplebank_localpg::DatabaseArgs;

use super::{on_database, pool_options};
use crate::{
    exit::{Code, Failure},
    output::{self, Column, Format, Row, number, text},
};

pub(super) fn run(settings: &DatabaseArgs, format: Format) -> Result<Code, Failure> {
    on_database(settings, format, async |database| {
        let failure = |error| Failure::Connect { database: database.describe(), source: error };
        // As the application's role one may not even look into the sessions of one's own login.
        let db = Db::connect_as_login(database.url(), pool_options()).await.map_err(failure)?;
        let sessions = db.locks().await.map_err(failure)?;
        db.close().await;
        let answer = Answer::new(sessions);
        match format {
            Format::Table => output::last(&answer.text())?,
            Format::Json => output::json(&answer)?,
        }
        // A bank at work waits for locks: that is no fault by itself.
        Ok(Code::Done)
    })
}

#[derive(Debug, Serialize)]
struct Answer {
    items: Vec<SessionRow>,
    /// Of how many the login may not see state, times and statement.
    hidden_count: usize,
}

impl Answer {
    fn new(sessions: Vec<Session>) -> Self {
        let hidden_count = sessions.iter().filter(|session| session.is_hidden).count();
        Self { items: sessions.into_iter().map(SessionRow::from).collect(), hidden_count }
    }

    fn text(&self) -> String {
        if self.items.is_empty() {
            return "nobody waits for a lock\n".to_owned();
        }
        let mut text = output::table(&self.items, true);
        if self.hidden_count > 0 {
            text.push_str(&format!(
                "\nhidden: {} of these sessions belong to another login. To see their state, times and statements, ask as \
                 that login, or as an administrator: `grant pg_read_all_stats to …`\n",
                self.hidden_count
            ));
        }
        text
    }
}

/// A session that waits, or makes others wait.
#[derive(Debug, Serialize)]
struct SessionRow {
    pid: i32,
    blocked_by: Vec<i32>,
    waiting_ms: Option<i64>,
    lock: Option<String>,
    mode: Option<String>,
    relation: Option<String>,
    application_name: Option<String>,
    login: Option<String>,
    state: Option<String>,
    transaction_ms: Option<i64>,
    is_hidden: bool,
    query: Option<String>,
}

impl From<Session> for SessionRow {
    fn from(session: Session) -> Self {
        Self {
            pid: session.pid,
            blocked_by: session.blocked_by,
            waiting_ms: session.waiting_ms,
            lock: session.lock,
            mode: session.mode,
            relation: session.relation,
            application_name: session.application_name,
            login: session.login,
            state: session.state,
            transaction_ms: session.transaction_ms,
            is_hidden: session.is_hidden,
            query: session.query,
        }
    }
}

impl Row for SessionRow {
    const COLUMNS: &'static [Column] = &[
        number("pid", 6),
        text("blocked_by", 10),
        number("waiting_ms", 10),
        text("waits_for", 12),
        text("state", 6),
        number("transaction_ms", 10),
        text("application_name", 10),
        text("login", 8),
        text("query", 0),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.pid.to_string(),
            blockers(&self.blocked_by),
            duration(self.waiting_ms),
            self.waits_for(),
            self.unless_hidden(self.state.as_deref()),
            duration(self.transaction_ms),
            escaped(self.application_name.as_deref()),
            escaped(self.login.as_deref()),
            self.unless_hidden(self.query.as_deref()),
        ]
    }
}

impl SessionRow {
    fn waits_for(&self) -> String {
        let parts = [self.lock.as_deref(), self.mode.as_deref(), self.relation.as_deref()];
        let parts: Vec<String> =
            parts.into_iter().flatten().map(|part| escaped(Some(part))).collect();
        if parts.is_empty() { "-".to_owned() } else { parts.join(" ") }
    }

    fn unless_hidden(&self, found: Option<&str>) -> String {
        if self.is_hidden { "(hidden)".to_owned() } else { escaped(found) }
    }
}

fn blockers(pids: &[i32]) -> String {
    let name = |pid: &i32| if *pid == 0 { "prepared".to_owned() } else { pid.to_string() };
    let names: Vec<String> = pids.iter().map(name).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(",") }
}

fn duration(ms: Option<i64>) -> String {
    ms.map_or_else(|| "-".to_owned(), |ms| ms.to_string())
}

/// Others choose these texts, and a terminal would obey what is in them: whatever is not to be seen is written out.
fn escaped(text: Option<&str>) -> String {
    let visible = |character| match character {
        '\'' | '"' | '\\' => String::from(character),
        other => other.escape_debug().to_string(),
    };
    text.unwrap_or("-").chars().map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(query: &str) -> Session {
        Session {
            pid: 7,
            blocked_by: vec![0, 8],
            waiting_ms: Some(1_500),
            lock: Some("transactionid".to_owned()),
            mode: Some("ShareLock".to_owned()),
            relation: None,
            application_name: Some("a\u{1b}[2J\nb".to_owned()),
            login: Some("carol".to_owned()),
            state: Some("active".to_owned()),
            transaction_ms: Some(2_000),
            is_hidden: false,
            query: Some(query.to_owned()),
        }
    }

    #[test]
    fn what_others_wrote_cannot_command_the_terminal() {
        let answer = Answer::new(vec![session("select '\u{9b}31m\u{202e}é'")]);
        let text = answer.text();
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{text:?}");
        assert!(
            text.contains(r"a\u{1b}[2J\nb") && text.contains(r"'\u{9b}31m\u{202e}é'"),
            "{text}"
        );
    }

    #[test]
    fn a_prepared_transaction_is_named_in_words() {
        assert!(Answer::new(vec![session("select 1")]).text().contains("prepared,8"));
    }

    #[test]
    fn what_may_not_be_seen_is_said_to_be_hidden() {
        let hidden = Session { is_hidden: true, state: None, query: None, ..session("") };
        let answer = Answer::new(vec![hidden, session("select 1")]);
        assert_eq!(answer.hidden_count, 1);
        assert!(answer.text().contains("(hidden)") && answer.text().contains("hidden: 1 of these"));
        assert!(!Answer::new(vec![session("select 1")]).text().contains("hidden"));
    }
}
