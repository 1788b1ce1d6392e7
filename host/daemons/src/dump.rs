//! `wf_dump_entries`: all stats DBs of a running server, as JSON.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use cluster::dump::{Form, Wish, fetch};
use lexopt::prelude::*;
use outbound::{Client, TlsSettings};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::signal::unix::{SignalKind, signal};

use crate::replacement::Replacement;

const USAGE: &str = "\
Usage: wf_dump_entries -u URI -l ADDRESS -p PORT -w PASSWORD [OPTION]...

Asks a server for all entries of its stats DBs, and prints them as JSON. The server connects back to
ADDRESS and PORT with them, unencrypted.

  -u, --uri URI           the server's REST API, such as http://192.0.2.1:8084
  -l, --local-addr IP     address of this host that the server can reach
  -p, --local-port PORT   port to wait on
  -w, --wforce-pwd PASSWORD   password of the REST API
  -f, --filename FILE     write there instead of standard output; what was in it is replaced once the
                          dump has come whole
      --compat            the bytes that wforce sends, which are not valid JSON
  -h, --help              this text
";

/// The command line, understood.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    uri: String,
    local: SocketAddr,
    password: Vec<u8>,
    file: Option<PathBuf>,
    form: Form,
}

/// Runs it; the exit status is 0 or 1.
pub fn main() -> ExitCode {
    crate::reader::may_leave();
    let arguments = match parse(std::env::args_os().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(text) => {
            // wforce compatibility: the usage goes to standard output.
            eprintln!("wf_dump_entries: {text}");
            print!("{USAGE}");
            return ExitCode::from(1);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("wf_dump_entries: {text}");
            ExitCode::from(1)
        }
    }
}

/// `None`: only the usage is wanted.
fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Option<Arguments>, String> {
    let (mut uri, mut ip, mut port, mut password) = (None, None, None, None);
    let (mut file, mut form) = (None, Form::Json);
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(argument) = parser.next().map_err(told)? {
        match argument {
            Short('u') | Long("uri") => uri = Some(text(&mut parser)?),
            Short('l') | Long("local-addr") => {
                let text = text(&mut parser)?;
                ip = Some(text.parse::<IpAddr>().map_err(|_| format!("not an IP address: {text}"))?);
            }
            Short('p') | Long("local-port") => {
                let text = text(&mut parser)?;
                port = Some(text.parse::<u16>().map_err(|_| format!("not a port: {text}"))?);
            }
            Short('w') | Long("wforce-pwd") => password = Some(parser.value().map_err(told)?.into_vec()),
            Short('f') | Long("filename") => file = Some(PathBuf::from(parser.value().map_err(told)?)),
            Long("compat") => form = Form::Old,
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected().to_string()),
        }
    }
    let missing = |name: &str| format!("{name} is missing");
    let uri = uri.ok_or_else(|| missing("--uri"))?;
    let ip = ip.ok_or_else(|| missing("--local-addr"))?;
    let port = port.ok_or_else(|| missing("--local-port"))?;
    let password = password.ok_or_else(|| missing("--wforce-pwd"))?;
    Ok(Some(Arguments { uri, local: SocketAddr::new(ip, port), password, file, form }))
}

fn text(parser: &mut lexopt::Parser) -> Result<String, String> {
    parser.value().and_then(lexopt::ValueExt::string).map_err(told)
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err wants it")]
fn told(error: lexopt::Error) -> String {
    error.to_string()
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    let client = Client::new(&TlsSettings::default()).map_err(|error| error.to_string())?;
    let Arguments { uri, local, password, file, form } = arguments;
    let wish = Wish { uri, password, local: *local, form: *form };
    runtime.block_on(async {
        match file {
            Some(path) => {
                let cannot = |error| format!("cannot write {}: {error}", path.display());
                let mut new = Replacement::begin(path).map_err(cannot)?;
                let file = new.file().map_err(cannot)?;
                let mut end = signal(SignalKind::terminate()).map_err(cannot)?;
                tokio::select! {
                    written = write(&client, &wish, Blocking(file)) => written?,
                    _ = tokio::signal::ctrl_c() => return Err("interrupted".to_owned()),
                    _ = end.recv() => return Err("interrupted".to_owned()),
                }
                new.finish().map_err(cannot)
            }
            None => write(&client, &wish, Blocking(std::io::stdout())).await,
        }
    })
}

async fn write(client: &Client, wish: &Wish<'_>, out: impl AsyncWrite + Unpin) -> Result<(), String> {
    let mut out = tokio::io::BufWriter::new(out);
    fetch(client, wish, &mut out).await.map_err(|error| error.to_string())?;
    out.shutdown().await.map_err(|error| format!("cannot write the dump: {error}"))
}

/// A writer that may wait: nothing else is done by this program meanwhile.
struct Blocking<W>(W);

impl<W: std::io::Write + Unpin> AsyncWrite for Blocking<W> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::task::Poll::Ready(self.0.write(bytes))
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(self.0.flush())
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        self.poll_flush(task)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: [&str; 8] = ["-u", "http://a", "--local-addr=::1", "-p", "9", "-w", "pw", "--compat"];

    fn read(words: &[&str]) -> Result<Option<Arguments>, String> {
        parse(words.iter().map(OsString::from))
    }

    #[test]
    fn all_four_are_needed() {
        let arguments = read(&GOOD).unwrap().unwrap();
        assert_eq!(arguments.local.to_string(), "[::1]:9");
        assert_eq!((arguments.form, arguments.password), (Form::Old, b"pw".to_vec()));
        for words in
            [&GOOD[2..], &[&GOOD[..2], &GOOD[3..]].concat(), &GOOD[..3], &GOOD[..5], &["-l", "x"], &["x"]]
        {
            assert!(read(words).is_err(), "{words:?}");
        }
        assert_eq!(read(&["-h"]), Ok(None));
    }
}
