//! What is answered to who moved money, or tried it out.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use simplebank::Receipt;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    accounts::{Account, Entry, created},
    query::DryRun,
    transfers::Transfer,
};

/// Money that moved to or from an account.
#[derive(Serialize, ToSchema)]
pub(super) struct CashReceipt {
    transfer: Transfer,
    /// The account that it is about, right after it: the customer's for a deposit or withdrawal; for a capture the caller's;
    /// for a reversal the one that gives back.
    account: Account,
    /// That account's side of it.
    entry: Entry,
}

impl From<Receipt> for CashReceipt {
    fn from(receipt: Receipt) -> Self {
        Self {
            transfer: receipt.posting.transfer().into(),
            entry: Entry::new(receipt.entry(), receipt.account.currency),
            account: receipt.account.into(),
        }
    }
}

/// Money that was transferred, as who paid sees it.
#[derive(Serialize, ToSchema)]
pub(super) struct TransferReceipt {
    transfer: Transfer,
    /// The account that paid, right after it.
    from_account: Account,
    /// Its side of the transfer.
    from_entry: Entry,
}

impl From<Receipt> for TransferReceipt {
    fn from(receipt: Receipt) -> Self {
        let CashReceipt { transfer, account, entry } = receipt.into();
        Self { transfer, from_account: account, from_entry: entry }
    }
}

/// What happened, with where it is to be found; or what would have happened.
pub(super) enum Answer<T> {
    Happened { collection: &'static str, id: Uuid, body: T },
    TriedOut(T),
}

impl<T> Answer<T> {
    /// What came of `id`, which is in the list `collection`.
    pub(super) fn new(dry_run: DryRun, collection: &'static str, id: Uuid, body: T) -> Self {
        match dry_run {
            DryRun::No => Self::Happened { collection, id, body },
            DryRun::Yes => Self::TriedOut(body),
        }
    }
}

impl<T: From<Receipt>> Answer<T> {
    /// What a movement of money came to.
    pub(super) fn moved(dry_run: DryRun, receipt: Receipt) -> Self {
        let id = receipt.posting.transfer().id.as_uuid();
        Self::new(dry_run, "transfers", id, receipt.into())
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Happened { collection, id, body } => {
                created(collection, id, body).into_response()
            }
            Self::TriedOut(body) => Json(body).into_response(),
        }
    }
}
