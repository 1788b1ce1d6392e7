//! GeoIP databases (MaxMind DB files, GeoIP2 layout) by name.
//!
//! A file is read into memory as a whole: mapping it would save memory, but a mapped file that somebody truncates in
//! place kills the process, and operators do replace these files while the server runs.

mod database;
mod path;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};
use parking_lot::{Mutex, RwLock};

use crate::context::{self, Step};
use crate::log::Log;
pub use database::{GeoError, Reloaded};
use database::{Open, Source};

/// What a city look-up knows; unknown parts are empty or 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GeoRecord {
    /// ISO 3166-1 code of the country.
    pub country_code: String,
    /// The country's English name.
    pub country_name: String,
    /// ISO 3166-2 code of the first subdivision, without the country.
    pub region: String,
    /// The city's English name.
    pub city: String,
    /// Postal code.
    pub postal_code: String,
    /// The continent's two letters.
    pub continent_code: String,
    /// Degrees north.
    pub latitude: f32,
    /// Degrees east.
    pub longitude: f32,
}

/// The databases that wforce's legacy functions (`lookupCountry`, `lookupCity`, `lookupISP`) are answered from: the first
/// of these names that is open. wforce reads libGeoIP's own files there; GeoIP2 files under these names replace them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legacy {
    /// `Country`, `GeoLite2-Country`, `GeoIP2-Country`, `City`, `GeoLite2-City` or `GeoIP2-City`.
    Country,
    /// `City`, `GeoLite2-City` or `GeoIP2-City`.
    City,
    /// `ISP` or `GeoIP2-ISP`.
    Isp,
}

impl Legacy {
    /// The names looked for, in this order.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Country => {
                &["Country", "GeoLite2-Country", "GeoIP2-Country", "City", "GeoLite2-City", "GeoIP2-City"]
            }
            Self::City => &["City", "GeoLite2-City", "GeoIP2-City"],
            Self::Isp => &["ISP", "GeoIP2-ISP"],
        }
    }
}

/// The databases of this daemon.
pub struct GeoIp {
    log: Arc<Log>,
    dbs: RwLock<BTreeMap<BString, GeoDb>>,
    /// While the configuration is read again: what it has opened so far.
    reading: Mutex<Option<Reading>>,
}

/// What a configuration has opened that may not be used in the end.
#[derive(Default)]
struct Reading {
    /// The names that it has given a file, be it the one of before: the first one counts.
    decided: BTreeSet<BString>,
    /// Under new names.
    added: Vec<BString>,
    /// Other files for names that there are.
    moved: BTreeMap<BString, (PathBuf, Open)>,
}

/// A handle onto a database: it stays valid, and sees the new file, when the database is reloaded. Clones are cheap. A
/// dead handle (an unknown name) finds nothing.
#[derive(Clone, Default)]
pub struct GeoDb {
    source: Option<Arc<Source>>,
}

impl GeoIp {
    /// No databases yet.
    pub fn new(log: Arc<Log>) -> Self {
        Self { log, dbs: RwLock::default(), reading: Mutex::default() }
    }

    /// Opens a file under a name. The first one opened under a name stays, because the configuration runs several times; while
    /// it is [read again](Self::read_again), another file takes its place in the end.
    ///
    /// # Errors
    /// The file cannot be read or is no MaxMind DB; the name stays unknown, or what it was.
    pub fn open(&self, name: &[u8], path: &Path) -> Result<(), GeoError> {
        let mut reading = self.reading.lock();
        let Some(db) = self.get(name) else {
            let db = GeoDb { source: Some(Arc::new(Source::open(path)?)) };
            self.dbs.write().entry(name.into()).or_insert(db);
            if let Some(reading) = &mut *reading {
                reading.added.push(name.into());
                reading.decided.insert(name.into());
            }
            return Ok(());
        };
        let Some(reading) = &mut *reading else { return Ok(()) };
        if reading.decided.contains(BStr::new(name)) {
            return Ok(());
        }
        let path = database::absolute(path)?;
        if db.source.is_some_and(|source| *source.path() != path) {
            let open = Open::read(&path)?;
            reading.moved.insert(name.into(), (path, open));
        }
        reading.decided.insert(name.into());
        Ok(())
    }

    /// The configuration is read again from now on, until [`GeoIp::settle`].
    pub fn read_again(&self) {
        *self.reading.lock() = Some(Reading::default());
    }

    /// The configuration that was read again is used: so are the files that it named. Or it is not: what there was stays.
    pub fn settle(&self, used: bool) {
        let Some(reading) = self.reading.lock().take() else { return };
        if !used {
            self.dbs.write().retain(|name, _| !reading.added.contains(name));
            return;
        }
        for (name, (path, open)) in reading.moved {
            if let Some(source) = self.get(&name).and_then(|db| db.source) {
                self.log.notice(format!("GeoIP database {name} is {} from now on", path.display()));
                source.put(path, open);
            }
        }
    }

    /// The database of this name, if it was opened.
    pub fn get(&self, name: &[u8]) -> Option<GeoDb> {
        self.dbs.read().get(BStr::new(name)).cloned()
    }

    /// The names of all open databases, sorted.
    pub fn names(&self) -> Vec<BString> {
        self.dbs.read().keys().cloned().collect()
    }

    /// The names of all open databases, sorted, and the file of each.
    pub fn files(&self) -> Vec<(BString, Arc<PathBuf>)> {
        let dbs = self.dbs.read();
        let file = |(name, db): (&BString, &GeoDb)| Some((name.clone(), db.source.as_ref()?.path()));
        dbs.iter().filter_map(file).collect()
    }

    /// Opens every file again that changed since it was read. Each database switches to its new content at once; one whose
    /// new file is broken keeps the old content. Everything that happened is logged and returned, by name.
    ///
    /// It reads whole files: not for a thread that serves requests.
    pub fn reload(&self) -> Vec<(BString, Result<Reloaded, GeoError>)> {
        let dbs: Vec<_> = self.dbs.read().iter().map(|(name, db)| (name.clone(), db.clone())).collect();
        let mut results = Vec::with_capacity(dbs.len());
        for (name, db) in dbs {
            let Some(source) = &db.source else { continue };
            let result = source.reload();
            match &result {
                Ok(Reloaded::Unchanged) => {}
                Ok(Reloaded::Changed) => {
                    self.log
                        .notice(format!("Reloaded GeoIP database {name} from {}", source.path().display()));
                }
                Err(error) => self.log.error(format!("GeoIP database {name} keeps its old content: {error}")),
            }
            results.push((name, result));
        }
        results
    }

    /// The database that answers a legacy function; dead if none of its names is open.
    pub fn legacy(&self, kind: Legacy) -> GeoDb {
        let dbs = self.dbs.read();
        kind.names().iter().find_map(|name| dbs.get(BStr::new(name))).cloned().unwrap_or_default()
    }

    /// wforce's `lookupCountry`.
    pub fn legacy_country(&self, ip: IpAddr) -> String {
        self.legacy(Legacy::Country).country(ip)
    }

    /// wforce's `lookupISP`.
    pub fn legacy_isp(&self, ip: IpAddr) -> String {
        self.legacy(Legacy::Isp).isp(ip)
    }

    /// wforce's `lookupCity`.
    pub fn legacy_city(&self, ip: IpAddr) -> GeoRecord {
        self.legacy(Legacy::City).city(ip)
    }
}

/// Look-ups never fail: no record, no such path, another type or a dead handle give an empty text, 0 or false.
impl GeoDb {
    /// A handle onto nothing.
    pub fn dead() -> Self {
        Self::default()
    }

    /// Whether there is a database behind this handle.
    pub fn is_dead(&self) -> bool {
        self.source.is_none()
    }

    /// `country.iso_code`.
    pub fn country(&self, ip: IpAddr) -> String {
        self.string(ip, &["country", "iso_code"])
    }

    /// `isp`.
    pub fn isp(&self, ip: IpAddr) -> String {
        self.string(ip, &["isp"])
    }

    /// What is known of the place. The city is `cities.0` if the database has such a list, else `city`.
    pub fn city(&self, ip: IpAddr) -> GeoRecord {
        let Some(source) = &self.source else { return GeoRecord::default() };
        let place = source.record(ip);
        let text = |path: &[&str]| place.string(path).unwrap_or_default();
        let city = place
            .string(&["cities", "0", "names", "en"])
            .or_else(|| place.string(&["cities", "0"]))
            .unwrap_or_else(|| text(&["city", "names", "en"]));
        let record = GeoRecord {
            country_code: text(&["country", "iso_code"]),
            country_name: text(&["country", "names", "en"]),
            region: text(&["subdivisions", "0", "iso_code"]),
            city,
            postal_code: text(&["postal", "code"]),
            continent_code: text(&["continent", "code"]),
            latitude: place.double(&["location", "latitude"]).unwrap_or_default() as f32,
            longitude: place.double(&["location", "longitude"]).unwrap_or_default() as f32,
        };
        self.note(ip, &["city"], || {
            let GeoRecord { country_code, region, city, latitude, longitude, .. } = &record;
            format!("{country_code} {region} {city} {latitude} {longitude}")
        });
        record
    }

    /// The text at this path. An element that is a number is a place in a list (`-1`: the last one).
    pub fn string<P: AsRef<[u8]>>(&self, ip: IpAddr, path: &[P]) -> String {
        let found =
            self.source.as_ref().and_then(|source| source.record(ip).string(path)).unwrap_or_default();
        self.note(ip, path, || found.clone());
        found
    }

    /// The unsigned number (16, 32 or 64 bits) at this path.
    pub fn uint<P: AsRef<[u8]>>(&self, ip: IpAddr, path: &[P]) -> u64 {
        let found = self.source.as_ref().and_then(|source| source.record(ip).uint(path)).unwrap_or_default();
        self.note(ip, path, || found.to_string());
        found
    }

    /// The boolean at this path.
    pub fn boolean<P: AsRef<[u8]>>(&self, ip: IpAddr, path: &[P]) -> bool {
        let found =
            self.source.as_ref().and_then(|source| source.record(ip).boolean(path)).unwrap_or_default();
        self.note(ip, path, || found.to_string());
        found
    }

    /// The float or double at this path.
    pub fn double<P: AsRef<[u8]>>(&self, ip: IpAddr, path: &[P]) -> f64 {
        let found =
            self.source.as_ref().and_then(|source| source.record(ip).double(path)).unwrap_or_default();
        self.note(ip, path, || found.to_string());
        found
    }

    /// Notes a look-up for whoever wants to know what this policy call asked.
    fn note<P: AsRef<[u8]>>(&self, ip: IpAddr, path: &[P], answer: impl FnOnce() -> String) {
        context::note(|| Step::Geo {
            db: self.source.as_ref().map_or_else(String::new, |source| {
                source.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
            }),
            address: ip.to_string(),
            path: bstr::join(".", path).to_str_lossy().into_owned(),
            answer: answer(),
        });
    }
}

#[cfg(test)]
mod tests;
