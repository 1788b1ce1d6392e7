#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;

fn text(number: f64) -> String {
    String::from_utf8(number_text(number).to_vec()).unwrap()
}

#[test]
fn numbers_read_as_lua_prints_them() {
    for (number, expected) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (5.0, "5"),
        (-3.0, "-3"),
        (1.5, "1.5"),
        (1.9, "1.9"),
        (1e14, "1e+14"),
        (1e15, "1e+15"),
        (1e13, "10000000000000"),
        (99_999_999_999_999.0, "99999999999999"),
        (123_456_789_012_345.0, "1.2345678901234e+14"),
        (0.1, "0.1"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (1.0 / 3.0, "0.33333333333333"),
        (2_147_483_648.0, "2147483648"),
        (1e100, "1e+100"),
        (f64::NAN, "nan"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::MIN_POSITIVE, "2.2250738585072e-308"),
        (51.514_198_303_223, "51.514198303223"),
    ] {
        assert_eq!(text(number), expected);
    }
}

#[test]
fn integers_truncate_and_wrap() {
    assert_eq!(to_i32(2.7), 2);
    assert_eq!(to_i32(-2.7), -2);
    assert_eq!(to_i32(3e9), -1_294_967_296);
    for refused in
        [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 4_294_967_296.0, 1e10, 2_147_483_648.0, -2_147_483_649.0]
    {
        assert_eq!(to_status(refused), None, "{refused}");
    }
    let kept = [1.9, -1.9, -0.5, 2_147_483_647.5, -2_147_483_648.9].map(to_status);
    assert_eq!(kept, [Some(1), Some(-1), Some(0), Some(i32::MAX), Some(i32::MIN)]);
    assert_eq!(to_i32(f64::NAN), 0);
    assert_eq!(to_i32(f64::INFINITY), 0);
    assert_eq!(to_u32(-1.0), u32::MAX);
    assert_eq!(to_u64(-1.0), u64::MAX);
    assert_eq!(to_u8(300.0), 44);
    assert_eq!(to_u8(256.0), 0);
    assert_eq!(to_u8(-1.0), 255);
}

fn lua_reads(text: &[u8]) -> Option<f64> {
    let lua = mlua::Lua::new();
    lua.globals().set("s", lua.create_string(text).unwrap()).unwrap();
    lua.load("return tonumber(s)").eval().unwrap()
}

fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
        (None, None) => true,
        _ => false,
    }
}

#[test]
fn numeric_texts_as_tonumber_reads_them() {
    for text in [
        "5",
        " 5 ",
        "\t-5\n",
        "+5",
        "--5",
        "- 5",
        "",
        " ",
        "-",
        ".",
        ".5",
        "5.",
        "1e3",
        "1e",
        "1e+",
        "1e-2",
        "0x1F",
        "0x",
        "0x.8",
        "0x1.8p3",
        "0x1p",
        "0x1p-1",
        "-0x10",
        "0b101",
        "0b",
        "0b2",
        "inf",
        "-INF",
        "infinity",
        "nan",
        "5x",
        "5 5",
        "1_000",
        "\u{b}7",
        "7\0",
        "1e400",
        "in",
        "1.2.3",
        "0x1.2.3",
        "1,5",
        "e5",
        "0X1P+4",
        "0x0p6666",
        "-0x0p-6666",
        "0x1p1024",
        "0x1p-1074",
        "0x1p99999999999",
    ] {
        assert!(
            same(parse(text.as_bytes()), lua_reads(text.as_bytes())),
            "{text:?}: {:?}",
            parse(text.as_bytes())
        );
    }
}

proptest! {
    #[test]
    fn any_text_is_read_as_tonumber_reads_it(text in "[ \\t+.0-9a-fA-FxXpPinN-]{0,8}") {
        prop_assert!(same(parse(text.as_bytes()), lua_reads(text.as_bytes())), "{:?} {:?}", text, parse(text.as_bytes()));
    }

    #[test]
    fn the_text_is_that_of_the_interpreter(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        let lua = mlua::Lua::new();
        lua.globals().set("n", number).unwrap();
        let expected: String = lua.load("return tostring(n)").eval().unwrap();
        if number.is_finite() && number != 0.0 && !(1e-100..1e100).contains(&number.abs()) {
            // So far from 1 the interpreter's last digit is not always the nearest one; ours is.
            let (ours, theirs): (f64, f64) = (text(number).parse().unwrap(), expected.parse().unwrap());
            prop_assert!((ours / theirs - 1.0).abs() < 1.1e-13, "{} {}", text(number), expected);
            prop_assert_eq!(text(number), text(ours), "it is the nearest of fourteen digits");
        } else {
            prop_assert_eq!(text(number), expected);
        }
    }

    #[test]
    fn the_text_reads_back_to_fourteen_digits(number in -1e15..1e15) {
        let back: f64 = text(number).parse().unwrap();
        prop_assert!((back - number).abs() <= number.abs() * 1e-13);
    }

    #[test]
    fn whole_numbers_of_the_width_are_unchanged(number in any::<i32>()) {
        prop_assert_eq!(to_i32(f64::from(number)), number);
        prop_assert_eq!(to_u8(f64::from(number)), number as u8);
    }
}
