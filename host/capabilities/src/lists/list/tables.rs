//! The entries of a list, by kind; no messages, no observers.

use std::cell::RefCell;
use std::net::IpAddr;

use bstr::BString;
use login::{Addr, Netmask};

use super::super::networks::Networks;
use super::super::table::{Limit, Table};
use super::super::{Entry, Kind};

#[derive(Default)]
pub(super) struct Tables {
    pub(super) kinds: [Table; 5],
    networks: Networks,
}

thread_local! {
    /// Where the key of a pair is put together for a look-up.
    static PAIR: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Tables {
    /// Whether the entry is a new one. What had to make room for it is added to `crowded_out`.
    pub(super) fn insert(
        &mut self,
        kind: Kind,
        entry: Entry,
        limit: Limit,
        crowded_out: &mut Vec<(Kind, Entry)>,
    ) -> bool {
        let existed = self.remove(kind, &entry.key);
        while !self.kinds[kind as usize].has_room(&entry, limit) {
            self.expire(u64::MAX, kind, 1, crowded_out);
        }
        if kind == Kind::Ip
            && let Ok(mask) = Netmask::parse(&entry.key)
        {
            self.networks.insert(&mask, entry.key.clone());
        }
        self.kinds[kind as usize].insert(entry);
        !existed
    }

    pub(super) fn remove(&mut self, kind: Kind, key: &[u8]) -> bool {
        let removed = self.kinds[kind as usize].remove(key);
        if let (Kind::Ip, Some(entry)) = (kind, &removed) {
            self.forget_network(&entry.key);
        }
        removed.is_some()
    }

    pub(super) fn expire(&mut self, now: u64, kind: Kind, at_most: usize, expired: &mut Vec<(Kind, Entry)>) {
        for _ in 0..at_most {
            let Some(entry) = self.kinds[kind as usize].pop_expired(now) else { return };
            if kind == Kind::Ip {
                self.forget_network(&entry.key);
            }
            expired.push((kind, entry));
        }
    }

    fn forget_network(&mut self, key: &[u8]) {
        if let Ok(mask) = Netmask::parse(key) {
            self.networks.remove(&mask);
        }
    }

    pub(super) fn ip(&self, now: u64, ip: IpAddr) -> Option<&Entry> {
        self.networks.holding(ip).find_map(|key| self.text(now, Kind::Ip, key))
    }

    pub(super) fn text(&self, now: u64, kind: Kind, key: &[u8]) -> Option<&Entry> {
        self.kinds[kind as usize].get(key).filter(|entry| now < entry.expiration)
    }

    pub(super) fn pair(&self, now: u64, kind: Kind, ip: IpAddr, other: &[u8]) -> Option<&Entry> {
        if self.kinds[kind as usize].len() == 0 {
            return None;
        }
        PAIR.with_borrow_mut(|key| {
            key.clear();
            write_pair(ip, other, key);
            self.text(now, kind, key)
        })
    }
}

fn write_pair(ip: IpAddr, other: &[u8], key: &mut Vec<u8>) {
    Addr::from_ip(ip).write_text(key);
    key.push(b':');
    key.extend_from_slice(other);
}

pub(in crate::lists) fn pair_key(ip: IpAddr, other: &[u8]) -> BString {
    let mut key = Vec::new();
    write_pair(ip, other, &mut key);
    key.into()
}

pub(in crate::lists) fn ip_text(ip: IpAddr) -> Vec<u8> {
    let mut text = Vec::new();
    Addr::from_ip(ip).write_text(&mut text);
    text
}
