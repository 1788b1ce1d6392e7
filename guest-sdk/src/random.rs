//! Random numbers that cannot be guessed.

use alloc::vec::Vec;

use crate::host;

/// From 0 up to, but not including, 1.
pub fn number() -> f64 {
    host::random::number()
}

/// So many random bytes, at most 65536.
pub fn bytes(count: u32) -> Vec<u8> {
    host::random::bytes(count)
}
