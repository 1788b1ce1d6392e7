//! The daemon's end: accepts consoles and has their commands executed.

mod connection;
mod notice;
mod places;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use wire::Key;

use crate::CipherChoice;
use connection::{End, converse};
use places::{Place, Places};

pub use notice::Notice;

/// A future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What executes the commands of consoles: for a daemon, every Lua worker state and then the configuration's.
pub trait Executor: Send + Sync {
    /// Executes one line and gives the text to show. Several consoles may call this at the same time. The future is
    /// dropped when the server ends.
    fn execute<'a>(&'a self, line: &'a [u8]) -> BoxFuture<'a, Vec<u8>>;
}

/// How a control socket behaves.
pub struct ServerConfig {
    /// The key, asked for at every connection: `setKey` may change it while the daemon runs.
    pub key: Box<dyn Fn() -> Option<Key> + Send + Sync>,
    /// The build of the clients.
    pub cipher: CipherChoice,
    /// How long a client may take for its first message.
    pub handshake_deadline: Duration,
    /// How long a client may be silent between commands, or take to read a response.
    pub idle_deadline: Duration,
    /// How many consoles may be connected. When there are as many, the one that has waited longest without ever sending
    /// a good command makes room for a new one, so that nobody without the key can keep operators out.
    pub max_connections: usize,
    /// Told what operators may want to know. It may be called often: limit it by [`Notice::kind`].
    pub log: Box<dyn Fn(&Notice) + Send + Sync>,
}

impl ServerConfig {
    /// A control socket for both builds, with 10 s for the handshake, 10 minutes of silence and 32 consoles.
    pub fn new(
        key: impl Fn() -> Option<Key> + Send + Sync + 'static,
        log: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Self {
        Self {
            key: Box::new(key),
            cipher: CipherChoice::Auto,
            handshake_deadline: Duration::from_secs(10),
            idle_deadline: Duration::from_mins(10),
            max_connections: 32,
            log: Box::new(log),
        }
    }
}

/// Serves consoles until the future is dropped, which ends all of them.
pub async fn serve(listener: TcpListener, config: Arc<ServerConfig>, executor: Arc<dyn Executor>) {
    let places = Arc::new(Places::new(config.max_connections));
    let mut consoles = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(ended) = consoles.join_next() => {
                if ended.is_err_and(|error| error.is_panic()) {
                    (config.log)(&Notice::Panicked);
                }
                continue;
            }
        };
        match accepted {
            Ok((stream, peer)) => match places.take() {
                Some(place) => {
                    consoles.spawn(attend(stream, peer, place, Arc::clone(&config), Arc::clone(&executor)));
                }
                None => (config.log)(&Notice::Full { peer, limit: config.max_connections }),
            },
            Err(error) => {
                (config.log)(&Notice::Accept(error));
                // Mostly there are no file descriptors left: another attempt at once would find none either.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn attend(
    mut stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    config: Arc<ServerConfig>,
    executor: Arc<dyn Executor>,
) {
    // Commands and responses are small and waited for. Without it the console is only slower.
    let _ = stream.set_nodelay(true);
    let end = tokio::select! {
        end = converse(&mut stream, &config, &*executor, &place) => end,
        () = place.lost() => End::Displaced,
    };
    if let Some(notice) = end.notice(peer) {
        (config.log)(&notice);
    }
}

#[cfg(test)]
mod tests;
