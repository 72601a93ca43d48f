//! Programs to read and run: `cargo run -p simplebank-examples --example quickstart`.
//!
//! Here is what they share.

use std::error::Error;

use simplebank::{
    Bank, Deposit, OpenAccount, Register,
    core::{Account, Amount, Memo, Principal, user::User},
};

/// Registers a customer and opens an account in EUR with `cash` in it; returns both.
///
/// # Errors
///
/// Whatever the bank says.
pub async fn customer(
    bank: &Bank,
    name: &str,
    cash: &str,
) -> Result<(User, Account), Box<dyn Error>> {
    let user = bank
        .register(Register {
            username: name.parse()?,
            password: "correct horse battery".parse()?,
            full_name: name.parse()?,
            email: format!("{name}@example.org").parse()?,
        })
        .await?;
    let command = OpenAccount { owner: user.id, currency: "EUR".parse()? };
    let account = bank.open_account(&user.principal(), command).await?;
    let amount = Amount::parse(cash, account.currency)?;
    let paid_in =
        Deposit { account_id: account.id, amount, currency: account.currency, memo: Memo::NONE };
    bank.deposit(&Principal::Operator, format!("cash-{name}").parse()?, paid_in).await?;
    let account = bank.account(&user.principal(), account.id).await?;
    Ok((user, account))
}
