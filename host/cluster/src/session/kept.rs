//! A queue that grows without moving what is in it: whoever appends holds the lock that others wait for, and copying tens
//! of megabytes into a larger place would keep them all waiting.

use std::collections::VecDeque;

/// Things in one part.
const PART: usize = 1024;

pub(super) struct Kept<T> {
    /// All but the first and the last one are full; none is empty.
    parts: VecDeque<VecDeque<T>>,
    len: usize,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { parts: VecDeque::new(), len: 0 }
    }
}

impl<T> Kept<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push_back(&mut self, thing: T) {
        // The first part has lost some if it is the last one, too: it stays whole all the same.
        match self.parts.back_mut() {
            Some(part) if part.len() < PART => part.push_back(thing),
            _ => {
                let mut part = VecDeque::with_capacity(PART);
                part.push_back(thing);
                self.parts.push_back(part);
            }
        }
        self.len += 1;
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        let part = self.parts.front_mut()?;
        let thing = part.pop_front()?;
        if part.is_empty() {
            self.parts.pop_front();
        }
        self.len -= 1;
        Some(thing)
    }

    /// All from a place on.
    pub(super) fn from(&self, place: usize) -> impl Iterator<Item = &T> {
        let first = self.parts.front().map_or(0, VecDeque::len);
        let (part, within) = match place.checked_sub(first) {
            None => (0, place),
            Some(beyond) => (1 + beyond / PART, beyond % PART),
        };
        let parts = self.parts.range(part.min(self.parts.len())..);
        parts.flatten().skip(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_queue_that_is_read_from_any_place() {
        let mut kept = Kept::default();
        let mut plain = VecDeque::new();
        let (mut number, mut most) = (0_u32, 0);
        for round in 0..40_usize {
            for _ in 0..round * 37 % 900 {
                kept.push_back(number);
                plain.push_back(number);
                number += 1;
            }
            for _ in 0..round * 53 % 700 {
                assert_eq!(kept.pop_front(), plain.pop_front());
            }
            assert_eq!(kept.len(), plain.len());
            most = most.max(kept.parts.len());
            for place in [
                0,
                1,
                plain.len() / 3,
                plain.len() / 2,
                plain.len().saturating_sub(1),
                plain.len(),
                plain.len() + 5000,
            ] {
                let from: Vec<_> = kept.from(place).take(600).collect();
                let expected: Vec<_> = plain.iter().skip(place).take(600).collect();
                assert_eq!(from, expected, "from {place} of {}", plain.len());
            }
        }
        assert!(most >= 3, "several parts were there");
        while kept.pop_front().is_some() {}
        assert_eq!((kept.len(), kept.from(0).count()), (0, 0));
    }
}
