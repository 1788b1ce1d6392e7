//! A web server that remembers what it was sent: the other end of webhooks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver as Heard, Sender, channel};

use crate::{PATIENCE, address};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// The request line.
    pub line: String,
    /// Names as they were sent, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Request {
    /// The value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The server; its threads end with the test process.
pub struct Receiver {
    /// Where it listens.
    pub addr: SocketAddr,
    heard: Heard<Request>,
    connections: Arc<AtomicUsize>,
}

impl Receiver {
    /// Answers every request with this status, such as `200 OK`; an empty one means never.
    pub fn start(status: &'static str) -> Receiver {
        let addr = address::fresh();
        let listener = TcpListener::bind(addr).unwrap();
        let (sender, heard) = channel();
        let connections: Arc<AtomicUsize> = Arc::default();
        let accepted = Arc::clone(&connections);
        let accept = move || {
            for stream in listener.incoming() {
                let (stream, sender) = (stream.unwrap(), sender.clone());
                accepted.fetch_add(1, Ordering::SeqCst);
                let converse = move || converse(stream, status, &sender);
                std::thread::Builder::new().name("receiver".into()).spawn(converse).unwrap();
            }
        };
        std::thread::Builder::new().name("receiver".into()).spawn(accept).unwrap();
        Receiver { addr, heard, connections }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.addr)
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits for the next request.
    pub fn next(&self) -> Request {
        self.heard.recv_timeout(PATIENCE).expect("no request in time")
    }

    /// Whether a request is there that nobody asked for yet.
    pub fn has_more(&self) -> bool {
        self.heard.try_recv().is_ok()
    }
}

fn converse(stream: TcpStream, status: &str, sender: &Sender<Request>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if !matches!(reader.read_line(&mut line), Ok(1..)) {
            return;
        }
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            match header.trim_end().split_once(": ") {
                Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
                None => break,
            }
        }
        let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let _ = sender.send(Request { line: line.trim_end().to_owned(), headers, body });
        if !status.is_empty() {
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            if reader.get_mut().write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}
