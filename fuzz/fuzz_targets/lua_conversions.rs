//! Numbers across the Lua border: text of numbers, numeric text, wrapping integers.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The conversions alone, without an interpreter: the file has no dependencies.
#[path = "../../host/lua/src/convert/number.rs"]
mod number;

use number::{number_text, parse, to_i32, to_i64, to_status, to_u8, to_u32, to_u64};

fuzz_target!(|data: &[u8]| {
    if let Some((bits, text)) = data.split_first_chunk::<8>() {
        number_holds(f64::from_bits(u64::from_le_bytes(*bits)));
        text_holds(text);
    }
    text_holds(data);
});

/// The text of any number is short, reads back to fourteen digits, and says the same when written again.
fn number_holds(number: f64) {
    let text = number_text(number);
    assert!(!text.is_empty() && text.len() <= 22, "{text:?}");
    let back = parse(&text).expect("a number's text is numeric");
    if number.is_finite() {
        let off = (back - number).abs();
        assert!(off <= number.abs() * 1e-13 || number.abs() < 1e-300, "{number} {text:?}");
        assert_eq!(back.is_sign_negative(), number.is_sign_negative());
    } else {
        assert_eq!(back.is_nan(), number.is_nan());
    }
    if !back.is_nan() {
        assert_eq!(*number_text(back), *text);
    }
    integers_hold(number);
}

/// The widths agree with each other, and whole numbers that fit are unchanged.
fn integers_hold(number: f64) {
    let wide = to_i64(number);
    assert_eq!(to_i32(number), wide as i32);
    assert_eq!(to_u32(number), wide as u32);
    assert_eq!(to_u64(number), wide as u64);
    assert_eq!(to_u8(number), wide as u8);
    // A status that does not fit is none; one that does is what the others say.
    assert_eq!(to_status(number), i32::try_from(wide).ok().filter(|_| number.is_finite()));
    if number.abs() < 1e15 {
        assert_eq!(wide as f64, number.trunc());
    }
}

/// Numeric text is read the same with blanks around it, and a sign turns it round.
fn text_holds(text: &[u8]) {
    let Some(number) = parse(text) else { return };
    integers_hold(number);
    let blank = [b" \t", text, b"\n "].concat();
    assert_eq!(parse(&blank).map(f64::to_bits), Some(number.to_bits()));
    let digits = text.trim_ascii();
    if digits.first().is_some_and(u8::is_ascii_digit) {
        let negative = parse(&[b"-", digits].concat()).expect("a signed number");
        assert!(negative == -number);
    }
}
