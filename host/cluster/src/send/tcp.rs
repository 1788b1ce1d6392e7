//! A connection to one sibling, made in the background and made again when it breaks.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

use super::MAX_WAIT;
use crate::batch::Sealed;
use crate::context::Context;
use crate::peer::Peer;
use crate::table::source;

/// The pause after the first failed connect; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long what was sent may stay unacknowledged before the connection is given up, milliseconds.
const UNACKNOWLEDGED_MS: u32 = 30_000;

/// What happens to messages while there is no connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// They wait for it.
    Keep,
    /// One connect is tried, if no earlier one just failed.
    Once,
}

/// The connection, once there is one.
#[derive(Default)]
pub(super) struct Tcp {
    stream: Option<(SocketAddr, TcpStream)>,
    pause: Option<Duration>,
    next_try: Option<Instant>,
}

impl Tcp {
    /// Sends these packets. What cannot be sent in time is counted.
    pub(super) async fn send(
        &mut self,
        context: &Context,
        peer: &Peer,
        sealed: &Sealed,
        places: Range<usize>,
        patience: Patience,
    ) {
        let Range { mut start, end } = places;
        let give_up = Instant::now() + MAX_WAIT;
        while start < end && !peer.is_removed() {
            let Some(stream) = self.connection(context, peer, patience, give_up).await else {
                return peer.counters.not_sent((end - start) as u64);
            };
            let (sent, outcome) = write(stream, peer, sealed, start..end).await;
            peer.counters.sent(sent as u64);
            start += sent;
            if let Err(error) = outcome {
                let addr = peer.addr();
                peer.counters.not_sent(1);
                let text = format!("the connection to the sibling {addr} broke: {error}");
                context.complain(&addr.to_string(), text);
                self.stream = None;
            }
        }
    }

    /// The connection; made now if need be, as often as it takes until the time is up.
    async fn connection(
        &mut self,
        context: &Context,
        peer: &Peer,
        patience: Patience,
        give_up: Instant,
    ) -> Option<&TcpStream> {
        let addr = peer.addr();
        if self.stream.as_ref().is_some_and(|(old, stream)| *old != addr || is_closed(stream)) {
            self.stream = None;
        }
        let mut tried = false;
        while self.stream.is_none() {
            if peer.is_removed() || Instant::now() >= give_up {
                return None;
            }
            if let Some(next_try) = self.next_try {
                if patience == Patience::Once && (tried || next_try > Instant::now()) {
                    return None;
                }
                tokio::select! {
                    () = tokio::time::sleep_until(next_try.min(give_up)) => {}
                    () = peer.queue.closed() => return None,
                }
            }
            self.connect(context, peer).await;
            tried = true;
        }
        self.stream.as_ref().map(|(_, stream)| stream)
    }

    async fn connect(&mut self, context: &Context, peer: &Peer) {
        let addr = peer.addr();
        let connecting = tokio::time::timeout(context.connect_timeout(), connect(context.listener(), addr));
        let error = match connecting.await {
            Ok(Ok(stream)) => {
                (self.pause, self.next_try) = (None, None);
                self.stream = Some((addr, stream));
                return;
            }
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        let pause = self.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        (self.pause, self.next_try) = (Some(pause), Some(Instant::now() + pause));
        peer.counters.connect_failed();
        peer.look_up.notify_one();
        context.complain(&addr.to_string(), format!("cannot connect to the sibling {addr}: {error}"));
    }
}

/// A connection from the address that siblings know us by or, where there is no way from it, from any.
pub(crate) async fn connect(listener: Option<SocketAddr>, addr: SocketAddr) -> io::Result<TcpStream> {
    let open = || if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let mut found = None;
    if let Some(ip) = source(listener, addr) {
        let socket = open()?;
        if socket.bind(SocketAddr::new(ip, 0)).is_ok() {
            match socket.connect(addr).await {
                Ok(stream) => found = Some(stream),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Err(error),
                Err(_) => {}
            }
        }
    }
    let stream = match found {
        Some(stream) => stream,
        None => open()?.connect(addr).await?,
    };
    stream.set_nodelay(true)?;
    // Without them a dead sibling is noticed later, that is all.
    let _ = sockopt::set_socket_keepalive(&stream, true);
    let _ = sockopt::set_tcp_user_timeout(&stream, UNACKNOWLEDGED_MS);
    Ok(stream)
}

/// Whether the sibling closed its end. It never sends anything here.
fn is_closed(stream: &TcpStream) -> bool {
    let mut bytes = [0; 64];
    match stream.try_read(&mut bytes) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

/// Writes packets; says how many were wholly written.
async fn write(
    stream: &TcpStream,
    peer: &Peer,
    sealed: &Sealed,
    places: Range<usize>,
) -> (usize, io::Result<()>) {
    let first = places.start;
    let bytes = sealed.stream(places);
    let mut written = 0;
    while written < bytes.len() {
        let outcome = match stream.try_write(&bytes[written..]) {
            Ok(count) => {
                written += count;
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::select! {
                    outcome = stream.writable() => outcome,
                    () = peer.queue.closed() => Err(io::ErrorKind::Interrupted.into()),
                }
            }
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            return (sealed.whole(first, written), outcome);
        }
    }
    (sealed.whole(first, written), Ok(()))
}
