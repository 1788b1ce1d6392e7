#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;
use crate::log::Log;

fn devices(regexes: Option<&Path>) -> Result<Devices, RegexesError> {
    Devices::new(regexes, &Arc::new(Metrics::new("wforce", &Log::discard()).unwrap()))
}

fn text(attrs: &Attrs) -> String {
    attrs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

const FIREFOX: &[u8] = b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const IPHONE: &[u8] = b"Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605.1.15 \
    (KHTML, like Gecko) Version/16.5 Mobile/15E148 Safari/604.1";

#[test]
fn user_agents_are_recognised_by_the_built_in_patterns() {
    let devices = devices(None).unwrap();
    assert_eq!(
        text(&devices.parse(b"http", FIREFOX)),
        "browser.family=Firefox browser.major=128 browser.minor=0 device.brand= device.family=Other device.model= \
         os.family=Linux os.major= os.minor="
    );
    assert_eq!(
        text(&devices.parse(b"https", IPHONE)),
        "browser.family=Mobile Safari browser.major=16 browser.minor=5 device.brand=Apple device.family=iPhone \
         device.model=iPhone os.family=iOS os.major=16 os.minor=5"
    );
}

#[test]
fn what_nobody_knows_is_other() {
    let devices = devices(None).unwrap();
    let unknown = "browser.family=Other browser.major= browser.minor= device.brand= device.family=Other \
                   device.model= os.family=Other os.major= os.minor=";
    for agent in [&b""[..], b"xyzzy", b"\xff\xfe\x00", "(".repeat(20_000).as_bytes()] {
        assert_eq!(text(&devices.parse(b"https", agent)), unknown);
    }
}

#[test]
fn the_same_string_reads_differently_by_protocol() {
    let devices = devices(None).unwrap();
    let id = b"\"name\" \"Thunderbird\" \"version\" \"102.3.1\"";
    assert!(devices.parse(b"", id).is_empty());
    assert!(devices.parse(b"IMAP", id).is_empty());
    assert!(devices.parse(b"pop3", id).is_empty());
    assert!(text(&devices.parse(b"imap", id)).contains("imapc.family=Thunderbird"));
    assert!(text(&devices.parse(b"imaps", id)).contains("imapc.family=Thunderbird"));
    assert!(text(&devices.parse(b"http", id)).contains("browser.family="));
    assert!(text(&devices.parse(b"mobileapi", id)).contains("app.name="));
}

#[test]
fn an_answer_is_remembered() {
    let metrics = Arc::new(Metrics::new("wforce", &Log::discard()).unwrap());
    let devices = Devices::new(None, &metrics).unwrap();
    let first = devices.parse(b"imap", b"\"name\" \"a\"");
    assert!(Arc::ptr_eq(&first, &devices.parse(b"imaps", b"\"name\" \"a\"")));
    assert_eq!((metrics.device_cache_hits.get(), metrics.device_cache_misses.get()), (1, 1));
}

#[test]
fn a_file_replaces_the_built_in_patterns() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let yaml =
        "user_agent_parsers:\n  - regex: '(MyMailer)/(\\d+)\\.(\\d+)'\nos_parsers: []\ndevice_parsers: []\n";
    std::fs::write(file.path(), yaml).unwrap();
    let devices = devices(Some(file.path())).unwrap();
    let attrs = text(&devices.parse(b"http", b"MyMailer/7.12"));
    assert!(attrs.starts_with("browser.family=MyMailer browser.major=7 browser.minor=12 "), "{attrs}");
    assert!(text(&devices.parse(b"http", FIREFOX)).starts_with("browser.family=Other "));
}

#[test]
fn a_broken_file_is_an_error_at_once() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let says = |text: &str| {
        std::fs::write(file.path(), text).unwrap();
        devices(Some(file.path())).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(says("").contains("not in uap-core's form"));
    assert!(says("user_agent_parsers: 7").contains("not in uap-core's form"));
    assert!(says("a: [").contains("not in uap-core's form"));
    let bad = "user_agent_parsers:\n  - regex: '(unclosed'\nos_parsers: []\ndevice_parsers: []\n";
    assert!(says(bad).contains("bad pattern"));
    let missing = devices(Some(Path::new("/nonexistent/regexes.yaml"))).err().unwrap();
    assert!(missing.to_string().starts_with("cannot read device regexes /nonexistent/regexes.yaml"));
}

const HTTP_KEYS: [&str; 9] = [
    "browser.family",
    "browser.major",
    "browser.minor",
    "device.brand",
    "device.family",
    "device.model",
    "os.family",
    "os.major",
    "os.minor",
];
const IMAP_KEYS: [&str; 6] =
    ["imapc.family", "imapc.major", "imapc.minor", "os.family", "os.major", "os.minor"];
const MOBILE_KEYS: [&str; 8] =
    ["app.brand", "app.major", "app.minor", "app.name", "device.family", "os.family", "os.major", "os.minor"];

#[test]
fn any_bytes_give_all_keys_in_order() {
    let devices = devices(None).unwrap();
    let strings = proptest::collection::vec(any::<u8>(), 0..200);
    proptest!(ProptestConfig::with_cases(64), |(device_id in strings)| {
        let keys = |protocol: &[u8]| -> Vec<String> {
            devices.parse(protocol, &device_id).iter().map(|(key, _)| key.to_string()).collect()
        };
        prop_assert_eq!(keys(b"http"), HTTP_KEYS);
        prop_assert_eq!(keys(b"imap"), IMAP_KEYS);
        prop_assert_eq!(keys(b"mobileapi"), MOBILE_KEYS);
        prop_assert!(keys(b"smtp").is_empty());
    });
}
