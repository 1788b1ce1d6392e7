//! A small HTTP/1.1 client that shows everything: exact bytes out, exact bytes back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use base64::Engine;
use serde_json::Value;

use crate::PATIENCE;

/// A response as it came.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, with chunks joined.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The integer member `name` of the JSON body.
    pub fn int(&self, name: &str) -> i64 {
        self.json()[name].as_i64().unwrap_or_else(|| panic!("no integer {name}: {}", self.text()))
    }
}

/// One connection, kept open over requests.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection { stream: BufReader::new(stream) }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// Reads one response to a request that was not HEAD.
    pub fn receive(&mut self) -> Response {
        let status_line = self.line();
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or_else(|| panic!("not a status line: {status_line:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else {
                assert_eq!(line, "", "not a header");
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, headers, body: Vec::new() };
        if response.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            loop {
                let size = usize::from_str_radix(self.line().split(';').next().unwrap().trim(), 16).unwrap();
                let start = response.body.len();
                response.body.resize(start + size, 0);
                self.stream.read_exact(&mut response.body[start..]).unwrap();
                assert_eq!(self.line(), "", "end of chunk");
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = response.header("content-length") {
            response.body.resize(length.parse().unwrap(), 0);
            self.stream.read_exact(&mut response.body).unwrap();
        } else if status != 204 && status != 304 {
            self.stream.read_to_end(&mut response.body).unwrap();
        }
        response
    }

    /// Whether the other side has closed: waits for bytes or the end.
    pub fn is_closed(&mut self) -> bool {
        match self.stream.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(error) => {
                matches!(error.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe)
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).unwrap();
        assert!(line.ends_with(b"\n"), "connection ended within {:?}", String::from_utf8_lossy(&line));
        String::from_utf8_lossy(&line).trim_end().to_owned()
    }
}

/// Asks one server, with one password, a connection for each request.
#[derive(Clone)]
pub struct Client {
    /// Where.
    pub address: SocketAddr,
    /// `user:password`, or none.
    pub credentials: Option<String>,
}

impl Client {
    /// The same client with other credentials (`user:password`) or none.
    #[must_use]
    pub fn with_credentials(&self, credentials: Option<&str>) -> Client {
        Client { address: self.address, credentials: credentials.map(str::to_owned) }
    }

    /// The bytes of a request.
    pub fn request_bytes(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<u8> {
        let mut lines = vec![format!("{method} {target} HTTP/1.1"), format!("Host: {}", self.address)];
        if let Some(credentials) = &self.credentials {
            let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
            lines.push(format!("Authorization: Basic {encoded}"));
        }
        lines.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
        if method != "GET" || !body.is_empty() {
            lines.push(format!("Content-Length: {}", body.len()));
        }
        let request = lines.join("\r\n") + "\r\n\r\n";
        [request.as_bytes(), body].concat()
    }

    /// One request on a connection of its own.
    pub fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let headers = [headers, &[("Connection", "close")]].concat();
        let mut connection = Connection::open(self.address);
        connection.send(&self.request_bytes(method, target, &headers, body));
        connection.receive()
    }

    /// GET.
    pub fn get(&self, target: &str) -> Response {
        self.request("GET", target, &[], b"")
    }

    /// POST of a JSON document.
    pub fn post(&self, target: &str, body: &Value) -> Response {
        self.request("POST", target, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }

    /// Reports a login; the answer must be ok.
    pub fn report(&self, tuple: &Value) {
        let response = self.post("/command/report", tuple);
        assert_eq!((response.status, response.text().as_str()), (200, r#"{"status":"ok"}"#), "{tuple}");
    }

    /// Asks whether a login may go on; the answer must be a decision.
    pub fn allow(&self, tuple: &Value) -> Value {
        let response = self.post("/command/allow", tuple);
        assert_eq!(response.status, 200, "{tuple}: {}", response.text());
        response.json()
    }

    /// The value of a sample on `/metrics`, such as `wforce_commands_total{cmd="allow"}`; none when it is not there.
    pub fn metric(&self, sample: &str) -> Option<f64> {
        let response = self.get("/metrics");
        assert_eq!(response.status, 200, "{}", response.text());
        response.text().lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
    }
}
