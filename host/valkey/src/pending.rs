//! Changes that are not written yet: the last one for each key, in the order in which the keys came.

use std::collections::{HashMap, VecDeque};

use bstr::BString;

/// Keys that may wait.
const MOST_KEYS: usize = 200_000;
/// Bytes that they and their values may have.
const MOST_BYTES: usize = 64 << 20;

/// What is to be done to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Set it until this moment, unix seconds.
    Set(Vec<u8>, u64),
    /// Delete it.
    Delete,
}

impl Change {
    fn weight(&self) -> usize {
        match self {
            Change::Set(value, _) => value.len(),
            Change::Delete => 0,
        }
    }
}

#[derive(Default)]
pub(crate) struct Pending {
    changes: HashMap<BString, Change>,
    order: VecDeque<BString>,
    bytes: usize,
}

impl Pending {
    /// Adds a change in place of an earlier one of this key. False, and nothing happens, if there is no room.
    pub(crate) fn push(&mut self, key: BString, change: Change) -> bool {
        if let Some(earlier) = self.changes.get_mut(&key) {
            self.bytes = self.bytes - earlier.weight() + change.weight();
            *earlier = change;
            return true;
        }
        if self.changes.len() >= MOST_KEYS || self.bytes > MOST_BYTES {
            return false;
        }
        self.bytes += key.len() + change.weight();
        self.order.push_back(key.clone());
        self.changes.insert(key, change);
        true
    }

    /// Takes the oldest ones out.
    pub(crate) fn take(&mut self, at_most: usize) -> Vec<(BString, Change)> {
        let mut taken = Vec::new();
        while taken.len() < at_most
            && let Some(key) = self.order.pop_front()
        {
            if let Some(change) = self.changes.remove(&key) {
                self.bytes -= key.len() + change.weight();
                taken.push((key, change));
            }
        }
        taken
    }

    /// Puts one back that could not be written, unless there is a newer one. It waits behind the others: they may be for a
    /// server that is there.
    pub(crate) fn put_back(&mut self, key: BString, change: Change) {
        if !self.changes.contains_key(&key) {
            self.bytes += key.len() + change.weight();
            self.order.push_back(key.clone());
            self.changes.insert(key, change);
        }
    }

    pub(crate) fn contains(&self, key: &BString) -> bool {
        self.changes.contains_key(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_last_change_of_a_key_counts() {
        let mut pending = Pending::default();
        let set = |text: &str| Change::Set(text.into(), 5);
        assert!(pending.push("a".into(), set("1")) && pending.push("b".into(), set("2")));
        assert!(pending.push("a".into(), Change::Delete));
        assert_eq!(pending.len(), 2);
        let taken = pending.take(1);
        assert_eq!(taken, [("a".into(), Change::Delete)]);
        pending.push("a".into(), set("3"));
        pending.put_back("a".into(), Change::Delete);
        pending.put_back("c".into(), Change::Delete);
        assert_eq!(
            pending.take(9),
            [("b".into(), set("2")), ("a".into(), set("3")), ("c".into(), Change::Delete)]
        );
        assert_eq!((pending.len(), pending.bytes), (0, 0));
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut pending = Pending::default();
        assert!((0..MOST_KEYS).all(|number| pending.push(number.to_string().into(), Change::Delete)));
        assert!(!pending.push("more".into(), Change::Delete));
        assert!(
            pending.push("0".into(), Change::Set(vec![0; MOST_BYTES + 1], 1)),
            "a newer change takes no room"
        );
    }
}
