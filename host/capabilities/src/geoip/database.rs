//! One MaxMind DB file in memory.

use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use parking_lot::Mutex;

use super::path::{Value, readings};

/// Bytes of the largest file; those that are published have up to one gigabyte.
const LARGEST: u64 = 4 << 30;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// The file cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The file is no MaxMind DB.
    #[error("{} is no GeoIP2 database: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
}

/// What a reload did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// The file is the one that was read before.
    Unchanged,
    /// Look-ups see the new file from now on.
    Changed,
}

/// What tells one version of a file from another: device, inode, length, seconds and nanoseconds of the last change.
type Stamp = (u64, u64, u64, i64, i64);

pub(super) struct Open {
    reader: Reader<Vec<u8>>,
    stamp: Stamp,
}

/// A file and its content.
pub(super) struct Source {
    path: ArcSwap<PathBuf>,
    open: ArcSwap<Open>,
    reloading: Mutex<()>,
}

/// What the content says about one address.
pub(super) struct Record {
    open: Arc<Open>,
    ip: IpAddr,
}

impl Open {
    pub(super) fn read(path: &Path) -> Result<Self, GeoError> {
        let failed = |reason| GeoError::Read { path: path.to_owned(), reason };
        // The stamp is taken first: a change while reading shows as a change at the next reload.
        let stamp = stamp(path).map_err(failed)?;
        let bytes = files::read(path, LARGEST).map_err(failed)?;
        let broken =
            |error: MaxMindDbError| GeoError::Format { path: path.to_owned(), reason: error.to_string() };
        let reader = Reader::from_source(bytes).map_err(broken)?;
        verify(&reader).map_err(broken)?;
        Ok(Self { reader, stamp })
    }
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, GeoError> {
        let path = absolute(path)?;
        let open = ArcSwap::from_pointee(Open::read(&path)?);
        Ok(Self { open, path: ArcSwap::from_pointee(path), reloading: Mutex::new(()) })
    }

    pub(super) fn path(&self) -> Arc<PathBuf> {
        self.path.load_full()
    }

    /// Another file in the place of the one that it has.
    pub(super) fn put(&self, path: PathBuf, open: Open) {
        let _one_at_a_time = self.reloading.lock();
        self.path.store(Arc::new(path));
        self.open.store(Arc::new(open));
    }

    pub(super) fn reload(&self) -> Result<Reloaded, GeoError> {
        let _one_at_a_time = self.reloading.lock();
        let path = self.path();
        let now = stamp(&path).map_err(|reason| GeoError::Read { path: path.to_path_buf(), reason })?;
        if now == self.open.load().stamp {
            return Ok(Reloaded::Unchanged);
        }
        let fresh = Open::read(&path)?;
        // A MaxMind DB is described at its end, so a file that is still being copied does not get this far. Nor does one whose
        // tree or records are damaged.
        self.open.store(Arc::new(fresh));
        Ok(Reloaded::Changed)
    }

    pub(super) fn record(&self, ip: IpAddr) -> Record {
        Record { open: self.open.load_full(), ip }
    }
}

impl Record {
    pub(super) fn string<P: AsRef<[u8]>>(&self, path: &[P]) -> Option<String> {
        self.find(path, |value| if let Value::Text(text) = value { Some(text.to_owned()) } else { None })
    }

    pub(super) fn uint<P: AsRef<[u8]>>(&self, path: &[P]) -> Option<u64> {
        self.find(path, |value| if let Value::Uint(number) = value { Some(number) } else { None })
    }

    pub(super) fn boolean<P: AsRef<[u8]>>(&self, path: &[P]) -> Option<bool> {
        self.find(path, |value| if let Value::Bool(truth) = value { Some(truth) } else { None })
    }

    pub(super) fn double<P: AsRef<[u8]>>(&self, path: &[P]) -> Option<f64> {
        self.find(path, |value| if let Value::Double(number) = value { Some(number) } else { None })
    }

    fn find<P: AsRef<[u8]>, T>(&self, path: &[P], pick: impl Fn(Value<'_>) -> Option<T>) -> Option<T> {
        // An IPv6 address in an IPv4 database is an error of the look-up; it means "not found" like all others.
        let found = self.open.reader.lookup(self.ip).ok()?;
        readings(path).into_iter().find_map(|elements| {
            let value: Result<Option<Value<'_>>, MaxMindDbError> = found.decode_path(&elements);
            value.ok().flatten().and_then(&pick)
        })
    }
}

/// Goes through the whole tree and every record: without it a file of zeros with the right end would be a database that knows
/// nothing.
fn verify(reader: &Reader<Vec<u8>>) -> Result<(), MaxMindDbError> {
    let metadata = reader.metadata();
    if !metadata.description.is_empty() && !metadata.database_type.is_empty() {
        return reader.verify();
    }
    // The crate refuses databases without a description, which some tools write. They are as good as others: of these only
    // the tree is looked at. A whole one has fewer leaves than this.
    let most = (metadata.node_count as usize).saturating_mul(3);
    let options = WithinOptions::default().include_networks_without_data();
    for (leaf, network) in reader.networks(options)?.enumerate() {
        network?;
        if leaf > most {
            return Err(MaxMindDbError::invalid_database("the search tree has a cycle"));
        }
    }
    Ok(())
}

/// A relative path keeps its meaning when the working directory changes.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, GeoError> {
    std::path::absolute(path).map_err(|reason| GeoError::Read { path: path.to_owned(), reason })
}

fn stamp(path: &Path) -> Result<Stamp, std::io::Error> {
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino(), file.len(), file.mtime(), file.mtime_nsec()))
}
