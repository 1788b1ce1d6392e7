//! A file that is brought to the disk while it is written.

use std::fs::File;
use std::io::{self, Write};

/// Bytes after which what was written is brought to the disk. A kernel that does it with tens of megabytes at once keeps the core
/// for milliseconds, without letting anybody in between.
const PIECE: u64 = 1 << 20;

/// A file that is written from its beginning.
pub(super) struct Spread {
    file: File,
    written: u64,
    /// How much of that is not on the disk yet.
    pending: u64,
}

impl Spread {
    pub(super) fn new(file: File) -> Self {
        Self { file, written: 0, pending: 0 }
    }

    /// Cuts off what the file had beyond that before, and returns when everything is on the disk; tells its bytes.
    pub(super) fn finish(self) -> io::Result<u64> {
        self.file.set_len(self.written)?;
        self.file.sync_all()?;
        Ok(self.written)
    }
}

impl Write for Spread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let some = self.file.write(bytes)?;
        self.written += some as u64;
        self.pending += some as u64;
        if self.pending >= PIECE {
            self.file.sync_data()?;
            self.pending = 0;
        }
        Ok(some)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
