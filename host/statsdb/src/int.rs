//! Integers in text, as C++'s `stoi` reads them.

use crate::NotANumber;

/// Reads the integer `text` begins with: white space, a sign and at least one digit; what follows is ignored.
#[inline]
pub(crate) fn parse(text: &[u8]) -> Result<i32, NotANumber> {
    let start = text.iter().position(|c| !matches!(c, b' ' | b'\t'..=b'\r')).ok_or(NotANumber)?;
    let (negative, digits) = match text[start..].split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, &text[start..]),
    };
    if !digits.first().is_some_and(u8::is_ascii_digit) {
        return Err(NotANumber);
    }
    let mut number = 0i64;
    for digit in digits.iter().take_while(|c| c.is_ascii_digit()) {
        number = number * 10 + i64::from(digit - b'0');
        if number > 1 << 31 {
            return Err(NotANumber);
        }
    }
    i32::try_from(if negative { -number } else { number }).map_err(|_| NotANumber)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_stoi_reads() {
        for (text, number) in [
            ("0", 0),
            ("12abc", 12),
            (" -5", -5),
            ("\t\n\x0b\x0c\r +7", 7),
            ("1e+15", 1),
            ("1.5", 1),
            ("1.2.3.4", 1),
            ("007", 7),
            ("2147483647", i32::MAX),
            ("-2147483648", i32::MIN),
            ("00000000000000000000000000001", 1),
            ("5\u{0}6", 5),
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(number), "{text:?}");
        }
    }

    #[test]
    fn refuses_what_stoi_refuses() {
        for text in [
            "",
            " ",
            "abc",
            "-",
            "+",
            "--1",
            "- 1",
            ".5",
            "2147483648",
            "-2147483649",
            "99999999999999999999999",
        ] {
            assert_eq!(parse(text.as_bytes()), Err(NotANumber), "{text:?}");
        }
    }
}
