//! Count-Min sketches: how often each value was seen, never too low (for counts that only grow), in fixed space.

use crate::CountMinShape;

/// Row hashes are taken from 1 to this, exclusive of the next (wforce compatibility).
const HASH_MAX: u64 = 32_993;

/// Everything about a sketch but its counts.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Plan {
    shape: CountMinShape,
    width: u32,
    /// One (a, b) per row.
    hashes: Box<[(u32, u32)]>,
}

impl Plan {
    /// A plan with random row hashes. One plan serves all sketches of a field: hashes only have to be unknown to
    /// whoever chooses the values, and as each serialised slot carries its own, siblings cannot tell.
    pub fn random(shape: CountMinShape, seed: u64) -> Self {
        let mut state = seed;
        let mut number = || {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) % HASH_MAX) as u32 + 1
        };
        Self::new(shape, (0..shape.depth()).map(|_| (number(), number())).collect())
    }

    /// A plan with given row hashes, one per row.
    pub fn new(shape: CountMinShape, hashes: Box<[(u32, u32)]>) -> Self {
        Self { shape, width: shape.width() as u32, hashes }
    }

    pub fn shape(&self) -> CountMinShape {
        self.shape
    }

    pub fn hashes(&self) -> &[(u32, u32)] {
        &self.hashes
    }

    /// Number of cells of a sketch.
    pub fn cells(&self) -> usize {
        self.width as usize * self.hashes.len()
    }

    /// The cell of the value in each row.
    pub fn places(&self, value: u32) -> impl Iterator<Item = usize> {
        let width = self.width;
        self.hashes.iter().enumerate().map(move |(row, (a, b))| {
            row * width as usize + (a.wrapping_mul(value).wrapping_add(*b) % width) as usize
        })
    }
}

/// The hash of a value: djb2 over signed bytes up to the first NUL (wforce compatibility).
pub(crate) fn hash(value: &[u8]) -> u32 {
    let step = |h: u32, c: &u8| h.wrapping_mul(33).wrapping_add(i32::from(*c as i8) as u32);
    value.iter().take_while(|c| **c != 0).fold(5381, step)
}

/// The counts of one window.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Sketch {
    /// The plan of a sketch that came from a sibling; others follow the field's.
    pub foreign: Option<Box<Plan>>,
    /// Sum of all counts.
    pub total: i32,
    /// Cells, row by row.
    pub cells: Box<[i32]>,
}

impl Sketch {
    pub fn new(plan: &Plan) -> Self {
        Self { foreign: None, total: 0, cells: vec![0; plan.cells()].into_boxed_slice() }
    }

    /// Adds `n` to the count of the value with this hash.
    pub fn add(&mut self, own: &Plan, value: u32, n: i32) {
        self.total = self.total.wrapping_add(n);
        let plan = self.foreign.as_deref().unwrap_or(own);
        for place in plan.places(value) {
            self.cells[place] = self.cells[place].wrapping_add(n);
        }
    }

    /// The count of the value with this hash.
    pub fn estimate(&self, own: &Plan, value: u32) -> i32 {
        let plan = self.foreign.as_deref().unwrap_or(own);
        plan.places(value).map(|place| self.cells[place]).min().unwrap_or(i32::MAX)
    }

    /// What is counted here beyond what `whole` counts, too. Sketches with the same hashes are compared cell by cell; of others only
    /// the sums can be, and each count keeps its share. `own`: the field's plan.
    pub fn beyond(&self, whole: &Self, own: &Plan) -> Self {
        let foreign = self.foreign.clone();
        if self.foreign == whole.foreign && self.cells.len() == whole.cells.len() {
            let cells: Box<[i32]> = self
                .cells
                .iter()
                .zip(&whole.cells)
                .map(|(told, known)| told.saturating_sub(*known).max(0))
                .collect();
            let width = self.foreign.as_deref().unwrap_or(own).width.max(1) as usize;
            let sum = |row: &[i32]| row.iter().fold(0i32, |sum, cell| sum.saturating_add(*cell));
            let total = cells.chunks(width).map(sum).min().unwrap_or(0);
            return Self { foreign, total, cells };
        }
        let total = self.total.saturating_sub(whole.total.max(0)).max(0);
        let all = i64::from(self.total.max(1));
        // Rounded up: an estimate is never too low.
        let share = |cell: &i32| (i64::from(*cell) * i64::from(total) + all - 1).div_euclid(all).max(0);
        let cells = self.cells.iter().map(|cell| i32::try_from(share(cell)).unwrap_or(i32::MAX)).collect();
        Self { foreign, total, cells }
    }

    /// Adds the counts of a sketch with the same hashes.
    pub fn absorb(&mut self, other: &Self) {
        self.total = self.total.wrapping_add(other.total);
        for (cell, more) in self.cells.iter_mut().zip(&other.cells) {
            *cell = cell.wrapping_add(*more);
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.total == 0 && self.cells.iter().all(|&cell| cell == 0)
    }

    /// Bytes on the heap.
    pub fn bytes(&self) -> usize {
        self.cells.len() * 4 + self.foreign.as_ref().map_or(0, |plan| 32 + plan.hashes.len() * 8)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hash_matches_the_reference() {
        for (value, expected) in [
            (&b""[..], 0x1505),
            (b"a", 0x2_b606),
            (b"NL", 0x0059_749f),
            (b"foo", 0x0b88_7389),
            (b"\xc3\xa9", 0x0059_6211),
            (b"\xff", 0x0002_b5a4),
            (b"a\0b", 0x2_b606),
        ] {
            assert_eq!(hash(value), expected, "{value:?}");
        }
    }

    #[test]
    fn shapes_match_the_reference() {
        for (eps, gamma, width, depth, bytes) in [
            (0.05, 0.2, 55, 2, 468),
            (0.2, 0.05, 14, 3, 204),
            (0.01, 0.2, 272, 2, 2204),
            (0.01, 0.01, 272, 5, 5492),
            (0.1, 0.5, 28, 1, 132),
            (0.5, 0.1, 6, 3, 108),
            (0.99, 0.2, 3, 2, 52),
        ] {
            let shape = CountMinShape::new(eps, gamma).unwrap();
            assert_eq!((shape.width(), shape.depth()), (width, depth), "{eps} {gamma}");
            let plan = Plan::random(shape, 7);
            assert_eq!(12 + plan.cells() * 4 + plan.hashes().len() * 8, bytes);
            assert!(plan.hashes().iter().all(|(a, b)| (1..32_994).contains(a) && (1..32_994).contains(b)));
        }
    }

    #[test]
    fn what_is_beyond_another_sketch() {
        let (own, other) =
            (Plan::random(CountMinShape::default(), 1), Plan::random(CountMinShape::default(), 2));
        let sketch = |plan: &Plan, foreign: bool, counts: &[(&[u8], i32)]| {
            let mut sketch = Sketch::new(plan);
            sketch.foreign = foreign.then(|| Box::new(plan.clone()));
            for (value, n) in counts {
                sketch.add(plan, hash(value), *n);
            }
            sketch
        };
        let told = sketch(&own, false, &[(b"US", 7), (b"DE", 4)]);
        // With the same hashes value by value.
        let rest = told.beyond(&sketch(&own, false, &[(b"DE", 6), (b"US", 2)]), &own);
        assert_eq!(
            (rest.estimate(&own, hash(b"US")), rest.estimate(&own, hash(b"DE")), rest.total),
            (5, 0, 5)
        );
        // With others as a whole: 8 of 11 are left of each.
        let rest = told.beyond(&sketch(&other, true, &[(b"DE", 3)]), &own);
        assert_eq!(
            (rest.estimate(&own, hash(b"US")), rest.estimate(&own, hash(b"DE")), rest.total),
            (6, 3, 8)
        );
        for whole in [sketch(&own, false, &[(b"US", 7), (b"DE", 4)]), sketch(&other, true, &[(b"FR", 11)])] {
            assert!(told.beyond(&whole, &own).is_empty());
        }
        let mut sum = told.clone();
        sum.absorb(&told);
        assert_eq!((sum.estimate(&own, hash(b"US")), sum.total), (14, 22));
    }

    #[test]
    fn impossible_shapes_are_refused() {
        for (gamma, eps) in
            [(0.0, 0.05), (1.0, 0.05), (7.0, 0.05), (-1.0, 0.05), (0.2, 1.0), (0.2, f32::NAN), (1e-40, 0.05)]
        {
            assert!(CountMinShape::clamped(gamma, eps).is_err(), "{gamma} {eps}");
        }
        assert_eq!(CountMinShape::clamped(0.05, 0.0).unwrap().width(), 272);
        assert_eq!(CountMinShape::clamped(0.05, 0.2).unwrap(), CountMinShape { eps: 0.2, gamma: 0.05 });
    }

    #[test]
    fn columns_and_estimates_match_the_reference() {
        let plan = Plan::new(CountMinShape::default(), [(12345, 6789), (31337, 271)].into());
        for (value, row0, row1) in
            [(&b"NL"[..], 23, 17), (b"US", 33, 3), (b"foo", 3, 48), (b"\xc3\xa9", 18, 2), (b"", 19, 3)]
        {
            assert_eq!(plan.places(hash(value)).collect::<Vec<_>>(), [row0, 55 + row1], "{value:?}");
        }
        let mut sketch = Sketch::new(&plan);
        for (value, n) in [(&b"NL"[..], 3), (b"US", 2), (b"foo", 1), (b"NL", 1), (b"\xc3\xa9", 7)] {
            sketch.add(&plan, hash(value), n);
        }
        let estimates =
            [&b"NL"[..], b"US", b"foo", b"\xc3\xa9", b"DE", b""].map(|v| sketch.estimate(&plan, hash(v)));
        assert_eq!(estimates, [4, 2, 1, 7, 0, 0]);
        assert_eq!(sketch.total, 14);
    }
}
