//! Writing doubles as the C library does.

use std::io::Write as _;

use super::write_int;

/// Appends a number as C's `%.17g`: 17 significant digits without trailing zeros, in scientific notation below 1e-4
/// and from 1e17 on. What is not finite becomes `null`.
pub fn write_f64(out: &mut Vec<u8>, number: f64) {
    if !number.is_finite() {
        out.extend_from_slice(b"null");
        return;
    }
    // Exact integers are the usual case. The bit test tells -0 from 0.
    let integer = number as i64;
    if integer.unsigned_abs() < 1 << 53 && (integer as f64).to_bits() == number.to_bits() {
        write_int(out, integer);
        return;
    }
    general(out, number);
}

fn general(out: &mut Vec<u8>, number: f64) {
    // `-d.dddddddddddddddde-308`: at most 24 bytes. Rust rounds exactly, ties to even, as the C library does.
    let mut buffer = [0_u8; 32];
    let mut space = &mut buffer[..];
    let written = write!(space, "{number:.16e}").map(|()| 32 - space.len()).unwrap_or_default();
    let text = buffer.get(..written).unwrap_or_default();
    let (sign, text) = match text {
        [b'-', text @ ..] => (true, text),
        text => (false, text),
    };
    let Some((mantissa, exponent)) = bstr::ByteSlice::split_once_str(text, b"e") else { return };
    let exponent: i32 = std::str::from_utf8(exponent).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut digits = [0_u8; 17];
    let mut count = 0;
    for (slot, digit) in digits.iter_mut().zip(mantissa.iter().filter(|byte| **byte != b'.')) {
        *slot = *digit;
        count += 1;
    }
    while count > 1 && digits.get(count - 1) == Some(&b'0') {
        count -= 1;
    }
    let digits = digits.get(..count).unwrap_or_default();
    if sign {
        out.push(b'-');
    }
    match exponent {
        0..17 => {
            let whole = exponent as usize + 1;
            out.extend_from_slice(digits.get(..whole).unwrap_or(digits));
            out.resize(out.len() + whole.saturating_sub(digits.len()), b'0');
            if let Some(fraction) = digits.get(whole..).filter(|fraction| !fraction.is_empty()) {
                out.push(b'.');
                out.extend_from_slice(fraction);
            }
        }
        -4..0 => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + (-1 - exponent) as usize, b'0');
            out.extend_from_slice(digits);
        }
        _ => {
            let (first, fraction) = digits.split_at_checked(1).unwrap_or((digits, &[]));
            out.extend_from_slice(first);
            if !fraction.is_empty() {
                out.push(b'.');
                out.extend_from_slice(fraction);
            }
            out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
            if exponent.unsigned_abs() < 10 {
                out.push(b'0');
            }
            out.extend_from_slice(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
        }
    }
}
