//! Transactions that take their steps in the order of a script, so that each run is the same.
//!
//! Each transaction runs in a task and is handed its statements one by one. A statement has either been answered or waits for a
//! lock, and only the server knows which: it is asked until one of the two is certain. Time decides nothing.

use std::{collections::VecDeque, error::Error as StdError, time::Duration};

use simplebank::db::{BodyError, Db, Error, TxSpec};
use sqlx::{AssertSqlSafe, PgConnection, Row as _, postgres::PgRow};
use tokio::sync::{Mutex, mpsc, oneshot};

/// Longer than any step takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the server is asked what became of a step; each time takes a round trip.
const LOOKS_MAX: u32 = 100_000;

/// One of the transactions of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    T1,
    T2,
    T3,
}

impl Who {
    pub(crate) const ALL: [Self; 3] = [Self::T1, Self::T2, Self::T3];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::T1 => "T1",
            Self::T2 => "T2",
            Self::T3 => "T3",
        }
    }
}

/// What a transaction does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// A statement.
    Run(&'static str),
    /// Commits.
    Commit,
    /// Rolls back.
    Abort,
    /// Does nothing until its last statement, which waits, has been answered.
    Await,
}

impl Act {
    pub(crate) const fn sql(self) -> &'static str {
        match self {
            Self::Run(sql) => sql,
            Self::Commit => "commit",
            Self::Abort => "rollback",
            Self::Await => "",
        }
    }
}

/// Who does what.
pub(crate) type Step = (Who, Act);

/// How transactions begin and end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Begin {
    /// By [`Db::transact`].
    Transact(TxSpec),
    /// By this statement.
    Plain(&'static str),
    /// Not at all: each statement commits by itself.
    #[cfg(test)]
    Never,
}

impl Begin {
    /// By [`Db::transact`], once, without losing patience.
    pub(crate) const fn once(spec: TxSpec) -> Self {
        let spec = spec.attempts_max(1).deadline(PATIENCE).statement_timeout(PATIENCE);
        Self::Transact(spec.lock_timeout(PATIENCE).idle_timeout(PATIENCE))
    }
}

/// Two numbers, as all tables of scripts have.
pub(crate) type Row = (i32, i32);

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// It was done; these are the rows that it returned.
    Done(Vec<Row>),
    /// It waits; another event will tell the end.
    Waits(Wait),
    /// The server refused it with this SQLSTATE, and the transaction was rolled back.
    Failed(String),
    /// Its transaction had failed before.
    Skipped,
}

impl Happened {
    /// The rows that a step returned, if it was done.
    pub(crate) fn rows(&self) -> Option<&[Row]> {
        match self {
            Self::Done(rows) => Some(rows),
            Self::Waits(_) | Self::Failed(_) | Self::Skipped => None,
        }
    }
}

/// What a step waits for, in the words of [`Db::locks`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) for_whom: Vec<Who>,
    pub(crate) lock: String,
    pub(crate) relation: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) who: Who,
    pub(crate) act: Act,
    pub(crate) happened: Happened,
}

/// Plays `steps` by the transactions that occur in them, each begun before the first step.
///
/// `settings` are statements with which a transaction prepares itself. The text of an error says what got stuck.
pub(crate) async fn play(
    db: &Db,
    monitor: &Db,
    begin: Begin,
    settings: &[(Who, &'static str)],
    steps: &[Step],
) -> Result<Vec<Event>, String> {
    let mut stage = Stage { monitor, parts: Vec::new(), events: Vec::new() };
    for who in Who::ALL {
        if steps.iter().any(|(actor, _)| *actor == who) {
            let setting = settings.iter().find(|(of, _)| *of == who).map_or("", |(_, sql)| sql);
            let part = stage.enter(who, db, begin, setting).await?;
            stage.parts.push(part);
        }
    }
    for (who, act) in steps {
        stage.take(*who, *act).await?;
        stage.settle().await?;
    }
    match stage.parts.iter().find(|part| !part.orders.is_closed()) {
        Some(open) => Err(format!("{} is still open", open.who.as_str())),
        None => Ok(stage.events),
    }
}

/// What a step is answered: rows, or a SQLSTATE.
type Reply = Result<Vec<Row>, String>;

struct Order {
    act: Act,
    reply: oneshot::Sender<Reply>,
}

struct Stage<'a> {
    monitor: &'a Db,
    parts: Vec<Part>,
    events: Vec<Event>,
}

/// A transaction, seen from outside.
struct Part {
    who: Who,
    pid: i32,
    orders: mpsc::UnboundedSender<Order>,
    pending: VecDeque<Pending>,
}

struct Pending {
    act: Act,
    reply: oneshot::Receiver<Reply>,
    is_told_to_wait: bool,
}

/// How the front of a part's queue stands.
enum Standing {
    /// Nothing is left to be answered.
    Idle,
    /// It has been answered, just now.
    Answered,
    /// It waits for a lock.
    Waits,
}

impl Stage<'_> {
    async fn enter(
        &self,
        who: Who,
        db: &Db,
        begin: Begin,
        setting: &'static str,
    ) -> Result<Part, String> {
        let (orders, received) = mpsc::unbounded_channel();
        let prepare = format!("set local application_name = '{}'; {setting}", who.as_str());
        let script = Script { prepare, orders: Mutex::new(received), last: Mutex::new(None) };
        tokio::spawn(perform(db.clone(), begin, script));
        Ok(Part { who, pid: self.pid(who).await?, orders, pending: VecDeque::new() })
    }

    /// Asking the transaction itself would give it its snapshot, which is the script's to do.
    async fn pid(&self, who: Who) -> Result<i32, String> {
        let sql = "select pid from pg_catalog.pg_stat_activity \
                   where datname = current_database() and application_name = $1";
        for _ in 0..LOOKS_MAX {
            let found = sqlx::query_scalar(sql).bind(who.as_str());
            if let Some(pid) = found.fetch_optional(self.monitor.pool()).await.map_err(text)? {
                return Ok(pid);
            }
        }
        Err(format!("{} did not begin", who.as_str()))
    }

    async fn take(&mut self, who: Who, act: Act) -> Result<(), String> {
        let part = self.parts.iter_mut().find(|part| part.who == who).expect("all have entered");
        if act == Act::Await {
            let pending = part.pending.front_mut().ok_or("nothing to wait for")?;
            // The server's timeouts end it.
            let reply = (&mut pending.reply).await;
            let act = pending.act;
            part.pending.pop_front();
            self.answered(who, act, reply.ok());
            return Ok(());
        }
        let (reply, answer) = oneshot::channel();
        match part.orders.send(Order { act, reply }) {
            Ok(()) => {
                part.pending.push_back(Pending { act, reply: answer, is_told_to_wait: false });
            }
            Err(_) => self.answered(who, act, None),
        }
        Ok(())
    }

    /// Returns once everybody has been answered or waits for somebody.
    async fn settle(&mut self) -> Result<(), String> {
        let mut is_over = false;
        while !is_over {
            is_over = true;
            for index in 0..self.parts.len() {
                // An answer may have set free whoever was found waiting before.
                while matches!(self.stand(index).await?, Standing::Answered) {
                    is_over = false;
                }
            }
        }
        Ok(())
    }

    async fn stand(&mut self, index: usize) -> Result<Standing, String> {
        for _ in 0..LOOKS_MAX {
            let part = self.parts.get_mut(index).expect("it is one of them");
            let Some(pending) = part.pending.front_mut() else { return Ok(Standing::Idle) };
            match pending.reply.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => {}
                reply => {
                    let (who, act) = (part.who, pending.act);
                    part.pending.pop_front();
                    self.answered(who, act, reply.ok());
                    return Ok(Standing::Answered);
                }
            }
            let pid = part.pid;
            if self.is_blocked(pid).await? && self.tell_wait(index).await? {
                return Ok(Standing::Waits);
            }
            tokio::task::yield_now().await;
        }
        Err("a step was neither answered nor did it wait for a lock".to_owned())
    }

    /// The cheap question, which is asked often.
    async fn is_blocked(&self, pid: i32) -> Result<bool, String> {
        let sql = "select cardinality(pg_catalog.pg_blocking_pids($1)) > 0";
        let blocked = sqlx::query_scalar(sql).bind(pid).fetch_one(self.monitor.pool());
        blocked.await.map_err(text)
    }

    /// Writes down for whom the front of the queue waits, unless it has been already; false if it doesn't any more.
    async fn tell_wait(&mut self, index: usize) -> Result<bool, String> {
        let part = self.parts.get_mut(index).expect("it is one of them");
        let pending = part.pending.front_mut().expect("it has just been looked at");
        if pending.is_told_to_wait {
            return Ok(true);
        }
        let (who, act, pid) = (part.who, pending.act, part.pid);
        let sessions = self.monitor.locks().await.map_err(text)?;
        let session = sessions.iter().find(|session| session.pid == pid);
        let Some(session) = session.filter(|session| !session.blocked_by.is_empty()) else {
            return Ok(false);
        };
        pending.is_told_to_wait = true;
        let blocks = |part: &&Part| session.blocked_by.contains(&part.pid);
        let wait = Wait {
            for_whom: self.parts.iter().filter(blocks).map(|part| part.who).collect(),
            lock: session.lock.clone().unwrap_or_default(),
            relation: session.relation.clone().unwrap_or_default(),
        };
        self.events.push(Event { who, act, happened: Happened::Waits(wait) });
        Ok(true)
    }

    /// Without a reply the transaction was over before it came to that step.
    fn answered(&mut self, who: Who, act: Act, reply: Option<Reply>) {
        let happened = match reply {
            Some(Ok(rows)) => Happened::Done(rows),
            Some(Err(state)) => Happened::Failed(state),
            None => Happened::Skipped,
        };
        self.events.push(Event { who, act, happened });
    }
}

/// A transaction's orders, seen from inside.
struct Script {
    prepare: String,
    orders: Mutex<mpsc::UnboundedReceiver<Order>>,
    /// Whoever gave the order that ended the transaction is answered when it has ended.
    last: Mutex<Option<oneshot::Sender<Reply>>>,
}

async fn perform(db: Db, begin: Begin, script: Script) {
    let outcome = match begin {
        Begin::Transact(spec) => {
            db.transact(spec, async |tx| follow(&mut tx.connection(), &script).await).await
        }
        Begin::Plain(begin) => plain(&db, begin, &script).await,
        #[cfg(test)]
        Begin::Never => statement_by_statement(&db, &script).await,
    };
    drop(script.orders);
    if let Some(last) = script.last.into_inner() {
        let reply = match outcome {
            Ok(()) | Err(Stopped::ByScript) => Ok(Vec::new()),
            Err(Stopped::ByServer(error)) => Err(sqlstate(&error)),
        };
        // Nobody listens any more where the script itself got stuck.
        let _ = last.send(reply);
    }
}

async fn plain(db: &Db, begin: &'static str, script: &Script) -> Result<(), Stopped> {
    let mut connection = db.pool().acquire().await.map_err(Error::from)?;
    sqlx::raw_sql(begin).execute(&mut *connection).await.map_err(Error::from)?;
    let followed = follow(&mut connection, script).await;
    let end = if followed.is_ok() { "commit" } else { "rollback" };
    sqlx::raw_sql(end).execute(&mut *connection).await.map_err(Error::from)?;
    followed
}

#[cfg(test)]
async fn statement_by_statement(db: &Db, script: &Script) -> Result<(), Stopped> {
    let mut connection = db.pool().acquire().await.map_err(Error::from)?;
    prepare(&mut connection, script.prepare.replace("set local", "set")).await?;
    let followed = obey(&mut connection, script).await;
    sqlx::raw_sql("reset application_name").execute(&mut *connection).await.map_err(Error::from)?;
    followed
}

async fn follow(connection: &mut PgConnection, script: &Script) -> Result<(), Stopped> {
    prepare(connection, script.prepare.clone()).await?;
    obey(connection, script).await
}

async fn prepare(connection: &mut PgConnection, sql: String) -> Result<(), Stopped> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map_err(Error::from)?;
    Ok(())
}

async fn obey(connection: &mut PgConnection, script: &Script) -> Result<(), Stopped> {
    loop {
        let order = script.orders.lock().await.recv().await;
        let Some(Order { act, reply }) = order else { return Err(Stopped::ByScript) };
        let rows = match act {
            Act::Run(sql) => sqlx::raw_sql(sql).fetch_all(&mut *connection).await,
            Act::Commit | Act::Abort | Act::Await => {
                *script.last.lock().await = Some(reply);
                return if act == Act::Commit { Ok(()) } else { Err(Stopped::ByScript) };
            }
        };
        match rows {
            Ok(rows) => {
                let _ = reply.send(Ok(rows.iter().map(numbers).collect()));
            }
            Err(error) => {
                *script.last.lock().await = Some(reply);
                return Err(Error::from(error).into());
            }
        }
    }
}

fn numbers(row: &PgRow) -> Row {
    (row.get(0), row.get(1))
}

/// Why a transaction did not commit.
#[derive(Debug)]
enum Stopped {
    ByScript,
    ByServer(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::ByServer(error)
    }
}

impl BodyError for Stopped {
    fn into_db(self) -> Result<Error, Self> {
        match self {
            Self::ByServer(error) => Ok(error),
            Self::ByScript => Err(self),
        }
    }
}

/// What the server said, however deep it is wrapped.
fn sqlstate(error: &Error) -> String {
    let mut error: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(this) = error {
        if let Some(database) =
            this.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error)
        {
            return database.code().unwrap_or_default().into_owned();
        }
        error = this.source();
    }
    "no answer".to_owned()
}

fn text(error: impl StdError) -> String {
    error.to_string()
}
