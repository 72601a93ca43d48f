//! The faults that can be armed, and where each strikes.

use std::time::Duration;

use super::statement::Contents;

/// What happens to a connection, and exactly when. Each strikes once.
///
/// A *statement* here is a simple query or an execution of a prepared one inside a transaction that hasn't failed; BEGIN,
/// COMMIT and ROLLBACK, with whatever is sent along with them, aren't counted. A *COMMIT* is a text in which a statement
/// begins with `commit` or `end`, inside a transaction that hasn't failed; the release of a savepoint is none. Outside a
/// transaction, a text is its own COMMIT if a statement begins with `insert`, `update`, `delete` or `merge`, or calls
/// `simplebank.post` and `simplebank.post_one`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection suffers when the client sends the n-th statement, counted from 1: the server hasn't seen it.
    Statement(u32, Strike),
    /// The server fails the n-th statement, counted from 1, with this SQLSTATE. The statement itself isn't executed.
    StatementFails(u32, &'static str),
    /// The connection suffers when the client sends COMMIT, which the server hasn't seen. After a cut, the transaction is
    /// **certainly not committed**.
    BeforeCommit(Strike),
    /// The server fails COMMIT with this SQLSTATE, and has rolled back. The transaction is **certainly not committed**.
    CommitFails(&'static str),
    /// COMMIT is passed on and the connection cut at once: the server may commit, now or a moment later.
    DuringCommit,
    /// The client is cut off when it sends COMMIT, and only after this time is COMMIT passed on: until then the old
    /// transaction is open and holds its locks, and then it commits, unless it has been ended meanwhile. Whoever asks too
    /// early whether it took gets a wrong answer.
    LateCommit(Duration),
    /// The connection suffers when the server has answered COMMIT with success, before the client is told. The transaction
    /// is **certainly committed**.
    AfterCommit(Strike),
}

/// How a connection suffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// Both sides are closed.
    Cut,
    /// What is on its way arrives this much later, and everything goes on.
    Delay(Duration),
    /// Nothing arrives any more, in either direction, and both sides stay open until they give up by themselves.
    Hang,
}

/// What a flight is to the faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    None,
    Statement,
    Commit,
}

impl Occasion {
    /// `is_open`: the flight finds a transaction that hasn't failed.
    pub(super) const fn of(contents: Contents, transaction: Transaction) -> Self {
        let is_open = matches!(transaction, Transaction::Open);
        let is_alone = matches!(transaction, Transaction::None) && contents.is_plain();
        if contents.commits && (is_open || contents.begins) || is_alone && contents.writes {
            Self::Commit
        } else if contents.is_plain() && is_open {
            Self::Statement
        } else {
            Self::None
        }
    }
}

/// What the server says about a connection's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transaction {
    None,
    Open,
    Failed,
}

impl Fault {
    /// Whether the fault is one for this occasion, of which it is the n-th.
    pub(super) const fn fits(self, occasion: Occasion, nth: u32) -> bool {
        match self {
            Self::Statement(n, _) | Self::StatementFails(n, _) => {
                matches!(occasion, Occasion::Statement) && nth == n
            }
            Self::BeforeCommit(_)
            | Self::CommitFails(_)
            | Self::DuringCommit
            | Self::LateCommit(_)
            | Self::AfterCommit(_) => matches!(occasion, Occasion::Commit),
        }
    }

    /// What is wrong with it, if anything is.
    pub(super) fn defect(self) -> Option<String> {
        let is_sqlstate = |state: &str| {
            state.len() == 5
                && state.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
        };
        match self {
            Self::Statement(0, _) | Self::StatementFails(0, _) => {
                Some("statements are counted from 1".to_owned())
            }
            Self::StatementFails(_, state) | Self::CommitFails(state) if !is_sqlstate(state) => {
                Some(format!("{state:?} is no SQLSTATE"))
            }
            Self::Statement(..)
            | Self::StatementFails(..)
            | Self::BeforeCommit(_)
            | Self::CommitFails(_)
            | Self::DuringCommit
            | Self::LateCommit(_)
            | Self::AfterCommit(_) => None,
        }
    }
}
