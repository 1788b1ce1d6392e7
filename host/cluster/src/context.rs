//! What all parts of replication share.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use capabilities::Capabilities;
use capabilities::log::Level;
use parking_lot::RwLock;

use crate::security::Security;
use crate::sessions::Sessions;

/// How long the rest of a packet or frame may take that has begun to come.
const FRAME: Duration = Duration::from_mins(1);

/// Lines of the same kind come at most this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Capabilities, key and cipher, limits.
pub struct Context {
    /// Log, metrics, stats DBs and lists.
    pub caps: Arc<Capabilities>,
    /// Key and cipher.
    pub security: Security,
    pub(crate) sessions: OnceLock<Arc<Sessions>>,
    /// Where siblings are heard.
    listener: RwLock<Option<SocketAddr>>,
    connect_timeout_ms: AtomicU64,
    queue_size: AtomicUsize,
    frame_ms: AtomicU64,
}

impl Context {
    pub(crate) fn new(caps: Arc<Capabilities>) -> Arc<Self> {
        Arc::new(Self {
            caps,
            security: Security::default(),
            sessions: OnceLock::new(),
            listener: RwLock::default(),
            connect_timeout_ms: AtomicU64::new(5000),
            queue_size: AtomicUsize::new(5000),
            frame_ms: AtomicU64::new(FRAME.as_millis() as u64),
        })
    }

    /// Where siblings are heard.
    pub fn listener(&self) -> Option<SocketAddr> {
        *self.listener.read()
    }

    pub(crate) fn set_listener(&self, addr: SocketAddr) {
        *self.listener.write() = Some(addr);
    }

    /// How long a TCP connect may take.
    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms.load(Ordering::Relaxed))
    }

    /// Sets how long a TCP connect may take; at least 1 ms.
    pub fn set_connect_timeout(&self, milliseconds: u64) {
        self.connect_timeout_ms.store(milliseconds.max(1), Ordering::Relaxed);
    }

    /// How many messages may wait for a sibling added now, and for being applied.
    pub(crate) fn queue_size(&self) -> usize {
        self.queue_size.load(Ordering::Relaxed)
    }

    /// Sets how many messages may wait.
    pub fn set_queue_size(&self, messages: usize) {
        self.queue_size.store(messages, Ordering::Relaxed);
    }

    /// How long the rest of a packet or frame may take that has begun to come. A sibling that is silent between them may be so.
    pub(crate) fn frame_patience(&self) -> Duration {
        Duration::from_millis(self.frame_ms.load(Ordering::Relaxed))
    }

    #[cfg(test)]
    pub(crate) fn set_frame_patience(&self, patience: Duration) {
        self.frame_ms.store(patience.as_millis() as u64, Ordering::Relaxed);
    }

    /// The sessions with siblings; `None` where only packets are spoken.
    pub(crate) fn sessions(&self) -> Option<&Arc<Sessions>> {
        self.sessions.get().filter(|sessions| sessions.are_on())
    }

    /// A line about something that is as it should be, and may still come often.
    pub(crate) fn tell(&self, key: &str, text: impl AsRef<[u8]>) {
        self.caps.log.limited(key, LOG_EVERY, Level::Notice, text);
    }

    /// A line that may come very often. `key` tells lines apart that count for themselves.
    pub(crate) fn complain(&self, key: &str, text: impl AsRef<[u8]>) {
        self.caps.log.limited(key, LOG_EVERY, Level::Err, text);
    }
}
