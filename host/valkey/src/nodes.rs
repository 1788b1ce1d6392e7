//! A connection to each server that has keys of its own: one server, or the masters of a cluster. They are apart from each
//! other, so that one that hangs holds up no other.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::task::JoinSet;

use crate::guests::Guests;
use crate::link::{Limits, LinkError, first, single};
use crate::target::{Mode, Target};

/// Slots of a cluster.
const SLOTS: u16 = 16_384;

/// The servers.
pub(crate) struct Nodes {
    servers: Vec<Node>,
    /// Of a cluster: how its nodes are connected to.
    cluster: Option<(Target, Limits)>,
    /// Nodes that are none of these, to which keys have moved: they are new.
    guests: Arc<Guests>,
    /// A key was elsewhere than these say.
    stale: AtomicBool,
}

/// Where a node is.
pub(crate) type Host = (String, u16);
/// A node of which the connection is kept.
type Kept<'n> = (&'n Host, &'n MultiplexedConnection);

/// One of them.
pub(crate) struct Node {
    /// Of a cluster: where it says that it is.
    host: Option<Host>,
    slots: Vec<RangeInclusive<u16>>,
    /// Its address, for messages and to know it again.
    pub name: String,
    /// Or why there is none.
    pub connection: Result<MultiplexedConnection, String>,
}

impl Nodes {
    fn of(servers: Vec<Node>, cluster: Option<(Target, Limits)>, guests: Arc<Guests>) -> Self {
        Self { servers, cluster, guests, stale: AtomicBool::new(false) }
    }

    /// Connects to all of them. Of a cluster some may be away; `known`: nodes that it had before, for when those of the target
    /// do not answer, and those that it has after this.
    pub(crate) async fn open(
        target: &Target,
        limits: Limits,
        known: &mut Vec<Host>,
    ) -> Result<Nodes, LinkError> {
        if target.mode != Mode::Cluster {
            let connection = Ok(single(target, limits).await?);
            let slots = vec![0..=SLOTS - 1];
            let node = Node { host: None, slots, name: target.to_string(), connection };
            return Ok(Nodes::of(vec![node], None, Arc::default()));
        }
        let masters = masters(target, limits, known).await?;
        let nodes = connect(target, limits, masters, &[], Arc::default()).await;
        *known = nodes.hosts();
        Ok(nodes)
    }

    /// Of a cluster: where they are.
    pub(crate) fn hosts(&self) -> Vec<Host> {
        self.servers.iter().filter_map(|node| node.host.clone()).collect()
    }

    /// Of a cluster: the same as it is now. Connections are kept, but for those at these places.
    pub(crate) async fn renewed(
        &self,
        target: &Target,
        limits: Limits,
        silent: &BTreeSet<usize>,
    ) -> Result<Nodes, LinkError> {
        let kept: Vec<Kept<'_>> = self
            .servers
            .iter()
            .enumerate()
            .filter_map(|(place, node)| {
                let connection = node.connection.as_ref().ok().filter(|_| !silent.contains(&place))?;
                Some((node.host.as_ref()?, connection))
            })
            .collect();
        for (host, connection) in &kept {
            if let Ok(masters) = ask_masters(&mut (*connection).clone(), &host.0).await
                && !masters.is_empty()
            {
                return Ok(connect(target, limits, masters, &kept, self.guests.clone()).await);
            }
        }
        let masters = masters(target, limits, &self.hosts()).await?;
        Ok(connect(target, limits, masters, &kept, self.guests.clone()).await)
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Node] {
        &self.servers
    }

    /// Why not all of them can be reached, if that is so.
    pub(crate) fn trouble(&self) -> Option<String> {
        let away = |node: &Node| Some((node.name.clone(), node.connection.as_ref().err()?.clone()));
        self.servers
            .iter()
            .find_map(away)
            .map(|(name, why)| format!("the node {name} of the cluster is away: {why}"))
    }

    /// Whether one of them can be reached.
    pub(crate) fn some_are_there(&self) -> bool {
        self.servers.iter().any(|node| node.connection.is_ok())
    }

    /// The place of the server with this key.
    pub(crate) fn place(&self, key: &[u8]) -> Option<usize> {
        let slot = slot(key);
        self.servers.iter().position(|node| node.slots.iter().any(|slots| slots.contains(&slot)))
    }

    /// The place of the server with this key and the connection to it, if it can be reached.
    pub(crate) fn connection(&self, key: &[u8]) -> Option<(usize, MultiplexedConnection)> {
        let place = self.place(key)?;
        Some((place, self.servers[place].connection.as_ref().ok()?.clone()))
    }

    /// The same of the node that this answer (`MOVED`, `ASK`) sends to.
    pub(crate) fn sent_to(&self, answer: &RedisError) -> Option<(usize, MultiplexedConnection)> {
        let host = sent_on(answer)?;
        let place = self.servers.iter().position(|node| node.host.as_ref() == Some(&host))?;
        Some((place, self.servers[place].connection.as_ref().ok()?.clone()))
    }

    /// A server did not answer, or sent elsewhere.
    pub(crate) fn lose(&mut self, place: usize, why: String) {
        if let Some(node) = self.servers.get_mut(place) {
            node.connection = Err(why);
        }
    }
}

impl Nodes {
    /// What the server with this key says to a command, or, of one key alone, the one that the key has moved to or is moving to.
    ///
    /// # Errors
    /// It says that it cannot, or there is no connection to it.
    pub(crate) async fn ask(&self, key: &[u8], command: &Cmd) -> Result<Value, RedisError> {
        let away = || RedisError::from((ErrorKind::ClusterConnectionNotFound, "the node of the key is away"));
        let (_, mut node) = self.connection(key).ok_or_else(away)?;
        let answer = node.req_packed_command(command).await.and_then(Value::extract_error);
        let Err(error) = &answer else { return answer };
        let (Some(cluster), Some(host)) = (&self.cluster, sent_on(error)) else { return answer };
        if error.kind() == ErrorKind::Server(ServerErrorKind::Moved) {
            self.stale.store(true, Ordering::Relaxed);
        }
        match self.servers.iter().find(|node| node.host.as_ref() == Some(&host)) {
            Some(node) => {
                let mut other = node.connection.as_ref().ok().cloned().ok_or_else(away)?;
                asking(&mut other, command.clone()).await
            }
            None => self.guests.ask(&cluster.0, cluster.1, &host, command.clone()).await,
        }
    }

    /// Whether keys were found elsewhere than they should be.
    pub(crate) fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }
}

/// The node that this answer (`MOVED`, `ASK`) sends to.
fn sent_on(answer: &RedisError) -> Option<Host> {
    let (host, port) = answer.redirect_node()?.0.rsplit_once(':')?;
    // An empty one is one that the server does not know.
    if host.is_empty() { None } else { Some((host.to_owned(), port.parse().ok()?)) }
}

/// This host of a cluster, by itself.
pub(crate) fn alone(target: &Target, host: &Host) -> Target {
    Target { hosts: vec![host.clone()], mode: Mode::Single, ..target.clone() }
}

/// A command for a node that only has a part of the key's slot, because it is moving there.
///
/// # Errors
/// The first of the two answers that is an error.
pub(crate) async fn asking(node: &mut MultiplexedConnection, command: Cmd) -> Result<Value, RedisError> {
    let mut both = redis::pipe();
    both.cmd("ASKING").add_command(command);
    let mut answer = Value::Nil;
    for each in node.req_packed_commands(&both, 0, 2).await? {
        answer = each.extract_error()?;
    }
    Ok(answer)
}

type Master = (Host, Vec<RangeInclusive<u16>>);

/// Connections to these, all at once. Those of guests that have slots now are kept, too.
async fn connect(
    target: &Target,
    limits: Limits,
    masters: Vec<Master>,
    kept: &[Kept<'_>],
    guests: Arc<Guests>,
) -> Nodes {
    let mut connecting = JoinSet::new();
    for (host, slots) in masters {
        let guest = guests.take(&host);
        let old = kept.iter().find(|(known, _)| **known == host).map(|(_, connection)| (*connection).clone());
        let old = old.or(guest);
        let alone = alone(target, &host);
        connecting.spawn(async move {
            let connection = match old {
                Some(connection) => Ok(connection),
                None => first(&alone, limits).await.map_err(|error| error.to_string()),
            };
            Node { host: Some(host), slots, name: alone.to_string(), connection }
        });
    }
    Nodes::of(connecting.join_all().await, Some((target.clone(), limits)), guests)
}

/// The masters of a cluster as the first host that answers knows them: of those that are configured, and if none of these
/// does, of those that were masters.
async fn masters(target: &Target, limits: Limits, known: &[Host]) -> Result<Vec<Master>, LinkError> {
    let mut last = None;
    for hosts in [&target.hosts[..], known] {
        let mut asking = JoinSet::new();
        for host in hosts {
            let alone = alone(target, host);
            let host = host.0.clone();
            asking.spawn(async move { ask_masters(&mut first(&alone, limits).await?, &host).await });
        }
        // Those that hang are not waited for.
        while let Some(asked) = asking.join_next().await {
            match asked {
                Ok(Ok(masters)) if !masters.is_empty() => return Ok(masters),
                Ok(Err(error)) => last = Some(error),
                _ => {}
            }
        }
    }
    let none = || RedisError::from((ErrorKind::ClusterConnectionNotFound, "no node has any slots"));
    Err(last.unwrap_or_else(|| none().into()))
}

/// The masters of a cluster as a node knows them that was asked by this name.
async fn ask_masters(node: &mut MultiplexedConnection, name: &str) -> Result<Vec<Master>, LinkError> {
    let slots: Value = redis::cmd("CLUSTER").arg("SLOTS").query_async(node).await?;
    Ok(read_masters(&slots, name))
}

/// Reads the answer to `CLUSTER SLOTS`: of each range its first and last slot, then its master and its replicas, each with the
/// endpoint that clients should use (nothing: the host that was asked) and a port.
fn read_masters(answer: &Value, asked: &str) -> Vec<Master> {
    let mut masters: Vec<Master> = Vec::new();
    let Value::Array(ranges) = answer else { return masters };
    for range in ranges {
        let Value::Array(range) = range else { continue };
        let [Value::Int(from), Value::Int(to), Value::Array(master), ..] = &range[..] else { continue };
        let [endpoint, Value::Int(port), ..] = &master[..] else { continue };
        let endpoint = match endpoint {
            Value::Nil => asked.to_owned(),
            Value::BulkString(text) if text.is_empty() => asked.to_owned(),
            Value::BulkString(text) => String::from_utf8_lossy(text).into_owned(),
            Value::SimpleString(text) => text.clone(),
            _ => continue,
        };
        let (Ok(from), Ok(to), Ok(port)) = (u16::try_from(*from), u16::try_from(*to), u16::try_from(*port))
        else {
            continue;
        };
        if endpoint == "?" || port == 0 {
            continue;
        }
        let host = (endpoint, port);
        match masters.iter_mut().find(|(known, _)| *known == host) {
            Some((_, slots)) => slots.push(from..=to),
            None => masters.push((host, vec![from..=to])),
        }
    }
    masters
}

/// The slot of a key: CRC16 (XMODEM) of what is between its first braces if there is something, else of all of it.
fn slot(key: &[u8]) -> u16 {
    let tagged = key.iter().position(|byte| *byte == b'{').and_then(|from| {
        let rest = &key[from + 1..];
        let to = rest.iter().position(|byte| *byte == b'}').filter(|to| *to > 0)?;
        Some(&rest[..to])
    });
    let byte = |crc: u16, byte: &u8| {
        let shift = |crc: u16, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
        (0..8).fold(crc ^ u16::from(*byte) << 8, shift)
    };
    tagged.unwrap_or(key).iter().fold(0, byte) % SLOTS
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        // 0x31c3 is the specification's CRC of the check string.
        assert_eq!(slot(b"123456789"), 0x31c3);
        for (key, found) in [
            (&b"foo"[..], 12182),
            (b"{user1000}.following", slot(b"user1000")),
            (b"foo{}{bar}", slot(b"foo{}{bar}")),
            (b"foo{{bar}}zap", slot(b"{bar")),
            (b"foo{bar}{zap}", 5061),
            (b"bar", 5061),
            (b"", 0),
        ] {
            assert_eq!(slot(key), found, "{}", String::from_utf8_lossy(key));
        }
        assert_ne!(slot(b"foo{}{bar}"), slot(b"bar"), "the first braces count, and are empty");
    }

    #[test]
    fn masters_are_read_from_what_a_node_says() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let node = |endpoint, port| Value::Array(vec![endpoint, Value::Int(port), text("id")]);
        let range = |from, to, nodes: Vec<Value>| {
            Value::Array([vec![Value::Int(from), Value::Int(to)], nodes].concat())
        };
        let answer = Value::Array(vec![
            range(0, 5460, vec![node(text("192.0.2.1"), 7000), node(text("192.0.2.9"), 7009)]),
            range(5461, 10922, vec![node(Value::Nil, 7001)]),
            range(10923, 16000, vec![node(text("c.example"), 7002)]),
            range(16001, 16383, vec![node(text("192.0.2.1"), 7000)]),
            // What is none is left out.
            range(1, 2, vec![node(text("?"), 1)]),
            range(1, 2, vec![]),
            range(-1, 70_000, vec![node(text("x"), 1)]),
            Value::Okay,
        ]);
        let host = |name: &str, port| (name.to_owned(), port);
        assert_eq!(
            read_masters(&answer, "asked"),
            [
                (host("192.0.2.1", 7000), vec![0..=5460, 16001..=16383]),
                (host("asked", 7001), vec![5461..=10922]),
                (host("c.example", 7002), vec![10923..=16000]),
            ]
        );
        assert!(read_masters(&Value::Nil, "asked").is_empty());
    }
}
