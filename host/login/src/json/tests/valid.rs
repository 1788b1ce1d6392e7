//! Texts that are JSON, and how they are written again.

use super::*;

#[test]
fn one_form_of_writing() {
    for (text, written) in [
        ("null", "null"),
        (" [ ] ", "[]"),
        ("{}", "{}"),
        ("\t{\"b\":1,\r\n\"a\":[true,false,null]}", r#"{"a": [true, false, null], "b": 1}"#),
        (r#"{"é": 1, "z": 2, "Z": 3, "": 4}"#, r#"{"": 4, "Z": 3, "z": 2, "é": 1}"#),
        (r#"{"a": 1, "b": 2, "a": 3}"#, r#"{"a": 3, "b": 2}"#),
        (r#""\"\\\/\b\f\n\r\t""#, r#""\"\\/\b\f\n\r\t""#),
        (r#""\u0000\u001f\u007f\u00e9\u20ac\u2028\u2029""#, "\"\\u0000\\u001f\u{7f}é€\\u2028\\u2029\""),
        ("\"\u{2028}\u{2027}\"", "\"\\u2028\u{2027}\""),
        (r#""\ud83d\ude00 \uD83D\uDE00""#, "\"😀 😀\""),
        (r#""\u0022""#, r#""\"""#),
    ] {
        assert_eq!(rewrite(text), written, "{text}");
    }
}

#[test]
fn numbers_are_written_as_c_writes_them() {
    for (text, written) in [
        ("0", "0"),
        ("-0", "-0"),
        ("-0.0", "-0"),
        ("5", "5"),
        ("-5", "-5"),
        ("5.0", "5"),
        ("0.1", "0.10000000000000001"),
        ("1795323847.8144801", "1795323847.8144801"),
        ("123456789.125", "123456789.125"),
        ("100.5", "100.5"),
        ("0.0001", "0.0001"),
        ("0.00012345", "0.00012344999999999999"),
        ("0.00001", "1.0000000000000001e-05"),
        ("-2.5e-7", "-2.4999999999999999e-07"),
        ("0.3333333333333333", "0.33333333333333331"),
        ("1000000000000000", "1000000000000000"),
        ("1000000000000000.25", "1000000000000000.2"),
        ("1000000000000000.75", "1000000000000000.8"),
        ("562949953421312.125", "562949953421312.12"),
        ("9007199254740993", "9007199254740992"),
        ("1e16", "10000000000000000"),
        ("1E+16", "10000000000000000"),
        ("99999999999999999", "1e+17"),
        ("123456789012345678", "1.2345678901234568e+17"),
        ("1152921504606846976", "1.152921504606847e+18"),
        ("1e22", "1e+22"),
        ("1.5e300", "1.5000000000000001e+300"),
        ("5e-324", "4.9406564584124654e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("1e999", "null"),
        ("-1e999", "null"),
        ("1e-999", "0"),
    ] {
        assert_eq!(rewrite(text), written, "{text}");
    }
}

#[test]
fn invalid_utf8_passes_unchanged() {
    let text = b"{\"\xff\": \"caf\xe9 \xe2\x80\"}";
    assert_eq!(parse(text).unwrap().to_vec().as_bstr(), text.as_bstr());
}

#[test]
fn lone_surrogates_keep_three_bytes_each() {
    for (text, bytes) in [
        (r#""\ud83d""#, &b"\xed\xa0\xbd"[..]),
        (r#""\ude00""#, b"\xed\xb8\x80"),
        (r#""\ud83dx""#, b"\xed\xa0\xbdx"),
        (r#""\ud83d\n""#, b"\xed\xa0\xbd\n"),
        (r#""\ud83d\u0041""#, b"\xed\xa0\xbdA"),
        (r#""\ud83d\ud83d\ude00""#, b"\xed\xa0\xbd\xf0\x9f\x98\x80"),
    ] {
        assert_eq!(parse(text.as_bytes()), Ok(string(bytes)), "{text}");
    }
}

#[test]
fn strings_are_borrowed_where_they_can_be() {
    let value = parse(br#"["plain", "esc\u0061ped"]"#).unwrap();
    let borrowed = |item: &Value<'_>| matches!(item, Value::String(Cow::Borrowed(_)));
    assert_eq!(value.as_array().unwrap().iter().map(borrowed).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn text_ends_at_a_raw_nul() {
    assert_eq!(parse(b"[1]\0 garbage"), parse(b"[1]"));
    assert_eq!(parse(b"\"a\0\""), Err(JsonError::EndInString));
}

#[test]
fn wrong_types_read_as_nothing() {
    let value = parse(br#"{"s": "x", "i": -1.9, "t": true, "n": null, "one": 1, "big": 1e300}"#).unwrap();
    assert_eq!(value.str_or_empty(b"s"), b"x");
    assert_eq!(value.str_or_empty(b"i"), b"");
    assert_eq!(value.str_or_empty(b"absent"), b"");
    assert_eq!(value.get(b"i").map(Value::int), Some(-1));
    assert_eq!(value.get(b"s").map(Value::int), Some(0));
    assert_eq!(value.get(b"big").map(Value::int), Some(i64::MAX));
    assert_eq!(value.get(b"t").map(Value::is_true), Some(true));
    assert_eq!(value.get(b"one").map(Value::is_true), Some(false));
    assert_eq!(value.get(b"n"), None);
    assert_eq!(value.get(b"s").and_then(|value| value.get(b"x")), None);
}

#[test]
fn equal_keys_by_the_thousand_are_one_member() {
    let members: Vec<_> = (0..20_000).map(|at| format!("\"k\": {at}, \"{}\": 1", at % 10)).collect();
    let text = format!("{{{}, \"k\": true}}", members.join(", "));
    let value = parse(text.as_bytes()).unwrap();
    assert_eq!(value.as_object().map(<[_]>::len), Some(11));
    assert_eq!(value.get(b"k"), Some(&Value::Bool(true)));
}
