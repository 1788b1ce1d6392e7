//! Datagrams from siblings: one task takes them from the kernel, others do what they ask for, each for some of the
//! siblings, so that what one sibling sends is done in its order.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::peer::Peer;
use crate::receive::Receiver;

/// The longest datagram.
const MAX_BYTES: usize = 65_536;
/// Datagrams read before others get a turn.
const AT_ONCE: usize = 256;
/// Pause after a read that failed.
const PAUSE: Duration = Duration::from_millis(10);

/// Datagrams of one sibling, one after the other.
struct Bundle {
    peer: Arc<Peer>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Bundles that wait for one task.
#[derive(Default)]
struct Lane {
    bundles: Mutex<VecDeque<Bundle>>,
    wake: Notify,
}

/// Starts the tasks.
pub(super) fn serve(runtime: &Handle, socket: UdpSocket, receiver: &Arc<Receiver>, threads: usize) {
    let waiting = Arc::new(AtomicUsize::new(0));
    let lanes: Vec<Arc<Lane>> = (0..threads.max(1)).map(|_| Arc::default()).collect();
    for lane in &lanes {
        runtime.spawn(work(Arc::clone(lane), Arc::clone(receiver), Arc::clone(&waiting)));
    }
    let reader = Reader { receiver: Arc::clone(receiver), lanes, waiting, known: None };
    runtime.spawn(reader.run(socket));
}

struct Reader {
    receiver: Arc<Receiver>,
    lanes: Vec<Arc<Lane>>,
    /// Datagrams in all lanes.
    waiting: Arc<AtomicUsize>,
    /// The sender of the last datagram.
    known: Option<(IpAddr, Arc<Peer>)>,
}

impl Reader {
    async fn run(mut self, socket: UdpSocket) {
        let mut buffer = vec![0; MAX_BYTES];
        loop {
            if let Err(error) = socket.readable().await {
                let text = format!("siblings cannot be heard: {error}");
                self.receiver.context.complain("sibling read", text);
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let mut bundle: Option<Bundle> = None;
            for _ in 0..AT_ONCE {
                match socket.try_recv_from(&mut buffer) {
                    // An empty one says nothing.
                    Ok((0, _)) => {}
                    Ok((length, from)) => self.take(&mut bundle, &buffer[..length], from),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    // It is about something that was sent; nothing is, from here.
                    Err(_) => {}
                }
            }
            self.hand_over(bundle);
            // At full speed there is always something to read.
            tokio::task::yield_now().await;
        }
    }

    fn take(&mut self, bundle: &mut Option<Bundle>, datagram: &[u8], from: SocketAddr) {
        let Some(peer) = self.sender(from.ip()) else { return };
        if self.waiting.load(Ordering::Relaxed) >= self.receiver.context.queue_size() {
            return peer.counters.receive_queue_full(1);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if bundle.as_ref().is_some_and(|bundle| !Arc::ptr_eq(&bundle.peer, &peer)) {
            self.hand_over(bundle.take());
        }
        let bundle = bundle.get_or_insert_with(|| Bundle { peer, bytes: Vec::new(), ends: Vec::new() });
        bundle.bytes.extend_from_slice(datagram);
        bundle.ends.push(bundle.bytes.len());
    }

    fn sender(&mut self, ip: IpAddr) -> Option<Arc<Peer>> {
        match &self.known {
            Some((known, peer)) if *known == ip && !peer.is_removed() && peer.is_at(ip) => {
                Some(Arc::clone(peer))
            }
            _ => {
                let peer = self.receiver.sender(ip)?;
                self.known = Some((ip, Arc::clone(&peer)));
                Some(peer)
            }
        }
    }

    fn hand_over(&self, bundle: Option<Bundle>) {
        let Some(bundle) = bundle else { return };
        let place = match bundle.peer.addr().ip() {
            IpAddr::V4(ip) => ip.to_bits() as usize,
            IpAddr::V6(ip) => ip.to_bits() as usize,
        };
        let lane = &self.lanes[place % self.lanes.len()];
        lane.bundles.lock().push_back(bundle);
        lane.wake.notify_one();
        self.receiver.set_waiting(self.waiting.load(Ordering::Relaxed));
    }
}

async fn work(lane: Arc<Lane>, receiver: Arc<Receiver>, waiting: Arc<AtomicUsize>) {
    loop {
        let wake = lane.wake.notified();
        let bundle = lane.bundles.lock().pop_front();
        let Some(mut bundle) = bundle else {
            wake.await;
            continue;
        };
        let mut from = 0;
        for end in bundle.ends {
            receiver.packet(&bundle.peer, &mut bundle.bytes[from..end]);
            from = end;
            waiting.fetch_sub(1, Ordering::Relaxed);
        }
        receiver.set_waiting(waiting.load(Ordering::Relaxed));
        tokio::task::yield_now().await;
    }
}
