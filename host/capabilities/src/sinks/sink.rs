//! One sink: an address, its queue, its counts.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bstr::{BStr, BString};
use parking_lot::Mutex;
use prometheus::IntCounter;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::Message;
use crate::metrics::Metrics;

/// Datagrams that may wait for one sink (wforce compatibility).
const QUEUE: usize = 5000;

/// A sink as the console shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name of its group; empty without one.
    pub name: BString,
    /// Where.
    pub addr: SocketAddr,
    /// Datagrams sent.
    pub successes: u64,
    /// Datagrams that could not be sent.
    pub failures: u64,
}

pub(super) struct Sink {
    name: BString,
    addr: SocketAddr,
    sender: mpsc::Sender<Arc<Message>>,
    receiver: Mutex<Option<mpsc::Receiver<Arc<Message>>>>,
    counts: Counts,
}

#[derive(Clone)]
struct Counts {
    ok: IntCounter,
    failed: IntCounter,
    dropped: IntCounter,
}

impl Sink {
    pub(super) fn new(name: Option<&BStr>, addr: SocketAddr, metrics: &Metrics) -> Sink {
        let name = name.map(BStr::to_owned).unwrap_or_default();
        let label = name.to_string();
        let family = &metrics.families.report_sinks;
        let count = |status: &str| family.with_label_values(&[&addr.to_string(), &label, status]);
        let counts = Counts { ok: count("ok"), failed: count("error"), dropped: count("dropped") };
        let (sender, receiver) = mpsc::channel(QUEUE);
        Sink { name, addr, sender, receiver: Mutex::new(Some(receiver)), counts }
    }

    pub(super) fn send(&self, message: Arc<Message>) {
        if self.sender.try_send(message).is_err() {
            self.counts.dropped.inc();
        }
    }

    /// Sends what is queued, until the sink is removed.
    pub(super) fn start(&self, runtime: &Handle) {
        if let Some(receiver) = self.receiver.lock().take() {
            runtime.spawn(serve(self.addr, receiver, self.counts.clone()));
        }
    }

    pub(super) fn row(&self) -> Row {
        Row {
            name: self.name.clone(),
            addr: self.addr,
            successes: self.counts.ok.get(),
            failures: self.counts.failed.get(),
        }
    }
}

async fn serve(addr: SocketAddr, mut messages: mpsc::Receiver<Arc<Message>>, counts: Counts) {
    let mut socket = None;
    while let Some(message) = messages.recv().await {
        if socket.is_none() {
            socket = open(addr).await.ok();
        }
        let sent = match &socket {
            Some(open) => open.send(message.bytes()).await.is_ok(),
            None => false,
        };
        if sent {
            counts.ok.inc();
        } else {
            // Such as "connection refused", which tells of an earlier datagram; or one that is too long.
            counts.failed.inc();
        }
    }
}

async fn open(addr: SocketAddr) -> std::io::Result<UdpSocket> {
    let any: SocketAddr = match addr {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(addr).await?;
    Ok(socket)
}
