//! A server on loopback with a small policy in memory, and clients for it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test file uses a part; a panic is a failure"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bstr::{BString, ByteSlice};
use capabilities::{Capabilities, Log, Options};
use login::{CustomArgs, Decision, Login};
use parking_lot::Mutex;
use policy::{CustomReply, Endpoint, Failure, FailureKind, ResetRequest};
use portcullis_api::{Backend, Limits, Listener, Server, Settings, Threads};
use tokio::sync::Notify;

/// `wforce:super`
pub const AUTH: &str = "Authorization: Basic d2ZvcmNlOnN1cGVy\r\n";

/// Remembers what it is told; some logins make it do something else.
pub struct Memory {
    pub capabilities: Arc<Capabilities>,
    pub reports: Mutex<Vec<Login>>,
    pub resets: Mutex<Vec<ResetRequest>>,
    pub waiting: AtomicUsize,
    pub go_on: Notify,
}

impl Backend for Memory {
    async fn report(&self, login: Login) -> Result<(), Failure> {
        if login.login == "boom" {
            return Err(Failure::new(FailureKind::Error, "[string \"chunk\"]:45: boom"));
        }
        if login.login == "wait" {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            self.go_on.notified().await;
        }
        self.reports.lock().push(login);
        Ok(())
    }

    async fn allow(&self, login: Login) -> Result<Decision, Failure> {
        if login.login == "boom" {
            return Err(Failure::new(FailureKind::Error, "boom"));
        }
        Ok(Decision {
            status: if login.login == "bad" { -1 } else { 0 },
            msg: login.login,
            log: BString::default(),
            attrs: vec![("from".into(), login.remote.to_string().into())],
        })
    }

    async fn reset(&self, request: ResetRequest) -> Result<bool, Failure> {
        match request.login.as_deref().map(|login| login.as_bstr().to_string()).as_deref() {
            Some("no") => return Ok(false),
            Some("boom") => return Err(Failure::new(FailureKind::Error, "boom")),
            Some("odd") => return Err(Failure::new(FailureKind::BadReturn, "no boolean")),
            _ => {}
        }
        self.resets.lock().push(request);
        Ok(true)
    }

    async fn canonicalize(&self, login: BString) -> Result<BString, Failure> {
        match login.as_slice() {
            b"boom" => Err(Failure::new(FailureKind::Error, "boom")),
            b"odd" => Err(Failure::new(FailureKind::BadReturn, "no string")),
            _ => Ok(login.to_ascii_lowercase().into()),
        }
    }

    async fn custom(&self, name: &str, args: CustomArgs) -> Result<CustomReply, Failure> {
        if args.attrs.iter().any(|(key, _)| key == "boom") {
            return Err(Failure::new(FailureKind::Error, "boom"));
        }
        let mut attrs = args.attrs;
        attrs.push(("zz_name".into(), name.into()));
        Ok(CustomReply { success: args.attrs_mv.is_empty(), attrs })
    }

    async fn custom_get(&self, name: &str) -> Result<BString, Failure> {
        if name == "Broken" {
            return Err(Failure::new(FailureKind::Error, "boom"));
        }
        Ok("hello \u{fe}".into())
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let endpoint = |name: &str, get| Endpoint { name: name.into(), get, to_sinks: false };
        vec![endpoint("Mine", false), endpoint("Mine", true), endpoint("Broken", true)]
    }

    fn capabilities(&self) -> &Arc<Capabilities> {
        &self.capabilities
    }
}

pub fn memory() -> Arc<Memory> {
    let options = Options { log: Log::discard(), metrics_prefix: "wforce".into(), regexes: None };
    let capabilities = Capabilities::new(options).unwrap();
    capabilities.access.set_password(b"super");
    Arc::new(Memory {
        capabilities,
        reports: Mutex::default(),
        resets: Mutex::default(),
        waiting: AtomicUsize::new(0),
        go_on: Notify::new(),
    })
}

/// A running server with its runtime.
pub struct Running {
    pub runtime: tokio::runtime::Runtime,
    pub memory: Arc<Memory>,
    pub server: Option<Server<Memory>>,
    pub addr: SocketAddr,
}

pub fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

pub fn start() -> Running {
    start_with(|_| {})
}

pub fn start_with(change: impl FnOnce(&mut Settings)) -> Running {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let memory = memory();
    let mut settings = Settings {
        listeners: vec![Listener { addr: loopback(), tls: None }],
        threads: Threads::Own(2),
        version: "1.2.3".into(),
        ..Settings::default()
    };
    change(&mut settings);
    let (server, errors) = {
        let _inside = runtime.enter();
        Server::start(settings, Arc::clone(&memory)).unwrap()
    };
    assert!(errors.is_empty(), "{errors:?}");
    let addr = server.addrs()[0];
    Running { runtime, memory, server: Some(server), addr }
}

pub fn quick() -> Limits {
    Limits {
        idle: Duration::from_secs(1),
        body_patience: Duration::from_millis(300),
        handshake: Duration::from_millis(300),
        ..Limits::default()
    }
}

impl Running {
    pub fn connect(&self) -> Client {
        Client::connect(self.addr)
    }

    /// One request on a connection of its own.
    pub fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect();
        client.send(request);
        client.answer()
    }

    pub fn get(&self, target: &str) -> Answer {
        self.ask(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{AUTH}\r\n"))
    }

    pub fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Answer {
        self.ask(post(target, body))
    }

    pub fn command(&self, name: &str, body: impl AsRef<[u8]>) -> Answer {
        self.post(&format!("/command/{name}"), body)
    }
}

/// The bytes of a POST request.
pub fn post(target: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes =
        format!("POST {target} HTTP/1.1\r\nHost: a\r\n{AUTH}Content-Length: {}\r\n\r\n", body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// One connection.
pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

/// One answer.
#[derive(Debug)]
pub struct Answer {
    pub version: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        self.body.as_bstr().to_string()
    }

    #[track_caller]
    pub fn is(&self, status: u16, content_type: Option<&str>, body: &str) {
        assert_eq!((self.status, self.header("content-type"), &*self.text()), (status, content_type, body));
    }

    #[track_caller]
    pub fn is_json(&self, status: u16, body: &str) {
        self.is(status, Some("application/json; charset=utf-8"), body);
    }

    #[track_caller]
    pub fn is_html(&self, status: u16, body: &str) {
        self.is(status, Some("text/html; charset=utf-8"), body);
    }

    #[track_caller]
    pub fn fails(&self, status: u16, reason: &str) {
        self.is_json(status, &format!(r#"{{"reason": "{reason}", "status": "failure"}}"#));
    }
}

impl Client {
    pub fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Reads one answer with its `Content-Length`.
    pub fn answer(&mut self) -> Answer {
        self.answer_to(false)
    }

    pub fn answer_to(&mut self, head_request: bool) -> Answer {
        let end = loop {
            if let Some(at) = self.buffer.find(b"\r\n\r\n") {
                break at + 4;
            }
            assert!(
                self.more() > 0,
                "the connection ended instead of an answer: {:?}",
                self.buffer.as_bstr()
            );
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let mut first = lines.next().unwrap().splitn(3, ' ');
        let (version, status) = (first.next().unwrap().to_owned(), first.next().unwrap().parse().unwrap());
        let headers: Vec<_> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer { version, status, headers, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while !head_request && self.buffer.len() < length {
            assert!(self.more() > 0, "the connection ended inside a body");
        }
        if !head_request {
            answer.body = self.buffer.drain(..length).collect();
        }
        answer
    }

    fn more(&mut self) -> usize {
        let mut chunk = [0; 16 << 10];
        let count = self.stream.read(&mut chunk).unwrap();
        self.buffer.extend_from_slice(&chunk[..count]);
        count
    }

    /// Whether the server ends the connection now, nothing more being sent.
    #[track_caller]
    pub fn is_closed(&mut self) {
        assert!(self.buffer.is_empty(), "{:?}", self.buffer.as_bstr());
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => assert!(rest.is_empty(), "{:?}", rest.as_bstr()),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}

/// Waits for a condition that other threads bring about.
pub fn until(mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "the condition did not come about");
        std::thread::yield_now();
    }
}
