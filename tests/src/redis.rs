//! A redis-server of the test's own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use crate::process::{self, Process};
use crate::{Daemon, PATIENCE, address, tools};

/// A running server; killed when dropped.
pub struct Redis {
    process: Process,
    /// Where it listens.
    pub addr: SocketAddr,
    folder: TempDir,
    client: Vec<String>,
}

impl Redis {
    /// A plain one.
    pub fn start() -> Redis {
        Redis::at(address::fresh())
    }

    /// A plain one at this address.
    pub fn at(addr: SocketAddr) -> Redis {
        Redis::with(
            addr,
            TempDir::with_prefix("portcullis-redis-").unwrap(),
            &["--port", &addr.port().to_string()],
            &[],
        )
    }

    /// One with these arguments, and these for clients that talk to it; `folder` is its own.
    pub fn with(addr: SocketAddr, folder: TempDir, arguments: &[&str], client: &[&str]) -> Redis {
        let mut command = Command::new(tools::system_tool("redis-server"));
        command.current_dir(folder.path()).args([
            "--bind",
            &addr.ip().to_string(),
            "--save",
            "",
            // Of the loopback addresses it trusts 127.0.0.1 alone.
            "--protected-mode",
            "no",
            "--dir",
            ".",
        ]);
        let process = Process::start(command.args(arguments));
        process.stdout.wait_for("Ready to accept connections");
        let client = client.iter().map(|&word| word.to_owned()).collect();
        Redis { process, addr, folder, client }
    }

    /// One with TLS and one user, `wf` with the password `secret`, who may touch these keys by these commands; and its
    /// certificate.
    pub fn with_tls(keys: &str, commands: &[&str]) -> (Redis, Vec<u8>) {
        let addr = address::fresh();
        let folder = TempDir::with_prefix("portcullis-redis-").unwrap();
        let openssl = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        process::run_ok(
            Command::new(tools::system_tool("openssl"))
                .current_dir(folder.path())
                .args(openssl)
                .args([
                    "-keyout",
                    "key.pem",
                    "-out",
                    "cert.pem",
                    "-days",
                    "2",
                    "-subj",
                    "/CN=redis",
                    "-addext",
                ])
                .arg(format!("subjectAltName=IP:{}", addr.ip()))
                .args(["-addext", "basicConstraints=critical,CA:FALSE"]),
        );
        let certificate = std::fs::read(folder.path().join("cert.pem")).unwrap();
        let port = addr.port().to_string();
        let tls =
            ["--port", "0", "--tls-port", &port, "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem"];
        let more = ["--tls-ca-cert-file", "cert.pem", "--tls-auth-clients", "no"];
        let user = ["--user", "wf", "on", ">secret", keys];
        let arguments = [&tls[..], &more, &user, commands].concat();
        (Redis::with(addr, folder, &arguments, &["--tls", "--cacert", "cert.pem"]), certificate)
    }

    /// A node of a cluster, alone.
    pub fn cluster_node() -> Redis {
        let addr = address::fresh();
        Redis::cluster_node_seen_at(addr, addr.port())
    }

    /// One that tells clients another port than it listens at.
    pub fn cluster_node_seen_at(addr: SocketAddr, port_for_clients: u16) -> Redis {
        let folder = TempDir::with_prefix("portcullis-redis-").unwrap();
        let (ip, port) = (addr.ip().to_string(), addr.port().to_string());
        // Otherwise the nodes take the address that the kernel connects from, which is 127.0.0.1.
        let own = ["--bind-source-addr", &ip, "--cluster-announce-ip", &ip];
        // What one node has is to be had while another one is away.
        let cluster = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"];
        let (seen, bus) = (port_for_clients.to_string(), (addr.port() + 10_000).to_string());
        let ports = ["--port", &port, "--cluster-announce-port", &seen, "--cluster-announce-bus-port", &bus];
        let arguments = [&ports[..], &cluster, &own].concat();
        Redis::with(addr, folder, &arguments, &["-c"])
    }

    /// Joins the cluster of three that this node is of, and gets no slots.
    pub fn join(&self, node: &Redis) {
        let (ip, port) = (node.addr.ip().to_string(), node.addr.port().to_string());
        self.cli(&["CLUSTER", "MEET", &ip, &port]);
        let deadline = Instant::now() + PATIENCE;
        let knows = |node: &Redis| {
            let told = node.cli(&["CLUSTER", "INFO"]);
            let nodes = node.cli(&["CLUSTER", "NODES"]);
            told.contains("cluster_state:ok")
                && nodes.lines().filter(|line| line.contains(" connected")).count() == 4
                && !nodes.contains("handshake")
        };
        while !(knows(self) && knows(node)) {
            assert!(Instant::now() < deadline, "the node does not join");
        }
    }

    /// Three that are a cluster.
    pub fn cluster() -> Vec<Redis> {
        let nodes: Vec<Redis> = (0..3).map(|_| Redis::cluster_node()).collect();
        let addresses: Vec<String> = nodes.iter().map(|node| node.addr.to_string()).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        nodes[0].cli(&[&["--cluster", "create"][..], &addresses, &["--cluster-yes"]].concat());
        for node in &nodes {
            let deadline = Instant::now() + PATIENCE;
            while !node.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok") {
                assert!(Instant::now() < deadline, "the cluster does not form");
            }
        }
        nodes
    }

    /// One that follows this master.
    pub fn replica(master: SocketAddr) -> Redis {
        let addr = address::fresh();
        let folder = TempDir::with_prefix("portcullis-redis-").unwrap();
        let (own, port) = (addr.ip().to_string(), addr.port().to_string());
        let of = format!("{} {}", master.ip(), master.port());
        let arguments =
            ["--port", &port, "--replicaof", &of, "--replica-announce-ip", &own, "--bind-source-addr", &own];
        Redis::with(addr, folder, &arguments, &[])
    }

    /// A sentinel that watches this master as the service `mine`, and alone decides that it is gone.
    pub fn sentinel(master: SocketAddr) -> Redis {
        let addr = address::fresh();
        let folder = TempDir::with_prefix("portcullis-redis-").unwrap();
        let (ip, port) = (master.ip(), master.port());
        let config = format!(
            "port {}\nbind {} -::1\nprotected-mode no\nsentinel announce-ip {}\nsentinel monitor mine {ip} {port} 1\n\
             sentinel down-after-milliseconds mine 1000\nsentinel failover-timeout mine 5000\n",
            addr.port(),
            addr.ip(),
            addr.ip(),
        );
        std::fs::write(folder.path().join("sentinel.conf"), config).unwrap();
        let mut command = Command::new(tools::system_tool("redis-server"));
        command.current_dir(folder.path()).args(["sentinel.conf", "--sentinel"]);
        let process = Process::start(&command);
        process.stdout.wait_for("+monitor master mine");
        Redis { process, addr, folder, client: Vec::new() }
    }

    /// Of a sentinel: waits until it knows this replica and could make it the master.
    pub fn wait_for_replica(&self, replica: SocketAddr) {
        let deadline = Instant::now() + PATIENCE;
        while !self.cli(&["SENTINEL", "REPLICAS", "mine"]).contains(&replica.port().to_string()) {
            assert!(Instant::now() < deadline, "the sentinel does not find the replica");
        }
    }

    /// Stops it in the middle of what it does, or lets it go on.
    pub fn freeze(&self, frozen: bool) {
        self.process.signal(if frozen { "STOP" } else { "CONT" });
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What redis-cli prints for a command, without the last newline.
    pub fn cli(&self, arguments: &[&str]) -> String {
        process::run_ok(&mut self.command(arguments)).trim_end_matches('\n').to_owned()
    }

    /// The same, if the server does not end the connection: one that a sentinel makes the master drops its clients.
    pub fn try_cli(&self, arguments: &[&str]) -> Option<String> {
        let output = process::run(&mut self.command(arguments));
        let text = String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned();
        output.status.success().then_some(text)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tools::system_tool("redis-cli"));
        command.current_dir(self.folder.path()).env_remove("REDISCLI_AUTH");
        command.args(["-h", &self.addr.ip().to_string(), "-p", &self.addr.port().to_string()]);
        command.args(&self.client).args(arguments);
        command
    }

    /// Waits until redis-cli prints this for a command.
    pub fn wait_for(&self, arguments: &[&str], wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.cli(arguments);
            if found == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "{arguments:?}: {found:?}, not {wanted:?}");
        }
    }

    /// How many keys it has.
    pub fn size(&self) -> usize {
        self.cli(&["DBSIZE"]).parse().unwrap()
    }

    /// Commands of this name that it has run.
    pub fn calls(&self, command: &str) -> u64 {
        let text = self.cli(&["INFO", "commandstats"]);
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
    }

    /// Ends it at once.
    pub fn kill(mut self) {
        self.process.kill();
    }
}

/// How many slots a cluster has.
pub const SLOTS: u16 = 16384;

/// The slot of a cluster that a key without braces is in: CRC16 (XMODEM) of the key.
pub fn slot(key: &str) -> u16 {
    let step = |crc: u16, byte: u8| {
        let shift = |crc: u16, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
        (0..8).fold(crc ^ u16::from(byte) << 8, shift)
    };
    key.bytes().fold(0, step) % SLOTS
}

/// Changes of a daemon's blacklist that wait for a server.
pub fn waiting(daemon: &Daemon) -> usize {
    let waiting = daemon.client().metric("portcullis_redis_wlbl_waiting{type=\"bl\"}");
    format!("{:.0}", waiting.unwrap()).parse().unwrap()
}
