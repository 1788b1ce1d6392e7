//! The black- and the whitelist.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::state::{State, with};
use crate::bindings::imports::portcullis::policy::lists::{Colour, Entry, Kind, Subject};
use crate::bindings::imports::portcullis::policy::types::Error;

fn place(which: Colour, what: &Subject<'_>) -> (bool, &'static str, String) {
    let (kind, key) = match what {
        Subject::Ip(address) => ("ip", address.network(32, 128)),
        Subject::Netmask(mask) => ("ip", mask.address.network(mask.bits, mask.bits)),
        Subject::Login(login) => ("login", (*login).to_owned()),
        Subject::IpLogin((address, login)) => ("ip-login", format!("{address}:{login}")),
        Subject::Ja3(hash) => ("ja3", (*hash).to_owned()),
        Subject::IpJa3((address, hash)) => ("ip-ja3", format!("{address}:{hash}")),
    };
    (matches!(which, Colour::Black), kind, key)
}

fn expire(state: &mut State) {
    let now = state.now;
    state.lists.retain(|_, entry| entry.expiration > now);
}

pub fn add(which: Colour, what: Subject<'_>, seconds: u32, reason: &str) -> Result<(), Error> {
    let place = place(which, &what);
    with(|state| {
        let entry = Entry {
            key: place.2.clone(),
            expiration: state.now + f64::from(seconds),
            reason: reason.to_string(),
        };
        state.lists.insert(place, entry);
    });
    Ok(())
}

pub fn delete(which: Colour, what: Subject<'_>) -> Result<(), Error> {
    let place = place(which, &what);
    with(|state| state.lists.remove(&place));
    Ok(())
}

pub fn check(which: Colour, what: Subject<'_>) -> Result<Option<Entry>, Error> {
    let place = place(which, &what);
    Ok(with(|state| {
        expire(state);
        if let Some(entry) = state.lists.get(&place) {
            return Some(entry.clone());
        }
        let Subject::Ip(address) = what else { return None };
        let around = (0..=128).map(|bits| address.network(bits, bits));
        around.map(|network| (place.0, place.1, network)).find_map(|key| state.lists.get(&key).cloned())
    }))
}

pub fn entries(which: Colour, of: Kind, limit: u32) -> Result<Vec<Entry>, Error> {
    let kind = match of {
        Kind::Ip => "ip",
        Kind::Login => "login",
        Kind::Ja3 => "ja3",
        Kind::IpLogin => "ip-login",
        Kind::IpJa3 => "ip-ja3",
    };
    let black = matches!(which, Colour::Black);
    Ok(with(|state| {
        expire(state);
        let mut found: Vec<Entry> = state
            .lists
            .iter()
            .filter(|((colour, entry_kind, _), _)| *colour == black && *entry_kind == kind)
            .map(|(_, entry)| entry.clone())
            .collect();
        found.sort_by(|a, b| a.expiration.total_cmp(&b.expiration));
        found.truncate(limit.min(10_000) as usize);
        found
    }))
}
