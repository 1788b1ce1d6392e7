#![allow(clippy::unwrap_used, clippy::expect_used)]

use bstr::ByteSlice as _;
use proptest::prelude::*;

use super::*;

mod invalid;
mod valid;

fn string(text: &[u8]) -> Value<'_> {
    Value::from(text)
}

fn rewrite(text: &str) -> String {
    parse(text.as_bytes()).unwrap().to_vec().to_str().unwrap().to_owned()
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..12)
}

/// Any value that JSON can express, with keys sorted as parsing leaves them.
fn any_value() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Number),
        any::<i32>().prop_map(|number| Value::Number(number.into())),
        bytes().prop_map(|text| Value::String(text.into())),
        "[\u{2027}-\u{202a}\"\\\\\n\ta]{0,8}".prop_map(|text| Value::String(text.into_bytes().into())),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::btree_map(bytes(), inner, 0..6).prop_map(|members| {
                Value::Object(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(value in any_value()) {
        let text = value.to_vec();
        let read = parse(&text);
        prop_assert_eq!(&read, &Ok(value));
        prop_assert_eq!(read.unwrap().into_owned().to_vec(), text);
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(
        text in "[\\[\\]{}:,\" \\\\unrtfalse0-9.eE+-]{0,40}",
        bytes: Vec<u8>,
    ) {
        for text in [text.as_bytes(), &bytes] {
            if let Ok(value) = parse(text) {
                let written = value.to_vec();
                prop_assert_eq!(parse(&written).map(|value| value.to_vec()), Ok(written.clone()));
            }
            prop_assert_eq!(parse_body(text).err(), members(text, |_, _| ()).err());
        }
    }

    #[test]
    fn numbers_keep_their_value(bits: u64) {
        let number = f64::from_bits(bits);
        let mut text = Vec::new();
        write_f64(&mut text, number);
        if number.is_finite() {
            prop_assert_eq!(parse(&text), Ok(Value::Number(number)));
        } else {
            prop_assert_eq!(text.as_bstr(), "null");
        }
    }
}

#[test]
fn members_are_passed_on_in_the_order_of_the_text() {
    let mut seen = Vec::new();
    members(br#"{"b": 1, "a": [true], "b": null}"#, |key, value| {
        seen.push((key.to_str().unwrap().to_owned(), value.clone().into_owned()));
    })
    .unwrap();
    let expected =
        [("b", Value::Number(1.0)), ("a", Value::Array(vec![Value::Bool(true)])), ("b", Value::Null)];
    assert_eq!(seen, expected.map(|(key, value)| (key.to_owned(), value)));
}

#[test]
fn a_body_is_anything_but_null() {
    assert_eq!(parse_body(b"null"), Err(JsonError::Null));
    assert_eq!(parse_body(b"null").unwrap_err().to_string(), "");
    assert_eq!(parse_body(b"[5]").unwrap().get(b"a"), None);
}

#[test]
fn objects_built_by_hand_are_sorted_when_written() {
    let value = Value::Object(vec![
        (b"b".into(), Value::from(true)),
        (b"a".into(), Value::from("x")),
        (b"b".into(), Value::from(2.0)),
    ]);
    assert_eq!(value.to_vec().as_bstr(), r#"{"a": "x", "b": 2}"#);
    assert_eq!(value.get(b"b"), Some(&Value::Number(2.0)));
}

#[test]
fn writers_separate_their_items() {
    let mut out = Vec::new();
    let mut object = ObjectWriter::new(&mut out);
    let mut array = ArrayWriter::new(object.member(b"a"));
    write_int(array.item(), -1);
    ArrayWriter::new(array.item()).finish();
    array.finish();
    object.bool(b"b", false).int(b"c", 7).str(b"d", b"\"");
    ObjectWriter::new(object.member(b"e")).finish();
    object.finish();
    assert_eq!(out.as_bstr(), r#"{"a": [-1, []], "b": false, "c": 7, "d": "\"", "e": {}}"#);
}
