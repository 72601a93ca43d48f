//! Medians and percentiles.

use crate::number::{index, wide};

/// The middle of some figures and their extremes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// The spread of figures; `None` of none.
pub(crate) fn spread(figures: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let mut sorted: Vec<f64> = figures.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(Spread { median: f64::midpoint(lower, upper), min, max })
}

/// The median of figures; `None` of none.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    spread(figures).map(|spread| spread.median)
}

/// The latency in milliseconds that `percent` of 100 don't exceed, of sorted latencies in microseconds.
pub(crate) fn percentile_ms(sorted_us: &[u32], percent: u64) -> f64 {
    let place = (wide(sorted_us.len()) * percent).div_ceil(100).saturating_sub(1);
    sorted_us.get(index(place)).map_or(f64::NAN, |latency_us| f64::from(*latency_us) / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([]), None);
        assert_eq!(spread([3.0, 1.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
    }

    #[test]
    fn a_percentile_is_a_latency_that_was_measured() {
        let sorted: Vec<u32> = (1..=200).map(|each| each * 1_000).collect();
        assert_eq!(percentile_ms(&sorted, 50), 100.0);
        assert_eq!(percentile_ms(&sorted, 99), 198.0);
        assert_eq!(percentile_ms(&[7_000], 99), 7.0);
        assert!(percentile_ms(&[], 50).is_nan());
    }
}
