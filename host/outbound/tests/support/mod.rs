//! A server that notes what it was sent, byte by byte, and says what it is told to.
#![allow(dead_code, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// One request: which connection it came on, and its bytes.
pub struct Heard {
    pub connection: usize,
    pub text: String,
}

pub struct Peer {
    pub addr: SocketAddr,
    pub heard: mpsc::UnboundedReceiver<Heard>,
}

/// Serves `answer` to every request; an empty answer means silence.
pub async fn serve(answer: &'static str, tls: Option<Arc<ServerConfig>>) -> Peer {
    let listener = TcpListener::bind("127.83.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (sender, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for connection in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let (sender, tls) = (sender.clone(), tls.clone());
            tokio::spawn(async move {
                match tls {
                    None => converse(stream, answer, connection, sender).await,
                    Some(config) => {
                        if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                            converse(stream, answer, connection, sender).await;
                        }
                    }
                }
            });
        }
    });
    Peer { addr, heard }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &str,
    connection: usize,
    sender: mpsc::UnboundedSender<Heard>,
) {
    let mut bytes = Vec::new();
    loop {
        while let Some(end) = whole(&bytes) {
            let text = String::from_utf8(bytes.drain(..end).collect()).unwrap();
            let _ = sender.send(Heard { connection, text });
            if !answer.is_empty() && stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// Where the first request in here ends.
fn whole(bytes: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(bytes).unwrap();
    let head = text.find("\r\n\r\n")? + 4;
    let length = text[..head].to_ascii_lowercase();
    let length =
        length.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    (bytes.len() >= head + length).then_some(head + length)
}
