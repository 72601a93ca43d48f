//! Currencies of ISO 4217 with 0, 2 or 3 decimal places.

use std::{fmt, str::FromStr};

use iso_currency::IntoEnumIterator;
use thiserror::Error;

/// A currency of ISO 4217 in which people hold money: its exponent is 0, 2 or 3.
///
/// Metals, funds and test codes have no exponent or another one, and are no currency here.
///
/// ```
/// use simplebank_core::Currency;
///
/// let dinar: Currency = "KWD".parse()?;
/// assert_eq!((dinar.code(), dinar.exponent()), ("KWD", 3));
/// assert!("XAU".parse::<Currency>().is_err());
/// # Ok::<(), simplebank_core::currency::UnknownCurrency>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency {
    iso: iso_currency::Currency,
    exponent: u8,
}

/// A text is not the code of a currency that the bank keeps.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not a currency: expected an ISO 4217 code in capitals, such as EUR")]
pub struct UnknownCurrency;

impl Currency {
    /// Every currency, in the order of ISO 4217's codes.
    pub fn all() -> impl Iterator<Item = Self> {
        iso_currency::Currency::iter().filter_map(Self::from_iso)
    }

    /// The three capital letters.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.iso.code()
    }

    /// Decimal places: 0, 2 or 3.
    #[must_use]
    pub const fn exponent(self) -> u8 {
        self.exponent
    }

    fn from_iso(iso: iso_currency::Currency) -> Option<Self> {
        let exponent = match iso.exponent() {
            Some(0) => 0,
            Some(2) => 2,
            Some(3) => 3,
            Some(_) | None => return None,
        };
        // ISO 4217 reserves codes that begin with X for what no state issues. Three of them are money all the same.
        let is_money = !iso.code().starts_with('X')
            || matches!(iso.code(), "XAF" | "XCD" | "XOF" | "XPF" | "XCG");
        is_money.then_some(Self { iso, exponent })
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, UnknownCurrency> {
        iso_currency::Currency::from_code(text).and_then(Self::from_iso).ok_or(UnknownCurrency)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.code().cmp(other.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_currency_is_read_back_from_its_code() {
        let mut seen = 0;
        for currency in Currency::all() {
            assert_eq!(currency.code().parse(), Ok(currency));
            assert!(matches!(currency.exponent(), 0 | 2 | 3));
            seen += 1;
        }
        assert!(seen > 140, "only {seen} currencies");
    }

    #[test]
    fn exponents_are_those_of_iso_4217() {
        for (code, exponent) in
            [("JPY", 0), ("EUR", 2), ("USD", 2), ("CAD", 2), ("KWD", 3), ("BHD", 3), ("XOF", 0)]
        {
            assert_eq!(code.parse().map(Currency::exponent), Ok(exponent), "{code}");
        }
    }

    #[test]
    fn what_is_no_money_is_refused() {
        for text in ["", "eur", "EURO", "EU", "XAU", "XXX", "XTS", "CLF", "XDR", "E\0R", "€"] {
            assert_eq!(text.parse::<Currency>(), Err(UnknownCurrency), "{text:?}");
        }
    }
}
