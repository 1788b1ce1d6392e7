#![allow(clippy::unwrap_used)]
use super::*;
use crate::hll;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[test]
fn ints_are_big_endian() {
    assert_eq!(hex(&encode_int(-2)), "fffffffe");
    assert_eq!(hex(&encode_int(7)), "00000007");
    for (bytes, value) in [
        (&b"\xff\xff\xff\xfe"[..], -2),
        (b"\0\0\0\x07more", 7),
        (b"\0\0\x01", 256),
        (b"\x01", 1 << 24),
        (b"", 0),
    ] {
        assert_eq!(decode_int(bytes), value);
    }
}

#[test]
fn registers_carry_their_bits() {
    let mut registers = Registers::new(Ranks::Shared, 6);
    registers.insert(hll::hash(b"foo"));
    let bytes = encode_registers(&registers);
    let expected = format!("06{}01{}", "00".repeat(53), "00".repeat(10));
    assert_eq!(hex(&bytes), expected);
    assert_eq!(decode_registers(&bytes), Some(registers.clone()));
    assert_eq!(decode_registers(&[&bytes[..], b"trailing"].concat()), Some(registers));
    assert_eq!(decode_registers(&bytes[..64]), None);
    assert_eq!(decode_registers(b""), None);
    assert_eq!(decode_registers(&[3; 100]), None);
    assert_eq!(decode_registers(&[31; 100]), None);
    assert_eq!(decode_registers(&[30; 100]), None);
}

fn sketch(plan: &Plan, counts: &[(&[u8], i32)]) -> Sketch {
    let mut sketch = Sketch::new(plan);
    for (value, n) in counts {
        sketch.add(plan, crate::countmin::hash(value), *n);
    }
    sketch
}

#[test]
fn sketches_match_the_reference() {
    let plan = Plan::new(CountMinShape::default(), [(12345, 6789), (31337, 271)].into());
    let counts: [(&[u8], i32); 5] = [(b"NL", 3), (b"US", 2), (b"foo", 1), (b"NL", 1), (b"\xc3\xa9", 7)];
    let bytes = encode_sketch(&plan, &sketch(&plan, &counts));
    assert_eq!(bytes.len(), 468);
    assert!(hex(&bytes).starts_with("cdcc4c3dcdcc4c3e0e000000"));
    assert!(hex(&bytes).ends_with("39300000851a0000697a00000f010000"));

    let plan = Plan::new(CountMinShape { eps: 0.99, gamma: 0.5 }, [(12345, 6789)].into());
    let counted = sketch(&plan, &[(b"NL", 3), (b"US", 2)]);
    let bytes = encode_sketch(&plan, &counted);
    assert_eq!(hex(&bytes), "a4707d3f0000003f0500000000000000000000000500000039300000851a0000");
    let read = decode_sketch(&bytes).unwrap();
    assert_eq!(read.foreign.as_deref(), Some(&plan));
    assert_eq!((read.total, &read.cells), (5, &counted.cells));
    let other = Plan::random(CountMinShape::default(), 1);
    for value in [b"NL", b"US"] {
        assert_eq!(read.estimate(&other, crate::countmin::hash(value)), 5);
    }
    // A sketch with another plan than ours goes out as it came in.
    assert_eq!(encode_sketch(&other, &read), bytes);
}

#[test]
fn impossible_sketches_are_refused() {
    let plan = Plan::random(CountMinShape { eps: 0.99, gamma: 0.5 }, 1);
    let good = encode_sketch(&plan, &Sketch::new(&plan));
    assert!(decode_sketch(&good).is_some());
    for len in 0..good.len() {
        assert!(decode_sketch(&good[..len]).is_none(), "{len}");
    }
    for (at, value) in
        [(0, 0.001f32), (0, 1.0), (0, f32::NAN), (0, -1.0), (4, 0.0), (4, 1.0), (4, f32::INFINITY)]
    {
        let mut bad = good.clone();
        bad[at..at + 4].copy_from_slice(&value.to_le_bytes());
        assert!(decode_sketch(&bad).is_none(), "{at} {value}");
    }
}
