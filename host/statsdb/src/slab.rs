//! Chunked storage with small integer handles: growing never moves what is stored, so no insertion pays for a copy.

use std::ops::{Index, IndexMut};

/// The handle of nothing.
pub(crate) const NONE: u32 = u32::MAX;

/// A vector in equal chunks of `2^BITS` items.
pub(crate) struct Chunks<T, const BITS: u32> {
    chunks: Vec<Vec<T>>,
}

impl<T, const BITS: u32> Default for Chunks<T, BITS> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T, const BITS: u32> Chunks<T, BITS> {
    const MASK: usize = (1 << BITS) - 1;

    /// Appends an item and returns its index.
    pub fn push(&mut self, item: T) -> u32 {
        let last = match self.chunks.last_mut() {
            Some(last) if last.len() <= Self::MASK => last,
            _ => self.chunks.push_mut(Vec::with_capacity(1 << BITS)),
        };
        last.push(item);
        self.len() - 1
    }

    /// Number of items.
    pub fn len(&self) -> u32 {
        let full = self.chunks.len().saturating_sub(1);
        ((full << BITS) + self.chunks.last().map_or(0, Vec::len)) as u32
    }
}

impl<T, const BITS: u32> Index<u32> for Chunks<T, BITS> {
    type Output = T;

    #[inline]
    fn index(&self, index: u32) -> &T {
        &self.chunks[(index >> BITS) as usize][index as usize & Self::MASK]
    }
}

impl<T, const BITS: u32> IndexMut<u32> for Chunks<T, BITS> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut T {
        &mut self.chunks[(index >> BITS) as usize][index as usize & Self::MASK]
    }
}

/// What can be stored in a [`Slab`]: a vacant place holds the handle of the next one.
pub(crate) trait Place {
    /// A vacant place.
    fn vacant(next: u32) -> Self;
    /// The next vacant place after this one, which is vacant.
    fn next_vacant(&self) -> u32;
}

/// Chunked storage whose places are used again.
pub(crate) struct Slab<T> {
    places: Chunks<T, 11>,
    vacant: u32,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { places: Chunks::default(), vacant: NONE }
    }
}

impl<T: Place> Slab<T> {
    /// Stores an item and returns its handle.
    pub fn insert(&mut self, item: T) -> u32 {
        if self.vacant == NONE {
            return self.places.push(item);
        }
        let handle = self.vacant;
        let vacant = std::mem::replace(&mut self.places[handle], item);
        self.vacant = vacant.next_vacant();
        handle
    }

    /// Takes an item out.
    pub fn remove(&mut self, handle: u32) -> T {
        let item = std::mem::replace(&mut self.places[handle], T::vacant(self.vacant));
        self.vacant = handle;
        item
    }

    /// Number of places, vacant ones included; handles are below it.
    pub fn places(&self) -> u32 {
        self.places.len()
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, handle: u32) -> &T {
        &self.places[handle]
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, handle: u32) -> &mut T {
        &mut self.places[handle]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Place for u32 {
        fn vacant(next: u32) -> Self {
            next
        }

        fn next_vacant(&self) -> u32 {
            *self
        }
    }

    #[test]
    fn places_are_used_again_and_handles_stay() {
        let mut slab = Slab::default();
        let handles: Vec<u32> = (0..5000).map(|n| slab.insert(n)).collect();
        assert_eq!(slab.places(), 5000);
        for &handle in handles.iter().step_by(2) {
            assert_eq!(slab.remove(handle), handle);
        }
        for n in 0..2500 {
            slab.insert(10_000 + n);
        }
        assert_eq!(slab.places(), 5000);
        for &handle in handles.iter().skip(1).step_by(2) {
            assert_eq!(slab[handle], handle);
        }
        slab.insert(0);
        assert_eq!(slab.places(), 5001);
    }
}
