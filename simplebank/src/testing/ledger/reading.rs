//! Looking at what is in memory.

use std::collections::BTreeMap;

use simplebank_core::{
    Account, AccountId, Hold, HoldId, Instant, Principal, Rejection, TransferId, UserId,
    access::Power,
    hold::State as HoldState,
    ledger::{Chain, Totals, Violation, check_account, check_held, check_posting},
    statement::{Line, Standing},
    transfer::{Entry, Transfer},
};
use time::OffsetDateTime;

use super::{MemoryLedger, State};
use crate::{
    BalanceAt, Error, Listing, Page, Report, Statement, StatementPage, StatementPlace,
    accounts::{check_period, find::may_see, not_open_yet, unknown_place},
};

impl MemoryLedger {
    /// As [`Bank::account`](crate::Bank::account).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn account(&self, by: &Principal, id: AccountId) -> Result<Account, Error> {
        let now = self.now();
        self.lock().visible(by, id, now)
    }

    /// As [`Bank::accounts`](crate::Bank::accounts).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn accounts(
        &self,
        by: &Principal,
        owner: Option<UserId>,
        page: Page<AccountId>,
    ) -> Result<Listing<Account, AccountId>, Error> {
        if owner != Some(by.id()) && !by.may(Power::ViewAny) {
            return Err(Error::Forbidden);
        }
        let now = self.now();
        let state = self.lock();
        let is_asked_for = |account: &&Account| match owner {
            Some(owner) => account.is_owned_by(owner),
            None => state.cash.get(&account.currency) != Some(&account.id),
        };
        let ids = state.book.accounts().filter(is_asked_for).map(|account| account.id);
        let ids: Vec<AccountId> = ids.filter(|id| page.cursor.is_none_or(|it| *id > it)).collect();
        let part = state.part(ids, [], [], now);
        Ok(page.listing(first(part.accounts().cloned(), page), |account| account.id))
    }

    /// As [`Bank::entries`](crate::Bank::entries).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn entries(
        &self,
        by: &Principal,
        account: AccountId,
        page: Page<i64>,
    ) -> Result<(Account, Listing<Entry, i64>), Error> {
        let now = self.now();
        let state = self.lock();
        let account = state.visible(by, account, now)?;
        let entries = state.entries_of(account.id).iter().rev();
        let entries = entries.filter(|entry| page.cursor.is_none_or(|it| entry.version < it));
        let entries = first(entries.cloned(), page);
        Ok((account, page.listing(entries, |entry| entry.version)))
    }

    /// As [`Bank::transfer_by_id`](crate::Bank::transfer_by_id).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn transfer_by_id(&self, by: &Principal, id: TransferId) -> Result<Transfer, Error> {
        let state = self.lock();
        let transfer = state.book.transfer(id).map(|reversible| &reversible.transfer);
        let transfer =
            transfer.filter(|it| state.sees_either(by, [it.from_account_id, it.to_account_id]));
        transfer.cloned().ok_or(Error::NotFound { what: "transfer" })
    }

    /// As [`Bank::hold_by_id`](crate::Bank::hold_by_id).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn hold_by_id(&self, by: &Principal, id: HoldId) -> Result<Hold, Error> {
        let now = self.now();
        let state = self.lock();
        let hold = state.book.hold(id);
        let hold = hold.filter(|it| state.sees_either(by, [it.from_account_id, it.to_account_id]));
        Ok(hold.cloned().ok_or(Rejection::HoldNotFound { id })?.at(now))
    }

    /// As [`Bank::balance_at`](crate::Bank::balance_at).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn balance_at(
        &self,
        by: &Principal,
        account: AccountId,
        at: Instant,
    ) -> Result<BalanceAt, Error> {
        let now = self.now();
        let state = self.lock();
        let account = state.visible(by, account, now)?;
        if at.time() < account.created_at {
            return Err(not_open_yet("at", &account));
        }
        let Standing { version, balance } = state.standing(account.id, at.time());
        Ok(BalanceAt { account, at, balance, version })
    }

    /// As [`Bank::statement`](crate::Bank::statement).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn statement(
        &self,
        by: &Principal,
        account: AccountId,
        period: Statement,
        page: Page<StatementPlace>,
    ) -> Result<StatementPage, Error> {
        check_period(period)?;
        let now = self.now();
        let state = self.lock();
        let account = state.visible(by, account, now)?;
        let (opening, closing) = state.ends(&account, period, page.cursor)?;
        let after = page.cursor.map_or(opening.version, |place| place.after);
        let entries = state.entries_of(account.id).iter();
        let entries = entries.filter(|it| it.version > after && it.version <= closing.version);
        let lines = first(entries, page).into_iter().filter_map(|entry| {
            let transfer = state.book.transfer(entry.transfer_id)?.transfer.clone();
            Some(Line { entry: entry.clone(), transfer })
        });
        let place =
            |line: &Line| StatementPlace { after: line.entry.version, through: closing.version };
        Ok(StatementPage {
            lines: page.listing(lines.collect(), place),
            account,
            period,
            opening_balance: opening.balance,
            closing_balance: closing.balance,
            is_first: page.cursor.is_none(),
        })
    }

    /// Checks I1, I3, I4 and I5 over all there is, with the checks of [`Bank::verify`](crate::Bank::verify), which share no
    /// code with the decisions.
    #[must_use]
    pub fn verify(&self) -> Report {
        match self.lock().audit() {
            Ok(rows) => Report { rows, violation: None },
            Err(violation) => Report { rows: 0, violation: Some(violation) },
        }
    }
}

/// As many as a page has, and one more if there is.
fn first<T, C>(items: impl Iterator<Item = T>, page: Page<C>) -> Vec<T> {
    items.take(usize::try_from(page.rows()).unwrap_or(usize::MAX)).collect()
}

impl State {
    /// The account as it is now, if the caller may look at it.
    fn visible(
        &self,
        by: &Principal,
        id: AccountId,
        now: OffsetDateTime,
    ) -> Result<Account, Error> {
        let account = self.part([id], [], [], now).account(id).cloned();
        account
            .filter(|account| may_see(by, account))
            .ok_or(Error::Rejected(Rejection::AccountNotFound { id }))
    }

    fn sees_either(&self, by: &Principal, ids: [AccountId; 2]) -> bool {
        ids.iter().filter_map(|id| self.book.account(*id)).any(|account| may_see(by, account))
    }

    fn entries_of(&self, id: AccountId) -> &[Entry] {
        self.entries.get(&id).map(Vec::as_slice).unwrap_or_default()
    }

    fn standing(&self, id: AccountId, time: OffsetDateTime) -> Standing {
        let entries = self.entries_of(id);
        let count = entries.partition_point(|entry| entry.created_at <= time);
        let newest = count.checked_sub(1).and_then(|index| entries.get(index));
        newest.map_or(Standing::NOTHING, |entry| Standing {
            version: entry.version,
            balance: entry.balance_after,
        })
    }

    /// Where an account stood before a period, and after it.
    fn ends(
        &self,
        account: &Account,
        period: Statement,
        cursor: Option<StatementPlace>,
    ) -> Result<(Standing, Standing), Error> {
        if period.to.is_some_and(|to| to.time() <= account.created_at) {
            return Err(not_open_yet("to", account));
        }
        let begin = |from: Instant| self.standing(account.id, from.just_before());
        let opening = period.from.map_or(Standing::NOTHING, begin);
        let closing = match (cursor, period.to) {
            (Some(place), _) => {
                let is_inside = (opening.version..=place.through).contains(&place.after);
                let mut entries = self.entries_of(account.id).iter();
                let end = entries.find(|entry| entry.version == place.through && is_inside);
                let end = end.ok_or_else(unknown_place)?;
                Standing { version: end.version, balance: end.balance_after }
            }
            (None, Some(to)) => self.standing(account.id, to.just_before()),
            (None, None) => Standing { version: account.version, balance: account.balance },
        };
        Ok((opening, closing))
    }

    fn audit(&self) -> Result<u64, Violation> {
        let mut totals = Totals::default();
        let mut held: BTreeMap<AccountId, i128> = BTreeMap::new();
        for hold in self.book.holds().filter(|hold| hold.state == HoldState::Open) {
            *held.entry(hold.from_account_id).or_default() += i128::from(hold.amount.minor());
        }
        let mut of_transfers: BTreeMap<TransferId, Vec<Entry>> = BTreeMap::new();
        for account in self.book.accounts() {
            let entries = self.entries_of(account.id);
            let newest = entries.last().map(|entry| (entry.version, entry.balance_after));
            check_account(account, newest)?;
            check_held(account, held.get(&account.id).copied().unwrap_or_default())?;
            totals.add(account)?;
            self.audit_chain(account, entries)?;
            for entry in entries {
                of_transfers.entry(entry.transfer_id).or_default().push(entry.clone());
            }
        }
        totals.finish()?;
        for (id, entries) in &of_transfers {
            let transfer = self.book.transfer(*id).map(|reversible| &reversible.transfer);
            check_posting(transfer.expect("it is put in with its entries"), entries)?;
        }
        let rows = self.book.accounts().count() + 3 * of_transfers.len();
        Ok(u64::try_from(rows).unwrap_or(u64::MAX))
    }

    fn audit_chain(&self, account: &Account, entries: &[Entry]) -> Result<(), Violation> {
        let floors = self.floors.get(&account.id).map(Vec::as_slice).unwrap_or_default();
        let mut floors = floors.iter().peekable();
        let mut chain = Chain::new(account.id, account.floor());
        for entry in entries {
            while let Some((_, floor)) = floors.next_if(|(after, _)| *after < entry.version) {
                chain.set_floor(*floor);
            }
            chain.take(entry)?;
        }
        Ok(())
    }
}
