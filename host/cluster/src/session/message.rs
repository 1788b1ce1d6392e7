//! What the ends say, and how.

use statsdb::codec::{put, put_bytes, split, take, take_bytes};
use statsdb::{CodecError, Outline, Secret};

use super::VERSION;

/// Most sums, lines or keys in one message.
pub(super) const MAX_ITEMS: usize = 4096;

/// The text of a frame is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Its content ends too early or makes no sense.
    #[error("a message makes no sense: {0}")]
    Content(#[from] CodecError),
    /// There is no such message.
    #[error("a message of unknown kind {0}")]
    Kind(u8),
    /// A database, a leaf or a number of items that cannot be.
    #[error("a message out of all bounds")]
    Bounds,
}

/// One message. `db` is a number that the dialer gave a database with [`Message::Db`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// First message of both: version and origin; of the acceptor also the position in the dialer's journal up to which
    /// it has everything, 0 if it has never heard of this dialer.
    Hello {
        /// [`super::VERSION`].
        version: u64,
        /// The node's origin: another one after each start.
        origin: u64,
        /// Position in the dialer's journal plus one; 0 for none.
        known: u64,
    },
    /// Dialer: a database from now on has this number.
    Db {
        /// The number.
        db: u16,
        /// What it is.
        outline: Outline,
    },
    /// Shares of keys. With a position: all changes up to it have been sent.
    Shares {
        /// Position in the dialer's journal; 0 in a repair.
        position: u64,
        /// Whether they are part of a repair.
        repair: bool,
        /// Blocks of shares of databases.
        blocks: Vec<(u16, Vec<u8>)>,
        /// List entries.
        entries: Vec<u8>,
    },
    /// Acceptor: everything up to this position is here.
    Ack {
        /// Position in the dialer's journal.
        position: u64,
    },
    /// Dialer: answer with an [`Message::Ack`].
    Ping,
    /// Dialer: sums of some leaves of its catalogue.
    Sums {
        /// The database.
        db: u16,
        /// The catalogue's secret.
        secret: Secret,
        /// As of when it was made, unix seconds.
        now: u64,
        /// Bits of a leaf's number.
        bits: u8,
        /// The first leaf.
        first: u32,
        /// The sums.
        sums: Vec<u64>,
    },
    /// Acceptor: all lines of some leaves whose sums differ.
    Lines {
        /// The database.
        db: u16,
        /// The leaves.
        leaves: Vec<u32>,
        /// Hashes of keys and their digests.
        lines: Vec<(u64, u64)>,
        /// Whether these were the last ones.
        last: bool,
    },
    /// Dialer: keys that it wants.
    Want {
        /// The database.
        db: u16,
        /// Hashes of keys.
        keys: Vec<u64>,
    },
    /// Dialer: it has sent and asked for everything; the acceptor says the same when it has answered.
    Repaired {
        /// The database.
        db: u16,
    },
}

const HELLO: u8 = 1;
const DB: u8 = 2;
const SHARES: u8 = 3;
const ACK: u8 = 4;
const PING: u8 = 5;
const SUMS: u8 = 6;
const LINES: u8 = 7;
const WANT: u8 = 8;
const REPAIRED: u8 = 9;

impl Message {
    /// The message as the text of a frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = Vec::new();
        match self {
            Self::Hello { version, origin, known } => {
                text.push(HELLO);
                put(&mut text, *version);
                text.extend_from_slice(&origin.to_le_bytes());
                put(&mut text, *known);
            }
            Self::Db { db, outline } => {
                text.push(DB);
                put(&mut text, u64::from(*db));
                outline.encode(&mut text);
            }
            Self::Shares { position, repair, blocks, entries } => {
                text.push(SHARES);
                put(&mut text, *position);
                text.push(u8::from(*repair));
                put(&mut text, blocks.len() as u64);
                for (db, block) in blocks {
                    put(&mut text, u64::from(*db));
                    put_bytes(&mut text, block);
                }
                put_bytes(&mut text, entries);
            }
            Self::Ack { position } => {
                text.push(ACK);
                put(&mut text, *position);
            }
            Self::Ping => text.push(PING),
            Self::Sums { db, secret, now, bits, first, sums } => {
                text.push(SUMS);
                put(&mut text, u64::from(*db));
                text.extend_from_slice(&secret.0);
                put(&mut text, *now);
                text.push(*bits);
                put(&mut text, u64::from(*first));
                put(&mut text, sums.len() as u64);
                text.extend(sums.iter().flat_map(|sum| sum.to_le_bytes()));
            }
            Self::Lines { db, leaves, lines, last } => {
                text.push(LINES);
                put(&mut text, u64::from(*db));
                text.push(u8::from(*last));
                put(&mut text, leaves.len() as u64);
                text.extend(leaves.iter().flat_map(|leaf| leaf.to_le_bytes()));
                put(&mut text, lines.len() as u64);
                text.extend(
                    lines
                        .iter()
                        .flat_map(|(key, digest)| [key.to_le_bytes(), digest.to_le_bytes()])
                        .flatten(),
                );
            }
            Self::Want { db, keys } => {
                text.push(WANT);
                put(&mut text, u64::from(*db));
                put(&mut text, keys.len() as u64);
                text.extend(keys.iter().flat_map(|key| key.to_le_bytes()));
            }
            Self::Repaired { db } => {
                text.push(REPAIRED);
                put(&mut text, u64::from(*db));
            }
        }
        text
    }

    /// The message that a text is.
    ///
    /// # Errors
    /// If it is none.
    pub fn decode(text: &[u8]) -> Result<Self, MessageError> {
        let (&kind, mut body) = text.split_first().ok_or(CodecError::Short)?;
        let rest = &mut body;
        let message = match kind {
            HELLO => {
                let version = take(rest)?;
                // What another version says after that is not known here.
                if version != VERSION {
                    return Ok(Self::Hello { version, origin: 0, known: 0 });
                }
                Self::Hello { version, origin: fixed(rest)?, known: take(rest)? }
            }
            DB => Self::Db { db: small(rest)?, outline: Outline::decode(rest)? },
            SHARES => {
                let position = take(rest)?;
                let repair = flag(rest)?;
                let blocks = items(take(rest)?)?;
                let blocks = (0..blocks).map(|_| {
                    let most = rest.len();
                    Ok((small(rest)?, take_bytes(rest, most)?.to_vec()))
                });
                let blocks = blocks.collect::<Result<_, MessageError>>()?;
                let most = rest.len();
                Self::Shares { position, repair, blocks, entries: take_bytes(rest, most)?.to_vec() }
            }
            ACK => Self::Ack { position: take(rest)? },
            PING => Self::Ping,
            SUMS => {
                let db = small(rest)?;
                let secret = Secret(array(rest)?);
                let now = take(rest)?;
                let bits = split(rest, 1)?[0];
                let first = u32::try_from(take(rest)?).map_err(|_| MessageError::Bounds)?;
                let count = items(take(rest)?)?;
                let sums = (0..count).map(|_| fixed(rest)).collect::<Result<_, _>>()?;
                Self::Sums { db, secret, now, bits, first, sums }
            }
            LINES => {
                let (db, last) = (small(rest)?, flag(rest)?);
                let count = items(take(rest)?)?;
                let leaves = (0..count).map(|_| Ok(u32::from_le_bytes(array(rest)?)));
                let leaves = leaves.collect::<Result<_, MessageError>>()?;
                let count = items(take(rest)?)?;
                let lines = (0..count).map(|_| Ok((fixed(rest)?, fixed(rest)?)));
                Self::Lines { db, leaves, lines: lines.collect::<Result<_, MessageError>>()?, last }
            }
            WANT => {
                let db = small(rest)?;
                let count = items(take(rest)?)?;
                Self::Want { db, keys: (0..count).map(|_| fixed(rest)).collect::<Result<_, _>>()? }
            }
            REPAIRED => Self::Repaired { db: small(rest)? },
            other => return Err(MessageError::Kind(other)),
        };
        if body.is_empty() { Ok(message) } else { Err(MessageError::Bounds) }
    }
}

fn items(count: u64) -> Result<usize, MessageError> {
    // Leaves with many keys are sent whole, so more than what is begun with may come.
    usize::try_from(count).ok().filter(|count| *count <= 16 * MAX_ITEMS).ok_or(MessageError::Bounds)
}

fn small(rest: &mut &[u8]) -> Result<u16, MessageError> {
    u16::try_from(take(rest)?).map_err(|_| MessageError::Bounds)
}

fn flag(rest: &mut &[u8]) -> Result<bool, MessageError> {
    Ok(split(rest, 1)?[0] != 0)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], MessageError> {
    let mut array = [0; N];
    array.copy_from_slice(split(rest, N)?);
    Ok(array)
}

fn fixed(rest: &mut &[u8]) -> Result<u64, MessageError> {
    Ok(u64::from_le_bytes(array(rest)?))
}
