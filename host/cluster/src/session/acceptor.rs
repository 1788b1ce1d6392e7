//! The end that receives changes.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::BString;
use capabilities::stats::Db;
use parking_lot::Mutex;
use statsdb::{CodecError, Merged, Mismatch, Reader, Room, StatsDb, Translation, translate};

use super::asked::{Asked, Question};
use super::entries::decode;
use super::journal::LISTS;
use super::message::Message;
use super::repair::Filled;
use super::{Channel, Journal, SessionError, VERSION};

/// Most databases that a dialer may number.
const MAX_DBS: usize = 4096;
/// Most origins whose positions are remembered; those heard of longest ago go.
const MAX_ORIGINS: usize = 1024;

/// Up to where this node has the journals of others. Shared by all connections.
#[derive(Default)]
pub struct Heard {
    positions: Mutex<HashMap<u64, (u64, u64)>>,
}

impl Heard {
    /// The position plus one; 0 if the origin was never heard of.
    fn known(&self, origin: u64) -> u64 {
        self.positions.lock().get(&origin).map_or(0, |(position, _)| position.saturating_add(1))
    }

    /// Forgets a journal: its owner has to be asked for a repair.
    fn forget(&self, origin: u64) {
        self.positions.lock().remove(&origin);
    }

    fn note(&self, origin: u64, position: u64, now_ms: u64) {
        let mut positions = self.positions.lock();
        if positions.len() >= MAX_ORIGINS && !positions.contains_key(&origin) {
            let oldest = positions.iter().min_by_key(|(_, (_, heard))| *heard).map(|(origin, _)| *origin);
            oldest.and_then(|oldest| positions.remove(&oldest));
        }
        positions.insert(origin, (position, now_ms));
    }
}

/// What came of merging.
#[derive(Default)]
pub(super) struct Counts {
    pub changed: u64,
    pub parts: u64,
}

/// One connection that was accepted.
pub struct Acceptor {
    journal: Arc<Journal>,
    heard: Arc<Heard>,
    channel: Channel,
    /// The version of the protocol that it speaks.
    version: u64,
    dialer: Option<u64>,
    said_hello: bool,
    /// The dialer is refused for what it is.
    refused: bool,
    /// For each number of the dialer's: this node's number of the database, and how shares are read.
    dbs: Vec<Option<(usize, Translation)>>,
    asked: Asked,
    /// An acknowledgement is due.
    ack: bool,
    position: u64,
    applied: u64,
    received: u64,
    repaired: u64,
    /// Databases that this end had when the dialer's were looked up.
    own: usize,
    /// Databases that are not as the dialer's of the same name are.
    mismatches: Vec<(BString, Mismatch)>,
}

impl Acceptor {
    /// A connection whose nonces were exchanged.
    pub fn new(journal: Arc<Journal>, heard: Arc<Heard>, channel: Channel) -> Self {
        Self {
            journal,
            heard,
            channel,
            version: VERSION,
            dialer: None,
            said_hello: false,
            refused: false,
            dbs: Vec::new(),
            asked: Asked::default(),
            ack: false,
            position: 0,
            applied: 0,
            received: 0,
            repaired: 0,
            own: 0,
            mismatches: Vec::new(),
        }
    }

    /// Parts of counters that were taken over.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Changes that were heard of.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Keys and entries of lists that a repair brought.
    pub fn repaired(&self) -> u64 {
        self.repaired
    }

    /// Databases that differ from the dialer's of the same name, those named since the last call.
    pub fn take_mismatches(&mut self) -> Vec<(BString, Mismatch)> {
        std::mem::take(&mut self.mismatches)
    }

    /// Whether no frame is half here.
    pub fn is_between_frames(&self) -> bool {
        self.channel.is_between_frames()
    }

    /// Frames that came whole.
    pub fn frames(&self) -> u64 {
        self.channel.opened()
    }

    /// The dialer's origin, once it is known: the connection has then proved that it knows the key.
    pub fn dialer(&self) -> Option<u64> {
        self.dialer
    }

    /// Takes in bytes. `now`: unix seconds; `now_ms`: milliseconds of any steady count.
    ///
    /// # Errors
    /// If the connection has to be closed.
    pub fn receive(&mut self, bytes: &[u8], now: u64, now_ms: u64) -> Result<(), SessionError> {
        self.feed(bytes);
        while self.advance(now, now_ms)? {}
        Ok(())
    }

    /// Takes in bytes; what they say is heard by [`Acceptor::advance`].
    pub fn feed(&mut self, bytes: &[u8]) {
        self.channel.feed(bytes);
    }

    /// Hears the next message, as [`Acceptor::receive`] does with all of them; whether there was a whole one. One may take
    /// long: others should have their turn after each.
    ///
    /// # Errors
    /// If the connection has to be closed.
    pub fn advance(&mut self, now: u64, now_ms: u64) -> Result<bool, SessionError> {
        self.asked.advance(&self.journal, now_ms);
        let Some(text) = self.channel.next_text()? else { return Ok(false) };
        self.message(Message::decode(&text)?, now, now_ms)?;
        Ok(true)
    }

    /// Milliseconds after which [`Acceptor::advance`] has something to do even if nothing arrives.
    pub fn wait_ms(&self, now_ms: u64) -> Option<u64> {
        self.asked.wait_ms(now_ms)
    }

    fn message(&mut self, message: Message, now: u64, now_ms: u64) -> Result<(), SessionError> {
        let Some(dialer) = self.dialer else {
            let Message::Hello { version, origin, .. } = message else {
                return Err(SessionError::Unexpected);
            };
            self.refused = version != self.version || origin == self.journal.origin();
            if version != self.version {
                return Err(SessionError::Version(version));
            }
            if self.refused {
                return Err(SessionError::Oneself);
            }
            self.dialer = Some(origin);
            return Ok(());
        };
        if self.own != self.journal.db_count() && !self.dbs.is_empty() {
            // One of those that were unknown may be here now. What was told of it meanwhile comes by a repair.
            self.heard.forget(dialer);
            return Err(SessionError::Databases);
        }
        match message {
            Message::Db { db, outline } => {
                if usize::from(db) != self.dbs.len() || self.dbs.len() >= MAX_DBS {
                    return Err(SessionError::Unexpected);
                }
                let own = self.journal.dbs();
                if self.dbs.is_empty() {
                    self.own = own.len();
                }
                let place = own.iter().position(|db| *db.name() == outline.name);
                if let Some(own) = place.and_then(|place| own.get(place)).filter(|own| own.replicates())
                    && let Some(mismatch) = Mismatch::of(&outline, own.local())
                {
                    self.mismatches.push((outline.name.clone(), mismatch));
                }
                let entry = place.map(|place| (place, translate(&outline, own[place].local())));
                self.dbs.push(entry.filter(|(_, how)| how.same_windows()));
            }
            Message::Shares { position, repair, blocks, entries } => {
                let own = self.journal.dbs();
                let mut counts = Counts::default();
                for (number, block) in &blocks {
                    let Some(entry) = self.dbs.get(usize::from(*number)) else {
                        return Err(SessionError::Unexpected);
                    };
                    if let Some((place, how)) = entry {
                        let target =
                            Target { journal: &self.journal, place: *place, db: own[*place].local(), how };
                        target.merge(block, now, repair, &mut counts)?;
                    }
                }
                let listed = merge_entries(&self.journal, &entries, now, repair)?;
                self.applied = self.applied.saturating_add(counts.parts);
                if repair {
                    self.repaired = self.repaired.saturating_add(counts.changed + listed);
                } else {
                    if !blocks.is_empty() || !entries.is_empty() {
                        let heard = position.saturating_sub(self.position);
                        self.received = self.received.saturating_add(heard);
                    }
                    self.position = position;
                    self.heard.note(dialer, position, now_ms);
                    self.ack = true;
                }
            }
            Message::Ping => self.ack = true,
            Message::Sums { db, secret, now, bits, first, sums } => {
                let place = self.place(db)?;
                let question = Question { db, place, secret, now, bits };
                self.asked.sums(&self.journal, question, (first, sums), now_ms)?;
            }
            Message::Want { db, keys } => {
                if !self.asked.of(db)?.want(&keys) {
                    return Err(SessionError::Unexpected);
                }
            }
            Message::Repaired { db } => self.asked.of(db)?.finish(),
            _ => return Err(SessionError::Unexpected),
        }
        Ok(())
    }

    /// This end's number of a database that the dialer named, if it is here.
    fn place(&self, db: u16) -> Result<Option<usize>, SessionError> {
        if db == LISTS {
            return Ok(Some(usize::from(LISTS)));
        }
        let entry = self.dbs.get(usize::from(db)).ok_or(SessionError::Unexpected)?;
        Ok(entry.as_ref().map(|(place, _)| *place))
    }

    /// The frame that is to be sent before the connection is closed over an error: to a dialer that was refused for its version, or
    /// because it is this node, what this end is. Otherwise it could not tell that from another key.
    pub fn last_frame(&mut self) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.refused) {
            return None;
        }
        let hello = Message::Hello { version: self.version, origin: self.journal.origin(), known: 0 };
        self.channel.seal(&hello.encode()).ok()
    }

    /// One that speaks another version.
    #[cfg(test)]
    pub(super) fn speaking(self, version: u64) -> Self {
        Self { version, ..self }
    }

    /// The next frame to be sent; `None` if there is nothing to say until something arrives.
    ///
    /// # Errors
    /// If the connection has to be closed.
    pub fn produce(&mut self, now: u64) -> Result<Option<Vec<u8>>, SessionError> {
        match self.next_message(now) {
            Some(message) => Ok(Some(self.channel.seal(&message.encode())?)),
            None => Ok(None),
        }
    }

    fn next_message(&mut self, now: u64) -> Option<Message> {
        let dialer = self.dialer?;
        if !self.said_hello {
            self.said_hello = true;
            let known = self.heard.known(dialer);
            self.position = known.saturating_sub(1);
            return Some(Message::Hello { version: self.version, origin: self.journal.origin(), known });
        }
        if std::mem::take(&mut self.ack) {
            return Some(Message::Ack { position: self.position });
        }
        let db = self.asked.current()?.db;
        let place = self.place(db).ok().flatten();
        let answers = self.asked.current()?;
        if let Some(message) = answers.message() {
            return Some(message);
        }
        if let Some(Filled { blocks, entries, .. }) =
            place.and_then(|place| answers.keys(&self.journal, place, now))
        {
            return Some(Message::Shares { position: 0, repair: true, blocks, entries });
        }
        if answers.is_done() {
            self.asked.end();
            return Some(Message::Repaired { db });
        }
        None
    }
}

/// Takes over blocks of databases that this end numbered itself.
pub(super) fn merge_blocks(
    journal: &Journal,
    dbs: &[Db],
    told: &[Option<Translation>],
    blocks: &[(u16, Vec<u8>)],
    now: u64,
) -> Result<Counts, SessionError> {
    let mut counts = Counts::default();
    for (number, block) in blocks {
        let place = usize::from(*number);
        let (Some(db), Some(Some(how))) = (dbs.get(place), told.get(place)) else {
            return Err(SessionError::Unexpected);
        };
        Target { journal, place, db: db.local(), how }.merge(block, now, true, &mut counts)?;
    }
    Ok(counts)
}

/// Where a block goes.
struct Target<'a> {
    journal: &'a Journal,
    /// The database's number in the journal.
    place: usize,
    db: &'a StatsDb,
    how: &'a Translation,
}

impl Target<'_> {
    fn merge(&self, block: &[u8], now: u64, repair: bool, counts: &mut Counts) -> Result<(), SessionError> {
        let content = |error: CodecError| SessionError::Message(error.into());
        for share in Reader::new(block).map_err(content)? {
            let share = share.map_err(content)?;
            let room = match repair {
                true => Room::Spare,
                // A reset of a key that is not here needs no key.
                false if share.parts.is_empty() => Room::Never,
                false => Room::Make,
            };
            counts.parts += share.parts.len() as u64;
            let merged = self.db.merge(now, &share, self.how, room);
            if matches!(merged, Merged::Changed | Merged::Reset) {
                counts.changed += 1;
            }
            // What a repair brings nobody else may be about to tell. And whoever was told of counts from before a reset by
            // this node has to hear of the reset from it, too, after them.
            if merged == Merged::Reset || (repair && merged == Merged::Changed) {
                self.journal.pass_on(self.place as u16, &share.key);
            }
        }
        Ok(())
    }
}

/// Takes over changes of lists; how many were news.
pub(super) fn merge_entries(
    journal: &Journal,
    bytes: &[u8],
    now: u64,
    repair: bool,
) -> Result<u64, SessionError> {
    let mut news = 0;
    let Some(lists) = journal.lists().filter(|_| !bytes.is_empty()) else { return Ok(0) };
    for change in decode(bytes).map_err(|error| SessionError::Message(error.into()))? {
        let id = change.id.clone();
        if lists.merge(now, change) {
            news += 1;
            // As for keys: nobody else may be about to tell.
            if repair {
                journal.push_entry(id);
            }
        }
    }
    Ok(news)
}
