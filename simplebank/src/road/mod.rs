//! The one road that money takes: lock, decide, write.
//!
//! A [`Wish`] is an order under a key. [`post::post`] takes any number of them through one transaction; the
//! [`committer`] gathers what concurrent callers wish into such batches, and remembers the accounts that it has seen. One wish
//! is a batch of one. Nothing is answered before the commit.

pub(crate) mod committer;
pub(crate) mod judge;
mod lane;
mod memory;
pub(crate) mod post;
mod queue;
mod unstopped;

use sha2::{Digest as _, Sha256};
use simplebank_core::{
    Account, AccountId, Balance, Currency, Hold, IdempotencyKey, Principal, Rejection, UserId,
    account::{Owner, Status},
    audit,
    transfer::{Action, Entry, Kind, Order, Posting},
};

use time::OffsetDateTime;

use crate::Error;

/// What a movement of money came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The transfer and its two entries.
    pub posting: Posting,
    /// The caller's account, right after the transfer. For what a banker does it is the account that a deposit went to, or else
    /// the one that paid; for a reversal that is the one that gives back.
    pub account: ReceiptAccount,
}

/// An account as a receipt shows it: only what never changes afterwards, so that the receipt is the same for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptAccount {
    /// Names the account.
    pub id: AccountId,
    /// Whose it is.
    pub owner: Owner,
    /// What it is kept in.
    pub currency: Currency,
    /// Its balance right after the transfer.
    pub balance: Balance,
    /// How many entries it had then.
    pub version: i64,
    /// Open, or there would have been no transfer.
    pub status: Status,
    /// When it was opened.
    pub created_at: OffsetDateTime,
}

impl Receipt {
    /// The entry of [`account`](Self::account).
    #[must_use]
    pub fn entry(&self) -> &Entry {
        let [from, to] = self.posting.entries();
        if from.account_id == self.account.id { from } else { to }
    }

    /// A receipt that shows `account`, as it was right after the posting.
    fn new(posting: Posting, account: &Account) -> Self {
        let mut receipt = Self { posting, account: account.clone().into() };
        let Entry { balance_after, version, .. } = *receipt.entry();
        receipt.account.balance = balance_after;
        receipt.account.version = version;
        receipt.account.status = Status::Open;
        receipt
    }
}

impl From<Account> for ReceiptAccount {
    fn from(account: Account) -> Self {
        let Account { id, owner, currency, balance, version, status, created_at, .. } = account;
        Self { id, owner, currency, balance, version, status, created_at }
    }
}

/// An order, and the key that it came with.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) key: IdempotencyKey,
    pub(crate) order: Order,
    /// SHA-256 of what is asked for, by whom and under which key.
    pub(crate) content_hash: [u8; 32],
    /// What the audit record is to say once it has happened, if anything.
    pub(crate) note: Option<Box<audit::Entry>>,
}

impl Wish {
    pub(crate) fn new(by: &Principal, key: IdempotencyKey, action: Action) -> Self {
        let order = Order { ordered_by: by.clone(), action };
        let content_hash = content_hash(by.id(), &key, &order.content());
        Self { key, order, content_hash, note: None }
    }

    pub(crate) fn owner(&self) -> UserId {
        self.order.ordered_by.id()
    }
}

/// SHA-256 of what was asked for, by whom and under which key, as it is kept beside the answer: a record that was changed
/// to speak of another key is found out.
pub(crate) fn content_hash(owner: UserId, key: &IdempotencyKey, content: &str) -> [u8; 32] {
    // None of the parts holds a line break.
    Sha256::digest(format!("{owner}\n{key}\n{content}")).into()
}

/// Whether wishes that were sent together stand alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Each stands alone: a refused one does not harm its neighbours.
    #[default]
    Independent,
    /// All or none.
    Atomic,
}

/// Wishes that were sent together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub(crate) wishes: Vec<Wish>,
    pub(crate) mode: Mode,
}

impl Group {
    /// A wish that stands alone.
    pub(crate) fn one(wish: Wish) -> Self {
        Self { wishes: vec![wish], mode: Mode::Independent }
    }

    /// Whether the audit record is to tell of any of it.
    pub(crate) fn is_audited(&self) -> bool {
        self.wishes.iter().any(|wish| wish.note.is_some())
    }
}

/// What a wish is answered with. A refusal is an answer like any other: it is recorded, and the transaction commits.
pub(crate) type Answer = Result<Done, Refusal>;

/// What the wishes of a group are answered with, in their order; or which of them kept an atomic group from happening.
pub(crate) type GroupAnswer = Result<Vec<Answer>, Offender>;

/// What a wish came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Moved(Box<Receipt>),
    Held(Hold),
}

impl Done {
    pub(crate) fn receipt(self) -> Receipt {
        match self {
            Self::Moved(receipt) => *receipt,
            Self::Held(_) => unreachable!("an order that moves money is answered with a receipt"),
        }
    }

    pub(crate) fn hold(self) -> Hold {
        match self {
            Self::Held(hold) => hold,
            Self::Moved(_) => unreachable!("an order about a hold is answered with the hold"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Rejected(Rejection),
    KeyReused,
}

/// The first of an atomic group that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offender {
    pub(crate) index: usize,
    pub(crate) refusal: Refusal,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Rejected(rejection) => Self::Rejected(rejection),
            Refusal::KeyReused => Self::KeyReused,
        }
    }
}

/// The account that a receipt is about.
fn shown_side(
    posting: &Posting,
    by: UserId,
    is_owner: impl Fn(AccountId, UserId) -> bool,
) -> AccountId {
    let transfer = posting.transfer();
    match transfer.kind {
        Kind::Transfer | Kind::Withdrawal => transfer.from_account_id,
        Kind::Deposit => transfer.to_account_id,
        // Either side may capture, and who was paid gives back: each sees their own account.
        Kind::Capture if is_owner(transfer.to_account_id, by) => transfer.to_account_id,
        Kind::Capture | Kind::Reversal => transfer.from_account_id,
    }
}
