//! Asking a server for a dump and reading it: what `wf_dump_entries` does.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use login::json::{ObjectWriter, write_int};
use outbound::{Client, HeaderName, HeaderValue, Method, Request, Response, basic_auth};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::Form;
use super::repair::{NoDump, Repair};
use super::whole::{Braces, Whole};

/// How long the server may take to answer, and then to connect here.
const ANSWER: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_mins(1);
/// How long the server may send nothing.
const SILENCE: Duration = Duration::from_mins(5);
/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// Why there is no dump.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Where the dump is to arrive cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The server cannot be asked.
    #[error("cannot ask the server: {0}")]
    Ask(#[from] outbound::Error),
    /// It refused.
    #[error("the server refused: {status} {reason}")]
    Refused {
        /// Its answer's status.
        status: u16,
        /// Its answer.
        reason: String,
    },
    /// It does not connect.
    #[error("the server was asked but did not connect to {0} within {secs} s: can it reach that address?", secs = CONNECT.as_secs())]
    NoConnection(SocketAddr),
    /// The connection broke.
    #[error("cannot read the dump: {0}")]
    Read(#[source] io::Error),
    /// What came is no dump.
    #[error(transparent)]
    NoDump(#[from] NoDump),
    /// The output cannot be written.
    #[error("cannot write the dump: {0}")]
    Write(#[source] io::Error),
}

/// Whom to ask, and where the answer goes.
pub struct Wish<'a> {
    /// The REST API of the server, with or without the command.
    pub uri: &'a str,
    /// Its password.
    pub password: &'a [u8],
    /// Where the server connects to; port 0 takes a free one.
    pub local: SocketAddr,
    /// JSON, or what wforce sends.
    pub form: Form,
}

/// Gets a dump and writes it, with a line end behind it.
///
/// # Errors
/// See [`FetchError`]. Something may have been written already.
pub async fn fetch(
    client: &Client,
    wish: &Wish<'_>,
    out: &mut (impl AsyncWrite + Unpin),
) -> Result<(), FetchError> {
    let listen = |error| FetchError::Listen(wish.local, error);
    let listener = TcpListener::bind(wish.local).await.map_err(listen)?;
    let local = listener.local_addr().map_err(listen)?;
    let answer = client.send(request(wish, local), ANSWER).await?;
    if !answer.status.is_success() {
        let reason = String::from_utf8_lossy(&answer.body[..answer.body.len().min(1000)]).into_owned();
        return Err(FetchError::Refused { status: answer.status.as_u16(), reason });
    }
    let accepted = tokio::time::timeout(CONNECT, listener.accept()).await;
    let (mut stream, _) = accepted.map_err(|_| FetchError::NoConnection(local))?.map_err(FetchError::Read)?;
    let reading = match wish.form {
        Form::Json if is_portcullis(&answer) => Reading::AsItIs(Whole::Json(Braces::default())),
        Form::Json => Reading::Repair(Repair::default()),
        Form::Old => Reading::AsItIs(Whole::Old(Some(Repair::default()))),
    };
    copy(&mut stream, reading, out).await
}

fn request(wish: &Wish<'_>, local: SocketAddr) -> Request {
    let url = if wish.uri.contains("dumpEntries") {
        wish.uri.to_owned()
    } else {
        format!("{}/?command=dumpEntries", wish.uri.trim_end_matches('/'))
    };
    let mut body = Vec::new();
    let mut object = ObjectWriter::new(&mut body);
    // A wforce takes no notice of it.
    object.bool(b"compat", wish.form == Form::Old);
    object.str(b"dump_host", local.ip().to_string().as_bytes());
    write_int(object.member(b"dump_port"), local.port().into());
    object.finish();
    Request::new(Method::POST, url, Bytes::from(body))
        .header(HeaderName::from_static("authorization"), basic_auth(b"wforce", wish.password))
        .header(HeaderName::from_static("content-type"), HeaderValue::from_static("application/json"))
}

/// Whether the server's dumps are JSON already.
fn is_portcullis(answer: &Response) -> bool {
    answer.headers.get("server").is_some_and(|name| name.as_bytes().starts_with(b"portcullis"))
}

/// What is done with a dump on its way.
enum Reading {
    AsItIs(Whole),
    Repair(Repair),
}

async fn copy(
    stream: &mut (impl AsyncRead + Unpin),
    mut reading: Reading,
    out: &mut (impl AsyncWrite + Unpin),
) -> Result<(), FetchError> {
    let (mut bytes, mut text) = (vec![0; CHUNK], Vec::new());
    loop {
        let read = tokio::time::timeout(SILENCE, stream.read(&mut bytes)).await;
        let count = read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(FetchError::Read)?;
        let piece = &bytes[..count];
        if count == 0 {
            break;
        }
        match &mut reading {
            Reading::Repair(repair) => {
                text.clear();
                repair.read(piece, &mut text)?;
                out.write_all(&text).await.map_err(FetchError::Write)?;
            }
            Reading::AsItIs(whole) => {
                whole.read(piece);
                out.write_all(piece).await.map_err(FetchError::Write)?;
            }
        }
    }
    match reading {
        Reading::AsItIs(whole) => whole.finish()?,
        Reading::Repair(repair) => repair.finish()?,
    }
    out.write_all(b"\n").await.map_err(FetchError::Write)?;
    out.flush().await.map_err(FetchError::Write)
}
