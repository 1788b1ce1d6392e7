//! Report sinks: reports as JSON datagrams.
//!
//! Each name gets each report, its sinks in turn; the sinks without a name are one more such group. Each sink has a bounded
//! queue; what does not fit is dropped and counted.

mod message;
mod sink;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use bstr::{BStr, BString};
use parking_lot::Mutex;
use tokio::runtime::Handle;

pub use message::Message;
pub use sink::Row;
use sink::Sink;

use crate::metrics::Metrics;

/// Sinks that take turns.
#[derive(Clone, Default)]
struct Group {
    sinks: Vec<Arc<Sink>>,
    next: Arc<AtomicUsize>,
}

impl Group {
    fn send(&self, message: &Arc<Message>) {
        if self.sinks.is_empty() {
            return;
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.sinks.len();
        self.sinks[turn].send(message.clone());
    }
}

#[derive(Clone, Default)]
struct Groups {
    unnamed: Group,
    named: BTreeMap<BString, Group>,
}

/// The report sinks of this daemon.
pub struct Sinks {
    metrics: Arc<Metrics>,
    groups: ArcSwap<Groups>,
    /// Once started: where the datagrams are sent from.
    runtime: Mutex<Option<Handle>>,
}

impl Sinks {
    /// None yet.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, groups: ArcSwap::default(), runtime: Mutex::new(None) }
    }

    /// Adds sinks to a name.
    pub fn add_named(&self, name: &BStr, addrs: &[SocketAddr]) {
        self.change(|groups, open| {
            groups.named.entry(name.to_owned()).or_default().sinks.extend(open(Some(name), addrs));
        });
    }

    /// Replaces the sinks of a name.
    pub fn set_named(&self, name: &BStr, addrs: &[SocketAddr]) {
        self.change(|groups, open| {
            let sinks = open(Some(name), addrs);
            groups.named.insert(name.to_owned(), Group { sinks, next: Arc::default() });
        });
    }

    /// Adds sinks without a name.
    pub fn add_unnamed(&self, addrs: &[SocketAddr]) {
        self.change(|groups, open| groups.unnamed.sinks.extend(open(None, addrs)));
    }

    /// Replaces the sinks without a name.
    pub fn set_unnamed(&self, addrs: &[SocketAddr]) {
        self.change(|groups, open| {
            groups.unnamed = Group { sinks: open(None, addrs), next: Arc::default() };
        });
    }

    fn change(&self, change: impl Fn(&mut Groups, &dyn Fn(Option<&BStr>, &[SocketAddr]) -> Vec<Arc<Sink>>)) {
        // Held over the change: nothing is added between the start's look at the sinks and its note of the runtime.
        let runtime = self.runtime.lock();
        let open = |name: Option<&BStr>, addrs: &[SocketAddr]| {
            let opened = addrs.iter().map(|addr| Arc::new(Sink::new(name, *addr, &self.metrics)));
            opened
                .inspect(|sink| {
                    if let Some(runtime) = runtime.as_ref() {
                        sink.start(runtime);
                    }
                })
                .collect::<Vec<_>>()
        };
        let mut groups = self.groups.load().as_ref().clone();
        change(&mut groups, &open);
        self.groups.store(Arc::new(groups));
    }

    /// Begins to send, on this runtime.
    pub fn start(&self, runtime: &Handle) {
        let mut current = self.runtime.lock();
        let groups = self.groups.load();
        for group in groups.named.values().chain([&groups.unnamed]) {
            group.sinks.iter().for_each(|sink| sink.start(runtime));
        }
        *current = Some(runtime.clone());
    }

    /// Whether reports go anywhere.
    pub fn any(&self) -> bool {
        let groups = self.groups.load();
        !groups.named.is_empty() || !groups.unnamed.sinks.is_empty()
    }

    /// A report, for all groups.
    pub fn report(&self, login: Arc<login::Login>) {
        let groups = self.groups.load();
        let message = Arc::new(Message::report(login));
        groups.unnamed.send(&message);
        groups.named.values().for_each(|group| group.send(&message));
    }

    /// A custom request, for the named groups.
    pub fn custom(&self, args: Arc<login::CustomArgs>) {
        let message = Arc::new(Message::custom(args));
        self.groups.load().named.values().for_each(|group| group.send(&message));
    }

    /// The rows of `showReportSinks()`.
    pub fn rows(&self) -> Vec<Row> {
        self.groups.load().unnamed.sinks.iter().map(|sink| sink.row()).collect()
    }

    /// The rows of `showNamedReportSinks()`, by name.
    pub fn named_rows(&self) -> Vec<Row> {
        self.groups
            .load()
            .named
            .values()
            .flat_map(|group| group.sinks.iter().map(|sink| sink.row()))
            .collect()
    }
}

#[cfg(test)]
mod tests;
