//! One console: handshake, then command after command.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::time::timeout;
use wire::{Cipher, Conversation, LENGTH_BYTES, Nonce, box_length};

use super::places::Place;
use super::{Executor, Notice, ServerConfig};
use crate::{CipherChoice, fit};

/// A client of the OpenSSL build sends 12 bytes and then waits for an answer; one of the libsodium build sends 24. When
/// 12 have come and nothing follows for this long, it is the former.
const SECOND_HALF: Duration = Duration::from_millis(200);

/// Why a conversation is over.
#[derive(Debug)]
pub(super) enum End {
    /// The client closed the connection, fell silent, or the connection broke.
    Left,
    NoKey,
    Handshake,
    BadBox,
    Displaced,
    NoRandom(wire::NoRandom),
}

impl End {
    /// What to tell the operator about it, if anything.
    pub(super) fn notice(self, peer: SocketAddr) -> Option<Notice> {
        match self {
            Self::Left => None,
            Self::NoKey => Some(Notice::NoKey(peer)),
            Self::Handshake => Some(Notice::Handshake(peer)),
            Self::BadBox => Some(Notice::BadBox(peer)),
            Self::Displaced => Some(Notice::Displaced(peer)),
            Self::NoRandom(error) => Some(Notice::NoRandom(peer, error)),
        }
    }
}

/// Converses with one client until one of both has enough. The connection is closed by dropping the stream.
pub(super) async fn converse(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    config: &ServerConfig,
    executor: &dyn Executor,
    place: &Place,
) -> End {
    match attempt(stream, config, executor, place).await {
        Ok(never) => match never {},
        Err(end) => end,
    }
}

async fn attempt(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    config: &ServerConfig,
    executor: &dyn Executor,
    place: &Place,
) -> Result<std::convert::Infallible, End> {
    let Some(key) = (config.key)() else { return Err(End::NoKey) };
    let client = timeout(config.handshake_deadline, client_nonce(stream, config.cipher))
        .await
        .ok()
        .flatten()
        .ok_or(End::Handshake)?;
    let server = Nonce::generate(client.cipher()).map_err(End::NoRandom)?;
    write(stream, server.as_bytes(), config.handshake_deadline).await?;

    let mut conversation = Conversation::new(&key, &client, &server);
    let mut reader = BufReader::new(stream);
    loop {
        let sealed = timeout(config.idle_deadline, read_box(&mut reader)).await.map_err(|_| End::Left)??;
        let text = conversation.commands.open_box(&sealed).map_err(|_| End::BadBox)?;
        if !place.prove() {
            return Err(End::Displaced);
        }
        // wforce hands the command to Lua as a C string.
        let line = text.split(|byte| *byte == 0).next().unwrap_or_default();
        let response = fit(executor.execute(line).await);
        let frame = conversation.responses.seal_frame(&response).map_err(|_| End::Left)?;
        write(reader.get_mut(), &frame, config.idle_deadline).await?;
    }
}

/// The client's first message; `None` when it closes the connection before that is complete.
async fn client_nonce(stream: &mut (impl AsyncRead + Unpin), choice: CipherChoice) -> Option<Nonce> {
    let short = Cipher::ChaCha.nonce_bytes();
    let mut bytes = [0; 24];
    let wanted = if choice == CipherChoice::ChaCha { short } else { bytes.len() };
    let mut found = 0;
    while found < wanted {
        let more = stream.read(&mut bytes[found..wanted]);
        found += if choice == CipherChoice::Auto && found == short {
            match timeout(SECOND_HALF, more).await {
                Ok(more) => more,
                Err(_) => break,
            }
        } else {
            more.await
        }
        .ok()
        .filter(|count| *count > 0)?;
    }
    let cipher = if found == short { Cipher::ChaCha } else { Cipher::Secretbox };
    Nonce::from_bytes(cipher, &bytes[..found]).ok()
}

/// The box of the next frame.
async fn read_box(reader: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, End> {
    let mut head = [0; LENGTH_BYTES];
    reader.read_exact(&mut head).await.map_err(|_| End::Left)?;
    let length = box_length(head).map_err(|_| End::BadBox)?;
    let mut sealed = vec![0; length];
    reader.read_exact(&mut sealed).await.map_err(|_| End::Left)?;
    Ok(sealed)
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8], deadline: Duration) -> Result<(), End> {
    let written = timeout(deadline, async {
        stream.write_all(bytes).await?;
        stream.flush().await
    });
    match written.await {
        Ok(Ok(())) => Ok(()),
        _ => Err(End::Left),
    }
}
