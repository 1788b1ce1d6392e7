//! Nodes that a cluster does not name yet, as they have no slots: keys move to them. Each is connected to in a task of its own, so
//! that a call neither waits for the connection to another one, nor has to make one within the little time that it has.

use std::collections::BTreeMap;
use std::time::Instant;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, RedisError, Value};
use tokio::sync::watch;

use crate::link::{Limits, first};
use crate::nodes::{Host, alone, asking};
use crate::target::Target;

/// Most of them. So many are not new at once; when there are more, all are connected to anew as they are asked.
const MOST: usize = 64;

/// The connection, or why there is none; nothing while it is made.
type Guest = watch::Receiver<Option<Result<MultiplexedConnection, String>>>;

/// Those that were asked for.
#[derive(Default)]
pub(crate) struct Guests(Mutex<BTreeMap<Host, Guest>>);

impl Guests {
    /// What this node says to a command for a key that moves there. The connection is made if there is none; if the caller does
    /// not wait for it any longer, it is there for those who come later.
    ///
    /// # Errors
    /// It says that it cannot, or cannot be connected to.
    pub(crate) async fn ask(
        &self,
        target: &Target,
        limits: Limits,
        host: &Host,
        command: Cmd,
    ) -> Result<Value, RedisError> {
        let guest = self.guest(target, limits, host);
        let made = guest.clone().wait_for(Option::is_some).await.ok().and_then(|made| made.clone());
        let why = match made {
            Some(Ok(mut connection)) => {
                let mut asked =
                    Asked { guests: self, host, guest: &guest, since: Instant::now(), limits, over: false };
                let answer = asking(&mut connection, command).await;
                asked.over = true;
                if answer.as_ref().is_err_and(is_gone) {
                    self.forget(host, &guest);
                }
                return answer;
            }
            Some(Err(why)) => why,
            None => "no reason was told".to_owned(),
        };
        let away = "a node that keys move to cannot be connected to";
        Err((ErrorKind::ClusterConnectionNotFound, away, format!("{}: {why}", alone(target, host))).into())
    }

    /// The node, which is connected to if there has been no attempt, or one that failed.
    fn guest(&self, target: &Target, limits: Limits, host: &Host) -> Guest {
        let mut guests = self.0.lock();
        if let Some(guest) = guests.get(host).filter(|guest| !has_failed(guest)) {
            return guest.clone();
        }
        if guests.len() >= MOST {
            guests.clear();
        }
        let (made, guest) = watch::channel(None);
        let alone = alone(target, host);
        tokio::spawn(async move {
            let connection = first(&alone, limits).await.map_err(|error| error.to_string());
            made.send_replace(Some(connection));
        });
        guests.insert(host.clone(), guest.clone());
        guest
    }

    /// Takes out this one, if it has not been connected to anew since.
    fn forget(&self, host: &Host, guest: &Guest) {
        let mut guests = self.0.lock();
        if guests.get(host).is_some_and(|now| now.same_channel(guest)) {
            guests.remove(host);
        }
    }

    /// Takes out one that is no guest any more: its connection, if there is one.
    pub(crate) fn take(&self, host: &Host) -> Option<MultiplexedConnection> {
        let guest = self.0.lock().remove(host)?;
        guest.borrow().as_ref()?.as_ref().ok().cloned()
    }
}

/// Whether it could not be connected to.
fn has_failed(guest: &Guest) -> bool {
    match &*guest.borrow() {
        Some(made) => made.is_err(),
        // The task has ended without a word.
        None => guest.has_changed().is_err(),
    }
}

/// Whether the connection is of no use any more.
fn is_gone(error: &RedisError) -> bool {
    error.is_io_error() || error.is_connection_dropped() || error.is_timeout()
}

/// A command that has been sent to one.
struct Asked<'a> {
    guests: &'a Guests,
    host: &'a Host,
    guest: &'a Guest,
    since: Instant,
    limits: Limits,
    /// There is an answer, or an error.
    over: bool,
}

impl Drop for Asked<'_> {
    /// A call that has no more time is dropped before the connection says that nothing was answered, as its time began earlier. Of
    /// one that waited for most of its time something else may be wrong, too, but another connection costs little.
    fn drop(&mut self) {
        if !self.over && self.since.elapsed() >= self.limits.response / 2 {
            self.guests.forget(self.host, self.guest);
        }
    }
}

#[cfg(test)]
mod tests;
