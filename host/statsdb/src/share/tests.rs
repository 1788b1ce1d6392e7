#![allow(clippy::unwrap_used)]
use super::codec::{put, take};
use super::*;

#[test]
fn numbers_travel_and_too_long_ones_are_refused() {
    for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
        let mut bytes = Vec::new();
        put(&mut bytes, number);
        assert_eq!(take(&mut &bytes[..]), Ok(number));
        assert_eq!(take(&mut &bytes[..bytes.len() - 1]), Err(CodecError::Short));
    }
    assert_eq!(take(&mut &[0xff; 10][..]), Err(CodecError::Number));
    assert_eq!(take(&mut &[0x80; 11][..]), Err(CodecError::Number));
}

#[test]
fn a_block_that_is_cut_off_is_refused() {
    let mut writer = Writer::default();
    writer.push(&KeyShare {
        key: "key".into(),
        resets: vec![(ALL_FIELDS, Reset { time_ms: 5, origin: 77 })],
        parts: vec![
            Part { field: 3, window: 170_000, origin: 77, version: 9, amount: Amount::Int(-5) },
            Part { field: 4, window: 169_999, origin: 0, version: 0, amount: Amount::Values(vec![1, 2]) },
        ],
    });
    let block = writer.finish();
    assert!(writer.is_empty());
    assert!(Reader::new(&block).unwrap().all(|share| share.is_ok()));
    for end in 0..block.len() {
        let all = Reader::new(&block[..end]).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        assert!(all.is_err() || all == Ok(Vec::new()), "{end}");
    }
}

#[test]
fn the_newest_reset_of_a_field_holds() {
    let of = |time_ms| Reset { time_ms, origin: 1 };
    let resets = [(1, of(5)), (ALL_FIELDS, of(3)), (2, of(1))];
    assert_eq!([0, 1, 2].map(|field| newest_reset(&resets, field).time_ms), [3, 5, 3]);
    assert_eq!(newest_reset(&[], 0), Reset::default());
}
