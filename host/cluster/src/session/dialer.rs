//! The end that sends changes.

use std::collections::VecDeque;
use std::sync::Arc;

use capabilities::stats::Db;
use statsdb::{Outline, Secret, Translation, translate};

use super::acceptor::{merge_blocks, merge_entries};
use super::journal::{LISTS, Taken};
use super::message::Message;
use super::repair::{Comparison, Filled, Subject};
use super::{Channel, Journal, SessionError, VERSION};

/// Changes that may be under way without an acknowledgement.
const MAX_UNACKED: u64 = 1 << 20;
/// Milliseconds without an answer after which the connection counts as dead.
const SILENCE_MS: u64 = 30_000;
/// Milliseconds without anything to say after which a ping is sent.
const PING_MS: u64 = 4_000;
/// Milliseconds between repairs that nothing asked for.
const REPAIR_EVERY_MS: u64 = 600_000;

/// How a dialer gets along.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DialerStatus {
    /// Position in the journal up to which the sibling has everything.
    pub acked: u64,
    /// Whether the session stands.
    pub connected: bool,
    /// Whether the sibling may lack something that the journal no longer has.
    pub needs_repair: bool,
    /// Repairs that were completed.
    pub repairs: u64,
    /// Keys that a repair sent or took.
    pub repaired_keys: u64,
    /// Times that the journal no longer had what the sibling lacked.
    pub gaps: u64,
    /// Times that a connection went on where the one before had ended.
    pub resumed: u64,
    /// Changes that were sent.
    pub sent: u64,
}

/// What is going on over one connection.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four things that have or have not been said, each on its own"
)]
struct Connection {
    channel: Channel,
    /// The sibling has said hello.
    greeted: bool,
    said_hello: bool,
    /// The next position to be sent.
    next: u64,
    /// Databases that the sibling knows by number, and how what it says of them is read.
    told: Vec<Option<Translation>>,
    comparison: Option<Comparison>,
    /// Databases that are still to be compared, and the lists.
    compare: VecDeque<u16>,
    /// Databases when the connection was made.
    dbs: usize,
    /// A gap came up meanwhile: all of it once more.
    again: bool,
    /// The sibling does not know yet that what it lacks comes by a repair.
    skipped: bool,
    heard_ms: u64,
    said_ms: u64,
}

/// The dialer for one sibling. It outlives its connections.
pub struct Dialer {
    journal: Arc<Journal>,
    secret: Secret,
    /// The version of the protocol that it speaks.
    version: u64,
    /// The sibling's origin when it was last heard of.
    sibling: Option<u64>,
    repaired_ms: u64,
    status: DialerStatus,
    connection: Option<Connection>,
}

impl Dialer {
    /// A dialer that has never been connected. `secret`: random; where digests begin.
    pub fn new(journal: Arc<Journal>, secret: Secret) -> Self {
        let status = DialerStatus::default();
        Self { journal, secret, version: VERSION, sibling: None, repaired_ms: 0, status, connection: None }
    }

    /// One that speaks another version.
    #[cfg(test)]
    pub(super) fn speaking(self, version: u64) -> Self {
        Self { version, ..self }
    }

    /// How it gets along.
    pub fn status(&self) -> DialerStatus {
        self.status
    }

    /// The origin of the node at the other end, as it was heard of last.
    pub fn sibling(&self) -> Option<u64> {
        self.sibling
    }

    /// The sibling is told by other means what happens from now on, and tells so: the next connection begins with a
    /// comparison.
    pub fn compare_again(&mut self) {
        self.sibling = None;
    }

    /// The position up to which everything was sent.
    pub fn next(&self) -> Option<u64> {
        self.connection.as_ref().map(|connection| connection.next)
    }

    /// A connection stands; nonces were exchanged. `now_ms`: milliseconds of any steady count.
    pub fn connected(&mut self, channel: Channel, now_ms: u64) {
        self.connection = Some(Connection {
            channel,
            greeted: false,
            said_hello: false,
            next: 0,
            told: Vec::new(),
            comparison: None,
            compare: VecDeque::new(),
            dbs: self.journal.db_count(),
            again: false,
            skipped: false,
            heard_ms: now_ms,
            said_ms: now_ms,
        });
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.connection = None;
        self.status.connected = false;
    }

    /// Takes in bytes. `now`: unix seconds.
    ///
    /// # Errors
    /// If the connection has to be closed.
    pub fn receive(&mut self, bytes: &[u8], now: u64, now_ms: u64) -> Result<(), SessionError> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        connection.channel.feed(bytes);
        while let Some(text) = self.next_text()? {
            if let Some(connection) = &mut self.connection {
                connection.heard_ms = now_ms;
            }
            self.message(Message::decode(&text)?, now, now_ms)?;
        }
        Ok(())
    }

    fn next_text(&mut self) -> Result<Option<Vec<u8>>, SessionError> {
        match &mut self.connection {
            Some(connection) => Ok(connection.channel.next_text()?),
            None => Ok(None),
        }
    }

    fn message(&mut self, message: Message, now: u64, now_ms: u64) -> Result<(), SessionError> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        match message {
            Message::Hello { version, origin, known } if !connection.greeted => {
                if version != self.version {
                    return Err(SessionError::Version(version));
                }
                if origin == self.journal.origin() {
                    return Err(SessionError::Oneself);
                }
                connection.greeted = true;
                self.status.connected = true;
                // Another origin has forgotten, or restored, whatever it knew.
                self.status.needs_repair |= self.sibling != Some(origin);
                self.sibling = Some(origin);
                self.status.acked = 0;
                connection.next = self.journal.end();
                match known.checked_sub(1) {
                    Some(known) if known >= self.journal.first() && known <= self.journal.end() => {
                        connection.next = known;
                        self.status.acked = known;
                        self.status.resumed += 1;
                    }
                    Some(_) => {
                        self.status.needs_repair = true;
                        self.status.gaps += 1;
                        connection.skipped = true;
                    }
                    None => {
                        self.status.needs_repair = true;
                        connection.skipped = true;
                    }
                }
            }
            _ if !connection.greeted => return Err(SessionError::Unexpected),
            Message::Ack { position } => {
                if position > connection.next {
                    return Err(SessionError::Unexpected);
                }
                self.status.acked = self.status.acked.max(position);
            }
            Message::Lines { db, leaves, lines, last } => {
                let comparison = connection.comparison.as_mut().filter(|comparison| comparison.db == db);
                let comparison = comparison.ok_or(SessionError::Unexpected)?;
                comparison.compare(&leaves, &lines, last)?;
            }
            Message::Shares { repair: true, blocks, entries, .. } => {
                let dbs = self.journal.dbs();
                let merged = merge_blocks(&self.journal, &dbs, &connection.told, &blocks, now)?;
                let listed = merge_entries(&self.journal, &entries, now, true)?;
                self.status.repaired_keys += merged.changed + listed;
            }
            Message::Repaired { db } => {
                let announced = |comparison: &Comparison| comparison.db == db && comparison.is_announced();
                if !connection.comparison.as_ref().is_some_and(announced) {
                    return Err(SessionError::Unexpected);
                }
                connection.comparison = None;
                if connection.compare.is_empty() {
                    self.status.needs_repair = std::mem::take(&mut connection.again);
                    self.status.repairs += 1;
                    self.repaired_ms = now_ms;
                }
            }
            _ => return Err(SessionError::Unexpected),
        }
        Ok(())
    }

    /// The next frame to be sent; `None` if there is nothing to say now. Ask again after a few milliseconds, or when
    /// something arrived. `now`: unix seconds.
    ///
    /// # Errors
    /// If the connection has to be closed.
    pub fn produce(&mut self, now: u64, now_ms: u64) -> Result<Option<Vec<u8>>, SessionError> {
        let Some(connection) = &self.connection else { return Ok(None) };
        if now_ms.saturating_sub(connection.heard_ms) > SILENCE_MS {
            return Err(SessionError::Silent);
        }
        let Some(message) = self.next_message(now, now_ms) else { return Ok(None) };
        let Some(connection) = &mut self.connection else { return Ok(None) };
        connection.said_ms = now_ms;
        Ok(Some(connection.channel.seal(&message.encode())?))
    }

    fn next_message(&mut self, now: u64, now_ms: u64) -> Option<Message> {
        let connection = self.connection.as_mut()?;
        if !connection.said_hello {
            connection.said_hello = true;
            return Some(Message::Hello { version: self.version, origin: self.journal.origin(), known: 0 });
        }
        if !connection.greeted {
            return None;
        }
        let dbs = self.journal.dbs();
        if let Some(db) = dbs.get(connection.told.len()) {
            let outline = Outline::new(db.schema());
            let number = connection.told.len() as u16;
            connection.told.push(Some(translate(&outline, db.local())));
            // What was counted before it was known here was told to nobody.
            if connection.told.len() > connection.dbs {
                self.status.needs_repair = true;
                connection.again = connection.comparison.is_some() || !connection.compare.is_empty();
            }
            return Some(Message::Db { db: number, outline });
        }
        let position = |position| {
            let (blocks, entries) = (Vec::new(), Vec::new());
            Message::Shares { position, repair: false, blocks, entries }
        };
        if std::mem::take(&mut connection.skipped) {
            return Some(position(connection.next));
        }
        // Changes come first: what a repair takes longer for is older.
        if connection.next < self.journal.end()
            && connection.next - self.status.acked.min(connection.next) < MAX_UNACKED
        {
            if let Some(Taken { position, blocks, entries }) = self.journal.take(connection.next, now) {
                self.status.sent += position - connection.next;
                connection.next = position;
                return Some(Message::Shares { position, repair: false, blocks, entries });
            }
            // They had to make room: everything up to now is told by a repair.
            self.status.needs_repair = true;
            self.status.gaps += 1;
            connection.next = self.journal.end();
            // A comparison that is going on may have looked before that.
            connection.again = connection.comparison.is_some() || !connection.compare.is_empty();
            return Some(position(connection.next));
        }
        self.repair_message(&dbs, now, now_ms).or_else(|| {
            (now_ms.saturating_sub(self.connection.as_ref()?.said_ms) > PING_MS).then_some(Message::Ping)
        })
    }

    /// What a repair has to say next.
    fn repair_message(&mut self, dbs: &[Db], now: u64, now_ms: u64) -> Option<Message> {
        let connection = self.connection.as_mut()?;
        let due = now_ms.saturating_sub(self.repaired_ms) > REPAIR_EVERY_MS;
        if (self.status.needs_repair || due) && connection.comparison.is_none() {
            if connection.compare.is_empty() {
                let numbers = (0..).zip(dbs).filter(|(_, db)| db.replicates()).map(|(number, _)| number);
                connection.compare = numbers.chain(self.journal.lists().map(|_| LISTS)).collect();
                self.status.needs_repair = !connection.compare.is_empty();
                if connection.compare.is_empty() {
                    self.repaired_ms = now_ms;
                }
            }
            if let Some(number) = connection.compare.pop_front() {
                let subject = match number {
                    LISTS => self.journal.lists().map(Subject::Lists),
                    number => dbs.get(usize::from(number)).map(|db| Subject::Db(db.local())),
                };
                // Another secret each time: keys whose hashes collide once do not the next time.
                self.secret.0 = next_secret(self.secret);
                let secret = self.secret;
                connection.comparison = subject.map(|subject| Comparison::new(number, &subject, now, secret));
            }
        }
        let comparison = connection.comparison.as_mut()?;
        if let Some(message) = comparison.message() {
            return Some(message);
        }
        let place = usize::from(comparison.db);
        if let Some(Filled { blocks, entries, keys }) = comparison.keys(&self.journal, place, now) {
            self.status.repaired_keys += keys;
            return Some(Message::Shares { position: 0, repair: true, blocks, entries });
        }
        comparison.message()
    }
}

fn next_secret(secret: Secret) -> [u8; 16] {
    let mut next = [0; 16];
    next[..8].copy_from_slice(&secret.key(b"first half").to_le_bytes());
    next[8..].copy_from_slice(&secret.key(b"second half").to_le_bytes());
    next
}
