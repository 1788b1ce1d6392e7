//! A connection to each server that has keys of its own: one server, or the masters of a cluster. They are apart from each
//! other, so that one that hangs holds up no other.

use std::ops::RangeInclusive;

use redis::Value;
use redis::aio::MultiplexedConnection;
use tokio::task::JoinSet;

use crate::link::{Limits, LinkError, first, single};
use crate::target::{Mode, Target};

/// Slots of a cluster.
const SLOTS: u16 = 16_384;

/// The servers.
pub(crate) struct Nodes(Vec<Node>);

/// One of them.
pub(crate) struct Node {
    slots: Vec<RangeInclusive<u16>>,
    /// Its address, for messages and to know it again.
    pub name: String,
    /// Or why there is none.
    pub connection: Result<MultiplexedConnection, String>,
}

impl Nodes {
    /// Connects to all of them. Of a cluster some may be away; `known`: nodes that it had before, for when those of the target
    /// do not answer, and those that it has after this.
    pub(crate) async fn open(
        target: &Target,
        limits: Limits,
        known: &mut Vec<(String, u16)>,
    ) -> Result<Nodes, LinkError> {
        if target.mode != Mode::Cluster {
            let connection = Ok(single(target, limits).await?);
            let slots = vec![0..=SLOTS - 1];
            return Ok(Nodes(vec![Node { slots, name: target.to_string(), connection }]));
        }
        let mut connecting = JoinSet::new();
        let masters = masters(target, limits, known).await?;
        *known = masters.iter().map(|(host, _)| host.clone()).collect();
        for (host, slots) in masters {
            let alone = Target { hosts: vec![host], mode: Mode::Single, ..target.clone() };
            connecting.spawn(async move {
                let connection = first(&alone, limits).await.map_err(|error| error.to_string());
                Node { slots, name: alone.to_string(), connection }
            });
        }
        Ok(Nodes(connecting.join_all().await))
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Node] {
        &self.0
    }

    /// Why not all of them can be reached, if that is so.
    pub(crate) fn trouble(&self) -> Option<String> {
        let away = |node: &Node| Some((node.name.clone(), node.connection.as_ref().err()?.clone()));
        self.0
            .iter()
            .find_map(away)
            .map(|(name, why)| format!("the node {name} of the cluster is away: {why}"))
    }

    /// Whether one of them can be reached.
    pub(crate) fn some_are_there(&self) -> bool {
        self.0.iter().any(|node| node.connection.is_ok())
    }

    /// The place of the server with this key and the connection to it, if it can be reached.
    pub(crate) fn connection(&self, key: &[u8]) -> Option<(usize, MultiplexedConnection)> {
        let slot = slot(key);
        let place = self.0.iter().position(|node| node.slots.iter().any(|slots| slots.contains(&slot)))?;
        Some((place, self.0[place].connection.as_ref().ok()?.clone()))
    }

    /// A server did not answer, or sent elsewhere.
    pub(crate) fn lose(&mut self, place: usize, why: String) {
        if let Some(node) = self.0.get_mut(place) {
            node.connection = Err(why);
        }
    }
}

type Master = ((String, u16), Vec<RangeInclusive<u16>>);

/// The masters of a cluster as the first host that answers knows them: of those that are configured, then of those that were
/// masters.
async fn masters(target: &Target, limits: Limits, known: &[(String, u16)]) -> Result<Vec<Master>, LinkError> {
    let mut last = None;
    for host in target.hosts.iter().chain(known) {
        let alone = Target { hosts: vec![host.clone()], mode: Mode::Single, ..target.clone() };
        let asked = async {
            let mut connection = first(&alone, limits).await?;
            let slots: Value = redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?;
            Ok::<_, LinkError>(read_masters(&slots, &host.0))
        };
        match asked.await {
            Ok(masters) if !masters.is_empty() => return Ok(masters),
            Ok(_) => {}
            Err(error) => last = Some(error),
        }
    }
    let none =
        || redis::RedisError::from((redis::ErrorKind::ClusterConnectionNotFound, "no node has any slots"));
    Err(last.unwrap_or_else(|| none().into()))
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
