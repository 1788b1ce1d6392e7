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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::address::Target;
    use crate::peer::PeerConfig;
    use crate::table::Table;
    use crate::testing;

    #[test]
    fn a_sibling_moves_when_its_name_no_longer_means_its_address() {
        let context = testing::context();
        let table = Table::new(&context);
        table.add(PeerConfig::new(Target::parse(b"localhost:4001").unwrap())).unwrap();
        let peer = table.peers()[0].clone();
        let old = peer.addr();
        let [first, second] =
            ["192.0.2.7:4001", "[2001:db8::7]:4001"].map(|text| text.parse::<SocketAddr>().unwrap());
        let at = |found: &[SocketAddr]| {
            moved(&context, &peer, found);
            peer.addr()
        };
        assert_eq!(at(&[]), old, "no address is no news");
        assert_eq!(at(&[first, old]), old, "the present one is as good as the first");
        assert_eq!(at(&[first, second]), first);
        assert!(table.at(first.ip()).is_some() && table.at(old.ip()).is_none(), "packets are known by it");
        assert_eq!(peer.row().address, "192.0.2.7:4001 udp");
        assert_eq!(at(&[second]), second);
        peer.counters.sent(3);
        let sent = |label: &str| {
            context.caps.metrics.families.replication_sent.with_label_values(&[label, "ok"]).get()
        };
        assert_eq!((sent(&second.to_string()), sent(&first.to_string())), (3, 0));
    }
}
