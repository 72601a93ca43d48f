//! Until their address is verified, users look and don't pay out, if the bank is set so.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use simplebank_core::{Principal, UserId, transfer::Action, user::User};
use simplebank_db::{Tx, TxSpec, users};

use crate::{Bank, Error, road::Wish};

const FIND_VERIFIED: TxSpec = TxSpec::read_committed("find_email_verified").read_only();

/// Whether who has not shown that their e-mail address is theirs may move money out of their accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EmailVerification {
    /// They may.
    #[default]
    Optional,
    /// They may look, and be paid, and no more.
    Required,
}

/// How long it may be relied on that an address is verified, which only a change of the address undoes, by whoever knows the
/// password; this process knows of its own at once.
const RECENT: Duration = Duration::from_secs(60);

/// Most users that are remembered. Beyond that all are forgotten, and read anew as they come.
const USERS_MAX: usize = 10_000;

/// Who has a verified address, for [`RECENT`]. Who has none is asked about each time, so that their confirming counts at once.
#[derive(Debug, Default)]
pub(crate) struct Verified(Mutex<HashMap<UserId, Instant>>);

impl Verified {
    fn has(&self, user: UserId) -> bool {
        self.lock().get(&user).is_some_and(|read_at| read_at.elapsed() < RECENT)
    }

    fn put(&self, user: UserId, read_at: Instant) {
        let mut users = self.lock();
        if users.len() >= USERS_MAX {
            users.clear();
        }
        users.insert(user, read_at);
    }

    /// Forgets a user whose address has changed.
    pub(super) fn forget(&self, user: UserId) {
        self.lock().remove(&user);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Instant>> {
        // Each change is one call of the map's: what a panic left behind is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bank {
    /// Refuses whoever would move money out and may not yet. It is no answer under their key: the same order happens once
    /// the address is verified.
    ///
    /// # Errors
    ///
    /// [`Error::EmailNotVerified`].
    pub(crate) async fn check_verified<'w>(
        &self,
        wishes: impl IntoIterator<Item = &'w Wish>,
    ) -> Result<(), Error> {
        if self.email_verification() == EmailVerification::Optional {
            return Ok(());
        }
        let mut payers = Vec::new();
        for wish in wishes {
            let by = &wish.order.ordered_by;
            if moves_out(&wish.order.action) && !payers.contains(&by) {
                payers.push(by);
            }
        }
        for payer in payers {
            let Principal::User { id, .. } = payer else { continue };
            if self.verified().has(*id) {
                continue;
            }
            let read_at = Instant::now();
            let found = self.db().transact(FIND_VERIFIED, async |tx| users::find(tx, *id).await);
            let Some(User { email_verified_at: Some(_), .. }) = found.await? else {
                return Err(Error::EmailNotVerified);
            };
            self.verified().put(*id, read_at);
        }
        Ok(())
    }

    /// [`check_verified`](Self::check_verified) in a transaction that somebody else commits, as it sees the user.
    ///
    /// # Errors
    ///
    /// [`Error::EmailNotVerified`].
    pub(crate) async fn check_verified_in(
        &self,
        tx: &mut Tx<'_>,
        wish: &Wish,
    ) -> Result<(), Error> {
        let Principal::User { id, .. } = &wish.order.ordered_by else { return Ok(()) };
        if self.email_verification() == EmailVerification::Optional
            || !moves_out(&wish.order.action)
        {
            return Ok(());
        }
        match users::find(tx, *id).await? {
            Some(User { email_verified_at: Some(_), .. }) => Ok(()),
            Some(_) | None => Err(Error::EmailNotVerified),
        }
    }
}

/// True for what takes money from a customer by their own will, also when it was promised or is given back. Cash that a banker
/// takes in or pays out is not: the customer stands before them.
const fn moves_out(action: &Action) -> bool {
    match action {
        Action::Transfer { .. }
        | Action::Hold { .. }
        | Action::Capture { .. }
        | Action::Reverse { .. } => true,
        Action::Deposit { .. } | Action::Withdraw { .. } | Action::Void { .. } => false,
    }
}
