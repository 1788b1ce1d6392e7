//! One log line and the forms it is written in.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Facility, Level};

/// A line on its way to the writer.
pub(super) struct Line {
    pub(super) at: SystemTime,
    pub(super) level: Level,
    pub(super) text: Vec<u8>,
    pub(super) fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Line {
    /// What the line costs while it waits.
    pub(super) fn bytes(&self) -> usize {
        let fields: usize = self.fields.iter().map(|(key, value)| key.len() + value.len() + 64).sum();
        self.text.len() + fields + 64
    }

    /// The text with its fields: `TEXT: k="v" k="v" `. A line stays one line whatever clients sent: a line end is
    /// written as `\n`, every other ASCII control character as `\x0d` and the like. Nothing else is escaped.
    pub(super) fn write_text(&self, out: &mut Vec<u8>) {
        escape(&self.text, out);
        if !self.fields.is_empty() {
            out.extend_from_slice(b": ");
        }
        for (key, value) in &self.fields {
            escape(key, out);
            out.extend_from_slice(b"=\"");
            escape(value, out);
            out.extend_from_slice(b"\" ");
        }
    }

    /// `[YYYY-MM-DD HH:MM:SS,mmm] TEXT`, time of the zone.
    pub(super) fn write_docker(&self, zone: &TimeZone, out: &mut Vec<u8>) {
        let at = self.timestamp();
        let prefix = at.to_zoned(zone.clone()).strftime("[%Y-%m-%d %H:%M:%S").to_string();
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(format!(",{:03}] ", at.subsec_millisecond().abs()).as_bytes());
        self.write_text(out);
    }

    /// `<PRI>Mon dd hh:mm:ss IDENT[PID]: TEXT` as syslog(3) sends it, time of the zone.
    pub(super) fn write_syslog(
        &self,
        facility: Facility,
        ident: &str,
        pid: u32,
        zone: &TimeZone,
        out: &mut Vec<u8>,
    ) {
        let stamp = self.timestamp().to_zoned(zone.clone()).strftime("%b %e %H:%M:%S").to_string();
        let head = format!("<{}>{stamp} {ident}[{pid}]: ", facility.priority(self.level));
        out.extend_from_slice(head.as_bytes());
        self.write_text(out);
    }

    /// One JSON object. Bytes that are no UTF-8 are replaced by U+FFFD, as JSON readers ask for.
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let object = JsonLine {
            time: self.timestamp().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
            level: self.level.name(),
            message: String::from_utf8_lossy(&self.text),
            fields: JsonFields(&self.fields),
        };
        // Strings and a map with string keys always serialise.
        let _ = serde_json::to_writer(out, &object);
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::try_from(self.at).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

fn escape(mut text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    while let Some(at) = text.iter().position(u8::is_ascii_control) {
        let (plain, rest) = text.split_at(at);
        out.extend_from_slice(plain);
        let Some((&byte, rest)) = rest.split_first() else { return };
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            _ => out.extend_from_slice(&[
                b'\\',
                b'x',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
        }
        text = rest;
    }
    out.extend_from_slice(text);
}

#[derive(serde::Serialize)]
struct JsonLine<'a> {
    time: String,
    level: &'static str,
    message: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "JsonFields::is_empty")]
    fields: JsonFields<'a>,
}

struct JsonFields<'a>(&'a [(Vec<u8>, Vec<u8>)]);

impl JsonFields<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for JsonFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(&String::from_utf8_lossy(key), &String::from_utf8_lossy(value))?;
        }
        map.end()
    }
}
