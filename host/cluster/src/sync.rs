//! The start-up sync: a fresh daemon gets the stats DBs of one that has been running.

mod give;
mod take;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use outbound::Client;
use wire::Key;

use crate::context::Context;
use crate::standing::Kind;
pub use give::{GiveError, give};
pub use take::{Host, Plan, run};

/// What another daemon asks for with `syncDBs`.
pub struct Wish {
    /// Where it hears siblings.
    pub addr: SocketAddr,
    /// Its key; `None`: it has ours.
    pub key: Option<Key>,
    /// What to call when all was sent.
    pub callback: String,
    /// The password for that.
    pub password: Vec<u8>,
}

/// How long a session may take to bring a sibling what a sync does not.
const CATCH_UP: Duration = Duration::from_mins(5);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// A sibling in a session takes from that, and not from a sync, what is shared: it is not done before the session is.
async fn caught_up(context: &Context, addr: SocketAddr) {
    let Some(siblings) = context.sessions().and_then(|sessions| sessions.siblings()) else { return };
    let done = async {
        while let Some(peer) = siblings.at(addr.ip())
            && peer.standing.kind() != Kind::Classic
            && !peer.standing.caught_up.load(Ordering::Acquire)
        {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(CATCH_UP, done).await.is_err() {
        context.caps.log.warn(format!("sync: the session with {addr} has not brought everything yet"));
    }
}

/// Does as wished, and calls back even if it could not (wforce compatibility). What comes of it is logged.
pub async fn grant(context: Arc<Context>, client: Client, wish: Wish) {
    let Wish { addr, key, callback, password } = wish;
    match give(&context, addr, key).await {
        Ok(count) => {
            context.caps.log.notice(format!("sync: sent {count} keys of the stats DBs to {addr}"));
            caught_up(&context, addr).await;
        }
        Err(error) => context.caps.log.error(format!("sync: {error}")),
    }
    if let Err(why) = take::done(&client, &callback, &password).await {
        let callback = outbound::without_secrets(&callback);
        context.caps.log.error(format!("sync: {callback} does not take the news that it is done: {why}"));
    }
}
