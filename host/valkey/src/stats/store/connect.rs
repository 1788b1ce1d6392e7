//! The connection: made, looked after, made again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use capabilities::log::Level;
use redis::Value;
use tokio::task::JoinSet;

use super::{Inner, LOG_EVERY, Ready, is_lost, random};
use crate::link::{Limits, Link, LinkError};
use crate::stats::parts::{ALL, Set};
use crate::stats::plan::PARTITIONS;

/// Pauses between two attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// After so many looks in a row at a cluster none of whose nodes answers, it is connected to anew.
const SILENT: u32 = 3;

impl Inner {
    fn limits(&self) -> Limits {
        Limits { connect: self.options.timeout * 5, response: self.options.timeout }
    }

    /// Connects, again and again.
    pub(super) async fn connect(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.open().await {
                Ok(ready) => {
                    pause = FIRST_PAUSE;
                    self.parts.set(0);
                    self.partly.store(false, Ordering::Relaxed);
                    *self.ready.lock() = Some(ready.clone());
                    self.metrics.reachable.set(1);
                    self.connected.send_replace(true);
                    let text =
                        format!("stats DB {}: its counts are kept in {}", self.name, self.options.target);
                    self.capabilities.log.notice(text);
                    self.away.store(false, Ordering::Relaxed);
                    self.until_lost(&ready.link).await;
                }
                Err(error) => {
                    if !self.away.swap(true, Ordering::Relaxed) {
                        let text = format!(
                            "stats DB {}: {} cannot be used: {error}; trying again",
                            self.name, self.options.target
                        );
                        self.capabilities.log.error(text);
                    }
                }
            }
            *self.ready.lock() = None;
            self.metrics.reachable.set(0);
            self.connected.send_replace(false);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn open(&self) -> Result<Ready, LinkError> {
        let mut link = Link::open(&self.options.target, self.limits()).await?;
        // All daemons must count in the same cells, which nobody outside shall know.
        let (key, random) = (self.plan.seed_key(), random());
        let mut set = redis::cmd("SET");
        let () = set.arg(&key).arg(random).arg("NX").query_async(&mut link).await?;
        let seed: u64 = redis::cmd("GET").arg(&key).query_async(&mut link).await?;
        Ok(Ready { link, rows: Arc::new(self.plan.rows(seed)) })
    }

    /// Waits until the connection is of no use any more. One to a cluster still is while some of its nodes answer.
    async fn until_lost(&self, link: &Link) {
        self.broken.notified().await;
        let (mut pause, mut silent) = (FIRST_PAUSE, 0);
        while self.is_apart() {
            let away = self.look(link).await;
            self.note(away);
            silent = if away == ALL { silent + 1 } else { 0 };
            if silent == SILENT {
                let text = format!("stats DB {}: {}: no node answers", self.name, self.options.target);
                self.capabilities.log.limited(&text, LOG_EVERY, Level::Err, &text);
                return;
            }
            if away == 0 {
                // A server that is only slow is not asked all the time on top of that.
                tokio::time::sleep(FIRST_PAUSE).await;
                self.broken.notified().await;
                pause = FIRST_PAUSE;
            } else {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Which parts do not answer now.
    async fn look(&self, link: &Link) -> Set {
        let mut all = JoinSet::new();
        for partition in 0..PARTITIONS {
            let (mut link, index) = (link.clone(), self.plan.index(partition));
            let timeout = self.options.timeout;
            all.spawn(async move {
                let mut command = redis::cmd("ZCARD");
                let asked = command.arg(index).query_async::<Value>(&mut link);
                match tokio::time::timeout(timeout, asked).await {
                    Ok(Err(error)) => (partition, is_lost(&error)),
                    answer => (partition, answer.is_err()),
                }
            });
        }
        let mut away = 0;
        while let Some(looked) = all.join_next().await {
            if let Ok((partition, true)) = looked {
                away |= 1 << partition;
            }
        }
        away
    }

    /// Tells which parts of a DB in a cluster cannot be reached, if that is news.
    fn note(&self, away: Set) {
        self.parts.set(away);
        self.metrics.reachable.set(i64::from(away == 0));
        let (name, target) = (&self.name, &self.options.target);
        if away != 0 && !self.partly.swap(true, Ordering::Relaxed) {
            let text = format!(
                "stats DB {name}: {target}: {} of its {PARTITIONS} parts cannot be reached",
                away.count_ones()
            );
            self.capabilities.log.limited(&format!("stats DB parts {name}"), LOG_EVERY, Level::Err, &text);
        } else if away == 0 && self.partly.swap(false, Ordering::Relaxed) {
            self.capabilities
                .log
                .notice(format!("stats DB {name}: {target}: all of it can be reached again"));
        }
    }
}
