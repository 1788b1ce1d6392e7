//! The index of a part, of a key that was counted by itself while its slot moves.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use capabilities::log::Level;
use redis::{ErrorKind, RedisError};

use super::trouble::is_lost;
use super::{Inner, LOG_EVERY, Waits};
use crate::nodes::Nodes;

impl Inner {
    /// Notes a key in its index: the key, the index, now, and the seconds that the index lives. The key is counted by then, whatever
    /// becomes of this: a call that failed for it would be made again and counted twice. So no call waits, and a failure is only
    /// told; the next count of the key notes it again.
    pub(super) fn write_index(self: Arc<Self>, nodes: &Arc<Nodes>, words: [&[u8]; 4]) {
        if self.indexing.fetch_add(1, Ordering::AcqRel) >= self.options.max_waiting {
            self.indexing.fetch_sub(1, Ordering::AcqRel);
            return self.not_noted(&"too many others wait for that");
        }
        let ([key, index, now, life], nodes) = (words.map(<[u8]>::to_vec), nodes.clone());
        tokio::spawn(async move {
            let _waits = Waits(&self.indexing);
            let (mut add, mut expire) = (redis::cmd("ZADD"), redis::cmd("EXPIRE"));
            add.arg(&index).arg(now).arg(key);
            expire.arg(&index).arg(life);
            let write = async {
                nodes.ask(&index, &add).await?;
                nodes.ask(&index, &expire).await
            };
            let late = || RedisError::from((ErrorKind::Io, "it does not answer in time"));
            let written = tokio::time::timeout(self.options.timeout, write).await;
            if let Err(error) = written.unwrap_or_else(|_| Err(late())) {
                if is_lost(&error) {
                    self.broken.notify_one();
                }
                self.not_noted(&error);
            }
        });
    }

    fn not_noted(&self, why: &dyn std::fmt::Display) {
        let (name, target) = (&self.name, &self.options.target);
        let text = format!(
            "stats DB {name}: {target}: a key was counted while its slot moves, and its index could not be written: {why}"
        );
        self.capabilities.log.limited(&format!("stats DB index {name}"), LOG_EVERY, Level::Warning, &text);
    }
}
