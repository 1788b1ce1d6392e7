//! A network of the test's own: a network namespace that has nothing but a loopback interface, on which the kernel can be told
//! to drop packets.
//!
//! A test in it runs in a process of its own, which `unshare` starts: as root, or in a user namespace otherwise. Nothing leaves
//! it, and what is dropped in it nobody else misses. Packets are dropped by nftables, when they arrive: senders hear
//! nothing of it, as with `tc netem` (which many kernels are built without).

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::process::Command;

use serde_json::Value;

use crate::{namespace, process, tools};

/// The network that a test has for itself.
pub struct Network(());

/// Runs `body` in a network of its own. `test`: the name of the test that calls this, which is run again inside.
///
/// # Panics
/// The machine allows no network namespaces, or the test failed in there.
pub fn inside(test: &str, body: impl FnOnce(&Network)) {
    if namespace::NETWORK.entered(test) {
        process::run_ok(Command::new(tools::system_tool("ip")).args(["link", "set", "lo", "up"]));
        body(&Network(()));
    }
}

impl Network {
    /// From now on the kernel drops so many of a hundred packets from one of `ones` to one of `others`, and back.
    pub fn lose(&self, percent: u8, ones: &[IpAddr], others: &[IpAddr]) {
        self.lose_each(percent, percent, ones, others);
    }

    /// The same with a number for datagrams and one for TCP.
    pub fn lose_each(&self, udp: u8, tcp: u8, ones: &[IpAddr], others: &[IpAddr]) {
        let list = |addrs: &[IpAddr]| addrs.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
        let (ones, others) = (list(ones), list(others));
        // One transaction; the counter and the table outlive it.
        let mut rules = String::from(
            "add table ip loss\nadd counter ip loss lost\nadd chain ip loss lossy\n\
             add chain ip loss input { type filter hook input priority 0; policy accept; }\n\
             flush chain ip loss input\nflush chain ip loss lossy\n",
        );
        for (from, to) in [(&ones, &others), (&others, &ones)] {
            // The first rule that fits is the last one that is looked at.
            writeln!(rules, "add rule ip loss input ip saddr {{ {from} }} ip daddr {{ {to} }} goto lossy")
                .unwrap();
        }
        for (protocol, percent) in [("udp", udp), ("tcp", tcp)] {
            let which = match percent {
                0 => continue,
                1..100 => format!("numgen random mod 100 < {percent}"),
                _ => String::new(),
            };
            writeln!(rules, "add rule ip loss lossy meta l4proto {protocol} {which} counter name lost drop")
                .unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules");
        fs::write(&file, rules).unwrap();
        process::run_ok(nft().arg("-f").arg(file));
    }

    /// Packets that were dropped so far.
    pub fn lost(&self) -> u64 {
        let text = process::run_ok(nft().args(["-j", "list", "counter", "ip", "loss", "lost"]));
        let found: Value = serde_json::from_str(&text).unwrap();
        let objects = found["nftables"].as_array().unwrap();
        let counter = objects.iter().find_map(|object| object.get("counter")).expect("the counter");
        counter["packets"].as_u64().unwrap()
    }
}

fn nft() -> Command {
    Command::new(tools::system_tool("nft"))
}
