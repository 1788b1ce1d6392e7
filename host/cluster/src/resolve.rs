//! Siblings that were named: their addresses are looked up again, now and then and after failures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::context::Context;
use crate::peer::Peer;

/// Between two look-ups while all is well.
const EVERY: Duration = Duration::from_mins(1);
/// Between two look-ups at least.
const AT_LEAST: Duration = Duration::from_secs(5);

/// Looks after one sibling's address until it is removed.
pub(crate) async fn run(context: Arc<Context>, peer: Arc<Peer>) {
    let target = peer.config().target.clone();
    loop {
        tokio::time::sleep(AT_LEAST).await;
        // An error is the time being over, which is a reason as good as a failure.
        let _ = tokio::time::timeout(EVERY.saturating_sub(AT_LEAST), peer.look_up.notified()).await;
        if peer.is_removed() {
            return;
        }
        match tokio::net::lookup_host((target.host.as_str(), target.addr.port())).await {
            Ok(found) => moved(&context, &peer, &found.collect::<Vec<_>>()),
            // The old address may still be good.
            Err(error) => {
                let text = format!("cannot look up the sibling {}: {error}", target.host);
                context.complain(&target.host, text);
            }
        }
    }
}

/// Takes the first address, unless the present one is still among them.
fn moved(context: &Context, peer: &Peer, found: &[SocketAddr]) {
    let old = peer.addr();
    let Some(first) = found.first().filter(|_| !found.contains(&old)) else { return };
    peer.set_addr(*first);
    peer.counters.moved(&context.caps.metrics.families, *first);
    let host = &peer.config().target.host;
    context.caps.log.notice(format!("the sibling {host} moved from {old} to {first}"));
}
