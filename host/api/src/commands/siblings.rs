//! The commands of the cluster.

use std::net::SocketAddr;
use std::sync::Arc;

use cluster::dump::Form;
use cluster::sync::Wish;
use cluster::{Cluster, DEFAULT_PORT, PeerConfig, Protocol, Table, Target};
use http::StatusCode;
use login::Addr;
use login::json::{ArrayWriter, ObjectWriter, Value};
use wire::Key;

use super::text;
use crate::command::Peers;
use crate::failure::{Refusal, parse, told};
use crate::reply::{self, Reply};

/// A sibling as it was asked for, its host not looked up yet.
struct Asked {
    host: Vec<u8>,
    port: u16,
    protocol: Protocol,
    key: Option<Key>,
    stats: bool,
    lists: bool,
}

impl Asked {
    fn new(host: Vec<u8>, port: u16, protocol: Protocol) -> Self {
        Self { host, port, protocol, key: None, stats: true, lists: true }
    }

    /// Looks a host name up, which may wait for DNS.
    fn resolve(self) -> Result<PeerConfig, Refusal> {
        let target = Target::new(&self.host, self.port, self.protocol)
            .map_err(|error| Refusal::invalid(error.to_string()))?;
        Ok(PeerConfig { target, key: self.key, stats: self.stats, lists: self.lists })
    }
}

/// `syncDBs`
pub(crate) fn sync_dbs(cluster: Option<&Arc<Cluster>>, body: &[u8]) -> Reply {
    let start = || {
        let body = parse(body)?;
        let [host, port, url, password] = required(
            &body,
            [b"replication_host", b"replication_port", b"callback_url", b"callback_auth_pw"],
            "One of mandatory parameters [replication_host, replication_port, callback_url, callback_auth_pw] is missing",
        )?;
        let addr = addr(host, port)?;
        // The key comes as raw bytes, not as base64.
        let key = text(&body, b"encryption_key").map(Key::from_bytes).transpose();
        let wish = Wish {
            addr,
            key: key.map_err(|error| Refusal::invalid(format!("encryption_key: {error}")))?,
            callback: String::from_utf8_lossy(url.as_str().unwrap_or_default()).into_owned(),
            password: password.as_str().unwrap_or_default().to_vec(),
        };
        if cluster.is_some_and(|cluster| cluster.grant(wish)) {
            Ok(reply::ok())
        } else {
            Err(Refusal::NotAvailable("syncDBs"))
        }
    };
    told(start())
}

/// `dumpEntries`
pub(crate) fn dump_entries(cluster: Option<&Arc<Cluster>>, body: &[u8]) -> Reply {
    let start = || {
        let body = parse(body)?;
        let missing = "One of mandatory parameters [dump_host, dump_port] is missing";
        let [host, port] = required(&body, [b"dump_host", b"dump_port"], missing)?;
        let addr = addr(host, port)?;
        let cluster = cluster.ok_or(Refusal::NotAvailable("dumpEntries"))?;
        // Not in wforce: its own form has to be asked for.
        let old = body.get(b"compat").is_some_and(Value::is_true);
        if cluster.dump(addr, if old { Form::Old } else { Form::Json }) {
            Ok(reply::ok())
        } else {
            Err(Refusal::Busy("A DB dump is already in progress"))
        }
    };
    told(start())
}

const MISSING: &str = "One of mandatory parameters [sibling_host, sibling_port] is missing";
const NO_HOST: &str = "Mandatory parameter [sibling_host] is missing";

impl Peers {
    fn of(self, cluster: &Cluster) -> &Arc<Table> {
        match self {
            Self::Siblings => cluster.siblings(),
            Self::Destinations => cluster.destinations(),
            Self::Sources => cluster.sources(),
        }
    }

    /// The command's name, of those for each of them.
    fn named(self, names: [&'static str; 3]) -> &'static str {
        names[self as usize]
    }

    /// Reads one of them.
    fn asked(self, one: &Value<'_>, missing: &str) -> Result<Asked, Refusal> {
        match self {
            Self::Sources => source(one),
            Self::Siblings | Self::Destinations => sibling(one, missing),
        }
    }
}

/// `addSibling` and its like.
pub(crate) async fn add(cluster: Option<&Arc<Cluster>>, peers: Peers, body: &[u8]) -> Reply {
    let asked = parse(body).and_then(|body| peers.asked(&body, MISSING));
    let name = peers.named(["addSibling", "addReplicationForwarderDest", "addReplicationForwarderSrc"]);
    change(name, cluster, asked.map(|asked| vec![asked]), move |cluster, mut configs| {
        let Some(config) = configs.pop() else { return Ok(()) };
        peers.of(cluster).add(config).map_err(|error| Refusal::invalid(error.to_string()))
    })
    .await
}

/// `removeSibling` and its like.
pub(crate) async fn remove(cluster: Option<&Arc<Cluster>>, peers: Peers, body: &[u8]) -> Reply {
    let asked = parse(body).and_then(|body| {
        if peers == Peers::Sources {
            return Ok(vec![source(&body)?]);
        }
        let [host, port] = required(&body, [b"sibling_host", b"sibling_port"], MISSING)?;
        Ok(vec![Asked::new(host_text(host)?, sibling_port(port)?, Protocol::Udp)])
    });
    let names = ["removeSibling", "removeReplicationForwarderDest", "removeReplicationForwarderSrc"];
    change(peers.named(names), cluster, asked, move |cluster, configs| {
        configs.iter().try_for_each(|config| {
            // Without a reason (wforce compatibility).
            peers.of(cluster).remove(&config.target).map_err(|_| Refusal::invalid(""))
        })
    })
    .await
}

/// `setSiblings` and its like.
pub(crate) async fn set(cluster: Option<&Arc<Cluster>>, peers: Peers, body: &[u8]) -> Reply {
    let asked = parse(body).and_then(|body| {
        let siblings = body.get(b"siblings").and_then(Value::as_array).ok_or_else(|| {
            Refusal::invalid("Mandatory parameter [siblings] is missing or is not an array")
        })?;
        let missing = "Mandatory parameter(s) [sibling_host, sibling_port] are missing";
        siblings.iter().map(|one| peers.asked(one, missing)).collect()
    });
    let names = ["setSiblings", "setReplicationForwarderDests", "setReplicationForwarderSrcs"];
    change(peers.named(names), cluster, asked, move |cluster, configs| {
        for duplicate in peers.of(cluster).set(configs) {
            cluster.context().caps.log.warn(duplicate.to_string());
        }
        Ok(())
    })
    .await
}

/// `getSiblings` and its like. Keys are shown: whoever has the password could set them, too.
pub(crate) fn get(cluster: Option<&Arc<Cluster>>, peers: Peers) -> Reply {
    let found = cluster.map(|cluster| peers.of(cluster).peers()).unwrap_or_default();
    let mut out = Vec::with_capacity(64 + 160 * found.len());
    let mut object = ObjectWriter::new(&mut out);
    let mut array = ArrayWriter::new(object.member(b"siblings"));
    for peer in found.iter() {
        let (config, addr) = (peer.config(), peer.addr());
        let mut one = ObjectWriter::new(array.item());
        if peers != Peers::Sources {
            if let Some(key) = &config.key {
                one.str(b"encryption_key", key.to_base64().as_bytes());
            }
            one.bool(b"send_sdb", config.stats).bool(b"send_wlbl", config.lists);
        }
        one.str(b"sibling_host", addr.ip().to_string().as_bytes());
        if peers != Peers::Sources {
            one.int(b"sibling_port", addr.port().into());
        }
        one.str(b"sibling_protocol", peer.protocol().name().as_bytes());
        one.finish();
    }
    array.finish();
    object.finish();
    reply::json(StatusCode::OK, out)
}

/// Looks hosts up where waiting for DNS holds up nobody, and makes the change.
async fn change(
    command: &'static str,
    cluster: Option<&Arc<Cluster>>,
    asked: Result<Vec<Asked>, Refusal>,
    change: impl FnOnce(&Cluster, Vec<PeerConfig>) -> Result<(), Refusal> + Send + 'static,
) -> Reply {
    let asked = match asked {
        Ok(asked) => asked,
        Err(refusal) => return refusal.into(),
    };
    let Some(cluster) = cluster.cloned() else { return Refusal::NotAvailable(command).into() };
    let changed = tokio::task::spawn_blocking(move || {
        let configs = asked.into_iter().map(Asked::resolve).collect::<Result<_, _>>()?;
        change(&cluster, configs)
    });
    match changed.await {
        Ok(Ok(())) => reply::ok(),
        Ok(Err(refusal)) => refusal.into(),
        // The runtime is ending.
        Err(_) => Refusal::Unusable.into(),
    }
}

fn required<'v, 't, const N: usize>(
    body: &'v Value<'t>,
    keys: [&[u8]; N],
    missing: &str,
) -> Result<[&'v Value<'t>; N], Refusal> {
    let found: Vec<_> = keys.iter().filter_map(|key| body.get(key)).collect();
    found.try_into().map_err(|_| Refusal::invalid(missing))
}

/// An address and a port.
fn addr(host: &Value<'_>, port: &Value<'_>) -> Result<SocketAddr, Refusal> {
    let addr =
        Addr::parse(host.as_str().unwrap_or_default()).map_err(|error| Refusal::Invalid(error.reason()))?;
    let port = u16::try_from(port.int()).ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| Refusal::invalid("the port is not a number from 1 to 65535"))?;
    Ok(SocketAddr::new(addr.ip, port))
}

/// wforce compatibility: no number, or 0, means the usual port. A number that is no port would be another sibling than the one
/// that was meant.
fn sibling_port(port: &Value<'_>) -> Result<u16, Refusal> {
    match port.int() {
        0 => Ok(DEFAULT_PORT),
        number => u16::try_from(number)
            .map_err(|_| Refusal::invalid("sibling_port is not a number from 1 to 65535")),
    }
}

fn host_text(host: &Value<'_>) -> Result<Vec<u8>, Refusal> {
    let host = host.as_str().filter(|host| !host.is_empty());
    host.map(<[u8]>::to_vec).ok_or_else(|| Refusal::invalid("sibling_host is no address or host name"))
}

fn sibling(one: &Value<'_>, missing: &str) -> Result<Asked, Refusal> {
    let [host, port] = required(one, [b"sibling_host", b"sibling_port"], missing)?;
    let host = host_text(host)?;
    let protocol = match text(one, b"sibling_protocol") {
        None | Some(b"udp") => Protocol::Udp,
        Some(b"tcp") => Protocol::Tcp,
        Some(b"none") => return Err(Refusal::invalid("Invalid sibling_protocol: none")),
        Some(other) => {
            let reason = [b"Sibling::stringToProtocol(): Unknown protocol ", other].concat();
            return Err(Refusal::invalid(reason));
        }
    };
    let key = text(one, b"encryption_key").filter(|key| !key.is_empty()).map(Key::from_base64).transpose();
    let key = key.map_err(|error| Refusal::invalid(format!("encryption_key: {error}")))?;
    // Only a forwarder's clients ask for less than everything (wforce compatibility).
    let wanted = |flag: &[u8]| one.get(flag).is_none_or(Value::is_true);
    let (stats, lists) = (wanted(b"send_sdb"), wanted(b"send_wlbl"));
    Ok(Asked { key, stats, lists, ..Asked::new(host, sibling_port(port)?, protocol) })
}

/// A forwarder that is only heard; its port says nothing.
fn source(one: &Value<'_>) -> Result<Asked, Refusal> {
    let [host] = required(one, [b"sibling_host"], NO_HOST)?;
    Ok(Asked::new(host_text(host)?, DEFAULT_PORT, Protocol::None))
}
