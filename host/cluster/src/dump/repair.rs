//! A dump as wforce writes it, read and written again as JSON.
//!
//! What wforce sends is not JSON: there are no commas between DBs and shards, keys are not escaped, and a field's list of
//! windows begins with those of the fields before it. All of that can be put right, except that a key in which `": {`
//! occurs ends there.

use bstr::ByteSlice as _;
use login::json::{ArrayWriter, ObjectWriter, parse, write_int, write_str};

/// Bytes that one key with its fields may have.
const MAX_ENTRY: usize = 4 << 20;
/// What stands between a name and what is in it.
const BEHIND_NAME: &[u8] = b"\": ";

/// What was sent is no dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDump {
    /// Something else than what can stand there.
    #[error("what came is not a dump of wforce: something unexpected at byte {0}")]
    Unexpected(u64),
    /// A key with its fields is too long.
    #[error("what came is not a dump of wforce: a key with its fields has more than {MAX_ENTRY} bytes")]
    TooLong,
    /// It ended early.
    #[error("the dump is not complete")]
    Incomplete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the first brace.
    Start,
    /// Where a DB can begin.
    Dbs,
    /// In a DB, where a key can begin.
    Keys,
    /// Behind the last brace.
    End,
}

/// Reads a dump piece by piece; it keeps no more than one key with its fields.
#[derive(Debug)]
pub struct Repair {
    place: Place,
    /// Whether this is not the first one here, so that a comma is needed.
    others: bool,
    rest: Vec<u8>,
    /// Bytes read before `rest`.
    done: u64,
}

impl Default for Repair {
    fn default() -> Self {
        Self { place: Place::Start, others: false, rest: Vec::new(), done: 0 }
    }
}

/// What one look at the bytes gave.
enum Step {
    /// So many of them were read.
    Read(usize),
    /// There are too few to tell.
    More,
    Unexpected,
}

impl Repair {
    /// Reads the next bytes and appends the JSON of what is complete.
    ///
    /// # Errors
    /// See [`NoDump`].
    pub fn read(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), NoDump> {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            match self.step(&all[at..], out) {
                Step::Read(count) => {
                    at += count;
                    self.done += count as u64;
                }
                Step::More => break,
                Step::Unexpected => return Err(NoDump::Unexpected(self.done)),
            }
        }
        all.drain(..at);
        self.rest = all;
        if self.rest.len() > MAX_ENTRY { Err(NoDump::TooLong) } else { Ok(()) }
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// [`NoDump::Incomplete`]
    pub fn finish(&self) -> Result<(), NoDump> {
        if self.place == Place::End && self.rest.is_empty() { Ok(()) } else { Err(NoDump::Incomplete) }
    }

    fn step(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Step {
        let Some(&first) = bytes.first() else { return Step::More };
        match (self.place, first) {
            (_, b' ' | b'\n' | b'\r' | b'\t') => Step::Read(1),
            (Place::Start, b'{') => self.enter(Place::Dbs, b"{", out),
            // A server that separates them is a better one.
            (Place::Dbs | Place::Keys, b',') if self.others => Step::Read(1),
            (Place::Dbs, b'}') => self.leave(Place::End, out),
            (Place::Keys, b'}') => self.leave(Place::Dbs, out),
            (Place::Dbs, b'"') => self.db(bytes, out),
            (Place::Keys, b'"') => self.key(bytes, out),
            _ => Step::Unexpected,
        }
    }

    fn enter(&mut self, place: Place, open: &[u8], out: &mut Vec<u8>) -> Step {
        out.extend_from_slice(open);
        (self.place, self.others) = (place, false);
        Step::Read(1)
    }

    fn leave(&mut self, place: Place, out: &mut Vec<u8>) -> Step {
        out.push(b'}');
        (self.place, self.others) = (place, true);
        Step::Read(1)
    }

    /// `"name": {`
    fn name<'b>(&self, bytes: &'b [u8], out: &mut Vec<u8>) -> Option<&'b [u8]> {
        // Behind the quote that begins it.
        let end = 1 + bytes.get(1..)?.find(b"\": {")?;
        if self.others {
            out.extend_from_slice(b", ");
        }
        write_str(out, &bytes[1..end]);
        out.extend_from_slice(b": ");
        Some(&bytes[end + BEHIND_NAME.len()..])
    }

    fn db(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Step {
        let Some(rest) = self.name(bytes, out) else { return Step::More };
        let read = bytes.len() - rest.len();
        self.enter(Place::Keys, b"{", out);
        Step::Read(read + 1)
    }

    fn key(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Step {
        let from = out.len();
        let Some(rest) = self.name(bytes, out) else { return Step::More };
        // Fields have names of the configuration, which are escaped, and numbers: the first brace ends them, unless it is
        // in a name.
        let mut end = 0;
        loop {
            let Some(brace) = rest[end..].find_byte(b'}') else {
                out.truncate(from);
                return Step::More;
            };
            end += brace + 1;
            if let Some(fields) = fields(&rest[..end]) {
                write_fields(&fields, out);
                self.others = true;
                return Step::Read(bytes.len() - rest.len() + end);
            }
            if end > MAX_FIELDS {
                return Step::Unexpected;
            }
        }
    }
}

/// Bytes of fields after which a brace that ends nothing is a mistake.
const MAX_FIELDS: usize = 64 << 10;

type Fields = Vec<(Vec<u8>, Vec<i64>)>;

fn fields(text: &[u8]) -> Option<Fields> {
    let value = parse(text).ok()?;
    let list = |value: &login::json::Value<'_>| {
        value.as_array().map(|items| items.iter().map(login::json::Value::int).collect::<Vec<_>>())
    };
    value.as_object()?.iter().map(|(name, value)| Some((name.to_vec(), list(value)?))).collect()
}

/// The windows of each field alone: fields come in the order of their names, each list has one more field's windows than
/// the one before it. What has another shape stays as it is.
fn write_fields(fields: &Fields, out: &mut Vec<u8>) {
    let windows = fields.first().map_or(0, |(_, list)| list.len());
    let piled_up = fields.iter().zip(1..).all(|((_, list), place)| list.len() == windows * place);
    let mut object = ObjectWriter::new(out);
    for (name, list) in fields {
        let from = if piled_up { list.len() - windows } else { 0 };
        let mut array = ArrayWriter::new(object.member(name));
        list[from..].iter().for_each(|number| write_int(array.item(), *number));
        array.finish();
    }
    object.finish();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    /// What a wforce sent, abridged.
    const OLD: &str = concat!(
        r#"{"db1": {"k": {"c": [7, 0, 0], "h": [7, 0, 0, 1, 0, 0], "i": [7, 0, 0, 1, 0, 0, 7, 0, 0]},"#,
        r#""1.2.3.4/32": {"i": [7, 0, 0]},"a"b\": {"i": [1, 0, 0]}}"db2": {"z": {"i": [14, 0, 0]}}"#,
        r#""sh": {"c": {"i": [7, 0]}"a": {"i": [7, 0]},"b": {"i": [7, 0]}}"none": {}}"#,
    );
    const JSON: &str = concat!(
        r#"{"db1": {"k": {"c": [7, 0, 0], "h": [1, 0, 0], "i": [7, 0, 0]}, "#,
        r#""1.2.3.4/32": {"i": [7, 0, 0]}, "a\"b\\": {"i": [1, 0, 0]}}, "db2": {"z": {"i": [14, 0, 0]}}, "#,
        r#""sh": {"c": {"i": [7, 0]}, "a": {"i": [7, 0]}, "b": {"i": [7, 0]}}, "none": {}}"#,
    );

    fn read(pieces: &[&[u8]]) -> Result<String, NoDump> {
        let (mut repair, mut out) = (Repair::default(), Vec::new());
        pieces.iter().try_for_each(|piece| repair.read(piece, &mut out))?;
        repair.finish()?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_old_bytes_become_json_however_they_are_cut() {
        assert_eq!(read(&[OLD.as_bytes()]).as_deref(), Ok(JSON));
        for at in 0..OLD.len() {
            let (one, other) = OLD.as_bytes().split_at(at);
            assert_eq!(read(&[one, other]).as_deref(), Ok(JSON), "cut at {at}");
            assert_eq!(read(&[one]), Err(NoDump::Incomplete));
        }
        let bytes: Vec<&[u8]> = OLD.as_bytes().chunks(1).collect();
        assert_eq!(read(&bytes).as_deref(), Ok(JSON));
        serde_json_like(JSON);
    }

    fn serde_json_like(text: &str) {
        assert!(parse(text.as_bytes()).is_ok(), "{text}");
    }

    #[test]
    fn something_else_is_refused() {
        assert_eq!(read(&[b"<html>"]), Err(NoDump::Unexpected(0)));
        assert_eq!(read(&[b"{5"]), Err(NoDump::Unexpected(1)));
        assert_eq!(read(&[b"{}x"]), Err(NoDump::Unexpected(2)));
        let endless = [b"{\"".to_vec(), vec![b'x'; MAX_ENTRY]].concat();
        assert_eq!(read(&[&endless]), Err(NoDump::TooLong));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived_and_what_is_taken_is_json(bytes in "[{}\":, a\\[\\]0-9]{0,60}") {
            if let Ok(text) = read(&[bytes.as_bytes()]) {
                prop_assert!(parse(text.as_bytes()).is_ok(), "{} from {}", text, bytes);
            }
        }
    }
}
