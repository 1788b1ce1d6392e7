//! What reads the log of reports, for the fuzz targets.

use super::journal::{frame, read};

/// A log that was read.
#[derive(Debug)]
pub struct Log {
    /// How many records it has.
    pub records: usize,
    /// Where the last of them ends.
    pub whole: usize,
    /// The same records as they are written.
    pub again: Vec<u8>,
}

/// Reads a log.
pub fn log(bytes: &[u8]) -> Log {
    let (records, lost) = read(bytes);
    let mut again = Vec::new();
    for (number, record) in &records {
        frame(&mut again, *number, record.write().to_string().as_bytes());
    }
    Log { records: records.len(), whole: bytes.len() - lost.end as usize, again }
}

/// These bytes as a record whose hash is right.
pub fn framed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame(&mut bytes, 1, payload);
    bytes
}
