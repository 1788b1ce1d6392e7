//! Loopback addresses that no other test uses.
//!
//! All of 127.0.0.0/8 is the machine itself on Linux. Each test process takes an address made from its process id, and
//! counts ports up on it: nothing to look for, nothing to race for.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};

/// The address of this test process, in 127.64.0.0/10.
pub fn own() -> Ipv4Addr {
    // Process ids have at most 22 bits on Linux.
    let id = std::process::id() & 0x003f_ffff;
    Ipv4Addr::from(0x7f40_0000 | id)
}

/// A port of this process' own address that has not been given out before.
pub fn fresh() -> SocketAddr {
    // Below the ephemeral ports, which the kernel gives to outgoing connections.
    static NEXT: AtomicU16 = AtomicU16::new(10_000);
    SocketAddr::from((own(), NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Another address of this test process, for daemons that must tell each other by it: 1, 2 or 3.
pub fn beside(which: u8) -> Ipv4Addr {
    let id = std::process::id() & 0x003f_ffff;
    // Two blocks above the own one, and the one below it.
    let block = [0x7f80_0000, 0x7fc0_0000, 0x7f00_0000][usize::from(which.clamp(1, 3) - 1)];
    Ipv4Addr::from(block | id)
}
