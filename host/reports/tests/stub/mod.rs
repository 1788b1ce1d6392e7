//! A server that answers as a test says, and remembers what it was asked.
#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The server. Its thread ends with the process.
pub struct Stub {
    addr: SocketAddr,
    scheme: &'static str,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// Status and body.
pub fn answer(status: u16, body: Value) -> (u16, Value) {
    (status, body)
}

impl Stub {
    pub fn start(respond: impl Fn(&Request) -> (u16, Value) + Send + Sync + 'static) -> Stub {
        Stub::listen(None, respond)
    }

    /// The same over TLS.
    pub fn start_tls(
        config: rustls::ServerConfig,
        respond: impl Fn(&Request) -> (u16, Value) + Send + Sync + 'static,
    ) -> Stub {
        Stub::listen(Some(Arc::new(config)), respond)
    }

    fn listen(
        tls: Option<Arc<rustls::ServerConfig>>,
        respond: impl Fn(&Request) -> (u16, Value) + Send + Sync + 'static,
    ) -> Stub {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (seen, respond) = (requests.clone(), Arc::new(respond));
        std::thread::Builder::new()
            .name("stub".into())
            .spawn(move || {
                for stream in listener.incoming().flatten() {
                    let (seen, respond, tls) = (seen.clone(), respond.clone(), tls.clone());
                    let serve = move || match tls {
                        None => {
                            let mut stream = stream;
                            while serve(&mut stream, &seen, &*respond).is_some() {}
                        }
                        Some(config) => {
                            let connection = rustls::ServerConnection::new(config).unwrap();
                            let mut stream = rustls::StreamOwned::new(connection, stream);
                            while serve(&mut stream, &seen, &*respond).is_some() {}
                        }
                    };
                    std::thread::Builder::new().name("stub connection".into()).spawn(serve).unwrap();
                }
            })
            .unwrap();
        Stub { addr, scheme, requests }
    }

    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.addr)
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().clone()
    }
}

fn serve(
    stream: &mut (impl Read + Write),
    seen: &Mutex<Vec<Request>>,
    respond: &(dyn Fn(&Request) -> (u16, Value) + Send + Sync),
) -> Option<()> {
    let mut reader = BufReader::new(&mut *stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body: String::new() };
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).ok()?;
    seen.lock().push(request.clone());
    let (status, body) = respond(&request);
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).and_then(|()| stream.flush()).ok()
}

/// `GET /` of Elasticsearch and OpenSearch.
pub fn root(open: bool) -> (u16, Value) {
    let version = if open {
        json!({"distribution": "opensearch", "number": "2.19.0"})
    } else {
        json!({"number": "8.15.3"})
    };
    answer(200, json!({"name": "n", "cluster_name": "c", "version": version}))
}
