//! Texts that are no JSON, and what is said about them.

use super::*;

#[test]
fn reasons() {
    for (text, reason) in [
        ("", "unexpected end of input"),
        ("  ", "unexpected end of input"),
        ("x", "expected value, got 'x' (120)"),
        ("\u{1}", "expected value, got (1)"),
        ("é", "expected value, got (-61)"),
        ("{}x", "unexpected trailing 'x' (120)"),
        ("[1] ]", "unexpected trailing ']' (93)"),
        ("tru", "parse error: expected true, got tru"),
        ("trux ", "parse error: expected true, got trux"),
        ("nil", "parse error: expected null, got nil"),
        ("falſe", "parse error: expected false, got falſ"),
        ("{", "unexpected end of input"),
        ("{\"a\"", "unexpected end of input"),
        ("{\"a\":", "unexpected end of input"),
        ("{\"a\":1", "unexpected end of input"),
        ("{\"a\":1,", "unexpected end of input"),
        ("{a:1}", "expected '\"' in object, got 'a' (97)"),
        ("{\"a\":1,}", "expected '\"' in object, got '}' (125)"),
        ("{\"a\" 1}", "expected ':' in object, got '1' (49)"),
        ("{\"a\":1 \"b\":2}", "expected ',' in object, got '\"' (34)"),
        ("[1 2]", "expected ',' in list, got '2' (50)"),
        ("[1,]", "expected value, got ']' (93)"),
        ("[", "unexpected end of input"),
        ("[1", "unexpected end of input"),
        ("// comment\n1", "expected value, got '/' (47)"),
        ("\"a", "unexpected end of input in string"),
        ("\"a\\", "unexpected end of input in string"),
        ("\"a\\n", "unexpected end of input in string"),
        ("\"a\nb\"", "unescaped (10) in string"),
        ("\"a\\n\nb\"", "unescaped (10) in string"),
        ("\"\\x41\"", "invalid escape character 'x' (120)"),
        ("\"\\u12", "bad \\u escape: 12"),
        ("\"\\u12g4\"", "bad \\u escape: 12g4"),
        ("\"\\u+123\"", "bad \\u escape: +123"),
        ("\"\\ud83d\\u12\"", "bad \\u escape: 12\""),
        ("-", "invalid (0) in number"),
        ("-x", "invalid 'x' (120) in number"),
        ("+1", "expected value, got '+' (43)"),
        (".5", "expected value, got '.' (46)"),
        ("01", "leading 0s not permitted in numbers"),
        ("-01", "leading 0s not permitted in numbers"),
        ("1.", "at least one digit required in fractional part"),
        ("1.e5", "at least one digit required in fractional part"),
        ("1e", "at least one digit required in exponent"),
        ("1e+", "at least one digit required in exponent"),
        ("1x", "unexpected trailing 'x' (120)"),
        ("NaN", "expected value, got 'N' (78)"),
    ] {
        assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), reason, "{text}");
    }
}

#[test]
fn depth_is_limited() {
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert!(parse(&nested(201)).is_ok());
    assert_eq!(parse(&nested(202)), Err(JsonError::TooDeep));
    let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert!(parse(objects(200).as_bytes()).is_ok());
    assert_eq!(parse(objects(201).as_bytes()).unwrap_err().to_string(), "exceeded maximum nesting depth");
    assert_eq!(members(objects(201).as_bytes(), |_, _| ()), Err(JsonError::TooDeep));
    assert_eq!(parse(&vec![b'['; 1 << 20]), Err(JsonError::TooDeep));
}
