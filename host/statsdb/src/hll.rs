//! Distinct counts: sets of hashed values, `HyperLogLog` registers, and unions of both.

use xxhash_rust::xxh3::xxh3_64;

use crate::murmur::{HLL_SEED, murmur3_32};

/// Least register bits of a dense count, whatever travels on the wire: 2048 registers, 2.3 % standard error.
pub(crate) const MIN_BITS: u8 = 11;
/// Most register bits of a dense count: 262,144 registers, 0.2 % standard error.
pub(crate) const MAX_BITS: u8 = 18;
/// Values a window keeps one by one before it turns to registers.
pub(crate) const EXACT_MAX: usize = 256;
/// Values a union of windows keeps one by one.
const UNION_EXACT_MAX: usize = 1024;
/// Values a union gathers before it looks for repeated ones.
const UNION_BUFFER: usize = 4 * UNION_EXACT_MAX;

/// What is kept of a value: in the low half the hash that siblings share (its low bits choose the register), in the
/// high half an independent one.
#[inline]
pub(crate) fn hash(value: &[u8]) -> u64 {
    u64::from(murmur3_32(value, HLL_SEED)) | xxh3_64(value) << 32
}

/// How a register's rank follows from a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ranks {
    /// From the independent hash: all 32 bits of it, whatever the number of registers.
    Own,
    /// From what the shared hash has left beside the register number, as wforce does; so the same value added here
    /// and at a sibling counts once.
    Shared,
}

/// `2^bits` registers.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Registers {
    pub ranks: Ranks,
    bits: u8,
    values: Box<[u8]>,
}

impl Registers {
    /// Empty registers.
    pub fn new(ranks: Ranks, bits: u8) -> Self {
        Self { ranks, bits, values: vec![0; 1 << bits].into_boxed_slice() }
    }

    /// Registers that came from a sibling; a rank beyond the possible is taken as the highest one.
    pub fn from_wire(bits: u8, values: &[u8]) -> Self {
        let highest = 33 - bits;
        Self { ranks: Ranks::Shared, bits, values: values.iter().map(|&rank| rank.min(highest)).collect() }
    }

    pub fn bits(&self) -> u8 {
        self.bits
    }

    pub fn values(&self) -> &[u8] {
        &self.values
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.values.iter().all(|&rank| rank == 0)
    }

    /// A value's register and its rank.
    #[inline]
    fn place(&self, value: u64) -> (usize, u8) {
        let shared = value as u32;
        let rank = match self.ranks {
            Ranks::Own => ((value >> 32) as u32).leading_zeros() + 1,
            Ranks::Shared => (shared << self.bits).leading_zeros().min(u32::from(32 - self.bits)) + 1,
        };
        (shared as usize & ((1 << self.bits) - 1), rank as u8)
    }

    /// Adds a hashed value; whether that changed anything.
    #[inline]
    pub fn insert(&mut self, value: u64) -> bool {
        let (place, rank) = self.place(value);
        let register = &mut self.values[place];
        let higher = rank > *register;
        if higher {
            *register = rank;
        }
        higher
    }

    /// Whether adding a hashed value would change nothing.
    pub fn covers(&self, value: u64) -> bool {
        let (place, rank) = self.place(value);
        self.values[place] >= rank
    }

    /// Registers as another node of this kind has them; `None` if these cannot be any.
    pub fn from_parts(ranks: Ranks, bits: u8, values: &[u8]) -> Option<Self> {
        if !(4..=30).contains(&bits) || values.len() != 1 << bits {
            return None;
        }
        let highest = if ranks == Ranks::Own { 33 } else { 33 - bits };
        Some(Self { ranks, bits, values: values.iter().map(|&rank| rank.min(highest)).collect() })
    }

    /// Makes this the union of both: as many registers as the smaller one has, each the highest of all that share
    /// its number's low bits. That is what the smaller one would have counted, because ranks do not depend on the
    /// register's number.
    pub fn merge(&mut self, other: &Self) {
        if other.bits < self.bits {
            *self = self.folded(other.bits, other.ranks);
        }
        if other.ranks == Ranks::Shared {
            self.ranks = Ranks::Shared;
        }
        for part in other.values.chunks_exact(self.values.len()) {
            for (register, &rank) in self.values.iter_mut().zip(part) {
                *register = (*register).max(rank);
            }
        }
        self.cap();
    }

    /// The same count in fewer registers (or as many).
    pub fn folded(&self, bits: u8, ranks: Ranks) -> Self {
        let mut folded = Self::new(ranks, bits.min(self.bits));
        for part in self.values.chunks_exact(folded.values.len()) {
            for (register, &rank) in folded.values.iter_mut().zip(part) {
                *register = (*register).max(rank);
            }
        }
        folded.cap();
        folded
    }

    /// Brings ranks down to what is possible in shared registers.
    fn cap(&mut self) {
        if self.ranks == Ranks::Shared {
            let highest = 33 - self.bits;
            self.values.iter_mut().for_each(|rank| *rank = (*rank).min(highest));
        }
    }

    /// The number of distinct values, by the improved raw estimator of O. Ertl, "New cardinality estimation
    /// algorithms for `HyperLogLog` sketches" (2017): no bias at either end, so no switching between formulas.
    pub fn estimate(&self) -> f64 {
        let mut histogram = [0u32; 64];
        for &rank in &self.values {
            histogram[usize::from(rank & 63)] += 1;
        }
        // Ranks go from 1 to `last`, the last one for "no bit set at all".
        let last = match self.ranks {
            Ranks::Own => 33,
            Ranks::Shared => usize::from(33 - self.bits),
        };
        let m = self.values.len() as f64;
        let mut z = m * tau(1.0 - f64::from(histogram[last]) / m);
        for &count in histogram[1..last].iter().rev() {
            z = 0.5 * (z + f64::from(count));
        }
        z += m * sigma(f64::from(histogram[0]) / m);
        m * m / (2.0 * std::f64::consts::LN_2 * z)
    }

    /// Bytes on the heap.
    pub fn bytes(&self) -> usize {
        self.values.len()
    }
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

/// A union in the making. Exact while it is small and all its parts are.
pub(crate) struct Union {
    /// Register bits to turn to.
    bits: u8,
    values: Vec<u64>,
    registers: Option<Registers>,
}

impl Union {
    pub fn new(bits: u8) -> Self {
        Self { bits, values: Vec::new(), registers: None }
    }

    /// Adds hashed values.
    pub fn add(&mut self, values: impl Iterator<Item = u64>) {
        self.values.extend(values);
        if self.values.len() > UNION_BUFFER {
            self.condense();
            if self.values.len() > UNION_EXACT_MAX {
                let bits = self.bits;
                let registers = self.registers.get_or_insert_with(|| Registers::new(Ranks::Own, bits));
                self.values.drain(..).for_each(|value| _ = registers.insert(value));
            }
        }
    }

    /// Adds a dense count.
    pub fn merge(&mut self, registers: &Registers) {
        match &mut self.registers {
            Some(own) => own.merge(registers),
            None => self.registers = Some(registers.clone()),
        }
    }

    /// Adds another union.
    pub fn absorb(&mut self, other: Self) {
        self.add(other.values.into_iter());
        if let Some(registers) = &other.registers {
            self.merge(registers);
        }
    }

    fn condense(&mut self) {
        self.values.sort_unstable();
        self.values.dedup();
    }

    /// The number of distinct values, rounded; what does not fit is the highest number that does.
    pub fn count(mut self) -> i32 {
        if self.registers.is_none() {
            self.condense();
            if self.values.len() <= UNION_EXACT_MAX {
                return self.values.len() as i32;
            }
        }
        let mut registers = self.registers.unwrap_or_else(|| Registers::new(Ranks::Own, self.bits));
        self.values.into_iter().for_each(|value| _ = registers.insert(value));
        // The conversion saturates.
        registers.estimate().round() as i32
    }
}

#[cfg(test)]
mod tests;
