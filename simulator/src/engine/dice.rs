//! The only source of chance: numbers drawn from the seed.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One stream of draws. Each part of the world has its own, so that a further draw in one leaves the others as they were.
#[derive(Debug, Clone)]
pub struct Dice(ChaCha8Rng);

/// A span of time to draw from, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Shortest.
    pub min: Duration,
    /// Longest.
    pub max: Duration,
}

impl Span {
    /// From `min` to `max` milliseconds.
    pub const fn millis(min: u64, max: u64) -> Self {
        Self { min: Duration::from_millis(min), max: Duration::from_millis(max) }
    }

    /// From `min` to `max` seconds.
    pub const fn secs(min: u64, max: u64) -> Self {
        Self::millis(min * 1000, max * 1000)
    }
}

impl Dice {
    /// The stream number `stream` of `seed`.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// A whole number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Multiply and shift: the bias is below 2⁻³² for the small bounds used here, and no draw is ever thrown away.
        u64::try_from((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64).unwrap_or(0)
    }

    /// Whether something of this chance happens. Nothing is drawn for what cannot.
    pub fn chance(&mut self, percent: u32) -> bool {
        percent > 0 && self.below(100) < u64::from(percent)
    }

    /// A time within `span`, in whole milliseconds.
    pub fn within(&mut self, span: Span) -> Duration {
        let (min, max) = (span.min.as_millis() as u64, span.max.as_millis() as u64);
        Duration::from_millis(min + self.below(max.saturating_sub(min) + 1))
    }

    /// A time from a bounded Pareto distribution with exponent 1, in whole milliseconds: most are near `shortest`, and each
    /// decade of length up to `longest` adds as much to the mean as the one before. Integers only, so that every machine draws
    /// the same.
    pub fn heavy_tailed(&mut self, shortest: Duration, longest: Duration) -> Duration {
        const ONE: u128 = 1 << 32;
        let low = shortest.as_millis().max(1);
        let high = longest.as_millis().max(low);
        let share = u128::from(self.below(1 << 32));
        // The distribution's inverse, low·high / (high − share·(high − low)).
        let time = low * high * ONE / (high * ONE - share * (high - low));
        Duration::from_millis(time.min(high) as u64)
    }

    /// A number of 32 hexadecimal digits, drawn digit by digit.
    pub fn digits_32(&mut self) -> u128 {
        (0..32).fold(0, |number, _| number << 4 | u128::from(self.below(16)))
    }

    /// Draws a UUID that nobody reads.
    pub(crate) fn skip_uuid(&mut self) {
        self.uuid_halves();
    }

    fn uuid_halves(&mut self) -> (u64, u64) {
        (self.0.next_u64(), self.0.next_u64())
    }

    /// A UUID of version 4.
    pub fn uuid(&mut self) -> String {
        let (high, low) = self.uuid_halves();
        let (high, low) = (high & !0xf000 | 0x4000, low & !(0b11 << 62) | 0b10 << 62);
        let bits = u128::from(high) << 64 | u128::from(low);
        let mut text = hex(bits);
        for dash in [20, 16, 12, 8] {
            text.insert(dash, '-');
        }
        text
    }
}

/// 32 hexadecimal digits. By hand: an event has several of them, and a formatter takes ten times as long.
pub(crate) fn hex(number: u128) -> String {
    let mut text = String::with_capacity(36);
    text.extend((0..32).rev().map(|digit| char::from(b"0123456789abcdef"[(number >> (4 * digit) & 0xf) as usize])));
    text
}
