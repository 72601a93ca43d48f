//! A transfer under a key, noted in the log of the load, for proofs that send their transfers themselves.

use simplebank::{
    Bank, Error, Receipt, Transfer,
    core::{IdempotencyKey, Principal},
};

use crate::{
    bank::{self, Customer},
    load::{Line, Log, Told, What, key_of},
};

/// What somebody wants, once.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    number: usize,
    /// Who asks.
    pub(crate) by: Principal,
    /// Under which key.
    pub(crate) key: IdempotencyKey,
    /// For what.
    pub(crate) command: Transfer,
}

impl Wish {
    /// Notes that somebody is about to ask for a transfer of so many cents.
    pub(crate) fn note(log: &Log, from: &Customer, to: &Customer, minor: i64) -> Self {
        let number = log.ask(Line {
            what: What::Transfer,
            owner: from.principal.id().as_uuid(),
            from: from.account.as_uuid(),
            to: to.account.as_uuid(),
            amount: minor,
            told: Told::Nothing,
        });
        Self {
            number,
            by: from.principal.clone(),
            key: bank::key(&key_of(number)),
            command: bank::transfer(from, to, minor),
        }
    }

    /// Sends it once.
    pub(crate) async fn send(&self, bank: &Bank) -> Result<Receipt, Error> {
        bank.transfer(&self.by, self.key.clone(), self.command.clone()).await
    }

    /// Notes that the client was told that it has happened.
    pub(crate) fn acknowledged(&self, log: &Log, receipt: &Receipt) {
        let entry = receipt.entry();
        let told = Told::Acknowledged {
            transfer: receipt.posting.transfer().id.as_uuid(),
            version: entry.version,
            balance_after: entry.balance_after.minor(),
        };
        log.tell(self.number, told);
    }

    /// Notes that the client takes it for failed, and asks no more.
    pub(crate) fn failed(&self, log: &Log, code: &'static str) {
        log.tell(self.number, Told::Failed(code));
    }
}
