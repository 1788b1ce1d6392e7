//! What need not be looked at again.

use std::collections::BTreeMap;
use std::hash::Hash;

use portcullis::reports::Report;
use portcullis::{Result, clock};

use crate::{Memory, Scan};

/// Logins that were told of. Others like them, in `scan.window` from then on, are of the same burst.
#[derive(Default)]
pub struct Told(BTreeMap<u64, f64>);

/// Of so many told ones those are forgotten that are over.
const MANY_TOLD: usize = 1_000;

impl Told {
    /// Whether a login is of a burst that was told of.
    #[must_use]
    pub fn has(&self, scan: &Scan, report: &Report, key: u64) -> bool {
        self.0.get(&key).is_some_and(|told| report.t - told < f64::from(scan.window))
    }

    /// A login was told of.
    pub fn add(&mut self, scan: &Scan, report: &Report, key: u64) {
        if self.0.len() >= MANY_TOLD {
            self.0.retain(|_, told| report.t - *told < f64::from(scan.window));
        }
        self.0.insert(key, report.t);
    }
}

/// Logins that are alike to the policy are looked at once in a while: of which nothing was to be told, for `scan.remember`;
/// those that were told of, for `scan.window`.
pub struct Looked {
    memory: Memory,
    told: Told,
}

impl Looked {
    /// At nothing yet.
    #[must_use]
    pub fn new(scan: &Scan) -> Self {
        Self { memory: Memory::new(scan.remember, scan.remembered), told: Told::default() }
    }

    /// A run begins.
    pub fn begin(&mut self) {
        self.memory.set_time(clock::now());
    }

    /// Has a login looked at, unless one like it was; `apart`: what tells them apart; `look` says whether it was told of.
    ///
    /// # Errors
    ///
    /// If `look` fails.
    pub fn at(
        &mut self,
        scan: &Scan,
        report: &Report,
        apart: impl Hash,
        look: impl FnOnce() -> Result<bool>,
    ) -> Result<()> {
        let key = self.memory.key(apart);
        if self.memory.get(key).is_some() || self.told.has(scan, report, key) {
            return Ok(());
        }
        if look()? {
            self.told.add(scan, report, key);
        } else {
            self.memory.put(key, ());
        }
        Ok(())
    }
}
