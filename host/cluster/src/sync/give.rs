//! The running side: every key of every stats DB as one message, on one connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use statsdb::{FieldState, KeyState};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use wire::replication::{StatsAction, StatsOp, SyncField, SyncSlot, encode_stats};
use wire::{Key, seal_packet, stream_head};

use crate::batch::MAX_MESSAGE_BYTES;
use crate::context::Context;
use crate::send::tcp::connect;

/// How long one write may take: longer, and the other side does not read.
const WRITE: Duration = Duration::from_secs(30);
/// Bytes put together before they are written.
const CHUNK: usize = 64 << 10;

/// Why a sync ended early.
#[derive(Debug, thiserror::Error)]
pub enum GiveError {
    /// There is no key to encrypt with.
    #[error("there is no key: setKey(\"...\") is missing in the configuration, and the request brought none")]
    NoKey,
    /// The other daemon cannot be reached, or went away.
    #[error("cannot send to {addr}: {source}")]
    Connection {
        /// Where it hears siblings.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// Sends all stats DBs to `addr`, whether they replicate or not, least recently written keys first. Lists are not sent
/// (wforce compatibility). Gives the number of messages.
///
/// # Errors
/// See [`GiveError`].
pub async fn give(context: &Context, addr: SocketAddr, key: Option<Key>) -> Result<u64, GiveError> {
    let common = context.security.key();
    let key = key.as_ref().or(common.as_deref()).ok_or(GiveError::NoKey)?;
    let failed = |source| GiveError::Connection { addr, source };
    let connecting = tokio::time::timeout(context.connect_timeout(), connect(context.listener(), addr));
    let connected = connecting.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let mut stream = connected.map_err(failed)?;
    let (mut out, mut message, mut count) = (Vec::with_capacity(2 * CHUNK), Vec::new(), 0);
    for db in context.caps.stats.all() {
        for state in db.local().dump() {
            for fields in parts(&state) {
                message.clear();
                encode(db.name(), &state.key, &fields, &mut message);
                if message.len() > MAX_MESSAGE_BYTES {
                    // A message replaces all windows of a field, so one field cannot be told in two (wforce compatibility).
                    context.caps.metrics.sync_fields_skipped.inc();
                    let text = format!(
                        "sync: a field of a key of the stats DB {} is too long to be sent",
                        db.name()
                    );
                    context.complain(&text, &text);
                    continue;
                }
                let mut nonce = context.security.nonces(1).ok_or(GiveError::NoKey)?;
                let from = out.len();
                out.extend_from_slice(&[0; 2]);
                seal_packet(key, &mut nonce, &message, &mut out);
                if let Ok(head) = stream_head(out.len() - from - 2) {
                    out[from..from + 2].copy_from_slice(&head);
                }
                count += 1;
            }
            if out.len() >= CHUNK {
                write(&mut stream, &out).await.map_err(failed)?;
                out.clear();
            }
        }
    }
    write(&mut stream, &out).await.map_err(failed)?;
    stream.shutdown().await.map_err(failed)?;
    Ok(count)
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    tokio::time::timeout(WRITE, stream.write_all(bytes))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The fields of a key in as few messages as they fit in.
fn parts(state: &KeyState) -> Vec<Vec<SyncField<'_>>> {
    let room = MAX_MESSAGE_BYTES.saturating_sub(state.key.len() + 1024);
    let (mut parts, mut bytes) = (vec![Vec::new()], 0);
    for field in &state.fields {
        let field = sync_field(field);
        bytes += field.encoded_bytes() + 8;
        if bytes > room && parts.last().is_some_and(|part: &Vec<_>| !part.is_empty()) {
            parts.push(Vec::new());
            bytes = field.encoded_bytes() + 8;
        }
        if let Some(part) = parts.last_mut() {
            part.push(field);
        }
    }
    parts
}

fn sync_field(field: &FieldState) -> SyncField<'_> {
    let slots = field.slots.iter().map(|slot| SyncSlot { time: slot.time, bytes: &slot.bytes });
    SyncField { name: &field.name, start: field.start, slots: slots.collect() }
}

fn encode(db: &[u8], key: &[u8], fields: &[SyncField<'_>], out: &mut Vec<u8>) {
    let op = StatsOp { fields: fields.to_vec(), ..StatsOp::new(db, StatsAction::SyncKey, key) };
    encode_stats(&op, false, out);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use statsdb::Slot;

    use super::*;

    #[test]
    fn a_key_too_long_for_one_message_is_sent_field_by_field() {
        let field = |name: &str, bytes| FieldState {
            name: name.into(),
            start: 1,
            slots: vec![Slot { time: 1, bytes: vec![0; bytes] }],
        };
        let fields = vec![field("a", 30_000), field("b", 30_000), field("c", 30_000), field("d", 5)];
        let state = KeyState { shard: 0, key: "k".into(), fields };
        let names: Vec<Vec<&[u8]>> =
            parts(&state).iter().map(|part| part.iter().map(|field| field.name).collect()).collect();
        assert_eq!(names, [vec![&b"a"[..], b"b"], vec![b"c", b"d"]]);
        for part in parts(&state) {
            let mut message = Vec::new();
            encode(b"db", b"k", &part, &mut message);
            assert!(message.len() <= MAX_MESSAGE_BYTES);
        }
    }
}
