//! One of the two that are compared: a ledger in memory, or a bank on PostgreSQL.

use std::{
    collections::{HashMap, HashSet},
    fmt::Debug,
};

use simplebank::{
    Bank, Deposit, Error, Member, OpenAccount, Page, PlaceHold, Receipt, Register, Reverse,
    SetLimits, Statement, Transfer, Withdrawal,
    core::{
        Account, AccountId, Amount, Hold, HoldId, IdempotencyKey, Instant, Memo, Principal,
        Rejection, Role, TransferId, transfer::Kind, user::User,
    },
    testing::{FixedClock, MemoryLedger},
};
use uuid::Uuid;

use super::operation::{BANKER, CASH, DEPOSITORS, Operation, Order, Pay};
use crate::bank::{self, PASSWORD};

/// Whether refusals stay the answer under their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// They do.
    Sticky,
    /// What was refused is judged anew.
    Forgetful,
}

/// What came back.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// All of it, with a number in the place of each identifier.
    pub(super) text: String,
    /// What was asked for under a key.
    pub(super) asked: Option<String>,
    pub(super) receipts: Vec<Receipt>,
    pub(super) rejection: Option<Rejection>,
    /// Of a batch.
    refused_members: usize,
    /// Who was to pay.
    pub(super) payer: Option<AccountId>,
}

impl Answer {
    /// `ok`, or the code of what it was refused for.
    pub(super) fn code(&self) -> &str {
        let code = self.text.split(':').next().unwrap_or_default();
        let is_code =
            !code.is_empty() && code.bytes().all(|it| it == b'_' || it.is_ascii_lowercase());
        match (is_code, self.refused_members) {
            (true, _) => code,
            (false, 0) => "ok",
            (false, _) => "a member refused",
        }
    }
}

#[derive(Debug)]
pub(super) struct Side<L> {
    pub(super) ledger: L,
    people: Vec<Principal>,
    accounts: Vec<AccountId>,
    cash: Option<AccountId>,
    holds: Vec<HoldId>,
    transfers: Vec<TransferId>,
    seen: HashSet<Uuid>,
    /// A number for each identifier that was told of.
    numbers: HashMap<Uuid, usize>,
    keys: Keys,
    refused: HashMap<(usize, String), u64>,
}

impl Side<MemoryLedger> {
    pub(super) fn in_memory(ledger: MemoryLedger, keys: Keys) -> Self {
        let add = |number| {
            let role = if number == BANKER { Role::Banker } else { Role::Depositor };
            let name = bank::username(number).parse().expect("letters and digits");
            ledger.add_user(name, role).expect("the name is free")
        };
        let people = (0..=BANKER).map(add).collect();
        Self::new(ledger, people, keys)
    }
}

impl Side<Bank> {
    pub(super) async fn stored(ledger: Bank) -> Self {
        let mut people = Vec::new();
        for number in 0..=BANKER {
            let username = bank::username(number);
            let registration = Register {
                username: username.parse().expect("letters and digits"),
                password: PASSWORD.parse().expect("long enough"),
                full_name: "Some Body".parse().expect("a name"),
                email: format!("{username}@example.org").parse().expect("an address"),
            };
            let user = ledger.register(registration).await.expect("the name is free");
            let role = if number == BANKER { Role::Banker } else { Role::Depositor };
            people.push(User { role, ..user }.principal());
        }
        Self::new(ledger, people, Keys::Sticky)
    }
}

impl<L> Side<L> {
    fn new(ledger: L, mut people: Vec<Principal>, keys: Keys) -> Self {
        people.push(Principal::Operator);
        Self {
            ledger,
            people,
            accounts: Vec::new(),
            cash: None,
            holds: Vec::new(),
            transfers: Vec::new(),
            seen: HashSet::new(),
            numbers: HashMap::new(),
            keys,
            refused: HashMap::new(),
        }
    }

    fn person(&self, number: usize) -> Principal {
        self.people.get(number).expect("there are as many as are drawn").clone()
    }

    fn account(&self, number: usize) -> AccountId {
        let account = match number {
            CASH => self.cash,
            _ => self.accounts.get(number).copied(),
        };
        account.unwrap_or(AccountId::from_uuid(Uuid::max()))
    }

    fn key(&self, by: usize, key: &str) -> IdempotencyKey {
        let times = self.refused.get(&(by, key.to_owned()));
        bank::key(&times.map_or_else(|| key.to_owned(), |times| format!("{key}/{times}")))
    }

    fn transfer(&self, pay: &Pay) -> Transfer {
        let Pay { from, to, amount, currency, memo } = pay.clone();
        Transfer {
            from_account_id: self.account(from),
            to_account_id: self.account(to),
            amount,
            currency: currency.parse().expect("a currency"),
            memo,
        }
    }

    /// Takes note of a receipt.
    fn moved(&mut self, receipt: &Receipt) {
        let transfer = receipt.posting.transfer();
        if self.seen.insert(transfer.id.as_uuid()) {
            self.transfers.push(transfer.id);
        }
        if transfer.kind == Kind::Deposit && transfer.currency.code() == "EUR" {
            self.cash = Some(transfer.from_account_id);
        }
    }

    fn held(&mut self, hold: &Hold) {
        if self.seen.insert(hold.id.as_uuid()) {
            self.holds.push(hold.id);
        }
    }

    /// Takes note of a refusal, for who forgets it.
    fn refuse(&mut self, by: usize, key: &str, error: &Error) {
        if let (Keys::Forgetful, Error::Rejected(_)) = (self.keys, error) {
            *self.refused.entry((by, key.to_owned())).or_default() += 1;
        }
    }

    /// A result as text, with a number in the place of each identifier.
    fn text<T: Debug>(&mut self, result: &Result<T, Error>) -> String {
        let text = match result {
            Ok(value) => format!("{value:?}"),
            Err(error) => format!("{}: {error}", error.code()),
        };
        self.numbered(&text)
    }

    fn numbered(&mut self, text: &str) -> String {
        const LENGTH: usize = 36;
        let mut numbered = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(dash) = rest.find('-') {
            let id = dash.checked_sub(8).and_then(|begin| {
                let id = Uuid::try_parse(rest.get(begin..begin + LENGTH)?).ok()?;
                Some((begin, id))
            });
            let (end, number) = match id {
                Some((begin, id)) => {
                    numbered.push_str(rest.get(..begin).unwrap_or_default());
                    let next = self.numbers.len();
                    let number = *self.numbers.entry(id).or_insert(next);
                    (begin + LENGTH, format!("#{number}"))
                }
                None => {
                    numbered.push_str(rest.get(..dash).unwrap_or_default());
                    (dash + 1, "-".to_owned())
                }
            };
            numbered.push_str(&number);
            rest = rest.get(end..).unwrap_or_default();
        }
        numbered + rest
    }
}

/// One of those there have been, counted back from the newest; or one that there is not.
fn counted_back<T: Copy>(all: &[T], place: u64, none: T) -> T {
    let place = usize::try_from(place).unwrap_or(usize::MAX);
    all.iter().rev().nth(place).copied().unwrap_or(none)
}

/// An account without what differs between two ledgers that agree.
fn without_revision(account: Account) -> Account {
    Account { revision: 0, ..account }
}

/// The two have the same methods and no trait in common.
macro_rules! side {
    ($ledger:ty) => {
        impl Side<$ledger> {
            /// Does what is ordered; time goes by on `clock`.
            pub(super) async fn perform(
                &mut self,
                operation: &Operation,
                clock: &FixedClock,
            ) -> Answer {
                let mut answer = Answer::default();
                match operation {
                    Operation::Order { by, key, order } => {
                        return self.order(*by, key, order).await;
                    }
                    Operation::Batch { by, members, mode } => {
                        let batch = members.iter().map(|(key, pay)| Member {
                            key: self.key(*by, key),
                            transfer: self.transfer(pay),
                        });
                        let (batch, by) = (batch.collect(), self.person(*by));
                        let result = self.ledger.post_all(&by, batch, *mode).await;
                        for receipt in result.iter().flatten().flatten() {
                            self.moved(receipt);
                            answer.receipts.push(receipt.clone());
                        }
                        answer.refused_members =
                            result.iter().flatten().filter(|member| member.is_err()).count();
                        let result: Result<Vec<String>, Error> = result.map(|members| {
                            members.iter().map(|member| self.text(member)).collect()
                        });
                        answer.text = self.text(&result);
                    }
                    Operation::Open { by, owner, currency } => {
                        let owner = self.person(*owner).id();
                        let currency = currency.parse().expect("a currency");
                        let command = OpenAccount { owner, currency };
                        let result = self.ledger.open_account(&self.person(*by), command).await;
                        self.accounts.extend(result.iter().map(|account| account.id));
                        answer.text = self.text(&result.map(without_revision));
                    }
                    Operation::Freeze { by, account } => {
                        let (by, account) = (self.person(*by), self.account(*account));
                        let result = self.ledger.freeze(&by, account).await;
                        answer.text = self.text(&result.map(without_revision));
                    }
                    Operation::Unfreeze { by, account } => {
                        let (by, account) = (self.person(*by), self.account(*account));
                        let result = self.ledger.unfreeze(&by, account).await;
                        answer.text = self.text(&result.map(without_revision));
                    }
                    Operation::Limit { by, account, changes } => {
                        let account_id = self.account(*account);
                        let command = SetLimits { account_id, changes: *changes };
                        let result = self.ledger.set_limits(&self.person(*by), command).await;
                        answer.text = self.text(&result.map(without_revision));
                    }
                    Operation::Close { by, account } => {
                        let (by, account) = (self.person(*by), self.account(*account));
                        let result = self.ledger.close_account(&by, account).await;
                        answer.text = self.text(&result.map(without_revision));
                    }
                    Operation::Look { by, account } => {
                        let (by, account) = (self.person(*by), self.account(*account));
                        answer.text = self.look(&by, account).await;
                    }
                    Operation::Wait(time) => clock.advance(*time),
                }
                answer
            }

            async fn order(&mut self, number: usize, key_text: &str, order: &Order) -> Answer {
                let (by, key) = (self.person(number), self.key(number, key_text));
                let mut answer = Answer::default();
                let result = match order {
                    Order::Transfer(pay) => {
                        let command = self.transfer(pay);
                        answer.payer = Some(command.from_account_id);
                        answer.asked = Some(format!("{command:?}"));
                        Moved::Receipt(Box::new(self.ledger.transfer(&by, key, command).await))
                    }
                    Order::Deposit(pay) => {
                        let Transfer { to_account_id: account_id, amount, currency, memo, .. } =
                            self.transfer(pay);
                        answer.payer = self.cash;
                        let command = Deposit { account_id, amount, currency, memo };
                        answer.asked = Some(format!("{command:?}"));
                        Moved::Receipt(Box::new(self.ledger.deposit(&by, key, command).await))
                    }
                    Order::Withdraw(pay) => {
                        let Transfer {
                            from_account_id: account_id, amount, currency, memo, ..
                        } = self.transfer(pay);
                        answer.payer = Some(account_id);
                        let command = Withdrawal { account_id, amount, currency, memo };
                        answer.asked = Some(format!("{command:?}"));
                        Moved::Receipt(Box::new(self.ledger.withdraw(&by, key, command).await))
                    }
                    Order::Hold(pay, lasting) => {
                        let command = PlaceHold { transfer: self.transfer(pay), lasting: *lasting };
                        answer.asked = Some(format!("{command:?}"));
                        Moved::Hold(Box::new(self.ledger.place_hold(&by, key, command).await))
                    }
                    Order::Capture { hold, amount } => {
                        let hold = self.hold(*hold);
                        answer.asked = Some(format!("capture {hold} {amount:?}"));
                        Moved::Receipt(Box::new(self.ledger.capture(&by, key, hold, *amount).await))
                    }
                    Order::Void { hold } => {
                        let hold = self.hold(*hold);
                        answer.asked = Some(format!("void {hold}"));
                        Moved::Hold(Box::new(self.ledger.void(&by, key, hold).await))
                    }
                    Order::Reverse { transfer, amount, memo } => {
                        let command = self.reversal(*transfer, *amount, memo.clone());
                        answer.asked = Some(format!("{command:?}"));
                        Moved::Receipt(Box::new(self.ledger.reverse(&by, key, command).await))
                    }
                };
                self.note(answer, result, number, key_text)
            }

            async fn look(&mut self, by: &Principal, account: AccountId) -> String {
                let ledger = self.ledger.clone();
                let (hold, transfer) = (self.hold(0), self.newest_transfer());
                let at: Instant = "2026-01-02".parse().expect("a date");
                let balance_at = ledger.balance_at(by, account, at).await;
                let entries = ledger.entries(by, account, Page::default()).await;
                let period = Statement { from: Some(at), to: None };
                let statement = ledger.statement(by, account, period, Page::default()).await;
                [
                    self.text(&ledger.account(by, account).await.map(without_revision)),
                    self.text(
                        &balance_at
                            .map(|it| (without_revision(it.account), it.balance, it.version)),
                    ),
                    self.text(&entries.map(|(_, entries)| entries)),
                    self.text(
                        &statement.map(|it| (it.opening_balance, it.closing_balance, it.lines)),
                    ),
                    self.text(&ledger.hold_by_id(by, hold).await),
                    self.text(&ledger.transfer_by_id(by, transfer).await),
                ]
                .join("\n")
            }

            /// Every account, with all of its entries.
            pub(super) async fn picture(&mut self) -> Vec<String> {
                let ledger = self.ledger.clone();
                let mut pictures = Vec::new();
                for account in self.cash.iter().chain(&self.accounts).copied().collect::<Vec<_>>() {
                    let found = ledger.account(&Principal::Operator, account).await;
                    pictures.push(self.text(&found.map(without_revision)));
                    let mut page = Page::default();
                    loop {
                        let found = ledger.entries(&Principal::Operator, account, page).await;
                        let listing = found.map(|(_, entries)| entries);
                        pictures.push(self.text(&listing));
                        page.cursor = listing.ok().and_then(|listing| listing.next);
                        if page.cursor.is_none() {
                            break;
                        }
                    }
                }
                pictures
            }
        }
    };
}

side!(MemoryLedger);
side!(Bank);

/// What an order came to.
enum Moved {
    Receipt(Box<Result<Receipt, Error>>),
    Hold(Box<Result<Hold, Error>>),
}

impl<L> Side<L> {
    fn note(&mut self, mut answer: Answer, moved: Moved, by: usize, key: &str) -> Answer {
        let error = match moved {
            Moved::Receipt(result) => {
                answer.text = self.text(&result);
                match *result {
                    Ok(receipt) => {
                        self.moved(&receipt);
                        answer.receipts.push(receipt);
                        return answer;
                    }
                    Err(error) => error,
                }
            }
            Moved::Hold(result) => {
                answer.text = self.text(&result);
                match *result {
                    Ok(hold) => {
                        self.held(&hold);
                        return answer;
                    }
                    Err(error) => error,
                }
            }
        };
        self.refuse(by, key, &error);
        if let Error::Rejected(rejection) = error {
            answer.rejection = Some(rejection);
        }
        answer
    }

    fn hold(&self, place: u64) -> HoldId {
        counted_back(&self.holds, place, HoldId::from_uuid(Uuid::max()))
    }

    fn newest_transfer(&self) -> TransferId {
        counted_back(&self.transfers, 0, TransferId::from_uuid(Uuid::max()))
    }

    fn reversal(&self, place: u64, amount: Option<Amount>, memo: Memo) -> Reverse {
        let none = TransferId::from_uuid(Uuid::max());
        let transfer_id = counted_back(&self.transfers, place, none);
        Reverse { transfer_id, amount, memo }
    }
}

const _: () = assert!(BANKER == DEPOSITORS, "the banker comes after the depositors");
