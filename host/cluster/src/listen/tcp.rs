//! Connections from siblings. Whoever sends faster than is applied has to wait: that is what a connection is for. Whoever
//! begins a packet has to end it: half of one holds memory and a place.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};
use wire::StreamReader;

use super::room::{EACH, Full, Place, Room};
use crate::link::{self, OPENING};
use crate::peer::Peer;
use crate::receive::Receiver;

/// Bytes read at once.
const READ: usize = 64 << 10;
/// How long the rest of an opening may take.
const OPENED: Duration = Duration::from_secs(5);
/// Pause after an accept that failed for lack of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections to the end of the daemon.
pub(super) async fn accept(listener: TcpListener, receiver: Arc<Receiver>) {
    let room = Arc::new(Room::default());
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                receiver.context.complain("sibling accept", format!("siblings cannot connect: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let place = match room.take(from.ip()) {
            Ok(place) => place,
            Err(full) => {
                // Dropping the connection closes it.
                refuse(&receiver, from, full);
                continue;
            }
        };
        let receiver = Arc::clone(&receiver);
        tokio::spawn(async move {
            serve(stream, from, &receiver, place).await;
        });
    }
}

#[cold]
fn refuse(receiver: &Receiver, from: SocketAddr, full: Full) {
    let ip = from.ip();
    let (reason, text) = match full {
        Full::All => {
            ("full", "siblings have too many connections: one was refused, and so will be others".into())
        }
        Full::Address => (
            "address_full",
            format!(
                "{EACH} connections from {ip} are open, which is the most that one address may have: one was refused"
            ),
        ),
    };
    receiver.context.caps.metrics.replication_refused(reason);
    receiver.context.complain(&format!("{reason} {ip}"), text);
}

/// Reads packets until the sibling ends, sends nonsense or is removed.
async fn serve(mut stream: TcpStream, from: SocketAddr, receiver: &Arc<Receiver>, place: Place) {
    let Some(peer) = receiver.sender(from.ip()) else { return };
    // Without it a sibling that vanished holds its place for longer.
    let _ = rustix::net::sockopt::set_socket_keepalive(&stream, true);
    let mut reader = StreamReader::default();
    let mut first = true;
    // Until when a packet that has begun has to be here.
    let mut due: Option<Instant> = None;
    loop {
        let buffer = reader.buffer();
        buffer.reserve(READ);
        let more = async {
            match due {
                Some(due) => timeout_at(due, stream.read_buf(buffer)).await,
                None => Ok(stream.read_buf(buffer).await),
            }
        };
        let read = tokio::select! {
            read = more => read,
            () = peer.queue.closed() => return,
        };
        match read {
            Ok(Ok(1..)) => {}
            Ok(_) => break,
            Err(_) => return too_slow(receiver, &peer, from),
        }
        if std::mem::take(&mut first) && begins_session(&mut stream, reader.buffer()).await {
            let sessions = receiver.context.sessions().and_then(|sessions| sessions.handle());
            // As by a wforce: whoever asks is told by the end of the connection that no sessions are spoken here.
            let Some(sessions) = sessions else { return };
            let bytes = std::mem::take(reader.buffer());
            return open_session(&sessions, stream, bytes, from, peer, receiver, place);
        }
        // A session may bring the same; until that is known it can wait.
        tokio::select! {
            _ = peer.standing.settled() => {}
            () = peer.queue.closed() => return,
        }
        loop {
            match reader.next_packet() {
                Ok(Some(packet)) => {
                    receiver.packet(&peer, packet);
                    due = None;
                }
                Ok(None) => break,
                Err(empty) => {
                    let text = format!("the connection of the sibling {from} was closed: {empty}");
                    return receiver.context.complain(&format!("closed {}", from.ip()), text);
                }
            }
        }
        due = (reader.pending() > 0)
            .then(|| due.unwrap_or_else(|| Instant::now() + receiver.context.frame_patience()));
    }
    if reader.pending() > 0 {
        let text = format!("the sibling {from} ended its connection in the middle of a packet");
        receiver.context.complain(&format!("closed {}", from.ip()), text);
    }
}

#[cold]
fn too_slow(receiver: &Receiver, peer: &Peer, from: SocketAddr) {
    receiver.context.caps.metrics.replication_refused("slow");
    peer.counters.received_bad();
    let text = format!(
        "the connection of the sibling {from} was closed: a packet that it began did not come to its end within {} s",
        receiver.context.frame_patience().as_secs()
    );
    receiver.context.complain(&format!("slow {}", from.ip()), text);
}

/// Whether a connection begins with the opening of a session; reads as much as it takes to know.
async fn begins_session(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> bool {
    let more = async {
        while bytes.len() < OPENING.len() && OPENING.starts_with(bytes) {
            if !matches!(stream.read_buf(bytes).await, Ok(1..)) {
                break;
            }
        }
    };
    // Somebody who says that little says nothing else either.
    let _ = tokio::time::timeout(OPENED, more).await;
    bytes.starts_with(OPENING)
}

fn open_session(
    sessions: &Handle,
    stream: TcpStream,
    bytes: Vec<u8>,
    from: SocketAddr,
    peer: Arc<Peer>,
    receiver: &Arc<Receiver>,
    place: Place,
) {
    // It goes on where sessions are served; a socket that cannot go there is closed.
    let Ok(stream) = stream.into_std() else { return };
    let receiver = Arc::clone(receiver);
    sessions.spawn(async move {
        link::serve(stream, bytes, from, peer, receiver).await;
        drop(place);
    });
}
