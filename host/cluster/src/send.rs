//! The task that sends to one sibling.

pub(crate) mod tcp;
mod udp;

use std::sync::Arc;
use std::time::Duration;

use crate::address::Protocol;
use crate::batch::{Batch, Sealed};
use crate::context::Context;
use crate::peer::Peer;
use crate::queue::Work;
use tcp::Tcp;
use udp::Udp;

/// How long a message waits for a sibling that cannot be reached. Counts are of the moment: what is older would be
/// counted in the wrong window, and a sibling that was away for longer has other ways to catch up.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Sends to a sibling until it is removed.
pub(crate) async fn run(context: Arc<Context>, peer: Arc<Peer>) {
    let mut sender = Sender { udp: Udp::default(), tcp: Tcp::default(), context, peer };
    while let Some(Work { batch, count }) = sender.peer.queue.next().await {
        // What was made before a session came up goes by the session.
        if sender.peer.speaks_packets().await {
            sender.messages(&batch, count).await;
        }
        sender.peer.counters.waiting(sender.peer.queue.len());
    }
}

struct Sender {
    context: Arc<Context>,
    peer: Arc<Peer>,
    udp: Udp,
    tcp: Tcp,
}

impl Sender {
    async fn messages(&mut self, batch: &Arc<Batch>, count: usize) {
        let (context, peer) = (&self.context, &self.peer);
        let config = peer.config();
        if batch.since().elapsed() > MAX_WAIT {
            return peer.counters.not_sent(count as u64);
        }
        let sealed = if config.stats && config.lists {
            seal(context, peer, batch)
        } else {
            let mut kept = 0..count;
            let some = batch.filtered(|message| {
                kept.next().is_some() && if is_stats(message) { config.stats } else { config.lists }
            });
            seal(context, peer, &some)
        };
        let Some(sealed) = sealed else {
            let text = "siblings are not sent to: setKey(\"...\") is missing in the configuration";
            context.complain(text, text);
            return peer.counters.not_sent(count as u64);
        };
        let count = count.min(sealed.len());
        match peer.protocol() {
            Protocol::Udp => {
                let long = self.udp.send(context, peer, &sealed, count).await;
                // A datagram of that length is not read by anybody; siblings hear on TCP as well.
                for place in long {
                    self.tcp.send(context, peer, &sealed, place..place + 1, tcp::Patience::Once).await;
                }
            }
            Protocol::Tcp => self.tcp.send(context, peer, &sealed, 0..count, tcp::Patience::Keep).await,
            Protocol::None => {}
        }
    }
}

/// The packets for this sibling: under its own key, or the common ones.
fn seal(context: &Context, peer: &Peer, batch: &Batch) -> Option<Arc<Sealed>> {
    match &peer.config().key {
        Some(key) => batch.seal(&context.security, key).map(Arc::new),
        None => batch.sealed(&context.security),
    }
}

/// Whether a message of ours is about stats DBs: its first field is its type.
fn is_stats(message: &[u8]) -> bool {
    message.starts_with(&[0x08, 0x00])
}
