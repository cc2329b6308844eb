//! How long things took, in little memory: buckets that grow with the value,
//! each no wider than a 128th of it.

use std::time::Duration;

/// Values below this have a bucket each; above, each doubling has half as many.
const LINEAR: u64 = 256;
const HALF: u64 = LINEAR / 2;
/// Bits of a linear bucket's number.
const BITS: u32 = LINEAR.trailing_zeros();

/// Counts of durations, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum: u128,
    max: u64,
}

impl Histogram {
    /// Counts one more.
    pub fn record(&mut self, time: Duration) {
        let value = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = bucket(value);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.total += 1;
        self.sum += u128::from(value);
        self.max = self.max.max(value);
    }

    /// Takes in another's counts.
    pub fn add(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// How many were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The longest, in microseconds.
    pub fn max_us(&self) -> u64 {
        self.max
    }

    /// The mean, in microseconds.
    pub fn mean_us(&self) -> f64 {
        match self.total {
            0 => 0.0,
            total => self.sum as f64 / total as f64,
        }
    }

    /// What this part of all (from 0 to 1) did not exceed, in microseconds:
    /// the upper end of the bucket, so at most a 128th too much.
    pub fn quantile_us(&self, part: f64) -> u64 {
        let wanted = (part.clamp(0.0, 1.0) * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper(at).min(self.max);
            }
        }
        self.max
    }

    /// The buckets that hold anything: their upper ends and counts.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(at, count)| (upper(at), *count))
    }
}

/// The bucket of a value.
fn bucket(value: u64) -> usize {
    if value < LINEAR {
        return usize::try_from(value).unwrap_or_default();
    }
    // The value's highest bits, as many as number half of the linear buckets.
    let shift = (u64::BITS - value.leading_zeros()) - BITS;
    let place = LINEAR + u64::from(shift - 1) * HALF + ((value >> shift) - HALF);
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// The greatest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < LINEAR {
        return bucket;
    }
    let shift = (bucket - LINEAR) / HALF + 1;
    let place = (bucket - LINEAR) % HALF + HALF;
    ((place + 1) << shift).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bucket_is_never_wider_than_a_128th(value in any::<u64>()) {
            let end = upper(bucket(value));
            prop_assert!(end >= value && end - value <= value / 128);
            prop_assert_eq!(bucket(end), bucket(value));
            if end < u64::MAX {
                prop_assert_eq!(bucket(end + 1), bucket(value) + 1);
            }
        }

        #[test]
        fn quantiles_are_those_of_the_sorted_list(mut values in prop::collection::vec(0_u64..10_000_000, 1..300), part in 0.0..=1.0_f64) {
            let mut histogram = Histogram::default();
            for value in &values {
                histogram.record(Duration::from_micros(*value));
            }
            values.sort_unstable();
            let rank = ((part * values.len() as f64).ceil() as usize).clamp(1, values.len());
            let exact = values[rank - 1];
            let found = histogram.quantile_us(part);
            prop_assert!(found >= exact && found - exact <= exact / 128, "{} for {}", found, exact);
            prop_assert_eq!(histogram.max_us(), *values.last().unwrap());
        }
    }

    #[test]
    fn histograms_add_up() {
        let (mut one, mut other) = (Histogram::default(), Histogram::default());
        one.record(Duration::from_micros(10));
        other.record(Duration::from_micros(1_000_000));
        one.add(&other);
        assert_eq!((one.total(), one.max_us()), (2, 1_000_000));
        assert_eq!(one.mean_us(), 500_005.0);
        assert_eq!(one.buckets().map(|(_, count)| count).sum::<u64>(), 2);
        assert_eq!(Histogram::default().quantile_us(0.99), 0);
    }
}
