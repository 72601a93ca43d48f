//! The decision: what becomes of each order, given the accounts that were locked for it.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{Entry, Kind, Order, Posting, Transfer};
use crate::{Account, AccountId, Balance, Rejection, access::Power, account::Owner};

/// The accounts that a slice of orders touches, as they are under lock. [`decide`] moves them forward.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockedAccounts(BTreeMap<AccountId, Account>);

impl LockedAccounts {
    /// The account, or `None` if it does not exist.
    #[must_use]
    pub fn get(&self, id: AccountId) -> Option<&Account> {
        self.0.get(&id)
    }

    /// All of them in ascending order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.0.values()
    }
}

impl FromIterator<Account> for LockedAccounts {
    fn from_iter<I: IntoIterator<Item = Account>>(accounts: I) -> Self {
        Self(accounts.into_iter().map(|account| (account.id, account)).collect())
    }
}

/// Judges `orders` one after the other at `now` and moves `accounts` forward by those that are accepted.
///
/// The answers are in the order of the orders. A refused order changes nothing.
pub fn decide(
    accounts: &mut LockedAccounts,
    orders: &[Order],
    now: OffsetDateTime,
) -> Vec<Result<Posting, Rejection>> {
    orders.iter().map(|order| decide_one(accounts, order, now)).collect()
}

fn decide_one(
    accounts: &mut LockedAccounts,
    order: &Order,
    now: OffsetDateTime,
) -> Result<Posting, Rejection> {
    let from = find(accounts, order.from_account_id)?;
    let to = find(accounts, order.to_account_id)?;
    check_sides(order, from, to)?;
    if from.id == to.id {
        return Err(Rejection::SameAccount);
    }
    from.check_takes_part(order.currency)?;
    to.check_takes_part(order.currency)?;

    // One amount makes both entries, so they sum to zero; nothing is stored before both have been computed.
    let (debit, credit) = (Balance::debit(order.amount), Balance::credit(order.amount));
    let from_after = from.after(debit)?;
    let to_after = to.after(credit)?;
    let entry = |after: &Account, amount| Entry {
        account_id: after.id,
        version: after.version,
        transfer_id: order.id,
        amount,
        balance_after: after.balance,
        created_at: now,
    };
    let posting = Posting {
        transfer: transfer(order, now),
        from_entry: entry(&from_after, debit),
        to_entry: entry(&to_after, credit),
    };
    accounts.0.insert(from_after.id, from_after);
    accounts.0.insert(to_after.id, to_after);
    Ok(posting)
}

fn find(accounts: &LockedAccounts, id: AccountId) -> Result<&Account, Rejection> {
    accounts.get(id).ok_or(Rejection::AccountNotFound { id })
}

/// Refuses unless each side is what the kind of the order asks for and the caller may order it. What the caller must not
/// know of looks as if it did not exist.
fn check_sides(order: &Order, from: &Account, to: &Account) -> Result<(), Rejection> {
    let is_customer = |account: &Account| matches!(account.owner, Owner::Customer { .. });
    let is_own =
        from.is_owned_by(order.ordered_by.id()) && order.ordered_by.may(Power::TransferFromOwn);
    let may = |power| order.ordered_by.may(power);
    let (from_fits, to_fits) = match order.kind {
        Kind::Transfer => {
            (is_customer(from) && (is_own || may(Power::TransferFromAny)), is_customer(to))
        }
        Kind::Deposit => (from.owner == Owner::Cash && may(Power::Deposit), is_customer(to)),
        Kind::Withdrawal => (is_customer(from) && may(Power::Withdraw), to.owner == Owner::Cash),
    };
    if !from_fits {
        return Err(Rejection::AccountNotFound { id: from.id });
    }
    if !to_fits {
        return Err(Rejection::AccountNotFound { id: to.id });
    }
    Ok(())
}

fn transfer(order: &Order, now: OffsetDateTime) -> Transfer {
    Transfer {
        id: order.id,
        kind: order.kind,
        from_account_id: order.from_account_id,
        to_account_id: order.to_account_id,
        amount: order.amount,
        currency: order.currency,
        created_by: order.ordered_by.id(),
        created_at: now,
    }
}
