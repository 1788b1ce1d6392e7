//! What need not be looked at again.

use std::collections::{BTreeMap, HashSet};
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

    /// Has logins looked at, unless one like it was; `apart`: what tells them apart. `usual` says of several, each of its own
    /// kind, of which nothing is to be told; `look` of another one whether it was told of.
    ///
    /// # Errors
    ///
    /// If `usual` or `look` fails.
    pub fn at<'a, A: Hash>(
        &mut self,
        scan: &Scan,
        reports: &'a [Report],
        apart: impl Fn(&'a Report) -> A,
        usual: impl Fn(&[&'a Report]) -> Result<Vec<bool>>,
        look: impl Fn(&'a Report) -> Result<bool>,
    ) -> Result<()> {
        let mut waiting: Vec<_> =
            reports.iter().map(|report| (self.memory.key(apart(report)), report)).collect();
        loop {
            waiting.retain(|(key, report)| {
                self.memory.get(*key).is_none() && !self.told.has(scan, report, *key)
            });
            // Of those alike the oldest first; whether the others are looked at depends on it.
            let mut kinds = HashSet::new();
            let (first, others): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|(key, _)| kinds.insert(*key));
            if first.is_empty() {
                return Ok(());
            }
            let mut groups = vec![first];
            while let Some(mut group) = groups.pop() {
                let reports: Vec<&Report> = group.iter().map(|(_, report)| *report).collect();
                let usual = match usual(&reports) {
                    // One that takes too long must not keep the others from being looked at.
                    Err(_) if group.len() > 1 => {
                        groups.push(group.split_off(group.len() / 2));
                        groups.push(group);
                        continue;
                    }
                    answer => answer?,
                };
                for ((key, report), usual) in group.into_iter().zip(usual) {
                    if !usual && look(report)? {
                        self.told.add(scan, report, key);
                    } else {
                        self.memory.put(key, ());
                    }
                }
            }
            waiting = others;
        }
    }
}
