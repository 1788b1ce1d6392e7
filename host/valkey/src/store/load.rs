//! What the servers have, at the start.

use std::time::Duration;

use bstr::{BStr, BString};
use capabilities::lists::Origin;
use capabilities::log::Level;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind};
use tokio::task::JoinSet;

use super::{Broken, LOG_EVERY, ListStore, now};
use crate::entry;
use crate::nodes::{Nodes, asking};

/// Keys that a step of a walk should look at.
const SCAN_COUNT: usize = 1000;
/// What one step of a walk over all keys may take, however short the limit of a write is.
const WALK: Duration = Duration::from_secs(5);

impl ListStore {
    /// Adds what the servers have, except for what was changed here meanwhile. A node that is away is loaded from later.
    pub(super) async fn load(&self, nodes: &mut Nodes) -> Result<(), Broken> {
        let limits = self.limits();
        let (mut loaded, mut all, mut failed) = (0, true, Vec::new());
        for (place, node) in nodes.all().iter().enumerate() {
            let known = self.loaded_from.lock().contains(&node.name);
            match &node.connection {
                Err(_) => all &= known,
                Ok(_) if known => {}
                Ok(connection) => {
                    let mut connection = connection.clone();
                    connection.set_response_timeout(limits.response.max(WALK));
                    match self.load_from(nodes, &mut connection).await {
                        Ok(count) => {
                            loaded += count;
                            self.loaded_from.lock().insert(node.name.clone());
                        }
                        Err(error) => failed.push((place, error)),
                    }
                }
            }
        }
        all &= failed.is_empty();
        for (place, error) in &failed {
            nodes.lose(*place, error.to_string());
        }
        if let Some((_, error)) = failed.pop()
            && !nodes.some_are_there()
        {
            return Err(Broken::Server(error));
        }
        let (target, list) = (&self.options.target, self.list());
        if all {
            self.capabilities.log.notice(format!("Redis {target}: {loaded} entries of the {list} loaded"));
            self.loaded.send_replace(true);
        } else {
            let why = nodes.trouble().unwrap_or_default();
            let text = format!("Redis {target}: {loaded} entries of the {list} loaded, not all: {why}");
            self.capabilities.log.limited(
                &format!("{target} {list} in part"),
                LOG_EVERY,
                Level::Warning,
                &text,
            );
        }
        Ok(())
    }

    async fn load_from(
        &self,
        nodes: &Nodes,
        master: &mut MultiplexedConnection,
    ) -> Result<usize, RedisError> {
        let (mut cursor, mut loaded) = (0_u64, 0);
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("{}*", entry::prefix(self.colour)));
            let (next, keys): (u64, Vec<Vec<u8>>) =
                scan.arg("COUNT").arg(SCAN_COUNT).query_async(master).await?;
            let mut reads = JoinSet::new();
            for key in keys {
                let mut master = master.clone();
                reads.spawn(async move {
                    let value: Result<Option<Vec<u8>>, _> = get(&key).query_async(&mut master).await;
                    (key, value)
                });
            }
            while let Some(read) = reads.join_next().await {
                let Ok((key, mut value)) = read else { continue };
                if let Err(error) = &value
                    && is_moving(error)
                {
                    value = read_moving(nodes, master, &key).await;
                }
                match value {
                    Ok(Some(value)) => loaded += usize::from(self.take_in(&key, &value)),
                    // Its time was over in between.
                    Ok(None) => {}
                    Err(error) if error.is_io_error() || error.is_timeout() || is_moving(&error) => {
                        return Err(error);
                    }
                    Err(error) => self.skip(&key, &error.to_string()),
                }
            }
            cursor = next;
            if cursor == 0 {
                return Ok(loaded);
            }
        }
    }

    fn take_in(&self, key: &[u8], value: &[u8]) -> bool {
        let Some((kind, name)) = entry::parse_key(self.colour, key) else {
            self.skip(key, "no such type of entry");
            return false;
        };
        let Some((expiration, reason)) = entry::parse_value(value) else {
            self.skip(key, "its value is not EXPIRY:REASON");
            return false;
        };
        if self.pending.lock().contains(&BString::from(key)) {
            return false;
        }
        let now = now();
        // What is over is purged within a second, with its event (wforce compatibility).
        let left = u32::try_from(expiration.saturating_sub(now)).unwrap_or(u32::MAX);
        let list = self.capabilities.lists.list(self.colour);
        let fine = list.add_key(now, kind, name, left, reason, Origin::Loaded);
        if !fine {
            self.skip(key, "no address or network");
        }
        fine
    }

    fn skip(&self, key: &[u8], why: &str) {
        let text = format!("Redis {}: the key {:?} is left out: {why}", self.options.target, BStr::new(key));
        self.capabilities.log.warn(text);
    }
}

fn get(key: &[u8]) -> Cmd {
    let mut get = redis::cmd("GET");
    get.arg(key);
    get
}

/// Whether the key's slot is elsewhere, or in two places.
fn is_moving(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(ServerErrorKind::Ask | ServerErrorKind::Moved))
}

/// The value of a key that this node has named and does not give: it has come there before the rest of its slot, or has gone on
/// since.
async fn read_moving(
    nodes: &Nodes,
    node: &mut MultiplexedConnection,
    key: &[u8],
) -> Result<Option<Vec<u8>>, RedisError> {
    let mut answer = asking(node, get(key)).await;
    if let Err(error) = &answer
        && let Some((_, mut other)) = nodes.sent_to(error)
    {
        answer = asking(&mut other, get(key)).await;
    }
    Ok(redis::from_redis_value(answer?)?)
}
