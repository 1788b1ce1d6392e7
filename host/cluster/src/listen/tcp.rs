//! Connections from siblings. Whoever sends faster than is applied has to wait: that is what a connection is for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::StreamReader;

use crate::link::{self, OPENING};
use crate::peer::Peer;
use crate::receive::Receiver;

/// Connections at once, of all siblings together.
const MAX_CONNECTIONS: usize = 1024;
/// Bytes read at once.
const READ: usize = 64 << 10;
/// How long the rest of an opening may take.
const OPENED: Duration = Duration::from_secs(5);
/// Pause after an accept that failed for lack of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections to the end of the daemon.
pub(super) async fn accept(listener: TcpListener, receiver: Arc<Receiver>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                receiver.context.complain("sibling accept", format!("siblings cannot connect: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Dropping the connection closes it.
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            let text = "siblings have too many connections: one was refused";
            receiver.context.complain(text, text);
            continue;
        };
        let receiver = Arc::clone(&receiver);
        tokio::spawn(async move {
            serve(stream, from, &receiver, permit).await;
        });
    }
}

/// Reads packets until the sibling ends, sends nonsense or is removed.
async fn serve(
    mut stream: TcpStream,
    from: SocketAddr,
    receiver: &Arc<Receiver>,
    permit: OwnedSemaphorePermit,
) {
    let Some(peer) = receiver.sender(from.ip()) else { return };
    // Without it a sibling that vanished holds its place for longer.
    let _ = rustix::net::sockopt::set_socket_keepalive(&stream, true);
    let mut reader = StreamReader::default();
    let mut first = true;
    loop {
        let buffer = reader.buffer();
        buffer.reserve(READ);
        let read = tokio::select! {
            read = stream.read_buf(buffer) => read,
            () = peer.queue.closed() => return,
        };
        if !matches!(read, Ok(1..)) {
            break;
        }
        if std::mem::take(&mut first) {
            let sessions = receiver.context.sessions().and_then(|sessions| sessions.handle());
            if let Some(sessions) = sessions
                && begins_session(&mut stream, reader.buffer()).await
            {
                let bytes = std::mem::take(reader.buffer());
                return open_session(&sessions, stream, bytes, from, peer, receiver, permit);
            }
        }
        // A session may bring the same; until that is known it can wait.
        tokio::select! {
            _ = peer.standing.settled() => {}
            () = peer.queue.closed() => return,
        }
        loop {
            match reader.next_packet() {
                Ok(Some(packet)) => receiver.packet(&peer, packet),
                Ok(None) => break,
                Err(empty) => {
                    let text = format!("the connection of the sibling {from} was closed: {empty}");
                    return receiver.context.complain(&format!("closed {}", from.ip()), text);
                }
            }
        }
    }
    if reader.pending() > 0 {
        let text = format!("the sibling {from} ended its connection in the middle of a packet");
        receiver.context.complain(&format!("closed {}", from.ip()), text);
    }
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
    permit: OwnedSemaphorePermit,
) {
    // It goes on where sessions are served; a socket that cannot go there is closed.
    let Ok(stream) = stream.into_std() else { return };
    let receiver = Arc::clone(receiver);
    sessions.spawn(async move {
        link::serve(stream, bytes, from, peer, receiver).await;
        drop(permit);
    });
}
