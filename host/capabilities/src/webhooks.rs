//! Webhooks: what happens here is sent (POST) to whoever wants to know, off the request's way.
//!
//! Each hook has a bounded queue and connections of its own, so an endpoint that is dead or slow delays and loses only what
//! is meant for itself. An event for which there is no hook costs one atomic load.

mod config;
mod delivery;
mod event;
mod hook;
mod macros;
mod observer;
mod queue;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bstr::{BStr, BString};
use bytes::Bytes;
use outbound::{Client, TlsError, TlsSettings};
use parking_lot::Mutex;
use tokio::runtime::Handle;

pub use config::{ConfigError, KEYS};
use delivery::Sender;
use event::Fired;
pub use event::{Event, EventKind};
use hook::Hook;
pub use hook::Row;
pub use observer::ListEvents;
use queue::{Ledger, Payload};

use crate::context;
use crate::log::{Level, Log};
use crate::metrics::Metrics;

/// How all webhooks are sent.
#[derive(Clone, Debug)]
pub struct Options {
    /// Deliveries of one hook that may be under way at once.
    pub concurrency: usize,
    /// Events that may wait for one hook.
    pub queue_size: usize,
    /// What a delivery may take, from the connect to the end of the answer.
    pub timeout: Duration,
    /// How servers are verified.
    pub tls: TlsSettings,
}

impl Default for Options {
    /// wforce's defaults: 5 threads with 10 connections each, 50,000 events, 2 s.
    fn default() -> Self {
        Self {
            concurrency: 50,
            queue_size: 50_000,
            timeout: Duration::from_secs(2),
            tls: TlsSettings::default(),
        }
    }
}

/// The webhooks of this daemon.
pub struct WebHooks {
    log: Arc<Log>,
    metrics: Arc<Metrics>,
    /// One bit for each kind of event that some hook wants.
    wanted: AtomicU32,
    hooks: ArcSwap<Vec<Arc<Hook>>>,
    custom: ArcSwap<Vec<Arc<Hook>>>,
    /// The last ids given away, of event hooks and of custom ones.
    ids: Mutex<(u32, u32)>,
    ledger: Arc<Ledger>,
    /// Once started: who sends.
    sender: Mutex<Option<Arc<Sender>>>,
}

impl WebHooks {
    /// No hooks yet.
    pub fn new(log: Arc<Log>, metrics: Arc<Metrics>) -> Self {
        let ledger = Arc::new(Ledger::new(metrics.webhook_queue_size.clone(), Options::default().queue_size));
        Self {
            log,
            metrics,
            wanted: AtomicU32::new(0),
            hooks: ArcSwap::default(),
            custom: ArcSwap::default(),
            ids: Mutex::new((0, 0)),
            ledger,
            sender: Mutex::new(None),
        }
    }

    /// A hook for events by name; unknown names are left out (wforce compatibility). Its id: they count from 1, and a hook
    /// that is refused uses up one, too.
    ///
    /// # Errors
    /// The configuration cannot be used; the error's text names id and key.
    pub fn add(&self, events: &[BString], config: &BTreeMap<BString, BString>) -> Result<u32, ConfigError> {
        let sender = self.sender.lock();
        let id = {
            let mut ids = self.ids.lock();
            ids.0 += 1;
            ids.0
        };
        let kinds: Vec<EventKind> = EventKind::ALL
            .into_iter()
            .filter(|kind| events.iter().any(|name| name == kind.name().as_bytes()))
            .collect();
        let hook = Hook::for_events(id, kinds, config, &self.metrics)?;
        let wanted = hook.events().iter().fold(0, |all, kind| all | kind.bit());
        Self::open(sender.as_ref(), &self.hooks, hook);
        self.wanted.fetch_or(wanted, Ordering::Release);
        Ok(id)
    }

    /// A hook that policies run by name; ids of their own, like those of [`WebHooks::add`].
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn add_custom(&self, name: &BStr, config: &BTreeMap<BString, BString>) -> Result<u32, ConfigError> {
        let sender = self.sender.lock();
        let id = {
            let mut ids = self.ids.lock();
            ids.1 += 1;
            ids.1
        };
        let hook = Hook::custom(id, name, config, &self.metrics)?;
        Self::open(sender.as_ref(), &self.custom, hook);
        Ok(id)
    }

    fn open(sender: Option<&Arc<Sender>>, hooks: &ArcSwap<Vec<Arc<Hook>>>, hook: Hook) {
        let hook = Arc::new(hook);
        if let Some(sender) = sender {
            sender.serve(&hook);
        }
        hooks.rcu(|hooks| {
            let mut hooks = hooks.as_ref().clone();
            hooks.push(hook.clone());
            hooks
        });
    }

    /// Begins to send, on this runtime: what has been queued since the hooks were added, and whatever comes.
    ///
    /// # Errors
    /// A file of the TLS settings cannot be used; then every delivery fails with the same text.
    pub fn start(&self, runtime: &Handle, options: &Options) -> Result<(), TlsError> {
        let client = Client::new(&options.tls);
        let (client, result) = match client {
            Ok(client) => (Ok(client), Ok(())),
            Err(error) => (Err(error.to_string()), Err(error)),
        };
        self.ledger.set_limit(options.queue_size);
        let sender = Arc::new(Sender::new(runtime.clone(), client, options, &self.log, &self.ledger));
        let mut current = self.sender.lock();
        for hook in self.hooks.load().iter().chain(self.custom.load().iter()) {
            sender.serve(hook);
        }
        *current = Some(sender);
        result
    }

    /// Whether some hook wants events of this kind: then [`WebHooks::fire`] has something to do.
    pub fn wants(&self, kind: EventKind) -> bool {
        self.wanted.load(Ordering::Acquire) & kind.bit() != 0
    }

    /// Queues an event for the hooks that want it; the payload is written later, by who sends it.
    pub fn fire(&self, event: Event) {
        let kind = event.kind();
        if !self.wants(kind) {
            return;
        }
        let fired = Arc::new(Fired::new(event));
        for hook in self.hooks.load().iter().filter(|hook| hook.fires_on(&fired)) {
            self.queue(hook, Payload::Event(fired.clone()));
        }
    }

    /// Queues a text for the custom hooks of this name; a policy that only plays (a shadow) sends nothing. False, and a line in
    /// the log, if there is none.
    pub fn run_custom(&self, name: &[u8], body: &[u8]) -> bool {
        let hooks = self.custom.load();
        let mut found = hooks.iter().filter(|hook| hook.name().is_some_and(|own| *own == name)).peekable();
        if found.peek().is_none() {
            let text = format!("runCustomWebHook: no custom webhook named \"{}\"", BStr::new(name));
            self.log.limited("unknown custom webhook", Duration::from_secs(1), Level::Err, text);
            return false;
        }
        if context::is_apart() {
            return true;
        }
        let body = Bytes::copy_from_slice(body);
        found.for_each(|hook| self.queue(hook, Payload::Text(body.clone())));
        true
    }

    fn queue(&self, hook: &Hook, payload: Payload) {
        if !hook.queue.push(payload, &self.ledger) {
            hook.count_dropped();
            let label = hook.label();
            let text = format!("Webhook queue of {label} is full: an event is dropped");
            self.log.limited(&format!("webhook full {label}"), Duration::from_secs(1), Level::Err, text);
        }
    }

    /// The rows of `showWebHooks()`.
    pub fn rows(&self) -> Vec<Row> {
        self.hooks.load().iter().map(|hook| hook.row()).collect()
    }

    /// The rows of `showCustomWebHooks()`.
    pub fn custom_rows(&self) -> Vec<Row> {
        self.custom.load().iter().map(|hook| hook.row()).collect()
    }

    /// Lets what waits be sent, retries at once and for the last time; says how much had to be given up after `at_most`.
    pub async fn drain(&self, at_most: Duration) -> usize {
        let Some(sender) = self.sender.lock().clone() else { return 0 };
        sender.close();
        // Out of time: the rest is counted and told by the caller.
        let _ = tokio::time::timeout(at_most, self.ledger.idle()).await;
        self.ledger.outstanding()
    }
}

#[cfg(test)]
mod tests;
