//! Reading JSON.

use std::borrow::Cow;

use bstr::ByteSlice as _;

use super::{JsonError, Value, sort_members};

/// How many levels of lists and objects may enclose a value (wforce compatibility).
pub const MAX_DEPTH: u32 = 200;

/// Reads one value. The text is cut at its first raw NUL; white space around the value is ignored; there are no
/// comments. Any bytes may stand in strings, except control characters.
///
/// # Errors
/// [`JsonError`] for the first thing wrong.
pub fn parse(text: &[u8]) -> Result<Value<'_>, JsonError> {
    let mut parser = Parser::new(text);
    let value = parser.value(0)?;
    parser.end()?;
    Ok(value)
}

/// Reads the body of a request: as [`parse`], but a `null` is an error with an empty reason. A body that is neither
/// `null` nor an object has no members, so it behaves like `{}`.
///
/// # Errors
/// [`JsonError`] for the first thing wrong.
pub fn parse_body(text: &[u8]) -> Result<Value<'_>, JsonError> {
    match parse(text)? {
        Value::Null => Err(JsonError::Null),
        value => Ok(value),
    }
}

/// Calls `member` for each member of the object in a request's body, in the order of the text, without building
/// the object. Of a key that occurs twice the last one counts, which is the caller's to keep. Null members are
/// passed on as such.
///
/// # Errors
/// As [`parse_body`]; some members may have been passed on before.
pub fn members<'a>(text: &'a [u8], mut member: impl FnMut(&[u8], &Value<'a>)) -> Result<(), JsonError> {
    let mut parser = Parser::new(text);
    if parser.token()? == b'{' {
        parser.object(0, |key, value| member(&key, &value))?;
        return parser.end();
    }
    parse_body(text).map(drop)
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a [u8]) -> Parser<'a> {
        let end = text.find_byte(0).unwrap_or(text.len());
        Parser { text: text.get(..end).unwrap_or_default(), at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes the next byte that is not white space.
    fn token(&mut self) -> Result<u8, JsonError> {
        self.skip_blanks();
        let byte = self.peek().ok_or(JsonError::UnexpectedEnd)?;
        self.at += 1;
        Ok(byte)
    }

    fn end(&mut self) -> Result<(), JsonError> {
        self.skip_blanks();
        self.peek().map_or(Ok(()), |byte| Err(JsonError::Trailing(byte)))
    }

    fn value(&mut self, depth: u32) -> Result<Value<'a>, JsonError> {
        if depth > MAX_DEPTH {
            return Err(JsonError::TooDeep);
        }
        match self.token()? {
            b'"' => self.string().map(Value::String),
            b'{' => {
                let mut members = Vec::new();
                self.object(depth, |key, value| members.push((key, value)))?;
                sort_members(&mut members);
                Ok(Value::Object(members))
            }
            b'[' => self.array(depth),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            b'-' | b'0'..=b'9' => {
                self.at -= 1;
                self.number().map(Value::Number)
            }
            byte => Err(JsonError::ExpectedValue(byte)),
        }
    }

    fn word(&mut self, word: &'static str, value: Value<'a>) -> Result<Value<'a>, JsonError> {
        self.at -= 1;
        let rest = self.rest();
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(value);
        }
        let got = rest.get(..word.len()).unwrap_or(rest);
        Err(JsonError::ExpectedWord { expected: word, got: got.into() })
    }

    /// The members behind an opening brace.
    fn object(
        &mut self,
        depth: u32,
        mut member: impl FnMut(Cow<'a, [u8]>, Value<'a>),
    ) -> Result<(), JsonError> {
        let mut byte = self.token()?;
        if byte == b'}' {
            return Ok(());
        }
        loop {
            if byte != b'"' {
                return Err(JsonError::ExpectedKey(byte));
            }
            let key = self.string()?;
            match self.token()? {
                b':' => {}
                byte => return Err(JsonError::ExpectedColon(byte)),
            }
            member(key, self.value(depth + 1)?);
            match self.token()? {
                b'}' => return Ok(()),
                b',' => byte = self.token()?,
                byte => return Err(JsonError::ExpectedMemberEnd(byte)),
            }
        }
    }

    /// The items behind an opening bracket.
    fn array(&mut self, depth: u32) -> Result<Value<'a>, JsonError> {
        let mut items = Vec::new();
        if self.token()? == b']' {
            return Ok(Value::Array(items));
        }
        self.at -= 1;
        loop {
            items.push(self.value(depth + 1)?);
            match self.token()? {
                b']' => return Ok(Value::Array(items)),
                b',' => {}
                byte => return Err(JsonError::ExpectedItemEnd(byte)),
            }
        }
    }

    fn digits(&mut self) -> usize {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn number(&mut self) -> Result<f64, JsonError> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let whole = self.at;
        let count = match self.peek() {
            Some(b'0') => {
                self.at += 1;
                if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                    return Err(JsonError::LeadingZero);
                }
                1
            }
            Some(b'1'..=b'9') => self.digits(),
            byte => return Err(JsonError::BadNumber(byte.unwrap_or(0))),
        };
        // Up to 15 digits an integer is exact in a double, and needs no general conversion.
        if count <= 15 && !matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            let digits = self.text.get(whole..self.at).unwrap_or_default();
            let value = digits.iter().fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
            let value = value as f64;
            return Ok(if negative { -value } else { value });
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(JsonError::EmptyFraction);
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(JsonError::EmptyExponent);
            }
        }
        // JSON's numbers are a subset of what `f64` reads, so the fallback is never taken.
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok(text.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(0.0))
    }

    /// The string behind an opening quote.
    fn string(&mut self) -> Result<Cow<'a, [u8]>, JsonError> {
        let rest = self.rest();
        let len = plain_len(rest);
        let plain = rest.get(..len).unwrap_or_default();
        self.at += len + 1;
        match rest.get(len) {
            Some(b'"') => Ok(Cow::Borrowed(plain)),
            Some(b'\\') => self.escaped(plain).map(Cow::Owned),
            Some(byte) => Err(JsonError::ControlInString(*byte)),
            None => Err(JsonError::EndInString),
        }
    }

    /// The rest of a string behind its first backslash; `plain` is what came before that.
    fn escaped(&mut self, plain: &[u8]) -> Result<Vec<u8>, JsonError> {
        let mut out = Vec::with_capacity(plain.len() + 32);
        out.extend_from_slice(plain);
        loop {
            self.escape(&mut out)?;
            let rest = self.rest();
            let len = plain_len(rest);
            out.extend_from_slice(rest.get(..len).unwrap_or_default());
            self.at += len + 1;
            match rest.get(len) {
                Some(b'"') => return Ok(out),
                Some(b'\\') => {}
                Some(byte) => return Err(JsonError::ControlInString(*byte)),
                None => return Err(JsonError::EndInString),
            }
        }
    }

    /// One escape, whose backslash is taken.
    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        let byte = self.peek().ok_or(JsonError::EndInString)?;
        self.at += 1;
        out.push(match byte {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'"' | b'\\' | b'/' => byte,
            b'u' => {
                let code = self.unicode()?;
                push_code_point(code, out);
                return Ok(());
            }
            byte => return Err(JsonError::BadEscape(byte)),
        });
        Ok(())
    }

    /// The code point behind `\u`, of both halves if a low surrogate escape follows a high one.
    fn unicode(&mut self) -> Result<u32, JsonError> {
        let unit = self.hex4()?;
        if (0xd800..0xdc00).contains(&unit) && self.rest().starts_with(b"\\u") {
            let after_unit = self.at;
            self.at += 2;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                return Ok(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
            }
            // No pair: the second escape is read again, as one of its own.
            self.at = after_unit;
        }
        Ok(unit)
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let rest = self.rest();
        let digits = rest.get(..4).unwrap_or(rest);
        let bad = || JsonError::BadUnicodeEscape(digits.into());
        if digits.len() < 4 {
            return Err(bad());
        }
        self.at += 4;
        digits.iter().try_fold(0, |unit, digit| {
            char::from(*digit).to_digit(16).map(|digit| unit << 4 | digit).ok_or_else(bad)
        })
    }
}

/// UTF-8 of a code point. A lone surrogate gets the three bytes the same scheme yields (wforce compatibility):
/// different ones stay different, and writing them passes them through like any other bytes.
fn push_code_point(code: u32, out: &mut Vec<u8>) {
    let tail = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
    match code {
        0..0x80 => out.push(code as u8),
        0x80..0x800 => out.extend([0xc0 | (code >> 6) as u8, tail(0)]),
        0x800..0x10000 => out.extend([0xe0 | (code >> 12) as u8, tail(6), tail(0)]),
        _ => out.extend([0xf0 | (code >> 18) as u8, tail(12), tail(6), tail(0)]),
    }
}

/// How many bytes go by before a quote, a backslash or a control character.
fn plain_len(text: &[u8]) -> usize {
    super::scan::plain_len::<false>(text)
}
