//! All sessions of a daemon: what they have in common, and what has to be done each second.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use capabilities::log::Level;
use parking_lot::Mutex;
use statsdb::{ORIGINS_END, RESERVED, Secret};
use tokio::runtime::{Handle, Runtime};

use crate::apply::now;
use crate::context::Context;
use crate::link;
use crate::peer::Peer;
use crate::session::{Entries, Heard, Journal, LeftOut, opening};
use crate::standing::Kind;
use crate::table::Table;

/// Threads for sessions: comparing large databases takes one for a while, which packets must not wait for.
const THREADS: usize = 2;
/// Bytes of changes that are kept for siblings unless the configuration says otherwise.
pub(crate) const JOURNAL_BYTES: usize = 64 << 20;
/// How often what is too long to be told is named in the log.
const TOO_LONG_EVERY: Duration = Duration::from_mins(10);
/// Seconds between two looks for tombstones that are over.
const PRUNE_EVERY: u64 = 60;

/// What the sessions of a daemon have in common.
pub(crate) struct Sessions {
    on: AtomicBool,
    /// Whether it is told apart who counted what: not before there is anybody else.
    shared: AtomicBool,
    journal_bytes: AtomicUsize,
    parts: OnceLock<Parts>,
    siblings: OnceLock<Weak<Table>>,
    runtime: Mutex<Option<Runtime>>,
    begun: Instant,
    /// Held over a decision whether changes are kept.
    deciding: Mutex<()>,
    overflowed: Mutex<u64>,
    left_out: Mutex<LeftOut>,
}

/// What is made once it is certain that there are sessions.
pub(crate) struct Parts {
    pub(crate) journal: Arc<Journal>,
    pub(crate) entries: Arc<Entries>,
    pub(crate) heard: Arc<Heard>,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self {
            on: AtomicBool::new(true),
            shared: AtomicBool::new(false),
            journal_bytes: AtomicUsize::new(JOURNAL_BYTES),
            parts: OnceLock::new(),
            siblings: OnceLock::new(),
            runtime: Mutex::default(),
            begun: Instant::now(),
            deciding: Mutex::default(),
            overflowed: Mutex::default(),
            left_out: Mutex::default(),
        }
    }

    /// Has only effect before the start.
    pub(crate) fn set_on(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    pub(crate) fn are_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Has only effect before the start.
    pub(crate) fn set_journal_bytes(&self, bytes: usize) {
        self.journal_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn parts(&self) -> Option<&Parts> {
        self.parts.get()
    }

    pub(crate) fn siblings(&self) -> Option<Arc<Table>> {
        self.siblings.get().and_then(Weak::upgrade)
    }

    /// Milliseconds of a steady count.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Who counted what is told apart from now on, if there are siblings: before a snapshot is restored, and before the first
    /// request.
    pub(crate) fn prepare(&self, context: &Context, siblings: &Arc<Table>) {
        let Ok(random) = opening() else {
            context.caps.log.error("no random bytes: siblings are only sent packets");
            return self.set_on(false);
        };
        let origin = random.first_chunk().copied().map_or(0, u64::from_le_bytes) % ORIGINS_END;
        let origin = origin.max(RESERVED + 1);
        let entries = Arc::new(Entries::new(Arc::clone(&context.caps), origin));
        let bytes = self.journal_bytes.load(Ordering::Relaxed);
        let journal = Arc::new(Journal::new(origin, bytes).with_lists(Arc::clone(&entries)));
        journal.set_recording(false);
        let parts = Parts { journal: Arc::clone(&journal), entries, heard: Arc::default() };
        if self.parts.set(parts).is_err() {
            return;
        }
        // A second time would be a mistake of the program's.
        let _ = self.siblings.set(Arc::downgrade(siblings));
        if siblings.peers().iter().any(|peer| peer.is_sent_to()) {
            self.share(context);
        }
        let hears_stats: Arc<dyn capabilities::stats::StatsObserver> = journal.clone();
        context.caps.stats.observe(&hears_stats);
        context.caps.lists.observe(journal);
    }

    /// Tells apart who counted what.
    fn share(&self, context: &Context) {
        let Some(parts) = self.parts() else { return };
        self.shared.store(true, Ordering::Release);
        context.caps.stats.all().iter().for_each(|db| parts.journal.add_db(db));
        parts.entries.begin();
    }

    /// Whether siblings have everything that was changed here up to now; those that are out of reach do not count.
    pub(crate) fn are_caught_up(&self) -> bool {
        let (Some(parts), Some(siblings)) = (self.parts(), self.siblings()) else { return true };
        let end = parts.journal.end();
        let up = |peer: &Peer| peer.standing.kind() == Kind::Session;
        let has = |peer: &Peer| peer.standing.acked.load(Ordering::Acquire) >= end;
        siblings.peers().iter().all(|peer| !up(peer) || has(peer))
    }

    /// Begins; siblings are dialed from now on.
    pub(crate) fn start(self: &Arc<Self>, context: &Arc<Context>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("sessions")
            .enable_all()
            .build()?;
        runtime.spawn(every_second(Arc::clone(self), Arc::clone(context)));
        *self.runtime.lock() = Some(runtime);
        Ok(())
    }

    /// Where sessions run, once they do.
    pub(crate) fn handle(&self) -> Option<Handle> {
        self.runtime.lock().as_ref().map(|runtime| runtime.handle().clone())
    }

    /// Ends everything at once.
    pub(crate) fn stop(&self) {
        if let Some(runtime) = self.runtime.lock().take() {
            runtime.shutdown_background();
        }
    }

    /// Finds out what a sibling speaks, and keeps a session with it if it speaks that.
    pub(crate) fn dial(self: &Arc<Self>, context: &Arc<Context>, peer: &Arc<Peer>) {
        let Some(handle) = self.handle().filter(|_| self.parts().is_some()) else {
            return peer.standing.set(Kind::Classic);
        };
        self.share(context);
        self.keep_for(peer);
        let secret = opening().ok().and_then(|random| random.first_chunk().copied()).unwrap_or_default();
        handle.spawn(link::dial(Arc::clone(context), Arc::clone(self), Arc::clone(peer), Secret(secret)));
    }

    /// Changes are kept for this sibling from now on.
    pub(crate) fn keep_for(&self, peer: &Peer) {
        let _deciding = self.deciding.lock();
        peer.standing.wants_journal.store(true, Ordering::Release);
        if let Some(parts) = self.parts() {
            parts.journal.set_recording(true);
        }
    }

    /// The work of one second: new databases, what is kept for whom, and how much that is.
    fn tick(&self, context: &Context) {
        let (Some(parts), Some(siblings)) = (self.parts(), self.siblings()) else {
            return;
        };
        let journal = &parts.journal;
        if self.shared.load(Ordering::Acquire) {
            context.caps.stats.all().iter().for_each(|db| journal.add_db(db));
        }
        {
            let _deciding = self.deciding.lock();
            let peers = siblings.peers();
            let wanting = || peers.iter().filter(|peer| peer.standing.wants_journal.load(Ordering::Acquire));
            journal.set_recording(wanting().next().is_some());
            if let Some(acked) = wanting().map(|peer| peer.standing.acked.load(Ordering::Acquire)).min() {
                journal.forget(acked);
            }
        }
        for db in journal.dbs().iter().filter(|db| db.local().take_refused_origins() > 0) {
            let name = db.name();
            let text = format!(
                "the stats DB {name} has heard of as many starts of nodes as it can tell apart: what others counted is left \
                 out here, or counts as one sibling's, until this daemon is restarted"
            );
            context.complain(&format!("origins {name}"), text);
        }
        let status = journal.status();
        let metrics = &context.caps.metrics.sessions;
        metrics.journal_bytes.set(status.bytes as i64);
        let mut counted = self.overflowed.lock();
        metrics.journal_overflowed.inc_by(status.overflowed.saturating_sub(*counted));
        *counted = status.overflowed;
        drop(counted);
        self.tell_left_out(context, &journal.left_out());
    }

    /// What siblings were not told of in this second.
    fn tell_left_out(&self, context: &Context, now: &LeftOut) {
        let before = std::mem::replace(&mut *self.left_out.lock(), now.clone());
        let too_long = &context.caps.metrics.sessions.too_long;
        for (what, count) in [("entry", now.entries - before.entries), ("key", now.keys - before.keys)] {
            too_long.with_label_values(&[what]).inc_by(count);
        }
        if let Some(last) = &now.last {
            let text = format!("siblings are told of 512 KiB of one thing at most, and it is longer: {last}");
            context.caps.log.limited("too long for siblings", TOO_LONG_EVERY, Level::Warning, text);
        }
    }
}

async fn every_second(sessions: Arc<Sessions>, context: Arc<Context>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut pruned = now();
    loop {
        seconds.tick().await;
        sessions.tick(&context);
        let now = now();
        if now.saturating_sub(pruned) >= PRUNE_EVERY
            && let Some(parts) = sessions.parts()
        {
            pruned = now;
            parts.entries.prune(now);
        }
    }
}
