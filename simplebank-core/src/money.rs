//! Money: whole minor units in an `i64`, never a float.
//!
//! An [`Amount`] is what a transfer moves: more than zero. A [`Balance`] is what an account holds, or by how much an entry
//! changes it: any `i64`. Neither knows its currency; whoever holds one holds the [`Currency`] beside it, as a row does.

use std::fmt;

use rust_decimal::Decimal;
use thiserror::Error;

use crate::Currency;

/// Why a decimal number is not an amount.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidAmount {
    /// The text is no plain decimal number.
    #[error(
        "must be a decimal number such as \"12.50\", without sign, exponent, spaces or separators"
    )]
    NotANumber,
    /// Zero, or less.
    #[error("must be greater than zero")]
    NotPositive,
    /// More decimal places than the currency has.
    #[error("must have at most {exponent} decimal places in {currency}")]
    TooPrecise {
        /// The currency.
        currency: Currency,
        /// Its decimal places.
        exponent: u8,
    },
    /// Beyond what is counted: `i64::MAX` minor units.
    #[error("must be at most {max} in {currency}")]
    TooLarge {
        /// The currency.
        currency: Currency,
        /// The largest amount in it, in major units.
        max: Decimal,
    },
}

/// What a transfer moves: 1 to `i64::MAX` minor units.
///
/// ```
/// use simplebank_core::{Amount, Currency};
///
/// let euro: Currency = "EUR".parse()?;
/// let amount = Amount::parse("12.50", euro)?;
/// assert_eq!(amount.minor(), 1250);
/// assert_eq!(amount.to_decimal(euro).to_string(), "12.50");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i64);

impl Amount {
    /// The smallest amount: one minor unit.
    pub const MIN: Self = Self(1);
    /// The largest amount: `i64::MAX` minor units.
    pub const MAX: Self = Self(i64::MAX);

    /// An amount of `minor` units, or `None` unless there is at least one.
    #[must_use]
    pub const fn from_minor(minor: i64) -> Option<Self> {
        if minor >= 1 { Some(Self(minor)) } else { None }
    }

    /// Minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// The amount in `currency` that `decimal`, in major units, is exactly. Trailing zeros don't count.
    ///
    /// # Errors
    ///
    /// [`InvalidAmount::NotPositive`], [`InvalidAmount::TooPrecise`] or [`InvalidAmount::TooLarge`].
    pub fn from_decimal(decimal: Decimal, currency: Currency) -> Result<Self, InvalidAmount> {
        if decimal <= Decimal::ZERO {
            return Err(InvalidAmount::NotPositive);
        }
        let exponent = currency.exponent();
        let decimal = decimal.normalize();
        let Some(missing_places) = u32::from(exponent).checked_sub(decimal.scale()) else {
            return Err(InvalidAmount::TooPrecise { currency, exponent });
        };
        10_i128
            .checked_pow(missing_places)
            .and_then(|factor| decimal.mantissa().checked_mul(factor))
            .and_then(|minor| i64::try_from(minor).ok())
            .map(Self)
            .ok_or(InvalidAmount::TooLarge { currency, max: Self::MAX.to_decimal(currency) })
    }

    /// Reads an amount in major units from the text that people and programs write: ASCII digits with at most one point
    /// between them, nothing else.
    ///
    /// # Errors
    ///
    /// [`InvalidAmount`] says what is wrong.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, InvalidAmount> {
        let (is_negative, unsigned) = match text.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, text),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        let is_digits =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) {
            return Err(InvalidAmount::NotANumber);
        }
        if is_negative {
            return Err(InvalidAmount::NotPositive);
        }
        // A decimal holds 28 digits. Longer ones are judged by what they would be, rather than rounded to something else.
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        let exponent = currency.exponent();
        if fraction.len() > usize::from(exponent) {
            return Err(InvalidAmount::TooPrecise { currency, exponent });
        }
        let too_large = InvalidAmount::TooLarge { currency, max: Self::MAX.to_decimal(currency) };
        let decimal =
            Decimal::from_str_exact(&format!("0{whole}.{fraction}0")).map_err(|_| too_large)?;
        Self::from_decimal(decimal, currency)
    }

    /// Major units, with as many decimal places as the currency has.
    #[must_use]
    pub fn to_decimal(self, currency: Currency) -> Decimal {
        Balance(self.0).to_decimal(currency)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Amount({})", self.0)
    }
}

/// What an account holds, or by how much an entry changes it: any `i64` of minor units.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Balance(i64);

impl Balance {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A balance of `minor` units.
    #[must_use]
    pub const fn from_minor(minor: i64) -> Self {
        Self(minor)
    }

    /// Minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// `self + change`, or `None` beyond `i64`.
    #[must_use]
    pub const fn checked_add(self, change: Self) -> Option<Self> {
        match self.0.checked_add(change.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// `self - amount`, or `None` beyond `i64`.
    #[must_use]
    pub const fn checked_sub(self, amount: Amount) -> Option<Self> {
        match self.0.checked_sub(amount.0) {
            Some(rest) => Some(Self(rest)),
            None => None,
        }
    }

    /// Major units, with as many decimal places as the currency has.
    #[must_use]
    pub fn to_decimal(self, currency: Currency) -> Decimal {
        Decimal::new(self.0, u32::from(currency.exponent()))
    }

    /// The change that takes `amount` away.
    #[must_use]
    pub const fn debit(amount: Amount) -> Self {
        // No overflow: an amount is at least 1, and -i64::MAX exists.
        Self(amount.0.wrapping_neg())
    }

    /// The change that brings `amount`.
    #[must_use]
    pub const fn credit(amount: Amount) -> Self {
        Self(amount.0)
    }
}

impl fmt::Debug for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Balance({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currencies() -> impl Strategy<Value = Currency> {
        proptest::sample::select(Currency::all().collect::<Vec<_>>())
    }

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    proptest! {
        #[test]
        fn every_amount_survives_decimal_and_text(minor in 1..=i64::MAX, currency in currencies()) {
            let amount = Amount::from_minor(minor).unwrap();
            let decimal = amount.to_decimal(currency);
            prop_assert_eq!(decimal.scale(), u32::from(currency.exponent()));
            prop_assert_eq!(Amount::from_decimal(decimal, currency), Ok(amount));
            prop_assert_eq!(Amount::parse(&decimal.to_string(), currency), Ok(amount));
        }

        #[test]
        fn a_decimal_is_taken_exactly_or_not_at_all(mantissa in any::<i64>(), scale in 0_u32..=28, currency in currencies()) {
            let decimal = Decimal::new(mantissa, scale);
            if let Ok(amount) = Amount::from_decimal(decimal, currency) {
                prop_assert_eq!(amount.to_decimal(currency), decimal);
            }
        }

        #[test]
        fn no_text_breaks_the_parser(text in "\\PC*", currency in currencies()) {
            if let Ok(amount) = Amount::parse(&text, currency) {
                prop_assert_eq!(Some(amount.to_decimal(currency)), text.parse().ok());
            }
        }

        #[test]
        fn debit_and_credit_cancel(minor in 1..=i64::MAX) {
            let amount = Amount::from_minor(minor).unwrap();
            prop_assert_eq!(Balance::debit(amount).checked_add(Balance::credit(amount)), Some(Balance::ZERO));
        }
    }

    #[test]
    fn every_currency_round_trips_at_the_edges() {
        for currency in Currency::all() {
            for amount in [Amount::MIN, Amount::MAX] {
                let text = amount.to_decimal(currency).to_string();
                assert_eq!(Amount::parse(&text, currency), Ok(amount), "{text} {currency}");
            }
            for balance in
                [Balance::from_minor(i64::MIN), Balance::ZERO, Balance::from_minor(i64::MAX)]
            {
                let decimal = balance.to_decimal(currency);
                assert_eq!(decimal.mantissa(), i128::from(balance.minor()));
            }
        }
    }

    #[test]
    fn one_more_than_the_largest_is_too_large() {
        let euro = currency("EUR");
        assert_eq!(Amount::parse("92233720368547758.07", euro), Ok(Amount::MAX));
        for text in
            ["92233720368547758.08", "99999999999999999999999999999999999999", &"9".repeat(400)]
        {
            assert!(
                matches!(Amount::parse(text, euro), Err(InvalidAmount::TooLarge { .. })),
                "{text}"
            );
        }
        assert_eq!(Amount::from_minor(0), None);
        assert_eq!(Amount::from_minor(i64::MIN), None);
        assert_eq!(Balance::from_minor(i64::MAX).checked_add(Balance::from_minor(1)), None);
        assert_eq!(Balance::from_minor(i64::MIN).checked_sub(Amount::MIN), None);
    }

    #[test]
    fn what_is_wrong_with_an_amount_is_named() {
        let (euro, yen) = (currency("EUR"), currency("JPY"));
        for text in [
            "", ".", "1.", ".5", "1,5", "1e3", "+1", " 1", "1 ", "1_000", "0x10", "١", "1.2.3",
            "NaN", "--1", "-", "-.", "-1.2.3", "1\0",
        ] {
            assert_eq!(Amount::parse(text, euro), Err(InvalidAmount::NotANumber), "{text:?}");
        }
        for text in ["0", "0.00", "-1", "-0.01", "000"] {
            assert_eq!(Amount::parse(text, euro), Err(InvalidAmount::NotPositive), "{text:?}");
        }
        assert_eq!(
            Amount::parse("1.001", euro),
            Err(InvalidAmount::TooPrecise { currency: euro, exponent: 2 })
        );
        assert_eq!(
            Amount::parse("1.5", yen),
            Err(InvalidAmount::TooPrecise { currency: yen, exponent: 0 })
        );
        assert_eq!(Amount::parse("1.500", euro).map(Amount::minor), Ok(150));
        assert_eq!(Amount::parse("0001.0", yen).map(Amount::minor), Ok(1));
    }
}
