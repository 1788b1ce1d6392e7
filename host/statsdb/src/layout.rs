//! What every shard of one database has in common.

use std::hash::BuildHasher;

use siphasher::sip::SipHasher13;

use crate::countmin::Plan;
use crate::hll;
use crate::record::Field;
use crate::{FieldKind, Schema, SchemaError};

/// A checked schema and what follows from it.
pub(crate) struct Layout {
    pub schema: Schema,
    /// Seconds in a window, at least 1.
    pub window_secs: u64,
    /// Number of windows, at least 1.
    pub windows: u32,
    /// Register bits of dense distinct counts.
    pub register_bits: u8,
    /// Register bits of distinct counts on the wire.
    pub wire_bits: u8,
    kinds: Box<[FieldKind]>,
    /// The Count-Min plan of each field (of no use to fields of other kinds, so there it is `None`).
    plans: Box<[Option<Plan>]>,
    hasher: SipHasher13,
}

impl Layout {
    pub fn new(schema: Schema) -> Result<Self, SchemaError> {
        let schema = schema.normalised()?;
        // The standard library's source of hash keys: random per process, different per call.
        let random = || std::collections::hash_map::RandomState::new().hash_one(0u64);
        let plan = |kind| (kind == FieldKind::CountMin).then(|| Plan::random(schema.countmin, random()));
        Ok(Self {
            window_secs: u64::from(schema.window_secs.max(1)),
            windows: schema.windows.max(1),
            register_bits: schema.hll_bits.clamp(hll::MIN_BITS, hll::MAX_BITS),
            wire_bits: schema.hll_bits.min(hll::MAX_BITS),
            kinds: schema.fields.iter().map(|(_, kind)| *kind).collect(),
            plans: schema.fields.iter().map(|(_, kind)| plan(*kind)).collect(),
            hasher: SipHasher13::new_with_keys(random(), random()),
            schema,
        })
    }

    /// A field's number (in order of names) and kind.
    #[inline]
    pub fn field(&self, name: &[u8]) -> Option<(u16, FieldKind)> {
        let index = if self.kinds.len() > 8 {
            self.schema.fields.binary_search_by(|(other, _)| other.as_slice().cmp(name)).ok()?
        } else {
            self.schema.fields.iter().position(|(other, _)| other == name)?
        };
        Some((index as u16, self.kinds[index]))
    }

    /// The kind of the field with this number.
    #[inline]
    pub fn kind(&self, index: u16) -> FieldKind {
        self.kinds[usize::from(index)]
    }

    /// The Count-Min plan of the field with this number, if it is of that kind.
    pub fn plan(&self, index: u16) -> Option<&Plan> {
        self.plans[usize::from(index)].as_ref()
    }

    /// The hash tables' hash of a key. Keyed, so that nobody can send keys that collide.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash(key)
    }

    /// The number of the window that `now` lies in, counted from `start`; 0 before it.
    #[inline]
    pub fn window(&self, now: u64, start: u64) -> u32 {
        let elapsed = now.saturating_sub(start);
        u32::try_from(elapsed / self.window_secs).unwrap_or(u32::MAX)
    }

    /// The absolute number of the window that `now` lies in: unix seconds divided by the seconds of a window.
    pub fn current(&self, now: u64) -> u32 {
        u32::try_from(now / self.window_secs).unwrap_or(u32::MAX)
    }

    /// The absolute number of a field's window. One whose beginning is not aligned is taken for the aligned window that
    /// it shares most of its time with.
    pub fn absolute(&self, field: &Field, number: u32) -> u32 {
        let start = field.start.unwrap_or(self.schema.start);
        let middle = u64::from(number).saturating_mul(self.window_secs).saturating_add(self.window_secs / 2);
        self.current(start.saturating_add(middle))
    }

    /// The number of a field's window by its absolute number; `None` if it was before the field's first.
    pub fn relative(&self, field: &Field, absolute: u32) -> Option<u32> {
        let start = field.start.unwrap_or(self.schema.start);
        let middle = u64::from(absolute) * self.window_secs + (self.window_secs - 1) / 2;
        u32::try_from(middle.checked_sub(start)? / self.window_secs).ok()
    }

    /// Number of fields.
    pub fn fields(&self) -> u16 {
        self.kinds.len() as u16
    }

    /// Whether a window still counts (or, for one that is to come, will count) when `current` is the current one.
    #[inline]
    pub fn alive(&self, window: u32, current: u32) -> bool {
        u64::from(window) + u64::from(self.windows) > u64::from(current)
    }
}
