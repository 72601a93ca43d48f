//! `simplebank account`.

use simplebank::{Bank, OpenAccount, SetLimits, core::user::Username};

use super::{OPERATOR, every_page, statement, user_named, viewed};
use crate::{
    args::Account,
    exit::{Code, Failure},
    output::{self, AccountDetails, Format},
};

pub(super) async fn run(command: Account, bank: &Bank, format: Format) -> Result<Code, Failure> {
    let account = match command {
        Account::List { owner } => return list(bank, owner.as_ref(), format).await,
        Account::Open { owner, currency } => {
            let owner = user_named(bank, "--owner <USERNAME>", &owner).await?.id;
            bank.open_account(&OPERATOR, OpenAccount { owner, currency }).await?
        }
        Account::Balance { id, at } => return statement::balance(id, at, bank, format).await,
        Account::Show { id } => bank.account(&OPERATOR, id).await?,
        Account::Freeze { id } => bank.freeze(&OPERATOR, id).await?,
        Account::Unfreeze { id } => bank.unfreeze(&OPERATOR, id).await?,
        Account::Limits(limits) => {
            let account_id = limits.account;
            let currency = bank.account(&OPERATOR, account_id).await?.currency;
            let changes = limits.changes(currency)?;
            bank.set_limits(&OPERATOR, SetLimits { account_id, changes }).await?
        }
        Account::Close { id } => bank.close_account(&OPERATOR, id).await?,
    };
    output::document(format, &AccountDetails::new(account, bank.today()))?;
    Ok(Code::Done)
}

async fn list(bank: &Bank, owner: Option<&Username>, format: Format) -> Result<Code, Failure> {
    let owner = match owner {
        Some(username) => Some(user_named(bank, "--owner <USERNAME>", username).await?.id),
        None => None,
    };
    let today = bank.today();
    every_page(format, None, async |page| {
        let accounts = bank.accounts(&OPERATOR, owner, page).await?;
        Ok(viewed(accounts, |account| AccountDetails::new(account, today)))
    })
    .await
}
