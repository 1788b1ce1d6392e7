//! What a policy call asked, and what it was told.

use bstr::{BStr, BString};
use login::json::{ArrayWriter, ObjectWriter, write_int, write_str};

use crate::lists::{Colour, Entry, Kind};

/// What was read of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// All windows together.
    Sum(i32),
    /// The current window.
    Current(i32),
    /// Each window, the current one first.
    Windows(Vec<i32>),
}

/// What a read found nothing of: it is told 0, as of a key that was never counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// There is no stats DB of the name that was asked for.
    Db,
    /// The DB has no field of this name.
    Field,
}

impl Missing {
    /// `db` or `field`.
    fn name(self) -> &'static str {
        match self {
            Self::Db => "db",
            Self::Field => "field",
        }
    }
}

/// One question or change of a policy call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something looked whether there is an entry.
    List {
        /// Which list.
        colour: Colour,
        /// What for.
        kind: Kind,
        /// What was looked for, as the list's keys are spelled.
        key: BString,
        /// The entry that matched.
        hit: Option<Entry>,
    },
    /// A count was read.
    Stats {
        /// The DB.
        db: BString,
        /// The key.
        key: BString,
        /// The field.
        field: BString,
        /// The value in question, if the policy named one.
        value: Option<BString>,
        /// What it was told.
        read: Read,
        /// What there is not.
        missing: Option<Missing>,
    },
    /// Something was changed: a count, a list. What and how, in words of the Lua API.
    Change {
        /// `twAdd failed_passwords`, `blacklistIP`.
        what: String,
        /// The key, the field and the value, the entry.
        arguments: Vec<BString>,
    },
    /// A GeoIP database was asked.
    Geo {
        /// The file's name.
        db: String,
        /// The address.
        address: String,
        /// `country.iso_code`, or `city` for the whole place.
        path: String,
        /// What it said.
        answer: String,
    },
    /// A resolver was asked.
    Dns {
        /// The name or address, with the zone for an RBL.
        question: String,
        /// What was found.
        answers: Vec<String>,
    },
    /// The report store was asked.
    Reports {
        /// The question as JSON, perhaps cut off.
        question: String,
        /// The answer as JSON, perhaps cut off.
        answer: String,
    },
    /// A member of the chain gave its verdict.
    Member {
        /// Its name; `allow` for the Lua function of `setAllow`.
        name: String,
        /// The status it answered; `None`: it passed the question on.
        status: Option<i32>,
        /// What it said for the log, or why it failed.
        log: BString,
        /// Whether it failed instead of answering.
        failed: bool,
        /// Microseconds it took, waiting included.
        micros: u64,
        /// Fuel that a component used.
        fuel: Option<u64>,
    },
}

impl Step {
    /// What kind of step it is: `list`, `stats`, `change`, `geoip`, `dns`, `reports` or `member`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::List { .. } => "list",
            Self::Stats { .. } => "stats",
            Self::Change { .. } => "change",
            Self::Geo { .. } => "geoip",
            Self::Dns { .. } => "dns",
            Self::Reports { .. } => "reports",
            Self::Member { .. } => "member",
        }
    }

    /// Writes its members in the order a reader wants them: this object is ours, no client of wforce's knows it.
    pub(super) fn write_members(&self, object: &mut ObjectWriter<'_>) {
        match self {
            Self::List { colour, kind, key, hit } => {
                object
                    .str(b"list", colour_name(*colour))
                    .str(b"kind", kind.api_name().as_bytes())
                    .str(b"key", key);
                object.bool(b"hit", hit.is_some());
                if let Some(hit) = hit {
                    object
                        .str(b"entry", &hit.key)
                        .str(b"expiration", hit.expiration_text().as_bytes())
                        .str(b"reason", &hit.reason);
                }
            }
            Self::Stats { db, key, field, value, read, missing } => {
                object.str(b"db", db).str(b"key", key).str(b"field", field);
                if let Some(value) = value {
                    object.str(b"of", value);
                }
                match read {
                    Read::Sum(count) => _ = object.int(b"value", i64::from(*count)),
                    Read::Current(count) => _ = object.int(b"current", i64::from(*count)),
                    Read::Windows(counts) => {
                        let mut list = ArrayWriter::new(object.member(b"windows"));
                        for count in counts {
                            write_int(list.item(), i64::from(*count));
                        }
                        list.finish();
                    }
                }
                if let Some(missing) = missing {
                    object.str(b"missing", missing.name().as_bytes());
                }
            }
            Self::Change { what, arguments } => {
                object.str(b"what", what.as_bytes());
                write_texts(object.member(b"arguments"), arguments.iter().map(|text| text.as_slice()));
            }
            Self::Geo { db, address, path, answer } => {
                object
                    .str(b"db", db.as_bytes())
                    .str(b"address", address.as_bytes())
                    .str(b"path", path.as_bytes())
                    .str(b"answer", answer.as_bytes());
            }
            Self::Dns { question, answers } => {
                object.str(b"question", question.as_bytes());
                write_texts(object.member(b"answers"), answers.iter().map(String::as_bytes));
            }
            Self::Reports { question, answer } => {
                object.str(b"question", question.as_bytes()).str(b"answer", answer.as_bytes());
            }
            Self::Member { name, status, log, failed, micros, fuel } => {
                object.str(b"name", name.as_bytes()).str(b"verdict", verdict(*status, *failed).as_bytes());
                if let Some(status) = status {
                    object.int(b"status", i64::from(*status));
                }
                object.str(b"log", log).int(b"took_us", i64::try_from(*micros).unwrap_or(i64::MAX));
                if let Some(fuel) = fuel {
                    object.int(b"fuel", i64::try_from(*fuel).unwrap_or(i64::MAX));
                }
            }
        }
    }
}

fn write_texts<'a>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'a [u8]>) {
    let mut list = ArrayWriter::new(out);
    texts.for_each(|text| write_str(list.item(), text));
    list.finish();
}

fn colour_name(colour: Colour) -> &'static [u8] {
    match colour {
        Colour::Black => b"blacklist",
        Colour::White => b"whitelist",
    }
}

/// `allow`, `deny`, `wait`, `pass` or `failed`.
fn verdict(status: Option<i32>, failed: bool) -> &'static str {
    match status {
        _ if failed => "failed",
        None => "pass",
        Some(0) => "allow",
        Some(..0) => "deny",
        Some(_) => "wait",
    }
}

/// One line, for people.
impl std::fmt::Display for Step {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::List { colour, kind, key, hit } => {
                write!(out, "{} {} {key}: ", BStr::new(colour_name(*colour)), kind.api_name())?;
                match hit {
                    None => out.write_str("no entry"),
                    Some(hit) => {
                        write!(out, "{} until {} ({})", hit.key, hit.expiration_text(), hit.reason)
                    }
                }
            }
            Self::Stats { db, key, field, value, read, missing } => {
                write!(out, "{db}: {field} of {key}")?;
                if let Some(value) = value {
                    write!(out, " for {value}")?;
                }
                match read {
                    Read::Sum(count) => write!(out, " = {count}")?,
                    Read::Current(count) => write!(out, " = {count} in this window")?,
                    Read::Windows(counts) => write!(out, " = {counts:?}")?,
                }
                match missing {
                    None => Ok(()),
                    Some(Missing::Db) => out.write_str(" (there is no stats DB of this name)"),
                    Some(Missing::Field) => write!(out, " ({db} has no such field)"),
                }
            }
            Self::Change { what, arguments } => {
                write!(out, "{what}")?;
                arguments.iter().try_for_each(|text| write!(out, " {text}"))
            }
            Self::Geo { db, address, path, answer } => {
                write!(out, "{db}: {path} of {address} = {answer:?}")
            }
            Self::Dns { question, answers } => match answers.as_slice() {
                [] => write!(out, "{question}: nothing found"),
                answers => write!(out, "{question}: {}", answers.join(", ")),
            },
            Self::Reports { question, answer } => write!(out, "reports: {question} = {answer}"),
            Self::Member { name, status, log, failed, micros, fuel } => {
                write!(out, "{name}: {}", verdict(*status, *failed))?;
                if let Some(status) = status.filter(|status| *status != 0) {
                    write!(out, " ({status})")?;
                }
                if !log.is_empty() {
                    write!(out, " {log}")?;
                }
                write!(out, ", {micros} us")?;
                fuel.map_or(Ok(()), |fuel| write!(out, ", {fuel} fuel"))
            }
        }
    }
}
