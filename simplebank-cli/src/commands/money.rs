//! `simplebank deposit`, `withdraw` and `transfer`: what is wrong with the arguments is told first, then the key is shown,
//! and only then is anything tried.

use simplebank::{
    Bank, Deposit, Error, Transfer, Withdrawal, core::IdempotencyKey, core::audit::Origin,
};
use simplebank_localpg::DatabaseArgs;

use super::{OPERATOR, on_bank};
use crate::{
    args::{self, Cash, Key},
    exit::{Code, Failure, remark},
    output::{self, Document, Format, ReceiptDocument},
};

pub(super) fn deposit(
    cash: Cash,
    settings: &DatabaseArgs,
    format: Format,
) -> Result<Code, Failure> {
    let Cash { account: account_id, money, memo, key } = cash;
    let (amount, currency) = (money.amount()?, money.currency);
    let command = Deposit { account_id, amount, currency, memo: memo.into() };
    let deposit = async |bank: &Bank, key| bank.deposit(&OPERATOR, key, command).await;
    wish(settings, key, format, deposit, ReceiptDocument::new)
}

pub(super) fn withdraw(
    cash: Cash,
    settings: &DatabaseArgs,
    format: Format,
) -> Result<Code, Failure> {
    let Cash { account: account_id, money, memo, key } = cash;
    let (amount, currency) = (money.amount()?, money.currency);
    let command = Withdrawal { account_id, amount, currency, memo: memo.into() };
    let withdraw = async |bank: &Bank, key| bank.withdraw(&OPERATOR, key, command).await;
    wish(settings, key, format, withdraw, ReceiptDocument::new)
}

pub(super) fn transfer(
    transfer: args::Transfer,
    settings: &DatabaseArgs,
    format: Format,
) -> Result<Code, Failure> {
    let args::Transfer { from: from_account_id, to: to_account_id, money, memo, key } = transfer;
    let (amount, currency, memo) = (money.amount()?, money.currency, memo.into());
    let command = Transfer { from_account_id, to_account_id, amount, currency, memo };
    let transfer = async |bank: &Bank, key| bank.transfer(&OPERATOR, key, command).await;
    wish(settings, key, format, transfer, ReceiptDocument::new)
}

/// Asks the bank for something under a key, and shows the answer.
pub(super) fn wish<T, D: Document>(
    settings: &DatabaseArgs,
    key: Key,
    format: Format,
    ask: impl AsyncFnOnce(&Bank, IdempotencyKey) -> Result<T, Error>,
    show: impl FnOnce(T, &IdempotencyKey) -> D,
) -> Result<Code, Failure> {
    let Key { given, dry_run } = key;
    let key = match given {
        Some(key) => key,
        None => fresh_key(format)?,
    };
    on_bank(settings, format, async |bank| {
        // The audit record is to tell of it, though there is no address to tell.
        let bank = bank.asked_from(Origin::default());
        let bank = if dry_run { &bank.dry_run() } else { &bank };
        match ask(bank, key.clone()).await {
            Ok(answer) => {
                if dry_run {
                    remark(format, "dry_run", "nothing was written");
                }
                output::document(format, &show(answer, &key))?;
                Ok(Code::Done)
            }
            Err(source) => Err(Failure::Money { key, source }),
        }
    })
}

/// A key that nobody has used, already shown to the caller.
fn fresh_key(format: Format) -> Result<IdempotencyKey, Failure> {
    let mut bytes = [0; 16];
    #[expect(clippy::disallowed_methods, reason = "the door by which randomness enters")]
    getrandom::fill(&mut bytes).map_err(Error::Randomness)?;
    let key = uuid::Builder::from_random_bytes(bytes).into_uuid().to_string();
    remark(format, "idempotency_key", &key);
    Ok(key.parse().expect("a UUID is 36 visible characters"))
}
