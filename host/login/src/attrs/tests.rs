#![allow(clippy::unwrap_used, clippy::expect_used)]

use bstr::ByteSlice as _;

use super::*;
use crate::json;

fn custom(body: &str) -> CustomArgs {
    CustomArgs::from_json(&json::parse_body(body.as_bytes()).unwrap())
}

#[test]
fn strings_are_single_lists_are_multiple_the_rest_is_dropped() {
    let args = custom(
        r#"{"attrs": {"z": "1", "a": "", "l": ["x", 5, null, "y"], "e": [], "n": 5, "b": true, "o": {}, "u": null}}"#,
    );
    assert_eq!(args.attrs, [("a".into(), "".into()), ("z".into(), "1".into())]);
    assert_eq!(
        args.attrs_mv,
        [("e".into(), vec![]), ("l".into(), vec!["x".into(), "".into(), "".into(), BString::from("y")])]
    );
}

#[test]
fn no_object_is_no_attributes() {
    for body in ["{}", "[]", "5", r#"{"attrs": null}"#, r#"{"attrs": "x"}"#, r#"{"attrs": ["x"]}"#] {
        assert_eq!(custom(body), CustomArgs::default(), "{body}");
    }
}

#[test]
fn sinks_get_one_sorted_object() {
    let args = custom(r#"{"attrs": {"c": ["1", "2"], "b": "x", "d": "y", "a": []}}"#);
    let mut out = Vec::new();
    args.write_json(&mut out);
    assert_eq!(out.as_bstr(), r#"{"attrs": {"a": [], "b": "x", "c": ["1", "2"], "d": "y"}}"#);
}

#[test]
fn a_key_of_both_kinds_is_written_once() {
    let single = vec![("a".into(), "1".into()), ("k".into(), "2".into()), ("z".into(), "3".into())];
    let mut out = Vec::new();
    write_merged(&mut out, &single, &[("k".into(), vec!["l".into()])]);
    assert_eq!(out.as_bstr(), r#"{"a": "1", "k": ["l"], "z": "3"}"#);
}

#[test]
fn sorting_keeps_the_last_of_equal_keys() {
    let mut attrs: Attrs = vec![("b".into(), "1".into()), ("a".into(), "2".into()), ("b".into(), "3".into())];
    sort(&mut attrs);
    assert_eq!(attrs, [("a".into(), "2".into()), ("b".into(), "3".into())]);
}
