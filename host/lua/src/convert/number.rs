//! Numbers as Lua 5.1 scripts see them when they cross the border: the text of a number, and the fixed-width integers
//! and booleans wforce's functions take. Pure functions of their arguments, without any Lua state.

use std::fmt::Write as _;
use std::ops::Deref;

/// The text of one number, on the stack. The longest form is `-1.2345678901234e-308`, 21 bytes.
#[derive(Clone, Copy)]
pub struct NumberText {
    bytes: [u8; 32],
    len: u8,
}

impl NumberText {
    const EMPTY: Self = Self { bytes: [0; 32], len: 0 };

    fn push(&mut self, text: &[u8]) {
        let start = usize::from(self.len);
        if let Some(room) = self.bytes.get_mut(start..start + text.len()) {
            room.copy_from_slice(text);
            self.len += text.len() as u8;
        }
    }
}

impl std::fmt::Write for NumberText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

impl Deref for NumberText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl std::fmt::Debug for NumberText {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(std::str::from_utf8(self).unwrap_or_default())
    }
}

/// The significant digits of C's `%.14g`.
const DIGITS: i32 = 14;

/// A number as `LuaJIT`'s `tostring` writes it, which is C's `%.14g`: `5`, `1.5`, `1e+14`, `-0`, `inf`, `nan`.
pub fn number_text(number: f64) -> NumberText {
    let mut text = NumberText::EMPTY;
    // Whole numbers of up to nine digits are most of what policies use; `-0` is not one of them.
    if number.abs() < 1e9 && (number as i64 as f64).to_bits() == number.to_bits() {
        let _ = write!(text, "{}", number as i64);
        return text;
    }
    if number.is_nan() {
        text.push(b"nan");
        return text;
    }
    if number.is_infinite() {
        text.push(if number < 0.0 { b"-inf" } else { b"inf" });
        return text;
    }
    if number.is_sign_negative() {
        text.push(b"-");
    }
    if number == 0.0 {
        text.push(b"0");
        return text;
    }
    let mut scientific = NumberText::EMPTY;
    let _ = write!(scientific, "{:.13e}", number.abs());
    let Some(at) = scientific.iter().position(|byte| *byte == b'e') else { return text };
    let (mantissa, exponent) = (&scientific[..at], &scientific[at + 1..]);
    let exponent: i32 = std::str::from_utf8(exponent).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut digits = [b'0'; 14];
    for (to, from) in digits.iter_mut().zip(mantissa.iter().filter(|byte| **byte != b'.')) {
        *to = *from;
    }
    let kept = digits.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
    if (-4..DIGITS).contains(&exponent) {
        fixed(&mut text, &digits[..kept], exponent);
    } else {
        text.push(&digits[..1]);
        if kept > 1 {
            text.push(b".");
            text.push(&digits[1..kept]);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(text, "e{sign}{:02}", exponent.abs());
    }
    text
}

/// `digits` with the decimal point after the digit of weight 10^0; `exponent` is the weight of the first digit.
fn fixed(text: &mut NumberText, digits: &[u8], exponent: i32) {
    if exponent < 0 {
        text.push(b"0.");
        for _ in 1..-exponent {
            text.push(b"0");
        }
        text.push(digits);
        return;
    }
    let whole = exponent as usize + 1;
    if digits.len() > whole {
        text.push(&digits[..whole]);
        text.push(b".");
        text.push(&digits[whole..]);
    } else {
        text.push(digits);
        for _ in digits.len()..whole {
            text.push(b"0");
        }
    }
}

/// A numeric text as `tonumber` reads it: decimal, hexadecimal (`0x1F`, `0x1.8p3`), binary (`0b101`), `inf` and `nan` in
/// any case, with a sign and blanks around. `None` for anything else.
pub fn parse(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii_start_lua();
    let (negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = digits.trim_ascii_end_lua();
    let number = match digits {
        [b'0', b'x' | b'X', hex @ ..] => hexadecimal(hex)?,
        [b'0', b'b' | b'B', binary @ ..] => binary_digits(binary)?,
        _ => decimal(digits)?,
    };
    Some(if negative { -number } else { number })
}

/// Blanks as C's `isspace` sees them; Rust's own does not count the vertical tab.
trait Blanks {
    fn trim_ascii_start_lua(&self) -> &[u8];
    fn trim_ascii_end_lua(&self) -> &[u8];
}

fn blank(byte: u8) -> bool {
    byte == b' ' || (b'\t'..=b'\r').contains(&byte)
}

impl Blanks for [u8] {
    fn trim_ascii_start_lua(&self) -> &[u8] {
        let start = self.iter().position(|byte| !blank(*byte)).unwrap_or(self.len());
        &self[start..]
    }

    fn trim_ascii_end_lua(&self) -> &[u8] {
        let end = self.iter().rposition(|byte| !blank(*byte)).map_or(0, |last| last + 1);
        &self[..end]
    }
}

fn decimal(digits: &[u8]) -> Option<f64> {
    let word = |word: &str| digits.eq_ignore_ascii_case(word.as_bytes());
    if word("inf") || word("infinity") {
        return Some(f64::INFINITY);
    }
    if word("nan") {
        return Some(f64::NAN);
    }
    if !matches!(digits.first()?, b'0'..=b'9' | b'.') {
        return None;
    }
    // What is left of Rust's grammar behind a digit or a point is C's.
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Hexadecimal digits with an optional point and binary exponent.
fn hexadecimal(digits: &[u8]) -> Option<f64> {
    let (mantissa, exponent) = match digits.iter().position(|byte| matches!(byte, b'p' | b'P')) {
        Some(at) => (&digits[..at], exponent(&digits[at + 1..])?),
        None => (digits, 0),
    };
    let (mut number, mut places, mut point, mut any) = (0.0f64, 0i32, false, false);
    for byte in mantissa {
        if *byte == b'.' {
            if point {
                return None;
            }
            point = true;
            continue;
        }
        let digit = char::from(*byte).to_digit(16)?;
        any = true;
        number = number * 16.0 + f64::from(digit);
        places += i32::from(point);
    }
    any.then(|| scaled(number, exponent.saturating_sub(places.saturating_mul(4))))
}

/// `number` times 2 to the `exponent`, in steps that neither overflow nor vanish before the end.
fn scaled(mut number: f64, exponent: i32) -> f64 {
    const STEP: i32 = 1000;
    // Beyond this every number but 0 is infinite or vanishes.
    let mut left = exponent.clamp(-9 * STEP, 9 * STEP);
    while left.abs() > STEP {
        number *= 2.0f64.powi(STEP * left.signum());
        left -= STEP * left.signum();
    }
    number * 2.0f64.powi(left)
}

fn exponent(digits: &[u8]) -> Option<i32> {
    let text = std::str::from_utf8(digits).ok()?;
    text.trim_start_matches(['+', '-'])
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn binary_digits(digits: &[u8]) -> Option<f64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0.0f64, |number, byte| match byte {
        b'0' => Some(number * 2.0),
        b'1' => Some(number * 2.0 + 1.0),
        _ => None,
    })
}

/// Truncated toward zero into 64 bits. Not-a-number is 0; what does not fit is the most negative integer, which is what
/// the processor's conversion gives and which wraps to 0 in every narrower width.
pub fn to_i64(number: f64) -> i64 {
    const BORDER: f64 = 9_223_372_036_854_775_808.0;
    if number.is_nan() {
        0
    } else if (-BORDER..BORDER).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// Truncated toward zero, then wrapped: 3e9 is -1294967296.
pub fn to_i32(number: f64) -> i32 {
    to_i64(number) as i32
}

/// Truncated toward zero if that is a 32-bit integer: a status, where a number that wrapped would be another decision.
pub fn to_status(number: f64) -> Option<i32> {
    let whole = number.trunc();
    (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&whole).then_some(whole as i32)
}

/// Truncated toward zero, then wrapped: -1 is 4294967295.
pub fn to_u32(number: f64) -> u32 {
    to_i64(number) as u32
}

/// Truncated toward zero, then wrapped: -1 is 18446744073709551615.
pub fn to_u64(number: f64) -> u64 {
    to_i64(number) as u64
}

/// Truncated toward zero, then taken modulo 256: 300 is 44.
pub fn to_u8(number: f64) -> u8 {
    to_i64(number) as u8
}

#[cfg(test)]
mod tests;
