//! Who counted what: the parts of a key's counters by the node that counted them.
//!
//! A record holds what reads want: sums. To bring nodes together again after losses a node also has to know which part
//! of a sum came from where, so that a part can be replaced by a newer one instead of being added twice. Parts of other
//! nodes are kept beside the record in an [`Overlay`](overlay::Overlay); what is left of the sum is this node's own part, which
//! therefore costs nothing: neither memory nor time of a write, and a database without siblings has no overlays at all.
//!
//! * int and countmin: each origin's part of each window is a register that only this origin writes; the one with the
//!   higher version counts. Origins are boots, not machines: what a node counted before a restart is the part of an
//!   origin that no longer grows.
//! * hll: sets and register-wise maxima, whose union needs no origins.
//! * resets: the newest one of a field counts, and erases what was counted in windows up to its own, except what was
//!   counted by nodes that already knew of it.
//!
//! All of that is commutative, associative and idempotent, so shares may be lost, repeated and reordered at will.

pub(crate) mod catalogue;
pub mod codec;
pub(crate) mod export;
pub(crate) mod merge;
mod mismatch;
pub(crate) mod origins;
pub(crate) mod overlay;
mod shared;
mod translation;
mod walk;

use bstr::BString;

pub use catalogue::{Catalogue, Line, Secret};
pub use codec::{CodecError, Outline, Reader, Writer};
pub use merge::{Merged, Room};
pub use mismatch::Mismatch;
pub use shared::SiblingChange;
pub use translation::{Translation, translate};
pub use walk::Blocks;

/// Nobody in particular: counted where siblings are no subject.
pub const NOBODY: u64 = 0;
/// Siblings that speak classic packets, where they are not told apart: they send to every node themselves, so this part is
/// never passed on.
pub const CLASSIC: u64 = 1;
/// Origins of nodes are above this, and below [`ORIGINS_END`].
pub const RESERVED: u64 = 15;
/// From here on are the origins of single siblings that speak classic packets.
pub const ORIGINS_END: u64 = 1 << 62;

/// The origin of what one sibling tells by classic packets, so that it can be forgotten
/// ([`StatsDb::forget_classic`](crate::StatsDb::forget_classic)) once the sibling tells the same in a session. `sibling`: bytes
/// that stand for it, also after a restart.
pub fn classic_origin(sibling: &[u8]) -> u64 {
    ORIGINS_END | xxhash_rust::xxh3::xxh3_64(sibling) >> 2
}

/// Whether an origin is that of siblings that speak classic packets.
pub(crate) fn is_classic(origin: u64) -> bool {
    // The highest bit marks what `Target::named` makes of a node's own.
    origin == CLASSIC || origin >> 62 == 1
}

/// In the place of a field's number: all fields.
pub const ALL_FIELDS: u16 = u16::MAX;

/// The reset of a field. The greatest one counts; the default one is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Reset {
    /// Unix milliseconds.
    pub time_ms: u64,
    /// The node that was asked to.
    pub origin: u64,
}

/// What counted in one window of one field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Amount {
    /// An int field's sum.
    Int(i32),
    /// A sketch, encoded with its shape and hashes as siblings know it.
    Sketch(Vec<u8>),
    /// Distinct values, hashed.
    Values(Vec<u64>),
    /// A dense distinct count.
    Registers {
        /// Whether ranks are those that wforce nodes compute.
        shared: bool,
        /// Register bits.
        bits: u8,
        /// The registers.
        values: Vec<u8>,
    },
}

/// One origin's part of one window of a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// The field's number in the sender's schema: fields in order of their names.
    pub field: u16,
    /// Unix seconds divided by the seconds of a window.
    pub window: u32,
    /// Who counted; [`NOBODY`] for distinct counts, which need no origin.
    pub origin: u64,
    /// The part with the higher version is the newer one.
    pub version: u64,
    /// What was counted.
    pub amount: Amount,
}

/// Parts of a key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyShare {
    /// The key.
    pub key: BString,
    /// Resets of single fields, or of [`ALL_FIELDS`].
    pub resets: Vec<(u16, Reset)>,
    /// What was counted since.
    pub parts: Vec<Part>,
}

impl KeyShare {
    /// The reset that holds for a field.
    pub fn reset_of(&self, field: u16) -> Reset {
        newest_reset(&self.resets, field)
    }
}

/// The reset that holds for a field.
pub(crate) fn newest_reset(resets: &[(u16, Reset)], field: u16) -> Reset {
    let holds = |of: u16| of == field || of == ALL_FIELDS;
    resets.iter().filter(|(of, _)| holds(*of)).map(|(_, reset)| *reset).max().unwrap_or_default()
}

/// Which parts are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// All that nodes tell each other: not what siblings told by classic packets.
    Nodes,
    /// All.
    Everything,
}

#[cfg(test)]
mod tests;
