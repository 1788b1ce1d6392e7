//! The overlays of a shard's keys.

use crate::share::overlay::Overlay;
use crate::slab::Chunks;

/// Overlays by the handles of their keys, with their bytes. Most databases have none.
#[derive(Default)]
pub(super) struct Overlays {
    places: Chunks<Option<Box<Overlay>>, 11>,
    bytes: usize,
}

impl Overlays {
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    pub fn get(&self, handle: u32) -> Option<&Overlay> {
        if handle >= self.places.len() { None } else { self.places[handle].as_deref() }
    }

    /// Takes a key's overlay out: to drop it, or to change it and [`put`](Self::put) it back.
    #[inline]
    pub fn take(&mut self, handle: u32) -> Option<Box<Overlay>> {
        if handle >= self.places.len() {
            return None;
        }
        let overlay = self.places[handle].take()?;
        self.bytes -= overlay.bytes();
        Some(overlay)
    }

    /// Gives a key an overlay, unless there is nothing in it.
    pub fn put(&mut self, handle: u32, overlay: Box<Overlay>) {
        if overlay.is_empty() {
            return;
        }
        while self.places.len() <= handle {
            self.places.push(None);
        }
        self.bytes += overlay.bytes();
        self.places[handle] = Some(overlay);
    }
}
