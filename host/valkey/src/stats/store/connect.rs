//! The connection: made, looked after, made again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use capabilities::log::Level;
use redis::RedisError;
use tokio::task::JoinSet;

use super::trouble::{advice, is_lost};
use super::{Inner, LOG_EVERY, Ready, random};
use crate::link::{Limits, LinkError};
use crate::nodes::{Host, Nodes};
use crate::stats::pace::{FIRST_PAUSE, LONGEST_PAUSE, Next, Pace, State};
use crate::stats::parts::{ALL, Set};
use crate::stats::plan::PARTITIONS;

impl Inner {
    fn limits(&self) -> Limits {
        Limits { connect: self.options.timeout * 5, response: self.options.timeout }
    }

    /// Connects, again and again.
    pub(super) async fn connect(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        // Of a cluster: the nodes that it had last.
        let mut known = Vec::new();
        loop {
            match self.open(&mut known).await {
                Ok((ready, state)) => {
                    pause = FIRST_PAUSE;
                    let text =
                        format!("stats DB {}: its counts are kept in {}", self.name, self.options.target);
                    let key = format!("stats DB kept {}", self.name);
                    self.capabilities.log.limited(&key, LOG_EVERY, Level::Notice, &text);
                    self.away.is_back();
                    self.partly.store(false, Ordering::Relaxed);
                    self.note(state);
                    *self.ready.lock() = Some(ready.clone());
                    self.connected.send_replace(true);
                    self.until_lost(ready, state, &mut known).await;
                }
                Err(error) => {
                    let advice = match &error {
                        LinkError::Server(error) if !self.is_apart() => advice(error),
                        _ => "",
                    };
                    let reason = format!("{error}{advice}");
                    if self.away.is_news(&reason) {
                        let text = format!(
                            "stats DB {}: {} cannot be used: {reason}; trying again",
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

    /// Connects. Of a cluster some nodes may be away, also the one with the seed of the rows.
    async fn open(&self, known: &mut Vec<Host>) -> Result<(Ready, State), LinkError> {
        let nodes = Nodes::open(&self.options.target, self.limits(), known).await?;
        let mut ready = Ready { nodes: Arc::new(nodes), rows: Arc::default() };
        if !self.is_apart() {
            self.seed(&ready).await?;
            return Ok((ready, State { away: 0, seeded: true }));
        }
        let state = self.look(&mut ready, known).await?;
        if state.away == ALL { Err(LinkError::Silent) } else { Ok((ready, state)) }
    }

    /// All daemons must count sketches in the same cells, which nobody outside shall know: the first one draws lots.
    async fn seed(&self, ready: &Ready) -> Result<(), RedisError> {
        let key = self.plan.seed_key();
        let (mut set, mut get) = (redis::cmd("SET"), redis::cmd("GET"));
        ready.nodes.ask(&key, set.arg(&key).arg(random()).arg("NX")).await?;
        let seed: u64 = redis::from_redis_value(ready.nodes.ask(&key, get.arg(&key)).await?)?;
        ready.rows.get_or_init(|| self.plan.rows(seed));
        Ok(())
    }

    /// Waits until the connection is of no use any more. One to a cluster still is while some of its nodes answer.
    async fn until_lost(&self, mut ready: Ready, mut state: State, known: &mut Vec<Host>) {
        let mut pace = Pace::default();
        loop {
            match pace.after(state) {
                Next::GiveUp => return self.complain_of(&LinkError::Silent),
                Next::Again(pause) => tokio::time::sleep(pause).await,
                Next::WhenBroken(pause) => {
                    tokio::time::sleep(pause).await;
                    self.broken.notified().await;
                }
            }
            if !self.is_apart() {
                return;
            }
            match self.look(&mut ready, known).await {
                Ok(found) => state = found,
                Err(error) => return self.complain_of(&error.into()),
            }
            self.note(state);
        }
    }

    fn complain_of(&self, error: &LinkError) {
        let text = format!("stats DB {}: {}: {error}", self.name, self.options.target);
        self.capabilities.log.limited(&text, LOG_EVERY, Level::Err, &text);
    }

    /// What of a cluster does not answer now; what has changed of it is connected to, and what was missing is fetched.
    ///
    /// # Errors
    /// The node with the seed refuses to tell it.
    async fn look(&self, ready: &mut Ready, known: &mut Vec<Host>) -> Result<State, RedisError> {
        let mut away = self.away_now(&ready.nodes).await;
        // Nobody waits for them while they are connected to anew.
        self.parts.lose(away);
        if away != 0 || ready.nodes.is_stale() {
            let gone = (0..PARTITIONS).filter(|partition| away & 1 << partition != 0);
            let silent =
                gone.filter_map(|partition| ready.nodes.place(&self.plan.index(partition))).collect();
            // If nobody tells how the cluster is now, it stays as it was.
            if let Ok(nodes) = ready.nodes.renewed(&self.options.target, self.limits(), &silent).await {
                *known = nodes.hosts();
                ready.nodes = Arc::new(nodes);
                away = self.away_now(&ready.nodes).await;
                // Not if the connection is only about to be used.
                if let Some(used) = &mut *self.ready.lock() {
                    used.nodes = ready.nodes.clone();
                }
            }
        }
        let known = !self.plan.has_sketches() || ready.rows.get().is_some();
        if known || away == ALL {
            return Ok(State { away, seeded: known });
        }
        match tokio::time::timeout(self.options.timeout, self.seed(ready)).await {
            Ok(Err(error)) if !is_lost(&error) => Err(error),
            seeded => Ok(State { away, seeded: matches!(seeded, Ok(Ok(()))) }),
        }
    }

    /// Which parts do not answer now.
    async fn away_now(&self, nodes: &Arc<Nodes>) -> Set {
        let mut all = JoinSet::new();
        for partition in 0..PARTITIONS {
            let (nodes, index) = (nodes.clone(), self.plan.index(partition));
            let timeout = self.options.timeout;
            all.spawn(async move {
                let mut count = redis::cmd("ZCARD");
                count.arg(&index);
                match tokio::time::timeout(timeout, nodes.ask(&index, &count)).await {
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

    /// Tells what of a DB in a cluster cannot be reached, if that is news.
    fn note(&self, state: State) {
        self.parts.set(state.away);
        self.metrics.reachable.set(i64::from(state.is_whole()));
        let (name, target) = (&self.name, &self.options.target);
        if !state.is_whole() && !self.partly.swap(true, Ordering::Relaxed) {
            let what = match state.away.count_ones() {
                0 => "sketches cannot be counted: the node with their seed cannot be reached".to_owned(),
                away => format!("{away} of its {PARTITIONS} parts cannot be reached"),
            };
            let text = format!("stats DB {name}: {target}: {what}");
            self.capabilities.log.limited(&format!("stats DB parts {name}"), LOG_EVERY, Level::Err, &text);
        } else if state.is_whole() && self.partly.swap(false, Ordering::Relaxed) {
            self.capabilities
                .log
                .notice(format!("stats DB {name}: {target}: all of it can be reached again"));
        }
    }
}
