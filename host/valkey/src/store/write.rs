//! Changes on their way to the servers.

use bstr::BString;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, ServerErrorKind};
use tokio::task::JoinSet;

use super::{Broken, ListStore, now};
use crate::nodes::{Nodes, asking};
use crate::pending::Change;

/// Changes that are written at once.
const BATCH: usize = 256;

impl ListStore {
    /// Writes what waits, so many changes. Those of a node that fails wait again; each of the others is tried once.
    pub(super) async fn write_all(&self, nodes: &mut Nodes, waiting: usize) -> Result<(), Broken> {
        let (mut tried, mut result) = (0, Ok(()));
        while tried < waiting && (result.is_ok() || nodes.some_are_there()) {
            let batch = self.pending.lock().take(BATCH.min(waiting - tried));
            if batch.is_empty() {
                break;
            }
            tried += batch.len();
            self.count_with(batch.len());
            result = result.and(self.write(nodes, batch).await);
            // Changes of nodes that are away are only looked at: others want to run meanwhile.
            tokio::task::yield_now().await;
        }
        result
    }

    /// Writes all of these; what could not be written waits again.
    async fn write(&self, nodes: &mut Nodes, batch: Vec<(BString, Change)>) -> Result<(), Broken> {
        let mut writes = JoinSet::new();
        let mut broken = None;
        for (key, change) in batch {
            let Some((place, connection)) = nodes.connection(&key) else {
                self.pending.lock().put_back(key, change);
                broken.get_or_insert_with(|| {
                    let why = nodes.trouble();
                    Broken::Partly(why.unwrap_or_else(|| "no node of the cluster has its slot".into()))
                });
                continue;
            };
            if matches!(change, Change::Set(..)) {
                self.capabilities.metrics.families.redis_updates.with_label_values(&[self.label()]).inc();
            }
            writes.spawn(Write { key, change, place, sent_on: false }.send(connection));
        }
        while let Some(done) = writes.join_next().await {
            // A task that panicked or was cancelled has lost its change; neither happens.
            let Ok((result, write)) = done else { continue };
            let Err(error) = result else { continue };
            if is_final(&error) && !write.sent_on {
                self.lost(1, &error.to_string());
                continue;
            }
            // The key's slot is on its way to another node, which has got the key, or gets it now. One that has no other slots
            // yet is not known here: then the change waits until the slot is there.
            if error.kind() == ErrorKind::Server(ServerErrorKind::Ask)
                && !write.sent_on
                && let Some((place, connection)) = nodes.sent_to(&error)
            {
                writes.spawn(Write { place, sent_on: true, ..write }.send(connection));
                continue;
            }
            self.pending.lock().put_back(write.key, write.change);
            nodes.lose(write.place, error.to_string());
            broken.get_or_insert(Broken::Server(error));
        }
        self.count();
        broken.map_or(Ok(()), Err)
    }
}

/// A change that is being written.
struct Write {
    key: BString,
    change: Change,
    /// To this node.
    place: usize,
    /// The one that has its slot has sent it on to there.
    sent_on: bool,
}

impl Write {
    async fn send(self, mut node: MultiplexedConnection) -> (Result<(), RedisError>, Self) {
        let command = command(&self.key, &self.change, now());
        let done = if self.sent_on {
            asking(&mut node, command).await.map(drop)
        } else {
            command.exec_async(&mut node).await
        };
        (done, self)
    }
}

/// The command for a change. What has no time left is deleted.
fn command(key: &BString, change: &Change, now: u64) -> redis::Cmd {
    match change {
        Change::Set(value, expiration) if *expiration > now => {
            let mut set = redis::cmd("SET");
            set.arg(key.as_slice()).arg(value.as_slice()).arg("EX").arg(expiration - now);
            set
        }
        Change::Set(..) | Change::Delete => {
            let mut delete = redis::cmd("DEL");
            delete.arg(key.as_slice());
            delete
        }
    }
}

/// Whether another attempt would get the same answer: the server understood and refused.
fn is_final(error: &RedisError) -> bool {
    let refused = ["NOPERM", "WRONGTYPE", "ERR"];
    let answered = matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension);
    answered && error.code().is_some_and(|code| refused.contains(&code))
}
