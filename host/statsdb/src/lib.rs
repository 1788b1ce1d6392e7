//! The time-window database: no I/O, no async, no clock of its own.
//!
//! A [`StatsDb`] counts, per key and per field, in a ring of equally long time windows: plain integers, distinct
//! values (exact while few, `HyperLogLog` beyond) and per-value counts (Count-Min). Time is an argument of every call
//! (unix seconds), so nothing here sleeps, expires in the background or stops the world.
//!
//! From the outside in: [`StatsDb`] spreads keys over user-visible shards, each behind one short lock; a shard finds
//! a key's entry through an extendible hash table, keeps entries in a chunked slab linked by age of their last write,
//! and holds everything that is known about one key in a single encoded record.
#![forbid(unsafe_code)]

mod addr_key;
mod countmin;
mod db;
mod dump;
mod heavies;
mod hll;
mod int;
mod layout;
mod murmur;
mod order;
pub mod outside;
mod record;
mod schema;
mod shard;
mod share;
mod slab;
mod table;
mod together;
mod view;
mod wire;

pub use addr_key::AddrKey;
pub use db::StatsDb;
pub use dump::Dump;
pub use schema::MAX_KEY;
pub use schema::{
    CountMinShape, FieldKind, NotANumber, Schema, SchemaError, ShapeError, UnknownKind, clamp_hll_bits,
};
pub use share::{
    ALL_FIELDS, Amount, Blocks, CLASSIC, Catalogue, CodecError, KeyShare, Line, Merged, Mismatch, NOBODY,
    ORIGINS_END, Outline, Part, RESERVED, Reader, Reset, Room, Scope, Secret, SiblingChange, Translation,
    Writer, classic_origin, codec, translate,
};
pub use together::Together;
pub use wire::{FieldState, KeyState, RestoreError, Slot};
