//! A connection that a sibling made.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use capabilities::log::Level;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::{ANSWER, Ended, OPENING, READ, opening_bytes};
use crate::apply::now;
use crate::peer::Peer;
use crate::receive::Receiver;
use crate::session::{Acceptor, Channel, NONCE_BYTES, opening};
use crate::sessions::Sessions;

/// How long the first bytes and the hello after them may take together.
const BEGIN: Duration = Duration::from_secs(10);
/// How long nothing may come; dialers say something every few seconds.
const SILENCE: Duration = Duration::from_mins(1);
/// How often it is told how a stats DB differs from the sibling's.
const MISMATCH_EVERY: Duration = Duration::from_hours(1);
/// How long one write may take.
const WRITE: Duration = Duration::from_secs(30);

/// Serves a connection whose first bytes are the beginning of an opening.
pub(crate) async fn serve(
    stream: std::net::TcpStream,
    first: Vec<u8>,
    from: SocketAddr,
    peer: Arc<Peer>,
    receiver: Arc<Receiver>,
) {
    let context = &receiver.context;
    let ended = match TcpStream::from_std(stream) {
        Ok(stream) => match context.sessions() {
            Some(sessions) => Serving { peer: &peer, receiver: &receiver, sessions, known: None }
                .run(stream, first)
                .await
                .err(),
            None => None,
        },
        Err(error) => Some(error.into()),
    };
    let Some(ended) = ended else { return };
    if let Some(reason) = ended.reason() {
        let addr = peer.addr().to_string();
        context.caps.metrics.sessions.rejected.with_label_values(&[&addr, reason]).inc();
        peer.counters.received_bad();
        let text = format!("the session that the sibling {from} opened was ended: {ended}");
        context.complain(&format!("session from {}", from.ip()), text);
    }
}

struct Serving<'a> {
    peer: &'a Arc<Peer>,
    receiver: &'a Receiver,
    sessions: &'a Sessions,
    /// Counts the session once the sibling has proved that it knows the key.
    known: Option<Known<'a>>,
}

struct Known<'a>(&'a Peer);

impl Drop for Known<'_> {
    fn drop(&mut self) {
        self.0.standing.accepted.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Serving<'_> {
    async fn run(&mut self, mut stream: TcpStream, mut bytes: Vec<u8>) -> Result<(), Ended> {
        let context = &self.receiver.context;
        let Some(parts) = self.sessions.parts() else { return Ok(()) };
        stream.set_nodelay(true)?;
        let all = OPENING.len() + NONCE_BYTES;
        let begin = async {
            while bytes.len() < all {
                if stream.read_buf(&mut bytes).await? == 0 {
                    return Err(Ended::Truncated);
                }
            }
            Ok(())
        };
        let patience = context.frame_patience();
        let hello = BEGIN.min(patience);
        let hello_due = Instant::now() + hello;
        timeout_at(hello_due, begin).await.unwrap_or(Err(Ended::Slow(hello.as_secs())))?;
        let theirs = bytes[OPENING.len()..all].first_chunk().copied();
        let (Some(theirs), Some(key)) = (theirs, context.security.key()) else { return Ok(()) };
        let own = opening()?;
        self.write(&mut stream, &opening_bytes(ANSWER, &own)).await?;
        let channel = Channel::accepted(&key, &own, &theirs);
        let mut acceptor = Acceptor::new(Arc::clone(&parts.journal), Arc::clone(&parts.heard), channel);
        acceptor.feed(&bytes[all..]);
        let mut buffer = vec![0; READ];
        let mut counted = (0, 0);
        // The frame that is half here, and until when it has to be whole.
        let mut half: Option<(u64, Instant)> = None;
        loop {
            loop {
                match acceptor.advance(now(), self.sessions.now_ms()) {
                    // Others on this thread have something to do, too, and a few bytes can ask for much.
                    Ok(true) => tokio::task::yield_now().await,
                    Ok(false) => break,
                    Err(error) => {
                        if let Some(frame) = acceptor.last_frame() {
                            // The error is what there is to tell.
                            let _ = self.write(&mut stream, &frame).await;
                        }
                        return Err(error.into());
                    }
                }
            }
            self.note(&mut acceptor, &mut counted);
            while let Some(frame) = acceptor.produce(now())? {
                self.write(&mut stream, &frame).await?;
            }
            let frame = acceptor.frames();
            half = match half.filter(|(known, _)| *known == frame) {
                _ if acceptor.is_between_frames() => None,
                Some(half) => Some(half),
                None => Some((frame, Instant::now() + patience)),
            };
            let (due, late) = match (self.known.is_some(), half) {
                (false, _) => (hello_due, Ended::Slow(hello.as_secs())),
                (true, Some((_, due))) => (due, Ended::Slow(patience.as_secs())),
                (true, None) => (Instant::now() + SILENCE, io::Error::from(ErrorKind::TimedOut).into()),
            };
            let wait = acceptor.wait_ms(self.sessions.now_ms());
            let read = tokio::select! {
                read = timeout_at(due, stream.read(&mut buffer)) => read,
                () = tokio::time::sleep(Duration::from_millis(wait.unwrap_or(0))), if wait.is_some() => continue,
                () = self.peer.queue.closed() => return Err(Ended::Removed),
            };
            match read.map_err(|_| late)? {
                Ok(0) if acceptor.is_between_frames() => return Ok(()),
                Ok(0) => return Err(Ended::Truncated),
                Ok(read) => acceptor.feed(&buffer[..read]),
                // How the end looks if it came before what was written to it.
                Err(error) if error.kind() == ErrorKind::ConnectionReset && !acceptor.is_between_frames() => {
                    return Err(Ended::Truncated);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn write(&self, stream: &mut TcpStream, bytes: &[u8]) -> Result<(), Ended> {
        tokio::select! {
            written = timeout(WRITE, stream.write_all(bytes)) => {
                Ok(written.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))?)
            }
            () = self.peer.queue.closed() => Err(Ended::Removed),
        }
    }

    fn note(&mut self, acceptor: &mut Acceptor, counted: &mut (u64, u64)) {
        if self.known.is_none() && acceptor.dialer().is_some() {
            self.peer.standing.accepted.fetch_add(1, Ordering::AcqRel);
            self.known = Some(Known(self.peer));
            // Whoever speaks sessions can be spoken to in one.
            self.receiver.kick(self.peer.addr().ip());
        }
        let (received, repaired) = (acceptor.received(), acceptor.repaired());
        self.peer.counters.received_many(received - counted.0);
        if repaired > counted.1 {
            let addr = self.peer.addr().to_string();
            let metrics = &self.receiver.context.caps.metrics.sessions;
            metrics.repaired_keys.with_label_values(&[&addr]).inc_by(repaired - counted.1);
        }
        *counted = (received, repaired);
        for (db, mismatch) in acceptor.take_mismatches() {
            let addr = self.peer.addr();
            let text = format!("the stats DB {db} differs from that of the sibling {addr}: {mismatch}");
            let log = &self.receiver.context.caps.log;
            log.limited(&format!("differs {addr} {db}"), MISMATCH_EVERY, Level::Warning, text);
        }
    }
}
