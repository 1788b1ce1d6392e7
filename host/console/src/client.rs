//! The operator's end: one connection, and the ways to use it.

mod error;
mod link;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use wire::Key;

use crate::CipherChoice;
use crate::terminal::{After, lines};
use link::Link;

pub use error::ClientError;

/// A connection to the control socket of a daemon. It blocks its thread.
pub struct Client {
    addr: SocketAddr,
    key: Key,
    cipher: CipherChoice,
    config: PathBuf,
    link: Link,
}

impl Client {
    /// Connects to a control socket. `config` is where `key` comes from; only messages mention it.
    ///
    /// Of [`CipherChoice::Auto`] the libsodium build is tried first. The key is not tested before the first command.
    ///
    /// # Errors
    /// [`ClientError`] when nobody answers within 5 s, or not as a control socket does.
    pub fn connect(
        addr: SocketAddr,
        key: &Key,
        cipher: CipherChoice,
        config: &Path,
    ) -> Result<Self, ClientError> {
        let link = Link::open(addr, key, cipher)?;
        Ok(Self { addr, key: key.clone(), cipher, config: config.to_owned(), link })
    }

    /// Has the server execute a line and waits for its response, however long that takes.
    ///
    /// A connection that the server closed since the last command, for it was silent too long, is opened again.
    ///
    /// # Errors
    /// [`ClientError`] says what went wrong. After [`ClientError::TooLong`] the client is usable, after others it is not.
    pub fn run(&mut self, line: &[u8]) -> Result<Vec<u8>, ClientError> {
        if line.len() > wire::MAX_TEXT_BYTES {
            return Err(ClientError::TooLong { found: line.len() });
        }
        if self.link.is_closed() {
            self.link = Link::open(self.addr, &self.key, self.cipher)?;
        }
        match self.link.ask(line) {
            // The server went away, as it was told.
            Err(ClientError::Closed) if is_shutdown(line) => Ok(Vec::new()),
            Err(ClientError::Closed) if !self.link.is_proven() => {
                Err(ClientError::WrongKey { config: self.config.clone() })
            }
            other => other,
        }
    }
}

fn is_shutdown(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"shutdown")
}

/// Where a client connects to and what it needs on the way.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The control socket.
    pub addr: SocketAddr,
    /// The key of both ends.
    pub key: Key,
    /// The build of the server.
    pub cipher: CipherChoice,
    /// The configuration file the key comes from; messages mention it.
    pub config: PathBuf,
    /// The history file, `.history` in the configuration's folder.
    pub history: PathBuf,
    /// The names that tab completes to.
    pub commands: Vec<String>,
}

impl ClientOptions {
    fn connect(&self, out: &mut impl Write) -> Result<Client, ClientError> {
        writeln!(out, "Connecting to {}", self.addr)?;
        out.flush()?;
        Client::connect(self.addr, &self.key, self.cipher, &self.config)
    }
}

/// Executes one line on the server (`-e`): prints `Connecting to ip:port`, then the response and a newline, to `out`.
///
/// # Errors
/// [`ClientError`], also when `out` fails.
pub fn execute(options: &ClientOptions, line: &[u8], out: &mut impl Write) -> Result<(), ClientError> {
    let mut client = options.connect(out)?;
    print(out, &client.run(line)?)
}

/// Prints `Connecting to ip:port`, then executes line after line of standard input on the server and prints each response
/// and a newline to `out`, until `quit`, Ctrl-C or the end of input.
///
/// At a terminal, lines are edited, completed and kept in the history file; otherwise they are simply read.
///
/// # Errors
/// [`ClientError`], also when `out` or the terminal fails. A line that is too long is only reported.
pub fn interactive(options: &ClientOptions, out: &mut impl Write) -> Result<(), ClientError> {
    let mut client = options.connect(out)?;
    lines(&options.history, options.commands.clone(), |line| {
        let printed = match client.run(line) {
            Ok(response) => print(out, &response),
            Err(error @ ClientError::TooLong { .. }) => print(out, error.to_string().as_bytes()),
            Err(error) => Err(error),
        };
        match printed {
            Ok(()) => After::Next,
            Err(error) => After::End(Err(error)),
        }
    })
}

fn print(out: &mut impl Write, response: &[u8]) -> Result<(), ClientError> {
    let printed: io::Result<()> = (|| {
        out.write_all(response)?;
        out.write_all(b"\n")?;
        out.flush()
    })();
    Ok(printed?)
}

#[cfg(test)]
mod tests;
