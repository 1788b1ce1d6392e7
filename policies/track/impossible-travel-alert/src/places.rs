//! Where users were last, so that the store need not be asked about each login.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times of this century in seconds, and degrees in parts of a range"
)]

use std::collections::{HashMap, HashSet};

use portcullis::reports::Report;
use portcullis::{Result, clock};
use recent::{Memory, Scan, Told, distance, located};

/// Kilometres by which a remembered place may be off, twice.
const SLACK: f64 = 2.0;
/// Parts of a right angle north, or of two of them east.
const PARTS: f64 = 32_767.0;

/// A login's time in whole seconds, and its place to half a kilometre.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Place {
    t: u32,
    north: i16,
    east: i16,
}

impl Place {
    fn of(report: &Report) -> Self {
        Self {
            t: report.t as u32,
            north: (report.latitude / 90.0 * PARTS) as i16,
            east: (report.longitude / 180.0 * PARTS) as i16,
        }
    }

    fn degrees(self) -> [f64; 2] {
        [f64::from(self.north) / PARTS * 90.0, f64::from(self.east) / PARTS * 180.0]
    }

    fn is_at(self, other: Self) -> bool {
        (self.north, self.east) == (other.north, other.east)
    }
}

/// The last located login of each user.
pub(crate) struct Places {
    last: Memory<Place>,
    told: Told,
}

/// What is impossible.
pub(crate) struct Bounds {
    pub(crate) kmh: f64,
    pub(crate) min_km: f64,
    /// Seconds that are looked back.
    pub(crate) seconds: f64,
}

impl Places {
    pub(crate) fn new(scan: &Scan) -> Self {
        Self { last: Memory::new(scan.remember, scan.remembered), told: Told::default() }
    }

    /// A run begins. `skips`: it leaves logins out, among them perhaps the last ones of some users.
    pub(crate) fn begin(&mut self, skips: bool) {
        self.last.set_time(clock::now());
        if skips {
            self.last.clear();
        }
    }

    /// The logins before the first one of each user whose last one is not known, by the ids of those; `before_each` says what
    /// came before some.
    pub(crate) fn unknown(
        &self,
        reports: &[Report],
        before_each: impl FnOnce(&[&Report]) -> Result<Vec<Option<Report>>>,
    ) -> HashMap<String, Vec<Report>> {
        let mut users = HashSet::new();
        let is_first = |report: &&Report| {
            let key = self.last.key(&report.login);
            located(report) && self.last.get(key).is_none() && users.insert(key)
        };
        let first: Vec<&Report> = reports.iter().filter(is_first).collect();
        if first.is_empty() {
            return HashMap::new();
        }
        // If one of them takes too long they are asked about one by one.
        let Ok(newest) = before_each(&first) else { return HashMap::new() };
        let newest = newest.into_iter().map(|newest| newest.into_iter().collect());
        first.into_iter().map(|report| report.id.clone()).zip(newest).collect()
    }

    /// Has a login looked at that may be impossible, or whose user's last one is not known; `look` says whether it was told
    /// of.
    pub(crate) fn at(
        &mut self,
        scan: &Scan,
        report: &Report,
        bounds: &Bounds,
        look: impl FnOnce() -> Result<bool>,
    ) -> Result<()> {
        if !located(report) {
            return Ok(());
        }
        let (key, here) = (self.last.key(&report.login), Place::of(report));
        let last = self.last.get(key);
        match last {
            // It was looked at already. From elsewhere at that time is one that showed in the store late.
            Some(last) if here.t < last.t && here.is_at(last) => return Ok(()),
            Some(last) if here.t < last.t => {}
            Some(last) if !may_be_impossible(last, report, bounds) => {
                self.last.update(key, here);
                return Ok(());
            }
            _ => {}
        }
        let address = self.last.key((&report.login, report.remote.to_string()));
        if !self.told.has(scan, report, address) && look()? {
            self.told.add(scan, report, address);
        }
        match last {
            Some(last) if here.t < last.t => {}
            // What the store said is not asked again for a while.
            _ => self.last.put(key, here),
        }
        Ok(())
    }
}

/// Whether the exact times and places may be those of an impossible journey.
fn may_be_impossible(last: Place, report: &Report, bounds: &Bounds) -> bool {
    let seconds = report.t - f64::from(last.t);
    if seconds > bounds.seconds + 1.0 {
        return false;
    }
    let km = distance(last.degrees(), [report.latitude, report.longitude]) + SLACK;
    let hours = ((seconds - 1.0) / 3600.0).max(1.0 / 60.0);
    km >= bounds.min_km && km / hours > bounds.kmh
}
