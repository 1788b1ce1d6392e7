//! Hearing siblings: datagrams and connections on the same port.

mod room;
mod tcp;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustix::net::{AddressFamily, SocketType, ipproto, sockopt};
use tokio::runtime::Handle;

use crate::receive::Receiver;

/// Connections the kernel keeps for us while we are busy (wforce's number).
const BACKLOG: i32 = 1024;
/// Bytes of datagrams the kernel keeps for us while we are busy, if it lets us.
const RECEIVE_BUFFER: usize = 8 << 20;

/// The sockets of a listener, bound and not read yet.
pub(crate) struct Sockets {
    pub(crate) addr: SocketAddr,
    udp: std::net::UdpSocket,
    tcp: std::net::TcpListener,
}

impl Sockets {
    /// Binds both. A port of 0 is the same free one for both.
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let tcp = open(addr, SocketType::STREAM)?;
        sockopt::set_socket_reuseaddr(&tcp, true)?;
        rustix::net::bind(&tcp, &addr)?;
        rustix::net::listen(&tcp, BACKLOG)?;
        let tcp = std::net::TcpListener::from(tcp);
        let addr = tcp.local_addr()?;
        let udp = open(addr, SocketType::DGRAM)?;
        // Fewer are kept then.
        if sockopt::set_socket_recv_buffer_size_force(&udp, RECEIVE_BUFFER).is_err() {
            let _ = sockopt::set_socket_recv_buffer_size(&udp, RECEIVE_BUFFER);
        }
        rustix::net::bind(&udp, &addr)?;
        Ok(Self { addr, udp: udp.into(), tcp })
    }

    /// Reads them from now on, with `threads` tasks for what datagrams ask for.
    pub(crate) fn serve(self, runtime: &Handle, receiver: &Arc<Receiver>, threads: usize) -> io::Result<()> {
        let _inside = runtime.enter();
        self.tcp.set_nonblocking(true)?;
        self.udp.set_nonblocking(true)?;
        let tcp = tokio::net::TcpListener::from_std(self.tcp)?;
        let udp = tokio::net::UdpSocket::from_std(self.udp)?;
        runtime.spawn(tcp::accept(tcp, Arc::clone(receiver)));
        udp::serve(runtime, udp, receiver, threads);
        Ok(())
    }
}

fn open(addr: SocketAddr, kind: SocketType) -> io::Result<std::os::fd::OwnedFd> {
    let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = rustix::net::SocketFlags::CLOEXEC;
    let protocol = if kind == SocketType::STREAM { ipproto::TCP } else { ipproto::UDP };
    let socket = rustix::net::socket_with(family, kind, flags, Some(protocol))?;
    if addr.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    Ok(socket)
}
