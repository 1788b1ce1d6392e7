//! How a sibling is spoken to: with wforce's packets, or in a session.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// What is known of a sibling.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Nothing yet. What it sends, and what is to be sent to it, waits.
    Unknown = 0,
    /// It speaks packets, or cannot be asked.
    Classic = 1,
    /// A session with it is up.
    Session = 2,
    /// It had a session. Changes are kept for it; packets that it sends wait until it is known what they are.
    Lost = 3,
}

/// Packets that wait until it is known whether a session brings the same.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) messages: Vec<Vec<u8>>,
    /// Somebody is there who will deal with them.
    pub(crate) attended: bool,
}

/// How one sibling is spoken to.
pub(crate) struct Standing {
    kind: watch::Sender<Kind>,
    /// Whether changes have to be kept for it.
    pub(crate) wants_journal: AtomicBool,
    /// Up to where in the journal it has everything.
    pub(crate) acked: AtomicU64,
    /// Whether it has everything that it should have, as far as this node knows.
    pub(crate) caught_up: AtomicBool,
    /// Sessions that it opened to this node.
    pub(crate) accepted: AtomicUsize,
    /// There is reason to try at once to open a session.
    pub(crate) kick: Notify,
    pub(crate) held: Mutex<Held>,
    /// Connections with packets that wait.
    pub(crate) waiting: AtomicUsize,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            kind: watch::Sender::new(Kind::Unknown),
            wants_journal: AtomicBool::new(false),
            acked: AtomicU64::new(0),
            caught_up: AtomicBool::new(false),
            accepted: AtomicUsize::new(0),
            kick: Notify::new(),
            held: Mutex::default(),
            waiting: AtomicUsize::new(0),
        }
    }
}

impl Standing {
    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        *self.kind.borrow()
    }

    pub(crate) fn set(&self, kind: Kind) {
        self.kind.send_if_modified(|old| std::mem::replace(old, kind) != kind);
    }

    /// Waits until something is known.
    pub(crate) async fn known(&self) -> Kind {
        self.wait(|kind| kind != Kind::Unknown).await
    }

    /// Waits until it is known what its packets are.
    pub(crate) async fn settled(&self) -> Kind {
        let kind = self.kind();
        if matches!(kind, Kind::Classic | Kind::Session) {
            return kind;
        }
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let _waiting = Waiting(&self.waiting);
        self.wait(|kind| matches!(kind, Kind::Classic | Kind::Session)).await
    }

    async fn wait(&self, mut is: impl FnMut(Kind) -> bool) -> Kind {
        let mut kind = self.kind.subscribe();
        let found = kind.wait_for(|kind| is(*kind)).await.map(|kind| *kind);
        // The sender lives as long as this.
        found.unwrap_or(Kind::Classic)
    }
}

/// Counts somebody who waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
