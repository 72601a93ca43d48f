//! `simplebank account`.

use simplebank::{Bank, OpenAccount, core::user::Username};

use super::{OPERATOR, every_page, user_named, viewed};
use crate::{
    args::Account,
    exit::{Code, Failure},
    output::{self, AccountRow, Format},
};

pub(super) async fn run(command: Account, bank: &Bank, format: Format) -> Result<Code, Failure> {
    let account = match command {
        Account::List { owner } => return list(bank, owner.as_ref(), format).await,
        Account::Open { owner, currency } => {
            let owner = user_named(bank, "--owner <USERNAME>", &owner).await?.id;
            bank.open_account(&OPERATOR, OpenAccount { owner, currency }).await?
        }
        Account::Show { id } => bank.account(&OPERATOR, id).await?,
        Account::Freeze { id } => bank.freeze(&OPERATOR, id).await?,
        Account::Unfreeze { id } => bank.unfreeze(&OPERATOR, id).await?,
    };
    output::one(format, &AccountRow::from(account))?;
    Ok(Code::Done)
}

async fn list(bank: &Bank, owner: Option<&Username>, format: Format) -> Result<Code, Failure> {
    let owner = match owner {
        Some(username) => Some(user_named(bank, "--owner <USERNAME>", username).await?.id),
        None => None,
    };
    every_page(format, None, async |page| {
        Ok(viewed(bank.accounts(&OPERATOR, owner, page).await?, AccountRow::from))
    })
    .await
}
