//! The connection to one sibling: found out, made, kept, made again.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus::{IntCounter, IntGauge};
use statsdb::Secret;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::{ANSWER, Ended, OPENING, READ, opening_bytes};
use crate::apply::{now, told_by};
use crate::context::Context;
use crate::peer::Peer;
use crate::send::tcp::connect;
use crate::session::{Channel, Dialer, DialerStatus, NONCE_BYTES, opening};
use crate::sessions::{Parts, Sessions};
use crate::standing::Kind;

/// How long the answer to the opening may take.
const ANSWERED: Duration = Duration::from_secs(5);
/// The pause after a first failure; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The pause until a sibling that does not speak sessions is asked again; one that did once is asked more often.
const ASK_AGAIN: Duration = Duration::from_mins(10);
const ASK_SOON: Duration = Duration::from_secs(30);
/// How long a sibling that had a session must refuse one before it is taken for another program, and how long it may be out
/// of reach while packets come from it.
const DOUBT: Duration = Duration::from_secs(15);
/// Changes that come together go into one frame: the pause after the first of them.
const GATHER: Duration = Duration::from_millis(2);
/// How often something is looked at that nobody tells of.
const LOOK: Duration = Duration::from_secs(1);
/// Reads in one round: a sibling that says more than is heard must not keep the thread from others.
const READS: usize = 4;
/// Bytes that are made before they are written.
const OUT: usize = 256 << 10;

/// How an attempt to open a session ended.
enum Attempt {
    /// It stands.
    Open(TcpStream, Channel),
    /// The sibling is there and does not speak sessions.
    Refused,
    /// The sibling cannot be reached.
    Unreachable(io::Error),
    /// There is no key yet.
    NoKey,
}

/// Keeps a session with a sibling, if it can be had, until the sibling is removed.
pub(crate) async fn run(context: Arc<Context>, sessions: Arc<Sessions>, peer: Arc<Peer>, secret: Secret) {
    let Some(parts) = sessions.parts() else { return };
    let dialer = Dialer::new(Arc::clone(&parts.journal), secret);
    let gauges = Gauges::new(&context, &peer);
    let mut dialing = Dialing {
        context: &context,
        sessions: &sessions,
        parts,
        peer: &peer,
        dialer,
        gauges,
        noted: DialerStatus::default(),
        pause: FIRST_PAUSE,
        lost: None,
        packets: true,
    };
    while !peer.is_removed() {
        let pause = dialing.attempt().await;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = peer.standing.kick.notified() => {}
            () = peer.queue.closed() => {}
        }
    }
    peer.standing.wants_journal.store(false, Ordering::Release);
    // Whoever waits to know need not wait any more.
    peer.standing.set(Kind::Classic);
    dialing.gauges.state.set(0);
    dialing.gauges.backlog.set(0);
}

struct Dialing<'a> {
    context: &'a Context,
    sessions: &'a Sessions,
    parts: &'a Parts,
    peer: &'a Peer,
    dialer: Dialer,
    gauges: Gauges,
    noted: DialerStatus,
    pause: Duration,
    /// Since when the last session is lost.
    lost: Option<Instant>,
    /// It may have told by packets what the session tells as well; a snapshot may have brought that.
    packets: bool,
}

impl Dialing<'_> {
    /// Tries once, and stays as long as the session does. Returns the pause until the next attempt.
    async fn attempt(&mut self) -> Duration {
        let had = matches!(self.peer.standing.kind(), Kind::Session | Kind::Lost);
        match self.open().await {
            Attempt::Open(stream, channel) => {
                // From here on nothing may go unrecorded: what is told begins at the journal's end.
                self.sessions.keep_for(self.peer);
                self.dialer.connected(channel, self.sessions.now_ms());
                let ended = self.speak(&stream).await;
                let greeted = self.dialer.status().connected;
                self.dialer.disconnected();
                self.note();
                self.ended(&ended, greeted)
            }
            Attempt::Refused => {
                if had && self.in_doubt() {
                    return self.longer();
                }
                self.classic();
                match self.peer.standing.accepted.load(Ordering::Acquire) {
                    0 if self.noted.acked == 0 => ASK_AGAIN,
                    0 => ASK_SOON,
                    // One that opens sessions itself was only not ready.
                    _ => LONGEST_PAUSE,
                }
            }
            Attempt::Unreachable(error) => {
                self.peer.look_up.notify_one();
                let standing = &self.peer.standing;
                if standing.accepted.load(Ordering::Acquire) > 0 {
                    self.set(Kind::Lost);
                    let addr = self.peer.addr();
                    let text = format!(
                        "the sibling {addr} opens sessions to this node, but none can be opened to it: {error}; changes \
                         made here reach it late"
                    );
                    self.context.complain(&format!("one way {addr}"), text);
                } else if had {
                    let packets = !standing.held.lock().messages.is_empty()
                        || standing.waiting.load(Ordering::Acquire) > 0;
                    if !self.in_doubt() && packets {
                        self.classic();
                    }
                } else {
                    self.classic();
                }
                self.longer()
            }
            Attempt::NoKey => {
                self.classic();
                LOOK
            }
        }
    }

    /// Whether a session that was lost may yet come back as if nothing had been.
    fn in_doubt(&mut self) -> bool {
        self.lost.get_or_insert_with(Instant::now).elapsed() < DOUBT
    }

    fn longer(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    fn set(&self, kind: Kind) {
        self.peer.standing.set(kind);
        self.gauges.state.set(kind as i64);
    }

    /// The sibling is sent packets from now on.
    fn classic(&mut self) {
        if self.peer.standing.kind() != Kind::Classic {
            let addr = self.peer.addr();
            if self.lost.take().is_some() {
                let text =
                    format!("the sibling {addr} speaks no sessions any more: it is sent packets again");
                self.context.tell(&format!("session given up {addr}"), text);
            }
            self.set(Kind::Classic);
            self.packets = true;
            self.dialer.compare_again();
        }
        self.peer.standing.wants_journal.store(false, Ordering::Release);
        self.peer.standing.caught_up.store(false, Ordering::Release);
    }

    fn ended(&mut self, ended: &Ended, greeted: bool) -> Duration {
        let addr = self.peer.addr();
        if let Some(reason) = ended.reason() {
            let addr = addr.to_string();
            self.context.caps.metrics.sessions.rejected.with_label_values(&[&addr, reason]).inc();
        }
        if greeted {
            // Not under the limit of the news that it is up: the loss of one that has just come up is told as well.
            let text = format!("the session with the sibling {addr} broke: {ended}");
            self.context.complain(&format!("session lost {addr}"), text);
            self.lost = Some(Instant::now());
            self.set(Kind::Lost);
            self.pause = FIRST_PAUSE;
            return self.longer();
        }
        let text = format!("a session with the sibling {addr} cannot be opened ({ended}){}", ended.advice());
        self.context.complain(&format!("session not opened {addr}"), text);
        if self.peer.standing.kind() != Kind::Lost || !self.in_doubt() {
            self.classic();
        }
        self.longer()
    }

    async fn open(&self) -> Attempt {
        let peer = self.peer;
        let common = self.context.security.key();
        let Some(key) = peer.config().key.as_ref().or(common.as_deref()) else { return Attempt::NoKey };
        let connecting = connect(self.context.listener(), peer.addr());
        let mut stream = match timeout(self.context.connect_timeout(), connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Attempt::Unreachable(error),
            Err(_) => return Attempt::Unreachable(ErrorKind::TimedOut.into()),
        };
        let Ok(own) = opening() else { return Attempt::NoKey };
        let mut answer = [0; ANSWER.len() + NONCE_BYTES];
        let asking = async {
            stream.write_all(&opening_bytes(OPENING, &own)).await?;
            stream.read_exact(&mut answer).await
        };
        let answered = matches!(timeout(ANSWERED, asking).await, Ok(Ok(_)));
        let (said, theirs) = answer.split_at(ANSWER.len());
        match theirs.first_chunk() {
            Some(theirs) if answered && said == ANSWER => {
                Attempt::Open(stream, Channel::dialed(key, &own, theirs))
            }
            _ => Attempt::Refused,
        }
    }

    /// Says what there is to say and hears the answers, until the connection ends.
    async fn speak(&mut self, stream: &TcpStream) -> Ended {
        let (mut out, mut at) = (Vec::new(), 0);
        let mut buffer = vec![0; READ];
        loop {
            match self.step(stream, &mut out, &mut at, &mut buffer) {
                Ok(true) => {
                    tokio::task::yield_now().await;
                    continue;
                }
                Ok(false) => {}
                Err(ended) => return ended,
            }
            let next = self.dialer.next().filter(|_| self.dialer.status().connected);
            let more = async {
                match next {
                    Some(next) if out.is_empty() => {
                        self.parts.journal.beyond(next).await;
                        tokio::time::sleep(GATHER).await;
                    }
                    _ => std::future::pending().await,
                }
            };
            let waited = tokio::select! {
                ready = stream.readable() => ready,
                ready = stream.writable(), if !out.is_empty() => ready,
                () = more => Ok(()),
                () = tokio::time::sleep(LOOK) => Ok(()),
                () = self.peer.queue.closed() => return Ended::Removed,
            };
            if let Err(error) = waited {
                return error.into();
            }
        }
    }

    /// One round; whether there may be more to do at once.
    fn step(
        &mut self,
        stream: &TcpStream,
        out: &mut Vec<u8>,
        at: &mut usize,
        buffer: &mut [u8],
    ) -> Result<bool, Ended> {
        let mut full = false;
        while !full && let Some(frame) = self.dialer.produce(now(), self.sessions.now_ms())? {
            out.extend_from_slice(&frame);
            full = out.len() - *at >= OUT;
        }
        while *at < out.len() {
            match stream.try_write(&out[*at..]) {
                Ok(written) => *at += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        if *at == out.len() {
            out.clear();
            *at = 0;
        }
        let mut heard = false;
        for _ in 0..READS {
            match stream.try_read(buffer) {
                Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
                Ok(read) => {
                    self.dialer.receive(&buffer[..read], now(), self.sessions.now_ms())?;
                    heard = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.note();
        Ok(heard || (full && out.is_empty()))
    }

    /// Tells others how it goes.
    fn note(&mut self) {
        let status = self.dialer.status();
        let before = std::mem::replace(&mut self.noted, status);
        let standing = &self.peer.standing;
        let next = self.dialer.next();
        if status.connected && !before.connected {
            let addr = self.peer.addr();
            let what = if status.resumed > before.resumed { "goes on" } else { "is up" };
            self.context
                .tell(&format!("session up {addr}"), format!("the session with the sibling {addr} {what}"));
            self.gauges.opened.inc();
            (self.lost, self.pause) = (None, FIRST_PAUSE);
            self.set(Kind::Session);
        }
        if status.connected {
            standing.acked.store(status.acked, Ordering::Release);
            self.gauges.backlog.set(self.parts.journal.end().saturating_sub(status.acked) as i64);
        }
        let caught_up = status.connected && !status.needs_repair && next == Some(status.acked);
        standing.caught_up.store(caught_up, Ordering::Release);
        if self.packets && status.repairs > before.repairs && !status.needs_repair {
            self.forget_packets();
        }
        self.peer.counters.sent(status.sent - before.sent);
        self.gauges.resumed.inc_by(status.resumed - before.resumed);
        self.gauges.gaps.inc_by(status.gaps - before.gaps);
        self.gauges.repairs.inc_by(status.repairs - before.repairs);
        self.gauges.repaired_keys.inc_by(status.repaired_keys - before.repaired_keys);
    }

    /// The sibling has told all that it counted. What came by packets before is part of that, unless another sibling at the same
    /// address may have sent it.
    fn forget_packets(&mut self) {
        let (Some(siblings), Some(node)) = (self.sessions.siblings(), self.dialer.sibling()) else { return };
        let ip = self.peer.addr().ip();
        let at_it = |peer: &&Arc<Peer>| peer.is_at(ip);
        if siblings.peers().iter().filter(at_it).all(|peer| peer.standing.kind() == Kind::Session) {
            let sibling = told_by(ip);
            self.context.caps.stats.all().iter().for_each(|db| db.local().forget_classic(sibling, node));
            self.packets = false;
        }
    }
}

/// The sibling's metrics.
struct Gauges {
    state: IntGauge,
    backlog: IntGauge,
    opened: IntCounter,
    resumed: IntCounter,
    gaps: IntCounter,
    repairs: IntCounter,
    repaired_keys: IntCounter,
}

impl Gauges {
    fn new(context: &Context, peer: &Peer) -> Self {
        let metrics = &context.caps.metrics.sessions;
        let addr = peer.addr().to_string();
        let sibling = [addr.as_str()];
        Self {
            state: metrics.state.with_label_values(&sibling),
            backlog: metrics.backlog.with_label_values(&sibling),
            opened: metrics.opened.with_label_values(&sibling),
            resumed: metrics.resumed.with_label_values(&sibling),
            gaps: metrics.gaps.with_label_values(&sibling),
            repairs: metrics.repairs.with_label_values(&sibling),
            repaired_keys: metrics.repaired_keys.with_label_values(&sibling),
        }
    }
}
