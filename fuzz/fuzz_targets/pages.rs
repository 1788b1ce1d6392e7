//! What browsers send to trackalert's pages, and what operators write for its mail: links of "was this you?", forms, searches,
//! templates.
//!
//! The first byte says what the rest is.
#![no_main]
#![allow(dead_code, reason = "only the reading parts of these files are used")]

use std::sync::LazyLock;

use alerts::Confirm;
use alerts::settings::{Confirmations, Secret};
use libfuzzer_sys::fuzz_target;
use pages::confirm::State;
use pages::history::{self, Mistake, Search};

#[path = "../../host/api/src/query.rs"]
mod query;
#[path = "../../host/alerts/src/template.rs"]
mod template;

const NOW: u64 = 1_764_111_265;

/// With the key of the seeds, so that mutations of them come close.
static CONFIRM: LazyLock<Confirm> = LazyLock::new(|| {
    let settings = serde_json::json!({"url": "https://mail.example.com/confirm"});
    Confirm::new(&Confirmations::read(&settings).expect("good settings"), &Secret::new([7; 32]))
});

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    match choice % 4 {
        0 => token(rest),
        1 => form(rest),
        2 => search(rest),
        _ => template(rest),
    }
});

/// Nobody but the daemon makes a token: one that is read is one that it made.
fn token(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    if let Ok(claim) = CONFIRM.read(&text, NOW) {
        assert!(claim.expires > NOW);
        let link = CONFIRM.link(&claim.report, None, claim.expires - 14 * 86_400);
        let again = link.split_once("?t=").expect("a link").1;
        assert_eq!(CONFIRM.read(again, NOW), Ok(claim));
    }
    // One of ours for any report, and the same with a letter changed.
    let link = CONFIRM.link(&text, Some("de"), NOW);
    let own = link.split_once("?t=").expect("a link").1;
    let own = own.strip_suffix("&l=de").expect("the language");
    if own.len() <= 1024 {
        assert_eq!(CONFIRM.read(own, NOW + 1).map(|claim| claim.report), Ok(text.to_string()));
        assert!(CONFIRM.read(own, NOW + 14 * 86_400).is_err());
        let place = text.bytes().fold(0, |sum, byte| sum + usize::from(byte)) % own.len();
        let other = if own.as_bytes()[place] == b'0' { "1" } else { "0" };
        let mut changed = own.to_owned();
        changed.replace_range(place..=place, other);
        let read = CONFIRM.read(&changed, NOW + 1);
        assert!(read.is_err(), "letter {place} was changed");
    }
}

/// A form is read as it was written, and the page that answers it holds no markup of its own.
fn form(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let given: Vec<(String, String)> = query::parameters(&text).collect();
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let written: Vec<String> =
        given.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    let again: Vec<(String, String)> = query::parameters(&written.join("&")).collect();
    assert_eq!(given, again);
    for (name, value) in given.iter().take(8) {
        assert!(given.iter().any(|(_, known)| *known == query::parameter(&text, name)));
        let page = pages::confirm::page(&State::Ask(value, None), &[value]);
        is_guarded(&page, 3);
    }
}

/// A search is understood or refused with words; the page keeps it, and no text becomes markup.
fn search(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let mut search = Search::default();
    query::parameters(&text).for_each(|(name, value)| search.take(&name, &value));
    match search.wanted() {
        Ok(wanted) => {
            if let (Some((at, _)), Some(to)) = (&wanted.after, wanted.to) {
                assert!(to <= at.saturating_add(1));
            }
            let (reports, more) = history::cut(Vec::new());
            assert!(reports.is_empty() && !more);
            is_guarded(&history::page(&search, Ok((&[], false)), &[]), 1);
        }
        Err(mistake) => {
            let Mistake(why) = &mistake;
            assert!(!why.is_empty());
            is_guarded(&history::page(&search, Err(&mistake), &[]), 1);
        }
    }
}

/// The elements of the page are those that it has for any text.
fn is_guarded(page: &str, buttons: usize) {
    assert_eq!(page.matches("<button").count(), buttons);
    assert_eq!(page.matches("<form").count(), 1);
    for never in ["<script", "<img", "<iframe", "<a "] {
        assert!(!page.contains(never), "{never} in {page}");
    }
}

/// A template is refused with its line, or filled; values never become markup or lines of a header.
fn template(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let (sheet, value) = text.rsplit_once('\0').unwrap_or((&text, "<b>\r\nBcc: x"));
    let template = match template::Template::parse(sheet) {
        Ok(template) => template,
        Err(error) => {
            let line: usize = error
                .to_string()
                .strip_prefix("line ")
                .and_then(|rest| rest.split(':').next()?.parse().ok())
                .expect("the line");
            assert!((1..=sheet.matches('\n').count() + 1).contains(&line), "{error}");
            return;
        }
    };
    let mut values = template::Values::default();
    for name in ["login", "ip", "a", "b"] {
        values.set(name, value);
    }
    values.fields = vec![("n".to_owned(), value.to_owned()), ("m".to_owned(), String::new())];
    let (html, line) =
        (template.render(&values, template::Form::Html), template.render(&values, template::Form::Line));
    let mut nothing = template::Values::default();
    for name in ["login", "ip", "a", "b"] {
        nothing.set(name, "x");
    }
    nothing.fields = vec![("n".to_owned(), "x".to_owned()), ("m".to_owned(), String::new())];
    if !value.is_empty() {
        for mark in ['<', '>', '"', '\''] {
            let own = template.render(&nothing, template::Form::Html).matches(mark).count();
            assert_eq!(html.matches(mark).count(), own, "{mark}");
        }
        let own = template.render(&nothing, template::Form::Line);
        let breaks = |text: &str| text.matches(['\n', '\r']).count();
        assert_eq!(breaks(&line), breaks(&own));
    }
}
