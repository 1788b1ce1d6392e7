//! Just enough of an IMAP client to log in.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use crate::PATIENCE;

/// One IMAP connection, past the greeting.
pub struct Imap {
    stream: BufReader<TcpStream>,
    count: u32,
}

impl Imap {
    /// Connects, sends `preface` (a PROXY protocol line, or nothing) and reads the greeting.
    pub fn connect(address: SocketAddr, preface: &str) -> Imap {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut imap = Imap { stream: BufReader::new(stream), count: 0 };
        imap.stream.get_mut().write_all(preface.as_bytes()).unwrap();
        let greeting = imap.line();
        assert!(greeting.starts_with("* OK"), "greeting: {greeting:?}");
        imap
    }

    /// Sends a command and returns the tagged answer without its tag, such as `NO [ALERT] text`.
    pub fn command(&mut self, command: &str) -> String {
        self.count += 1;
        let tag = format!("a{} ", self.count);
        self.stream.get_mut().write_all(format!("{tag}{command}\r\n").as_bytes()).unwrap();
        loop {
            let line = self.line();
            if let Some(answer) = line.strip_prefix(&tag) {
                return answer.to_owned();
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the server closed after {line:?}");
        line.trim_end().to_owned()
    }
}
