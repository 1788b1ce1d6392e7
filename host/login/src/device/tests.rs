#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;

fn known(attrs: &Attrs) -> Vec<(&str, &str)> {
    attrs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (key.to_str().unwrap(), value.to_str().unwrap()))
        .collect()
}

fn keys(attrs: &Attrs) -> Vec<&str> {
    attrs.iter().map(|(key, _)| key.to_str().unwrap()).collect()
}

const IMAP_KEYS: [&str; 6] =
    ["imapc.family", "imapc.major", "imapc.minor", "os.family", "os.major", "os.minor"];

const MOBILE_KEYS: [&str; 8] =
    ["app.brand", "app.major", "app.minor", "app.name", "device.family", "os.family", "os.major", "os.minor"];

#[test]
fn imap_id_of_a_mail_client() {
    let attrs =
        imap(br#""name" "Thunderbird" "version" "115.0" "os" "Linux" "os-version" "6.1" "vendor" "Mozilla""#);
    assert_eq!(
        known(&attrs),
        [
            ("imapc.family", "Thunderbird"),
            ("imapc.major", "115"),
            ("imapc.minor", "0"),
            ("os.family", "Linux"),
            ("os.major", "6"),
            ("os.minor", "1")
        ]
    );
    assert_eq!(keys(&attrs), IMAP_KEYS);
}

#[test]
fn imap_versions_may_go_on_behind_two_numbers() {
    let attrs = imap(
        br#"("vendor" "Apple" "os" "Mac OS X" "os-version" "10.11.6 (15G1004)" "version" "9.3 (3124)" "name" "Mail")"#,
    );
    assert_eq!(
        known(&attrs),
        [
            ("imapc.family", "Mail"),
            ("imapc.major", "9"),
            ("imapc.minor", "3"),
            ("os.family", "Mac OS X"),
            ("os.major", "10"),
            ("os.minor", "11")
        ]
    );
}

#[test]
fn imap_tells_only_what_has_the_form() {
    for (text, expected) in [
        (r#""name" "A""#, vec![("imapc.family", "A")]),
        (r#""name""A""#, vec![("imapc.family", "A")]),
        (r#""name"  "A""#, vec![]),
        (r#""name" A"#, vec![]),
        (r#""name" "A"#, vec![]),
        (r#""NAME" "A""#, vec![]),
        (r#""name" """#, vec![]),
        (r#""version" "7""#, vec![]),
        (r#""version" "7.""#, vec![]),
        (r#""version" "v7.1""#, vec![]),
        (r#""version" "7.1"#, vec![("imapc.major", "7"), ("imapc.minor", "1")]),
        (r#""os-version" "7.1""#, vec![("os.major", "7"), ("os.minor", "1")]),
        // A key standing where a value belongs does not hide the real one.
        (r#""version" "beta" "version" "7.1""#, vec![("imapc.major", "7"), ("imapc.minor", "1")]),
    ] {
        assert_eq!(known(&imap(text.as_bytes())), expected, "{text}");
    }
}

#[test]
fn mobile_application() {
    let attrs = mobileapi(b"open-xchange.Android.Mail App/2.17.3 (OS: 8.1.0; device: Samsung/SM-G930F)");
    assert_eq!(
        known(&attrs),
        [
            ("app.brand", "open-xchange"),
            ("app.major", "2"),
            ("app.minor", "17"),
            ("app.name", "Mail App"),
            ("device.family", "Samsung/SM-G930F"),
            ("os.family", "Android"),
            ("os.major", "8"),
            ("os.minor", "1")
        ]
    );
    assert_eq!(keys(&attrs), MOBILE_KEYS);
}

#[test]
fn mobile_parts_are_known_apart() {
    for (text, expected) in [
        ("a.b.c/1", vec![]),
        ("a.b/1.2", vec![]),
        ("a..c/1.2", vec![]),
        (".b.c/1.2", vec![]),
        (
            "(OS: 9.0; device: iPhone_8)",
            vec![("device.family", "iPhone_8"), ("os.major", "9"), ("os.minor", "0")],
        ),
        ("OS: 9", vec![]),
        ("OS: x OS: 9.1", vec![("os.major", "9"), ("os.minor", "1")]),
        ("device: )", vec![]),
        ("device: a b\t-._/(c", vec![("device.family", "a b\t-._/")]),
    ] {
        assert_eq!(known(&mobileapi(text.as_bytes())), expected, "{text}");
    }
}

#[test]
fn all_keys_are_there_even_for_nothing() {
    assert_eq!(keys(&imap(b"")), IMAP_KEYS);
    assert_eq!(keys(&mobileapi(b"")), MOBILE_KEYS);
    assert_eq!(known(&imap(b"\xff\xfe\0\"")), []);
}

proptest! {
    #[test]
    fn any_bytes_yield_all_keys_in_order(
        text in "(\"(name|version|os|os-version)\"|\"[0-9.]*\"| |[a-z.]+/[0-9.]+|OS: |device: ){0,12}",
        bytes: Vec<u8>,
    ) {
        for text in [text.as_bytes(), &bytes] {
            prop_assert!(keys(&imap(text)) == IMAP_KEYS);
            prop_assert!(keys(&mobileapi(text)) == MOBILE_KEYS);
        }
    }
}
