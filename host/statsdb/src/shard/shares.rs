//! Parts of keys out of a shard and into it.

use super::Shard;
use crate::countmin::Sketch;
use crate::layout::Layout;
use crate::record::Record;
use crate::share::export::Source;
use crate::share::merge::{Incoming, Merged, Room, Target};
use crate::share::origins::{CLASSIC_NUMBER, Origins};
use crate::share::overlay::Overlay;
use crate::share::{ALL_FIELDS, KeyShare, Reset, Scope};

/// Cells that a key may have before a merge looks for some that no longer count.
const PRUNE_FROM: usize = 16;

impl Shard {
    /// A key, ready to be told of. `own`: this node's origin.
    pub fn source<'a>(&'a self, layout: &'a Layout, handle: u32, own: u64) -> Option<Source<'a>> {
        if handle >= self.entries.places() {
            return None;
        }
        let record = self.record_at(handle)?;
        let (heavies, overlay, version) = (&self.heavies, self.overlays.get(handle), self.changes);
        Some(Source { layout, heavies, record, overlay, version, own })
    }

    /// Everything about a key that still counts in window `current`.
    pub fn share(
        &self,
        layout: &Layout,
        handle: u32,
        current: u32,
        own: u64,
        scope: Scope,
        ids: &[u64],
    ) -> Option<KeyShare> {
        Some(self.source(layout, handle, own)?.share(current, scope, ids))
    }

    /// The handle of a key.
    pub fn handle(&self, hash: u64, key: &[u8]) -> Option<u32> {
        self.find(hash, key)
    }

    /// The key at a handle, if there still is one.
    pub fn key_at(&self, handle: u32) -> Option<&[u8]> {
        if handle >= self.entries.places() {
            return None;
        }
        self.record_at(handle).map(Record::key)
    }

    /// Forgets what no longer counts of other nodes' parts.
    pub fn prune(&mut self, layout: &Layout, handle: u32, current: u32) {
        if let Some(mut overlay) = self.overlays.take(handle) {
            overlay.prune(oldest(layout, current), layout.window_secs * 1000);
            self.overlays.put(handle, overlay);
        }
    }

    /// Takes over resets and parts of a key.
    pub fn merge(
        &mut self,
        layout: &Layout,
        (hash, key): (u64, &[u8]),
        (now, room): (u64, Room),
        origins: &Origins,
        resets: Vec<(u16, Reset)>,
        parts: Vec<(Incoming, Reset)>,
    ) -> Merged {
        let current = layout.current(now);
        let found = self.find(hash, key);
        let full = self.len >= self.max_len || self.bytes() as u64 >= self.max_bytes;
        let handle = match (found, room) {
            (Some(handle), Room::Spare) => handle,
            (None, Room::Never) => return Merged::NoRoom,
            (None, Room::Spare) if full => return Merged::NoRoom,
            // Nothing to be remembered: no reason to make a key for it.
            (None, _) if !counts(layout, current, &resets, &parts) => return Merged::Known,
            _ => self.entry_for_write(layout, hash, key),
        };
        self.changes += 1;
        let mut overlay = self.overlays.take(handle).unwrap_or_default();
        if overlay.len() > PRUNE_FROM {
            overlay.prune(oldest(layout, current), layout.window_secs * 1000);
        }
        let record = &mut self.entries[handle].record;
        let before = record.bytes();
        let own = origins.own();
        let (heavies, fresh) = (&mut self.heavies, found.is_none());
        let overlay_of = &mut *overlay;
        let mut target =
            Target { layout, heavies, record, overlay: overlay_of, origins, own, current, fresh };
        let (mut changed, mut reset_here) = (false, false);
        for (field, reset) in resets {
            reset_here |= target.reset(field, reset);
        }
        for (part, reset) in parts {
            changed |= target.part(part, reset);
        }
        let after = self.entries[handle].record.bytes();
        self.record_bytes = self.record_bytes - before + after;
        self.overlays.put(handle, overlay);
        self.trim_for(layout, handle);
        match (reset_here, changed) {
            (true, _) => Merged::Reset,
            (false, true) => Merged::Changed,
            (false, false) => Merged::Known,
        }
    }

    /// Counts `n` as the part of a sibling that speaks classic packets, by its origin's number. It was or will be added to
    /// the record.
    pub fn add_classic_int(&mut self, handle: u32, (field, window, origin): (u16, u32, u16), n: i32) {
        self.change_overlay(handle, |overlay| {
            let cell = overlay.ints.get_or_insert((field, window, origin), || 0);
            *cell = cell.wrapping_add(n);
        });
    }

    /// Counts a value `n` times in the sketch of a sibling that speaks classic packets.
    pub fn add_classic_count(
        &mut self,
        layout: &Layout,
        handle: u32,
        at: (u16, u32, u16),
        (value, n): (u32, i32),
    ) {
        let Some(plan) = layout.plan(at.0) else { return };
        self.change_overlay(handle, |overlay| {
            let sketch = overlay.sketches.get_or_insert(at, || Box::new(Sketch::new(plan)));
            sketch.add(plan, value, n);
        });
    }

    /// Takes back what a sibling told by packets where the part that it tells as a node, by its origin's number, is there, too.
    /// Of sketches a record has only this node's own: nothing is to be subtracted there.
    pub fn forget_classic(&mut self, layout: &Layout, handle: u32, (classic, node): (u16, u16)) {
        let Some(mut overlay) = self.overlays.take(handle) else { return };
        let told: Vec<(u16, u32, i32)> = overlay
            .ints
            .iter()
            .filter(|cell| cell.origin() == classic)
            .map(|cell| (cell.field(), cell.window(), cell.amount))
            .collect();
        let record = &mut self.entries[handle].record;
        for (number, window, told) in told {
            let Some(&whole) = overlay.ints.get((number, window, node)) else { continue };
            let Ok(field) = record.field(layout, number) else { continue };
            let Some(local) = layout.relative(&field, window) else { continue };
            let found = record.windows(layout.kind(number), &field).find(|(other, _)| *other == local);
            let Some((_, at)) = found else { continue };
            // More than that was told by another program that was at the same address before.
            let covered = told.min(whole.max(0));
            record.add_int(at, covered.wrapping_neg());
            // It is nobody's in particular, so that it is not compared with what the node counts later.
            let rest = told.wrapping_sub(covered);
            overlay.ints.remove((number, window, classic));
            if rest != 0 {
                let kept = overlay.ints.get_or_insert((number, window, CLASSIC_NUMBER), || 0);
                *kept = kept.wrapping_add(rest);
            }
        }
        overlay.settle_sketches(layout, classic, node, CLASSIC_NUMBER);
        self.overlays.put(handle, overlay);
    }

    /// Takes what a field's record says for the part of siblings that speak classic packets: it came from one of them.
    pub fn all_is_classic(&mut self, layout: &Layout, handle: u32, fields: &[u16]) {
        let mut overlay = self.overlays.take(handle).unwrap_or_default();
        let record = &mut self.entries[handle].record;
        for &number in fields {
            overlay.erase(number, u32::MAX);
            let Ok(field) = record.field(layout, number) else { continue };
            let kind = layout.kind(number);
            let windows: Vec<(u32, usize)> = record.windows(kind, &field).collect();
            for (window, at) in windows {
                let place = (number, layout.absolute(&field, window), CLASSIC_NUMBER);
                match kind {
                    crate::FieldKind::Int => {
                        *overlay.ints.get_or_insert(place, || 0) = record.int_at(at);
                    }
                    crate::FieldKind::CountMin => {
                        let Some(handle) = record.handle_at(kind, at) else { continue };
                        if let Some(sketch) = self.heavies.sketch(handle) {
                            overlay.sketches.get_or_insert(place, || Box::new(sketch.clone()));
                        }
                        self.heavies.free(handle);
                        record.set_sketch(at, crate::slab::NONE);
                    }
                    crate::FieldKind::Hll => {}
                }
            }
        }
        self.overlays.put(handle, overlay);
    }

    fn change_overlay(&mut self, handle: u32, change: impl FnOnce(&mut Overlay)) {
        let mut overlay = self.overlays.take(handle).unwrap_or_default();
        change(&mut overlay);
        self.overlays.put(handle, overlay);
    }

    /// Forgets other nodes' parts of what is reset, and remembers the reset if there is a mark.
    pub(super) fn mark_reset(
        &mut self,
        layout: &Layout,
        handle: u32,
        only: Option<u16>,
        mark: Option<Reset>,
    ) -> Option<Reset> {
        if mark.is_none() && self.overlays.get(handle).is_none() {
            return None;
        }
        let mut mark = mark;
        self.change_overlay(handle, |overlay| {
            for number in (0..layout.fields()).filter(|number| only.is_none_or(|only| only == *number)) {
                overlay.erase(number, u32::MAX);
                if let Some(mark) = &mut mark {
                    mark.time_ms = mark.time_ms.max(overlay.reset_of(number).time_ms + 1);
                }
            }
            if let Some(mark) = mark {
                overlay.note_reset(only.unwrap_or(ALL_FIELDS), mark);
            }
        });
        mark
    }
}

/// Whether any of it still counts.
fn counts(layout: &Layout, current: u32, resets: &[(u16, Reset)], parts: &[(Incoming, Reset)]) -> bool {
    let reset = |reset: &Reset| layout.alive(layout.current(reset.time_ms / 1000), current);
    parts.iter().any(|(part, _)| layout.alive(part.window, current)) || resets.iter().any(|(_, of)| reset(of))
}

/// The oldest window that counts in window `current`.
fn oldest(layout: &Layout, current: u32) -> u32 {
    (current + 1).saturating_sub(layout.windows)
}
