//! What an auditor who has only the rows finds.

use super::*;
use crate::ledger::{Chain, Totals, Violation, check_account, check_posting};

pub(super) fn audit(before: &Book, after: &Book, postings: &[&Posting]) -> Result<(), Violation> {
    let mut totals = Totals::default();
    for account in after.accounts() {
        totals.add(account)?;
        let mut chain = Chain::new(account.id, account.floor());
        let mut newest = None;
        let entries = postings.iter().flat_map(|posting| posting.entries());
        for entry in entries.filter(|entry| entry.account_id == account.id) {
            chain.take(entry)?;
            newest = Some((entry.version, entry.balance_after));
        }
        check_account(account, newest)?;
    }
    for posting in postings {
        check_posting(posting.transfer(), &posting.entries().map(Entry::clone))?;
    }
    assert_eq!(before.accounts().count(), after.accounts().count());
    totals.finish()
}

/// The control of the properties that use the audit: rows that were tampered with.
#[test]
fn the_audit_notices_each_kind_of_tampering() {
    let mut bank = Example::new();
    let before = bank.book.clone();
    let effect = bank.pay(Kind::Deposit, CASH, 1, 50, Principal::Operator).unwrap();
    let (posting, after) = (effect.posting().unwrap(), &bank.book);
    assert_eq!(audit(&before, after, &[posting]), Ok(()));
    assert!(audit(&before, after, &[]).is_err(), "a missing posting");
    assert!(audit(&before, &before, &[posting]).is_err(), "a balance that was put back");
    let tampers: [fn(&mut Posting); 7] = [
        |posting| posting.to_entry.created_at += Duration::SECOND,
        |posting| posting.from_entry.amount = Balance::from_minor(-49),
        |posting| posting.to_entry.balance_after = Balance::from_minor(51),
        |posting| posting.to_entry.version = 2,
        |posting| posting.to_entry.account_id = account_id(2),
        |posting| posting.transfer.amount = eur(49),
        |posting| posting.to_entry.transfer_id = TransferId::from_parts(1, [1; 10]),
    ];
    for (n, tamper) in tampers.into_iter().enumerate() {
        let mut posting = posting.clone();
        tamper(&mut posting);
        assert!(audit(&before, after, &[&posting]).is_err(), "tampering {n}");
    }
}

#[test]
fn rows_that_are_no_posting_are_not_read_as_one() {
    let mut bank = Example::new();
    let effect = bank.pay(Kind::Deposit, CASH, 1, 50, Principal::Operator).unwrap();
    let Posting { transfer, from_entry, to_entry } = effect.posting().unwrap().clone();
    let read =
        |from: &Entry, to: &Entry| Posting::from_rows(transfer.clone(), from.clone(), to.clone());
    assert_eq!(read(&from_entry, &to_entry).as_ref(), effect.posting());
    assert_eq!(read(&to_entry, &from_entry), None, "the sides the other way round");
    assert_eq!(read(&from_entry, &from_entry), None, "one side twice");
    let less = Entry { amount: Balance::from_minor(49), ..to_entry };
    assert_eq!(read(&from_entry, &less), None, "a sum that is not zero");
}
