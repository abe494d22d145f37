//! Numbers from a seed: SplitMix64, which is enough for shapes and fillings, and fast.

/// A stream of numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of these labels; other labels give another stream.
    pub fn of(labels: &[u64]) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15;
        for label in labels {
            state = mix(state ^ mix(*label));
        }
        Self(state)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product: no division, and no bias that a size would show.
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from 0 to 1, without 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Whether something of this chance happens.
    pub fn chance(&mut self, chance: f64) -> bool {
        self.unit() < chance
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.below(from.len() as u64) as usize) }
    }

    /// A number around a median: its logarithm is normal.
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        // Box and Muller.
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.unit();
        median * (sigma * radius * angle.cos()).exp()
    }

    /// Fills a buffer.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let number = self.next().to_le_bytes();
            part.copy_from_slice(&number[..part.len()]);
        }
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_tell_streams_apart_and_one_stream_repeats() {
        let first = |labels: &[u64]| Random::of(labels).next();
        assert_eq!(first(&[1, 2]), first(&[1, 2]));
        assert_ne!(first(&[1, 2]), first(&[2, 1]));
        assert_ne!(first(&[1]), first(&[1, 0]));
    }

    #[test]
    fn a_log_normal_number_has_its_median_and_its_spread() {
        let mut random = Random::of(&[7]);
        let mut numbers: Vec<f64> = (0..20_000).map(|_| random.log_normal(3000.0, 1.0)).collect();
        numbers.sort_by(f64::total_cmp);
        assert!((2850.0..3150.0).contains(&numbers[10_000]), "{}", numbers[10_000]);
        let p95 = 3000.0 * 1.645_f64.exp();
        assert!((0.9 * p95..1.1 * p95).contains(&numbers[19_000]), "{}", numbers[19_000]);
    }
}
