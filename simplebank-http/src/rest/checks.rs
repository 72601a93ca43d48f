//! What the strings of a request mean.

use std::{fmt, str::FromStr};

use simplebank::{
    Error, FieldError, Transfer,
    core::{Amount, Currency, Memo, money::InvalidAmount},
};

use super::{json::ERRORS_MAX, problem::Refusal};

/// What somebody wants moved, as it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransferTexts<'a> {
    pub(crate) from_account_id: &'a str,
    pub(crate) to_account_id: &'a str,
    pub(crate) amount: &'a str,
    pub(crate) currency: &'a str,
    pub(crate) description: Option<&'a str>,
    pub(crate) reference: Option<&'a str>,
}

/// Reads what strings mean, and remembers everything that is wrong, to tell it at once.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    errors: Vec<FieldError>,
    /// What stands before the names of fields, such as `transfers[3].`.
    prefix: String,
}

impl Checks {
    /// From now on the fields are those of what `prefix` names.
    pub(crate) fn within(&mut self, prefix: String) {
        self.prefix = prefix;
    }

    /// Says that a field is wrong.
    pub(crate) fn tell(&mut self, field: &str, message: impl ToString) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(FieldError::new(format!("{}{field}", self.prefix), message));
        }
    }

    /// What `text` means, or `None` if that is nothing.
    pub(crate) fn parse<T: FromStr<Err: fmt::Display>>(
        &mut self,
        field: &str,
        text: &str,
    ) -> Option<T> {
        text.parse().map_err(|error| self.tell(field, error)).ok()
    }

    /// What a field that may be left out means, or `None` if that is nothing.
    pub(crate) fn optional<T: FromStr<Err: fmt::Display>>(
        &mut self,
        field: &str,
        text: Option<&str>,
    ) -> Option<Option<T>> {
        match text {
            Some(text) => self.parse(field, text).map(Some),
            None => Some(None),
        }
    }

    /// What a payment says about itself.
    pub(crate) fn memo(
        &mut self,
        description: Option<&str>,
        reference: Option<&str>,
    ) -> Option<Memo> {
        let description = self.optional("description", description);
        let reference = self.optional("reference", reference);
        Some(Memo { description: description?, reference: reference? })
    }

    /// An amount and its currency. Without the currency, only what is no amount in any currency is told.
    pub(crate) fn money(&mut self, amount: &str, currency: &str) -> Option<(Amount, Currency)> {
        let known: Option<Currency> = self.parse("currency", currency);
        let parsed = match (Amount::parse(amount, known.or_else(most_precise)?), known) {
            (Ok(amount), Some(currency)) => return Some((amount, currency)),
            (Ok(_), None) => return None,
            (Err(error), _) => error,
        };
        let is_sure = match parsed {
            InvalidAmount::NotANumber | InvalidAmount::NotPositive => true,
            InvalidAmount::TooPrecise { .. } | InvalidAmount::TooLarge { .. } => known.is_some(),
        };
        if is_sure {
            self.tell("amount", parsed);
        }
        None
    }

    /// An amount and its currency, of which both or neither must be there.
    pub(crate) fn optional_money(
        &mut self,
        amount: Option<&str>,
        currency: Option<&str>,
    ) -> Option<Option<(Amount, Currency)>> {
        match (amount, currency) {
            (Some(amount), Some(currency)) => self.money(amount, currency).map(Some),
            (None, None) => Some(None),
            (Some(_), None) => {
                self.tell("currency", "is missing beside an amount");
                None
            }
            (None, Some(_)) => {
                self.tell("amount", "is missing beside a currency");
                None
            }
        }
    }

    /// What is to be moved.
    pub(crate) fn transfer(&mut self, texts: &TransferTexts<'_>) -> Option<Transfer> {
        let from = self.parse("from_account_id", texts.from_account_id);
        let to = self.parse("to_account_id", texts.to_account_id);
        let money = self.money(texts.amount, texts.currency);
        let memo = self.memo(texts.description, texts.reference);
        let (amount, currency) = money?;
        let (from_account_id, to_account_id) = (from?, to?);
        Some(Transfer { from_account_id, to_account_id, amount, currency, memo: memo? })
    }

    /// `value`, if it is there and nothing was wrong.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Refusal> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            Some(_) | None => Err(Error::Invalid { fields: self.errors }.into()),
        }
    }
}

fn most_precise() -> Option<Currency> {
    Currency::all().max_by_key(|currency| currency.exponent())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_currency_does_not_hide_a_bad_amount() {
        for (amount, currency, fields) in [
            ("x", "nope", vec!["currency", "amount"]),
            ("-1", "nope", vec!["currency", "amount"]),
            ("1.2345", "nope", vec!["currency"]),
            ("1.234", "EUR", vec!["amount"]),
        ] {
            let mut checks = Checks::default();
            assert_eq!(checks.money(amount, currency), None);
            let told: Vec<&str> = checks.errors.iter().map(|error| error.field.as_str()).collect();
            assert_eq!(told, fields, "{amount} {currency}");
        }
    }
}
