//! The demo's random numbers: SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom
//! number generators").
//!
//! Invariant: the same seed gives the same numbers on every machine and in every version of the
//! demo; a library's generator promises neither. Not for anything secret.

use time::{Date, Duration};

/// A stream of numbers.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The `number`-th of the streams that belong to `seed`: what is drawn from one does not
    /// shift what is drawn from another.
    pub(super) fn stream(seed: u64, number: u64) -> Self {
        Self(Random(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95)).next())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound` - 1; 0 when `bound` is 0. The bias of multiplying the upper 32
    /// bits instead of rejecting is below one in a million for the bounds of the demo.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let wide = (self.next() >> 32) * u64::from(bound);
        u32::try_from(wide >> 32).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included; `low` when they are crossed.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below((high + 1).saturating_sub(low))
    }

    /// As [`Random::between`], but small numbers are much more likely, as with incomes.
    pub(super) fn skewed(&mut self, low: u32, high: u32) -> u32 {
        let bound = (high + 1).saturating_sub(low);
        low + self.below(bound).min(self.below(bound)).min(self.below(bound))
    }

    /// True with a chance of so many in a thousand.
    pub(super) fn per_mille(&mut self, chance: u32) -> bool {
        self.below(1000) < chance
    }

    /// One of `items`; their type's default when there are none.
    pub(super) fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let place = self.below(u32::try_from(items.len()).unwrap_or(u32::MAX));
        usize::try_from(place).ok().and_then(|place| items.get(place)).copied().unwrap_or_default()
    }

    /// A day from `from` to `to`, both included; `from` when they are crossed.
    pub(super) fn day(&mut self, from: Date, to: Date) -> Date {
        let days = u32::try_from((to - from).whole_days()).unwrap_or(0);
        from.saturating_add(Duration::days(i64::from(self.between(0, days))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_published_ones() {
        let mut random = Random::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn bounds_are_kept_and_reached() {
        let mut random = Random::new(1);
        let drawn: Vec<u32> = (0..1000).map(|_| random.between(3, 5)).collect();
        assert!([3, 4, 5].iter().all(|n| drawn.contains(n)) && drawn.iter().all(|n| (3..=5).contains(n)));
        assert_eq!(random.between(5, 3), 5);
        assert_eq!(random.pick::<u8>(&[]), 0);
    }
}
