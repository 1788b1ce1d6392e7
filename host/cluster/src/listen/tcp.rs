//! Connections from siblings. Whoever sends faster than is applied has to wait: that is what a connection is for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use wire::StreamReader;

use crate::receive::Receiver;

/// Connections at once, of all siblings together.
const MAX_CONNECTIONS: usize = 1024;
/// Bytes read at once.
const READ: usize = 64 << 10;
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
            serve(stream, from, &receiver).await;
            drop(permit);
        });
    }
}

/// Reads packets until the sibling ends, sends nonsense or is removed.
async fn serve(mut stream: TcpStream, from: SocketAddr, receiver: &Receiver) {
    let Some(peer) = receiver.sender(from.ip()) else { return };
    // Without it a sibling that vanished holds its place for longer.
    let _ = rustix::net::sockopt::set_socket_keepalive(&stream, true);
    let mut reader = StreamReader::default();
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
