//! The start-up sync: a fresh daemon gets the stats DBs of one that has been running.

mod give;
mod take;

use std::net::SocketAddr;
use std::sync::Arc;

use outbound::Client;
use wire::Key;

use crate::context::Context;
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

/// Does as wished, and calls back even if it could not (wforce compatibility). What comes of it is logged.
pub async fn grant(context: Arc<Context>, client: Client, wish: Wish) {
    let Wish { addr, key, callback, password } = wish;
    match give(&context, addr, key).await {
        Ok(count) => context.caps.log.notice(format!("sync: sent {count} keys of the stats DBs to {addr}")),
        Err(error) => context.caps.log.error(format!("sync: {error}")),
    }
    if let Err(why) = take::done(&client, &callback, &password).await {
        context.caps.log.error(format!("sync: {callback} does not take the news that it is done: {why}"));
    }
}
