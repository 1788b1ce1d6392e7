//! All stats DBs as JSON, for people: `dumpEntries`.

mod fetch;
mod repair;
mod whole;

use std::io;

use capabilities::Capabilities;
use login::json::write_str;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::apply::now;
pub use fetch::{FetchError, Wish, fetch};
pub use repair::{NoDump, Repair};

/// Bytes put together before they are written.
const CHUNK: usize = 64 << 10;

/// What a dump looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON.
    Json,
    /// As wforce writes it, byte for byte: no commas between DBs and shards, keys as they are, and the windows of a key's
    /// fields pile up. Nobody but old scripts can read that.
    Old,
}

/// Writes `{"DB": {"KEY": {"FIELD": [newest window, ...]}}}`.
///
/// # Errors
/// What the writer says.
pub async fn dump(caps: &Capabilities, form: Form, out: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut text = b"{".to_vec();
    for (place, db) in caps.stats.all().iter().enumerate() {
        if place > 0 && form == Form::Json {
            text.extend_from_slice(b", ");
        }
        name(&mut text, db.name(), form);
        text.push(b'{');
        let (mut shard, mut first) = (None, true);
        for state in db.local().dump() {
            let Some(fields) = db.local().windows_of(now(), &state.key) else { continue };
            let between: &[u8] = match form {
                _ if first => b"",
                Form::Json => b", ",
                Form::Old if shard == Some(state.shard) => b",",
                Form::Old => b"",
            };
            (shard, first) = (Some(state.shard), false);
            text.extend_from_slice(between);
            name(&mut text, &state.key, form);
            write_fields(&mut text, &fields, form);
            if text.len() >= CHUNK {
                out.write_all(&text).await?;
                text.clear();
            }
        }
        text.push(b'}');
    }
    text.push(b'}');
    out.write_all(&text).await?;
    out.flush().await
}

/// `"name": `
fn name(text: &mut Vec<u8>, name: &[u8], form: Form) {
    match form {
        Form::Json => write_str(text, name),
        Form::Old => text.extend_from_slice(&[b"\"", name, b"\""].concat()),
    }
    text.extend_from_slice(b": ");
}

fn write_fields(text: &mut Vec<u8>, fields: &[(bstr::BString, Vec<i32>)], form: Form) {
    text.push(b'{');
    let mut piled_up: Vec<i32> = Vec::new();
    for (place, (field, windows)) in fields.iter().enumerate() {
        if place > 0 {
            text.extend_from_slice(b", ");
        }
        if form == Form::Json {
            piled_up.clear();
        }
        piled_up.extend_from_slice(windows);
        write_str(text, field);
        let numbers: Vec<String> = piled_up.iter().map(ToString::to_string).collect();
        text.extend_from_slice(format!(": [{}]", numbers.join(", ")).as_bytes());
    }
    text.push(b'}');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use statsdb::{CountMinShape, FieldKind, Schema};

    use super::*;
    use crate::testing;

    async fn text(caps: &Capabilities, form: Form) -> String {
        let mut out = Vec::new();
        dump(caps, form, &mut out).await.unwrap();
        String::from_utf8(out).unwrap()
    }

    #[tokio::test]
    async fn both_forms() {
        let caps = testing::capabilities();
        assert_eq!(text(&caps, Form::Json).await, "{}");
        let fields = [("c", FieldKind::CountMin), ("i", FieldKind::Int)];
        for (name, shards) in [("db1", 1), ("sh", 4)] {
            let schema = Schema {
                name: name.into(),
                window_secs: 3600,
                windows: 2,
                fields: fields.map(|(name, kind)| (name.into(), kind)).to_vec(),
                shards,
                start: now(),
                hll_bits: 6,
                countmin: CountMinShape::default(),
            };
            caps.stats.create(schema).unwrap();
        }
        let db = caps.stats.get(b"db1").unwrap();
        db.add(now(), b"k", b"i", b"7").unwrap();
        db.add_count(now(), b"k", b"c", b"NL", 3);
        db.add(now(), b"\"q\"", b"i", b"7").unwrap();
        let sharded = caps.stats.get(b"sh").unwrap();
        // Shards 1, 2 and 2.
        for key in [b"c", b"a", b"b"] {
            sharded.add(now(), key, b"i", b"7").unwrap();
        }
        assert_eq!(
            text(&caps, Form::Json).await,
            r#"{"db1": {"k": {"c": [3, 0], "i": [7, 0]}, "\"q\"": {"i": [7, 0]}}, "#.to_owned()
                + r#""sh": {"c": {"i": [7, 0]}, "a": {"i": [7, 0]}, "b": {"i": [7, 0]}}}"#
        );
        assert_eq!(
            text(&caps, Form::Old).await,
            r#"{"db1": {"k": {"c": [3, 0], "i": [3, 0, 7, 0]},""q"": {"i": [7, 0]}}"#.to_owned()
                + r#""sh": {"c": {"i": [7, 0]}"a": {"i": [7, 0]},"b": {"i": [7, 0]}}}"#
        );
    }
}
