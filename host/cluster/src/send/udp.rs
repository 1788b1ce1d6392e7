//! Datagrams to one sibling.

use std::io::{self, IoSlice};
use std::net::SocketAddr;

use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use wire::MAX_DATAGRAM_BYTES;

use crate::batch::Sealed;
use crate::context::Context;
use crate::peer::Peer;
use crate::table::bound_for;

/// Datagrams in one system call.
const AT_ONCE: usize = 32;

/// The socket, once there is one.
#[derive(Default)]
pub(super) struct Udp {
    socket: Option<(SocketAddr, UdpSocket)>,
}

impl Udp {
    /// Sends the first `count` packets; returns the places of those that are too long for a datagram.
    pub(super) async fn send(
        &mut self,
        context: &Context,
        peer: &Peer,
        sealed: &Sealed,
        count: usize,
    ) -> Vec<usize> {
        let (mut fit, mut long) = (Vec::with_capacity(count), Vec::new());
        for place in 0..count {
            if sealed.packet(place).len() < MAX_DATAGRAM_BYTES { &mut fit } else { &mut long }.push(place);
        }
        let mut rest = &fit[..];
        while !rest.is_empty() {
            let socket = match self.socket(context, peer) {
                Ok(socket) => socket,
                Err(error) => {
                    failed(context, peer, &error, rest.len());
                    return long;
                }
            };
            let batch = &rest[..rest.len().min(AT_ONCE)];
            match send_some(socket, sealed, batch).await {
                Ok(sent) => {
                    peer.counters.sent(sent as u64);
                    rest = &rest[sent..];
                }
                Err(error) => {
                    // It may be about an earlier datagram: this one is tried once more.
                    failed(context, peer, &error, 1);
                    let _ = send_some(socket, sealed, &batch[..1]).await;
                    rest = &rest[1..];
                }
            }
        }
        long
    }

    fn socket(&mut self, context: &Context, peer: &Peer) -> io::Result<&UdpSocket> {
        let addr = peer.addr();
        if self.socket.as_ref().is_none_or(|(old, _)| *old != addr) {
            let socket = bound_for(context.listener(), addr)?;
            // A larger one is welcome but not needed.
            let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, 4 << 20);
            socket.set_nonblocking(true)?;
            self.socket = Some((addr, UdpSocket::from_std(socket)?));
        }
        match &self.socket {
            Some((_, socket)) => Ok(socket),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// Sends some of these packets, at least one; says how many.
async fn send_some(socket: &UdpSocket, sealed: &Sealed, places: &[usize]) -> io::Result<usize> {
    if let [place] = places {
        return socket.send(sealed.packet(*place)).await.map(|_| 1);
    }
    let try_send = || {
        let slices: Vec<[IoSlice<'_>; 1]> =
            places.iter().map(|place| [IoSlice::new(sealed.packet(*place))]).collect();
        let mut controls: Vec<_> = places.iter().map(|_| SendAncillaryBuffer::default()).collect();
        let mut headers: Vec<MMsgHdr<'_>> =
            slices.iter().zip(&mut controls).map(|(slice, control)| MMsgHdr::new(slice, control)).collect();
        Ok(rustix::net::sendmmsg(socket, &mut headers, SendFlags::NOSIGNAL)?)
    };
    let sent = socket.async_io(Interest::WRITABLE, try_send).await?;
    Ok(sent.clamp(1, places.len()))
}

fn failed(context: &Context, peer: &Peer, error: &io::Error, messages: usize) {
    peer.counters.not_sent(messages as u64);
    peer.look_up.notify_one();
    let addr = peer.addr();
    context.complain(&addr.to_string(), format!("cannot send to the sibling {addr}: {error}"));
}
