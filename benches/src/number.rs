//! Numbers from one width to another, and as people read them.

use std::time::Duration;

/// A count as a float; exact up to 2^53.
pub(crate) fn float(count: u64) -> f64 {
    let high = u32::try_from(count >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(count & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    f64::from(high).mul_add(4_294_967_296.0, f64::from(low))
}

/// A length as a 64-bit count.
pub(crate) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A 64-bit count as an index.
pub(crate) fn index(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Whole microseconds.
pub(crate) fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

/// 1234567 as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A float without decimals, with separators: 1234.5 as `1,234`.
pub(crate) fn rounded(number: f64) -> String {
    match format!("{number:.0}").parse() {
        Ok(whole) => thousands(whole),
        Err(_) => format!("{number:.0}"),
    }
}

/// Three digits that count: 0.0123, 1.23, 12.3, 123.
pub(crate) fn brief(number: f64) -> String {
    match number.abs() {
        ..10.0 => format!("{number:.2}"),
        ..100.0 => format!("{number:.1}"),
        _ => rounded(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_floats_exactly() {
        for count in [0, 1, 4_294_967_295, 4_294_967_296, 9_007_199_254_740_992] {
            assert_eq!(format!("{:.0}", float(count)), count.to_string());
        }
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(rounded(999.6), "1,000");
        assert_eq!([0.123, 1.234, 12.34, 1234.5].map(brief), ["0.12", "1.23", "12.3", "1,234"]);
    }
}
