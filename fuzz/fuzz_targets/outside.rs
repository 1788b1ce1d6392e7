//! What other programs keep or send, and what operators write: values in Redis, dumps of a wforce, schedules, recordings, questions to
//! the report store, its log and what servers of Elasticsearch's kind answer it.
//!
//! The first byte says what the rest is.
#![no_main]
#![allow(dead_code, reason = "only the reading parts of these files are used")]

use capabilities::lists::Colour;
use libfuzzer_sys::fuzz_target;

#[path = "../../host/valkey/src/entry.rs"]
mod entry;
#[path = "../../host/daemons/src/tool/replay/line.rs"]
mod line;
#[path = "../../host/valkey/src/target.rs"]
mod target;
#[path = "../../host/valkey/src/stats/value.rs"]
mod value;

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    match choice % 9 {
        0 => redis_values(rest),
        1 => dump(rest),
        2 => schedules(rest),
        3 => _ = line::Line::parse(rest),
        4 => _ = reports::Query::parse(rest),
        6 => log(rest),
        7 => log(&reports::outside::framed(rest)),
        8 => servers(rest),
        _ => redis_url(rest),
    }
});

fn redis_values(text: &[u8]) {
    if let Some(name) = value::Name::parse(text) {
        assert!(name.field.len() < text.len());
    }
    let _ = value::number(text);
    let mut union = statsdb::outside::Distinct::new(11);
    let whole = value::unite(text, &mut union);
    let count = union.count();
    assert!(count >= 0);
    if whole && text.len() % 8 == 0 && text.len() <= 8 * statsdb::outside::EXACT_VALUES {
        let mut values: Vec<&[u8]> = text.chunks(8).collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(usize::try_from(count), Ok(values.len()), "exact while few");
    }
}

/// What is taken is JSON, however it arrived.
fn dump(bytes: &[u8]) {
    let read = |pieces: &[&[u8]]| {
        let (mut repair, mut out) = (cluster::dump::Repair::default(), Vec::new());
        pieces.iter().try_for_each(|piece| repair.read(piece, &mut out)).ok()?;
        repair.finish().ok()?;
        Some(out)
    };
    let whole = read(&[bytes]);
    let (one, other) = bytes.split_at(bytes.len() / 2);
    assert_eq!(whole, read(&[one, other]));
    if let Some(text) = whole {
        assert!(login::json::parse(&text).is_ok(), "{}", String::from_utf8_lossy(&text));
    }
}

/// The next time is later, and there is one within the years that a schedule looks ahead, or none at all.
fn schedules(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let after = jiff::Timestamp::from_second(1_800_000_000).expect("a time");
    if let Ok(cron) = text.parse::<schedule::Cron>()
        && let Some(next) = cron.next(after, &jiff::tz::TimeZone::UTC)
    {
        assert!(next > after);
    }
    let _ = text.parse::<schedule::Interval>();
}

/// What was read is written so that it is read again, and nothing else.
fn log(bytes: &[u8]) {
    let first = reports::outside::log(bytes);
    assert!(first.whole <= bytes.len());
    let second = reports::outside::log(&first.again);
    assert_eq!((second.records, second.whole), (first.records, first.again.len()));
    assert_eq!(reports::outside::log(&second.again).again, second.again);
}

/// The first two bytes are the status of the answer and how many reports were sent.
fn servers(bytes: &[u8]) {
    let [status, count, body @ ..] = bytes else { return };
    let (status, count) = (100 + 2 * u16::from(*status), usize::from(*count));
    let (again, refused) = reports::outside::bulk(status, body, count);
    assert!(again.len() + refused <= count);
    assert!(again.iter().all(|place| *place < count) && again.is_sorted());
    let (found, bins) = reports::outside::answers(status, body);
    assert_eq!(bins, 20);
    for report in found {
        let document = report.to_document();
        let back = reports::Report::from_document(report.id, &document).expect("a document of ours");
        assert_eq!((back.login, back.remote), (report.login, report.remote));
    }
}

fn redis_url(text: &[u8]) {
    for colour in [Colour::Black, Colour::White] {
        if let Some((kind, key)) = entry::parse_key(colour, text) {
            assert_eq!(entry::key(colour, kind, key), text);
        }
    }
    if let Some((expiration, reason)) = entry::parse_value(text) {
        assert_eq!(entry::parse_value(&entry::value(expiration, reason)), Some((expiration, reason)));
    }
    if let Ok(mut target) = target::Target::parse(text, &std::collections::BTreeMap::new()) {
        assert!(!target.hosts.is_empty());
        // What is shown of it does not depend on the password.
        let shown = target.to_string();
        target.password.push('x');
        assert_eq!(target.to_string(), shown);
    }
}
