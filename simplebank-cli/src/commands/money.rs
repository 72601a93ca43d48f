//! `simplebank deposit`, `withdraw` and `transfer`: what is wrong with the arguments is told first, then the key is shown,
//! and only then is anything tried.

use simplebank::{Bank, Deposit, Error, Receipt, Transfer, Withdrawal, core::IdempotencyKey};
use simplebank_localpg::DatabaseArgs;

use super::{OPERATOR, on_bank};
use crate::{
    args::{self, Cash, Key},
    exit::{Code, Failure, remark},
    output::{self, Format, ReceiptDocument},
};

pub(super) fn deposit(
    cash: Cash,
    settings: &DatabaseArgs,
    format: Format,
) -> Result<Code, Failure> {
    let Cash { account: account_id, money, key } = cash;
    let command = Deposit { account_id, amount: money.amount()?, currency: money.currency };
    post(settings, key, format, async |bank, key| bank.deposit(&OPERATOR, key, command).await)
}

pub(super) fn withdraw(
    cash: Cash,
    settings: &DatabaseArgs,
    format: Format,
) -> Result<Code, Failure> {
    let Cash { account: account_id, money, key } = cash;
    let command = Withdrawal { account_id, amount: money.amount()?, currency: money.currency };
    post(settings, key, format, async |bank, key| bank.withdraw(&OPERATOR, key, command).await)
}

pub(super) fn transfer(
    transfer: args::Transfer,
    settings: &DatabaseArgs,
    format: Format,
) -> Result<Code, Failure> {
    let args::Transfer { from: from_account_id, to: to_account_id, money, key } = transfer;
    let (amount, currency) = (money.amount()?, money.currency);
    let command = Transfer { from_account_id, to_account_id, amount, currency };
    post(settings, key, format, async |bank, key| bank.transfer(&OPERATOR, key, command).await)
}

fn post(
    settings: &DatabaseArgs,
    key: Key,
    format: Format,
    wish: impl AsyncFnOnce(&Bank, IdempotencyKey) -> Result<Receipt, Error>,
) -> Result<Code, Failure> {
    let key = match key.given {
        Some(key) => key,
        None => fresh_key(format)?,
    };
    on_bank(settings, format, async |bank| match wish(bank, key.clone()).await {
        Ok(receipt) => {
            let receipt = ReceiptDocument::new(receipt, &key);
            match format {
                Format::Table => output::last(&receipt.text())?,
                Format::Json => output::json(&receipt)?,
            }
            Ok(Code::Done)
        }
        Err(source) => Err(Failure::Money { key, source }),
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
