//! Who waits for whom, told by transactions that do it: foreign keys against `for update`, and the order of updates.
//!
//! The tables are the course's, cut to the columns that matter; the story is its, too.

use simplebank::{
    db::{Db, TxSpec},
    testing::TestDatabase,
};

use crate::script::{
    self,
    Act::{self, Await, Commit, Run},
    Begin, Event, Happened, Step,
    Who::{self, T1, T2},
};

const TABLES: &str = "
    create table accounts (id int primary key, balance int not null);
    create table transfers (
        from_account_id int not null references accounts (id),
        to_account_id int not null references accounts (id),
        amount int not null
    )";
const FRESH: &str = "
    truncate transfers, accounts;
    insert into accounts (id, balance) values (1, 100), (2, 100)";

/// What the accounts hold together, before and after: a transfer only moves it.
const TOTAL: i64 = 200;

/// The server looks for a deadlock when a session has waited this long: T2 always finds it, and long after everybody has
/// been seen to wait.
const SETTINGS: [(Who, &str); 2] =
    [(T1, "set local deadlock_timeout = '1min'"), (T2, "set local deadlock_timeout = '5s'")];

const RECORD: &str =
    "insert into transfers (from_account_id, to_account_id, amount) values (1, 2, 10)";
const LOCK_FOR_UPDATE: &str =
    "select id, balance from accounts where id in (1, 2) order by id for update";
const LOCK_FOR_NO_KEY_UPDATE: &str =
    "select id, balance from accounts where id in (1, 2) order by id for no key update";
const TAKE_FROM_1: &str = "update accounts set balance = balance - 10 where id = 1";
const ADD_TO_2: &str = "update accounts set balance = balance + 10 where id = 2";
const TAKE_FROM_2: &str = "update accounts set balance = balance - 10 where id = 2";
const ADD_TO_1: &str = "update accounts set balance = balance + 10 where id = 1";

/// How a story ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Nobody waits.
    AtOnce,
    /// Somebody waits, and all commit.
    AfterAWait,
    /// The server ends a circle of waits by refusing one transaction.
    Deadlock,
}

/// Two transactions that meet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Story {
    pub(crate) name: &'static str,
    /// What PostgreSQL is known to do.
    ending: Ending,
    steps: &'static [Step],
}

pub(crate) const STORIES: [Story; 6] = [
    Story {
        name: "a foreign key waits for `for update`",
        ending: Ending::AfterAWait,
        steps: &[(T1, Run(LOCK_FOR_UPDATE)), (T2, Run(RECORD)), (T1, Commit), (T2, Commit)],
    },
    Story {
        name: "a foreign key doesn't wait for `for no key update`",
        ending: Ending::AtOnce,
        steps: &[(T1, Run(LOCK_FOR_NO_KEY_UPDATE)), (T2, Run(RECORD)), (T1, Commit), (T2, Commit)],
    },
    Story {
        name: "two transfers record and then lock `for update`",
        ending: Ending::Deadlock,
        steps: &[
            (T1, Run(RECORD)),
            (T2, Run(RECORD)),
            (T1, Run(LOCK_FOR_UPDATE)),
            (T2, Run(LOCK_FOR_UPDATE)),
            (T2, Await),
            (T1, Run(TAKE_FROM_1)),
            (T1, Run(ADD_TO_2)),
            (T1, Commit),
        ],
    },
    Story {
        name: "two transfers record and then lock `for no key update`",
        ending: Ending::AfterAWait,
        steps: &[
            (T1, Run(RECORD)),
            (T2, Run(RECORD)),
            (T1, Run(LOCK_FOR_NO_KEY_UPDATE)),
            (T2, Run(LOCK_FOR_NO_KEY_UPDATE)),
            (T1, Run(TAKE_FROM_1)),
            (T1, Run(ADD_TO_2)),
            (T1, Commit),
            (T2, Run(TAKE_FROM_1)),
            (T2, Run(ADD_TO_2)),
            (T2, Commit),
        ],
    },
    Story {
        name: "opposing transfers update in the order of the request",
        ending: Ending::Deadlock,
        steps: &[
            (T1, Run(TAKE_FROM_1)),
            (T2, Run(TAKE_FROM_2)),
            (T1, Run(ADD_TO_2)),
            (T2, Run(ADD_TO_1)),
            (T2, Await),
            (T1, Commit),
        ],
    },
    Story {
        name: "opposing transfers update in the order of ids",
        ending: Ending::AfterAWait,
        steps: &[
            (T1, Run(TAKE_FROM_1)),
            (T2, Run(ADD_TO_1)),
            (T1, Run(ADD_TO_2)),
            (T1, Commit),
            (T2, Run(TAKE_FROM_2)),
            (T2, Commit),
        ],
    },
];

/// What happened in a story.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) story: Story,
    events: Vec<Event>,
    /// What the accounts hold in the end, together.
    total: i64,
}

/// Runs every story; the text of an error says which one got stuck, or ended in another way than PostgreSQL is known to.
pub(crate) async fn tell() -> Result<Vec<Told>, String> {
    let database = TestDatabase::new().await;
    // Only a superuser may say how soon the server looks for a deadlock.
    let owner = Db::from_pool(database.owner().await);
    sqlx::raw_sql(TABLES).execute(owner.pool()).await.expect("the owner may");
    let begin = Begin::once(TxSpec::read_committed("lock_story"));
    let mut told = Vec::new();
    for story in STORIES {
        sqlx::raw_sql(FRESH).execute(owner.pool()).await.expect("the owner may");
        let events = script::play(&owner, &owner, begin, &SETTINGS, story.steps).await;
        let events = events.map_err(|stuck| format!("{}: {stuck}", story.name))?;
        let total = sqlx::query_scalar("select sum(balance) from accounts").fetch_one(owner.pool());
        let total = total.await.expect("the owner may");
        told.push(Told { story, events, total }.checked()?);
    }
    Ok(told)
}

impl Told {
    /// The text around the transcripts rests on these.
    fn checked(self) -> Result<Self, String> {
        if (self.ending(), self.total) == (Some(self.story.ending), TOTAL) {
            Ok(self)
        } else {
            Err(format!("{}: ended otherwise: {self:?}", self.story.name))
        }
    }

    /// How it ended; `None` if a transaction failed for anything but a deadlock.
    fn ending(&self) -> Option<Ending> {
        let mut ending = Ending::AtOnce;
        for event in &self.events {
            match &event.happened {
                Happened::Failed(state) if state == "40P01" => return Some(Ending::Deadlock),
                Happened::Failed(_) | Happened::Skipped => return None,
                Happened::Waits(_) => ending = Ending::AfterAWait,
                Happened::Done(_) => {}
            }
        }
        Some(ending)
    }

    /// The story as a Markdown table.
    pub(crate) fn transcript(&self) -> String {
        let mut text = String::from("| | Statement | The server's answer |\n|---|---|---|\n");
        for (index, event) in self.events.iter().enumerate() {
            let has_waited = self.events.iter().take(index).any(|earlier| {
                let same = (earlier.who, earlier.act) == (event.who, event.act);
                same && matches!(earlier.happened, Happened::Waits(_))
            });
            let again = if has_waited { "… " } else { "" };
            let (who, sql) = (event.who.as_str(), event.act.sql());
            let answer = answer(event.act, &event.happened);
            text.push_str(&format!("| {who} | {again}`{sql}` | {answer} |\n"));
        }
        text
    }
}

fn answer(act: Act, happened: &Happened) -> String {
    match happened {
        Happened::Done(rows) if rows.is_empty() => match act {
            Commit => "committed".to_owned(),
            Run(_) | Act::Abort | Await => "done".to_owned(),
        },
        Happened::Done(rows) => {
            let rows: Vec<String> =
                rows.iter().map(|(id, balance)| format!("{id} has {balance}")).collect();
            rows.join(", ")
        }
        Happened::Waits(wait) => {
            let whom: Vec<&str> = wait.for_whom.iter().map(|who| who.as_str()).collect();
            let whom = whom.join(" and ");
            // Who already shares the row's lock doesn't queue for it, and then the server doesn't tell the table.
            let at = if wait.relation.is_empty() { "" } else { " of " };
            format!("**waits for {whom}** (`{}`{at}{})", wait.lock, wait.relation)
        }
        Happened::Failed(state) if state == "40P01" => {
            "**40P01, deadlock detected**: rolled back".to_owned()
        }
        Happened::Failed(state) => format!("**{state}**: rolled back"),
        Happened::Skipped => "not sent".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn each_story_ends_as_it_is_told() {
        let told = tell().await.unwrap();
        assert_eq!(told.len(), STORIES.len());
        for told in told {
            let failed =
                told.events.iter().filter(|event| matches!(event.happened, Happened::Failed(_)));
            assert!(failed.count() <= 1, "one of the two goes on: {told:?}");
            let waits = told.events.iter().filter_map(|event| match &event.happened {
                Happened::Waits(wait) => Some((event.who, wait.for_whom.clone())),
                Happened::Done(_) | Happened::Failed(_) | Happened::Skipped => None,
            });
            let waits: Vec<_> = waits.collect();
            let expected = match told.story.ending {
                Ending::AtOnce => vec![],
                Ending::AfterAWait => vec![(T2, vec![T1])],
                Ending::Deadlock => vec![(T1, vec![T2]), (T2, vec![T1])],
            };
            assert_eq!(waits, expected, "{}", told.story.name);
        }
    }
}
