//! A control socket for tests: it records what it executes and what it tells its operators.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use wire::Key;

use crate::{BoxFuture, CipherChoice, Client, ClientError, Executor, ServerConfig, serve};

/// Answers `<line>!`, and a few lines in their own way.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) seen: Mutex<Vec<Vec<u8>>>,
}

impl Executor for Recorder {
    fn execute<'a>(&'a self, line: &'a [u8]) -> BoxFuture<'a, Vec<u8>> {
        self.seen.lock().push(line.to_vec());
        Box::pin(async move {
            match line {
                b"long" => vec![b'x'; 200_000],
                b"nothing" => Vec::new(),
                b"panic" | b"shutdown()" => panic!("asked for"),
                line => [line, b"!"].concat(),
            }
        })
    }
}

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) key: Arc<Mutex<Option<Key>>>,
    pub(crate) recorder: Arc<Recorder>,
    /// [`crate::Notice::kind`] and the text of each notice.
    pub(crate) notices: UnboundedReceiver<(&'static str, String)>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let key = Arc::new(Mutex::new(Some(key())));
        let (mut config, notices) = config(&key);
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let recorder = Arc::new(Recorder::default());
        let executor: Arc<dyn Executor> = Arc::<Recorder>::clone(&recorder);
        let task = tokio::spawn(serve(listener, Arc::new(config), executor));
        Self { addr, key, recorder, notices, task }
    }

    /// Runs `work` with the address on a thread that may block.
    pub(crate) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(SocketAddr) -> T + Send + 'static,
    ) -> T {
        let addr = self.addr;
        tokio::task::spawn_blocking(move || work(addr)).await.unwrap()
    }

    pub(crate) async fn notice(&mut self) -> (&'static str, String) {
        self.notices.recv().await.unwrap()
    }
}

/// A configuration for both builds, its key, and the notices it gives.
pub(crate) fn config(
    key: &Arc<Mutex<Option<Key>>>,
) -> (ServerConfig, UnboundedReceiver<(&'static str, String)>) {
    let (sender, notices): (UnboundedSender<_>, _) = unbounded_channel();
    let key = Arc::clone(key);
    let config = ServerConfig::new(
        move || key.lock().clone(),
        move |notice| {
            let _ = sender.send((notice.kind(), notice.to_string()));
        },
    );
    (config, notices)
}

pub(crate) fn key() -> Key {
    Key::from_bytes(&[7; 32]).unwrap()
}

pub(crate) fn connect(addr: SocketAddr, cipher: CipherChoice) -> Result<Client, ClientError> {
    Client::connect(addr, &key(), cipher, Path::new("/etc/wforce/wforce.conf"))
}
