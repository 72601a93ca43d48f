//! A ledger in memory, for tests without a database.

mod money;
mod reading;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use simplebank_core::{
    Account, AccountId, Balance, Currency, HoldId, Principal, Rejection, Role, UserId,
    access::Power,
    account::{Limits, OverdraftLimit, Owner, Status},
    hold::State as HoldState,
    transfer::{Book, Entry},
    user::Username,
};
use time::OffsetDateTime;

use crate::{
    Error, OpenAccount, SetLimits,
    ports::{Clock, new_id},
    road::judge::Answered,
};

/// Refuses whoever lacks a power, as the bank does, which notes it besides.
fn require(by: &Principal, power: Power) -> Result<(), Error> {
    if by.may(power) { Ok(()) } else { Err(Error::Forbidden) }
}

/// A ledger that lives in memory and answers as a [`Bank`](crate::Bank) does, for tests without a database.
///
/// Orders are judged by the same code under the same rules of keys, so the same orders get the same answers; only the
/// identifiers differ. Its methods are those of the bank that concern accounts and money, under the same names, with the same
/// commands and errors; none of them waits, and no [`Error`] comes from a database. Users are [added](Self::add_user) rather
/// than registered. Clones are one ledger.
///
/// ```
/// use simplebank::{Deposit, OpenAccount, core::{Amount, Memo, Principal, Role}, testing::{FixedClock, MemoryLedger}};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let ledger = MemoryLedger::new(FixedClock::default());
/// let alice = ledger.add_user("alice".parse()?, Role::Depositor)?;
/// let euro = "EUR".parse()?;
/// let account = ledger.open_account(&alice, OpenAccount { owner: alice.id(), currency: euro }).await?;
/// let deposit = Deposit { account_id: account.id, amount: Amount::parse("12.50", euro)?, currency: euro, memo: Memo::NONE };
/// let receipt = ledger.deposit(&Principal::Operator, "first".parse()?, deposit).await?;
/// assert_eq!(receipt.account.balance.minor(), 1_250);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryLedger {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    users: BTreeMap<UserId, Username>,
    cash: BTreeMap<Currency, AccountId>,
    /// Everything that there is.
    book: Book,
    open_holds: BTreeSet<(AccountId, HoldId)>,
    entries: BTreeMap<AccountId, Vec<Entry>>,
    /// The lowest balance allowed of an account, and from after which version on.
    floors: BTreeMap<AccountId, Vec<(i64, Option<Balance>)>>,
    answered: Answered,
}

impl MemoryLedger {
    /// An empty ledger that takes the time from `clock`.
    pub fn new(clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), state: Arc::default() }
    }

    /// Adds a user; returns who they are when they ask for something.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with [`Rejection::UsernameTaken`]; [`Error::Randomness`].
    pub fn add_user(&self, username: Username, role: Role) -> Result<Principal, Error> {
        let id: UserId = new_id(self.now())?;
        let mut state = self.lock();
        if state.users.values().any(|taken| *taken == username) {
            return Err(Rejection::UsernameTaken { username }.into());
        }
        state.users.insert(id, username.clone());
        Ok(Principal::User { id, username, role })
    }

    /// As [`Bank::open_account`](crate::Bank::open_account).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn open_account(
        &self,
        by: &Principal,
        command: OpenAccount,
    ) -> Result<Account, Error> {
        let OpenAccount { owner, currency } = command;
        let is_own = owner == by.id() && by.may(Power::OpenOwnAccount);
        if !is_own && !by.may(Power::OpenAnyAccount) {
            return Err(Error::Forbidden);
        }
        let (now, id) = (self.now(), new_id(self.now())?);
        let mut state = self.lock();
        let username = state.users.get(&owner).cloned().ok_or(Error::NotFound { what: "user" })?;
        state.cash(currency, now)?;
        let is_there = |account: &Account| {
            let is_open = account.status != Status::Closed;
            is_open && account.is_owned_by(owner) && account.currency == currency
        };
        if state.book.accounts().any(is_there) {
            return Err(Rejection::AccountExists { currency }.into());
        }
        let account = new_account(id, Owner::Customer { id: owner, username }, currency, now);
        state.put(account.clone());
        Ok(account)
    }

    /// As [`Bank::freeze`](crate::Bank::freeze).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn freeze(&self, by: &Principal, id: AccountId) -> Result<Account, Error> {
        require(by, Power::Freeze)?;
        self.change(id, |account, _| customers(account)?.freeze())
    }

    /// As [`Bank::unfreeze`](crate::Bank::unfreeze).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn unfreeze(&self, by: &Principal, id: AccountId) -> Result<Account, Error> {
        require(by, Power::Freeze)?;
        self.change(id, |account, _| customers(account)?.unfreeze())
    }

    /// As [`Bank::set_limits`](crate::Bank::set_limits).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn set_limits(&self, by: &Principal, command: SetLimits) -> Result<Account, Error> {
        require(by, Power::SetLimits)?;
        let SetLimits { account_id, changes } = command;
        self.change(account_id, |account, _| customers(account)?.with_limits(changes))
    }

    /// As [`Bank::close_account`](crate::Bank::close_account).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn close_account(&self, by: &Principal, id: AccountId) -> Result<Account, Error> {
        let now = self.now();
        self.change(id, |account, book| {
            let is_of = |hold: &&simplebank_core::Hold| {
                hold.touches(id) && hold.state == HoldState::Open && !hold.is_due(now)
            };
            account.close(by, book.holds().find(is_of), now)
        })
    }

    /// Lets an account be changed, as it is once holds whose time is over have been let go of.
    fn change(
        &self,
        id: AccountId,
        decide: impl FnOnce(Account, &Book) -> Result<Account, Rejection>,
    ) -> Result<Account, Error> {
        let now = self.now();
        let mut state = self.lock();
        let book = state.part([id], [], [], now);
        let current = book.account(id).cloned().ok_or(Rejection::AccountNotFound { id })?;
        let account = decide(current, &state.book)?;
        state.take(&book);
        state.put(account.clone());
        Ok(account)
    }

    fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing of the state is changed before everything has been decided.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn customers(account: Account) -> Result<Account, Rejection> {
    match account.owner {
        Owner::Customer { .. } => Ok(account),
        Owner::Cash => Err(Rejection::AccountNotFound { id: account.id }),
    }
}

fn new_account(id: AccountId, owner: Owner, currency: Currency, now: OffsetDateTime) -> Account {
    Account {
        id,
        owner,
        currency,
        balance: Balance::ZERO,
        version: 0,
        revision: 0,
        held: Balance::ZERO,
        overdraft_limit: OverdraftLimit::NONE,
        limits: Limits::default(),
        spent: None,
        notice_from: None,
        status: Status::Open,
        created_at: now,
    }
}

impl State {
    /// The cash account of a currency; it is opened if there is none.
    fn cash(&mut self, currency: Currency, now: OffsetDateTime) -> Result<AccountId, Error> {
        if let Some(id) = self.cash.get(&currency) {
            return Ok(*id);
        }
        let id = new_id(now)?;
        self.cash.insert(currency, id);
        self.put(new_account(id, Owner::Cash, currency, now));
        Ok(id)
    }

    /// What concerns these accounts, holds and transfers, as it is once holds whose time is over have been let go of.
    fn part(
        &self,
        accounts: impl IntoIterator<Item = AccountId>,
        holds: impl IntoIterator<Item = HoldId>,
        transfers: impl IntoIterator<Item = simplebank_core::TransferId>,
        now: OffsetDateTime,
    ) -> Book {
        let mut ids: BTreeSet<AccountId> = accounts.into_iter().collect();
        let mut part = Book::default();
        for hold in holds.into_iter().filter_map(|id| self.book.hold(id)) {
            ids.extend([hold.from_account_id, hold.to_account_id]);
            part.put_hold(hold.clone());
        }
        for reversible in transfers.into_iter().filter_map(|id| self.book.transfer(id)) {
            let transfer = &reversible.transfer;
            ids.extend([transfer.from_account_id, transfer.to_account_id]);
            part.put_transfer(reversible.clone());
        }
        for account in ids.iter().filter_map(|id| self.book.account(*id)) {
            part.put_account(account.clone());
            let last = HoldId::from_uuid(uuid::Uuid::max());
            let of_account =
                (account.id, HoldId::from_uuid(uuid::Uuid::nil()))..=(account.id, last);
            let open = self.open_holds.range(of_account).filter_map(|(_, id)| self.book.hold(*id));
            open.filter(|hold| hold.is_due(now)).for_each(|hold| part.put_hold(hold.clone()));
        }
        part.expire_due(now);
        part
    }

    /// Takes over what has become of a part.
    fn take(&mut self, part: &Book) {
        for account in part.accounts() {
            self.put(account.clone());
        }
        for hold in part.holds() {
            let open = (hold.from_account_id, hold.id);
            if hold.state == HoldState::Open {
                self.open_holds.insert(open);
            } else {
                self.open_holds.remove(&open);
            }
            self.book.put_hold(hold.clone());
        }
    }

    fn put(&mut self, account: Account) {
        let before = self.book.account(account.id);
        if before.is_some_and(|before| {
            Account { revision: before.revision, ..account.clone() } == *before
        }) {
            return;
        }
        let revision = before.map_or(0, |before| before.revision.saturating_add(1));
        let floors = self.floors.entry(account.id).or_default();
        if floors.last().is_none_or(|(_, floor)| *floor != account.floor()) {
            floors.push((account.version, account.floor()));
        }
        self.book.put_account(Account { revision, ..account });
    }
}
