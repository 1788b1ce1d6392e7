//! The built-in black- and whitelist. The server asks them before any policy.

use alloc::vec::Vec;

pub use crate::bindings::imports::portcullis::policy::lists::{Colour, Entry, Kind, Subject};
use crate::{Error, host};

/// Adds an entry for so many seconds, or replaces the one there is.
///
/// # Errors
///
/// If the policy may not touch the list.
pub fn add(which: Colour, what: Subject<'_>, seconds: u32, reason: &str) -> Result<(), Error> {
    Ok(host::lists::add(which, what, seconds, reason)?)
}

/// Deletes an entry; fine if there is none.
///
/// # Errors
///
/// If the policy may not touch the list.
pub fn delete(which: Colour, what: Subject<'_>) -> Result<(), Error> {
    Ok(host::lists::delete(which, what)?)
}

/// The entry that matches, if there is one; for an address, one of a network around it too.
///
/// # Errors
///
/// If the policy may not touch the list.
pub fn check(which: Colour, what: Subject<'_>) -> Result<Option<Entry>, Error> {
    Ok(host::lists::check(which, what)?)
}

/// Entries of a kind, oldest first, at most so many.
///
/// # Errors
///
/// If the policy may not touch the list.
pub fn entries(which: Colour, of: Kind, limit: u32) -> Result<Vec<Entry>, Error> {
    Ok(host::lists::entries(which, of, limit)?)
}
