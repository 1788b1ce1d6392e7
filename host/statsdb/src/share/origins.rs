//! Origins in 16 bits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::{CLASSIC, NOBODY};

/// Most origins a database tells apart: boots of siblings during the life of this process.
const MAX: usize = 60_000;

/// Numbers for origins, given in the order of their first appearance. The own origin has none.
pub(crate) struct Origins {
    table: RwLock<Table>,
    /// Parts that were left out for want of a number.
    refused: AtomicU64,
}

struct Table {
    own: u64,
    ids: Vec<u64>,
    numbers: HashMap<u64, u16>,
}

/// The number of [`CLASSIC`].
pub(crate) const CLASSIC_NUMBER: u16 = 0;

impl Default for Origins {
    fn default() -> Self {
        let table = Table { own: NOBODY, ids: vec![CLASSIC], numbers: HashMap::from([(CLASSIC, 0)]) };
        Self { table: RwLock::new(table), refused: AtomicU64::new(0) }
    }
}

impl Origins {
    /// This node's own origin; [`NOBODY`] until it is set.
    pub fn own(&self) -> u64 {
        self.table.read().own
    }

    /// Sets this node's own origin.
    pub fn set_own(&self, origin: u64) {
        self.table.write().own = origin;
    }

    /// The number of an origin, a new one if need be; `None` when there are too many.
    pub fn number(&self, origin: u64) -> Option<u16> {
        if let Some(&number) = self.table.read().numbers.get(&origin) {
            return Some(number);
        }
        let mut table = self.table.write();
        if let Some(&number) = table.numbers.get(&origin) {
            return Some(number);
        }
        if table.ids.len() >= MAX {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let number = table.ids.len() as u16;
        table.ids.push(origin);
        table.numbers.insert(origin, number);
        Some(number)
    }

    /// The number of an origin that has one.
    pub fn known(&self, origin: u64) -> Option<u16> {
        self.table.read().numbers.get(&origin).copied()
    }

    /// How many parts were left out for want of a number since it was last asked.
    pub fn take_refused(&self) -> u64 {
        self.refused.swap(0, Ordering::Relaxed)
    }

    /// The origins by number.
    pub fn ids(&self) -> Vec<u64> {
        self.table.read().ids.clone()
    }
}
