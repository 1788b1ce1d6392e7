#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;
use crate::cipher::tests::hex;

fn field_op<'a>(action: StatsAction, field: &'a [u8], text: Option<&'a [u8]>) -> StatsOp<'a> {
    StatsOp { field: Some(field), text, ..StatsOp::new(b"db1", action, b"k") }
}

/// The operation is written as these bytes, and these bytes are read as the operation.
fn op_is(op: &StatsOp<'_>, expected: &str) {
    let mut bytes = Vec::new();
    op.encode(&mut bytes);
    assert_eq!(bytes, hex(expected));
    assert_eq!(op.encoded_bytes(), bytes.len());
    assert_eq!(StatsOp::decode(&bytes).as_ref(), Ok(op));
}

fn stats_message_is(op: &StatsOp<'_>, forwarded: bool, expected: &str) {
    let mut bytes = Vec::new();
    encode_stats(op, forwarded, &mut bytes);
    assert_eq!(bytes, hex(expected));
    let message = Message::decode(&bytes).unwrap();
    assert_eq!((message.kind, message.forwarded), (Kind::Stats, forwarded));
    assert_eq!(StatsOp::decode(message.op).as_ref(), Ok(op));
    let mut again = Vec::new();
    message.encode(&mut again);
    assert_eq!(again, bytes);
}

fn list_message_is(kind: Kind, op: &ListOp<'_>, expected: &str) {
    let mut bytes = Vec::new();
    encode_list(kind, op, false, &mut bytes);
    assert_eq!(bytes, hex(expected));
    let message = Message::decode(&bytes).unwrap();
    assert_eq!((message.kind, message.forwarded), (kind, false));
    assert_eq!(ListOp::decode(message.op).as_ref(), Ok(op));
}

#[test]
fn an_added_text_is_written_as_wforce_writes_it() {
    let op = StatsOp {
        field: Some(b"countLogins"),
        text: Some(b"1"),
        ..StatsOp::new(b"db1", StatsAction::Add, b"127.0.0.1/32")
    };
    stats_message_is(
        &op,
        false,
        "080012250a0364623110001a0c3132372e302e302e312f3332220b636f756e744c6f67696e732a01311800",
    );
}

#[test]
fn an_added_count_is_written_as_wforce_writes_it() {
    let op = StatsOp { number: Some(3), ..field_op(StatsAction::Add, b"c", Some(b"NL")) };
    stats_message_is(&op, true, "080012130a0364623110001a016b2201632a024e4c30031801");
}

#[test]
fn a_number_below_zero_travels_as_its_complement() {
    let op = StatsOp { number: Some(-1_i32 as u32), ..field_op(StatsAction::Add, b"i", None) };
    op_is(&op, "0a0364623110001a016b22016930ffffffff0f");
}

#[test]
fn sub_and_resets_are_written_as_wforce_writes_them() {
    op_is(&field_op(StatsAction::Sub, b"i", Some(b"2")), "0a0364623110011a016b2201692a0132");
    op_is(&StatsOp::new(b"db1", StatsAction::Reset, b"k"), "0a0364623110021a016b");
    op_is(&field_op(StatsAction::ResetField, b"i", None), "0a0364623110031a016b220169");
}

#[test]
fn a_synced_key_is_written_as_wforce_writes_it() {
    let slot = |time, bytes| SyncSlot { time, bytes };
    let slots = vec![slot(0, &[0, 0, 0, 0][..]), slot(1_700_000_010, &[0xff, 0xff, 0xff, 0xfe])];
    let field = SyncField { name: b"i", start: 1_700_000_000, slots };
    op_is(
        &StatsOp { fields: vec![field], ..StatsOp::new(b"db1", StatsAction::SyncKey, b"k") },
        "0a0364623110041a016b3a210a01691080e2cfaa061a0808001204000000001a0c088ae2cfaa061204fffffffe",
    );
}

#[test]
fn list_entries_are_written_as_wforce_writes_them() {
    let add = ListOp { action: ListAction::Add, kind: 0, key: b"1.2.3.4/32", ttl: 3600, reason: b"bad" };
    list_message_is(Kind::Blacklist, &add, "08011218080010001a0a312e322e332e342f333220901c2a036261641800");
    let delete = ListOp { action: ListAction::Delete, kind: 2, key: b"1.2.3.4:joe", ttl: 0, reason: b"" };
    list_message_is(Kind::Whitelist, &delete, "08021215080110021a0b312e322e332e343a6a6f6520002a001800");
}

#[test]
fn what_is_optional_may_be_missing() {
    let bytes = hex("080010011a036a6f65");
    let op = ListOp::decode(&bytes).unwrap();
    assert_eq!((op.key, op.ttl, op.reason), (&b"joe"[..], 0, &b""[..]));
    let bytes = hex("08001200");
    let message = Message::decode(&bytes).unwrap();
    assert_eq!((message.kind, message.op, message.forwarded), (Kind::Stats, &b""[..], false));
}

#[test]
fn fields_nobody_knows_are_skipped_and_the_last_of_two_counts() {
    // Field 15 as number, bytes and both fixed widths; the type twice.
    let bytes =
        hex("7801 7a0161 790102030405060708 7d01020304 0802 0801 1200 1801".replace(' ', "").as_str());
    let message = Message::decode(&bytes).unwrap();
    assert_eq!((message.kind, message.forwarded), (Kind::Blacklist, true));
}

#[test]
fn unknown_enum_values_and_missing_fields_are_errors() {
    let missing = |of, field| Err(MessageError::Missing { of, field });
    for (bytes, field) in
        [("12001800", "type"), ("0803120018 00", "type"), ("08001800", "operation"), ("", "type")]
    {
        let bytes = hex(&bytes.replace(' ', ""));
        assert_eq!(Message::decode(&bytes).map(drop), missing("replication message", field));
    }
    for (bytes, field) in [
        ("10001a016b", "db_name"),
        ("0a036462311a016b", "op_type"),
        ("0a0364623110051a016b", "op_type"),
        ("0a036462311000", "key"),
    ] {
        assert_eq!(StatsOp::decode(&hex(bytes)).map(drop), missing("stats DB operation", field));
    }
    for (bytes, field) in
        [("10001a00", "op_type"), ("080210001a00", "op_type"), ("08001a00", "type"), ("08001000", "key")]
    {
        assert_eq!(ListOp::decode(&hex(bytes)).map(drop), missing("list operation", field));
    }
    // The type of a field is not what it should be: as if it were not there.
    assert_eq!(Message::decode(&hex("0a0012001800")).map(drop), missing("replication message", "type"));
    let nested = |inner: &str| StatsOp::decode(&hex(&format!("0a0364623110041a016b3a{inner}"))).map(drop);
    assert_eq!(nested("020801"), missing("field of a stats DB operation", "field_name"));
    assert_eq!(nested("030a0169"), missing("field of a stats DB operation", "start_time"));
    assert_eq!(nested("070a016910001a00"), missing("window of a stats DB operation", "timestamp"));
    assert_eq!(nested("090a016910001a020800"), missing("window of a stats DB operation", "tw_string"));
}

#[test]
fn every_truncation_is_an_error_or_lacks_only_the_end() {
    let whole = hex("080012130a0364623110001a016b2201632a024e4c30031801");
    for length in 0..whole.len() {
        // Without its last field, which is optional, it is a message all the same.
        assert_eq!(Message::decode(&whole[..length]).is_ok(), length == whole.len() - 2, "{length}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes: Vec<u8>) {
        if let Ok(message) = Message::decode(&bytes) {
            let _ = StatsOp::decode(message.op);
        }
        let _ = (StatsOp::decode(&bytes), ListOp::decode(&bytes));
    }

    #[test]
    fn what_is_written_is_read(
        db: Vec<u8>, key: Vec<u8>, field: Option<Vec<u8>>, text: Option<Vec<u8>>, number: Option<u32>,
        slots in proptest::collection::vec((any::<u64>(), any::<Vec<u8>>()), 0..5), start: u64, kind: u32,
    ) {
        let op = StatsOp {
            db: &db, action: StatsAction::SyncKey, key: &key, field: field.as_deref(), text: text.as_deref(), number,
            fields: vec![SyncField {
                name: &key, start,
                slots: slots.iter().map(|(time, bytes)| SyncSlot { time: *time, bytes }).collect(),
            }],
        };
        let mut bytes = Vec::new();
        encode_stats(&op, true, &mut bytes);
        let message = Message::decode(&bytes).unwrap();
        prop_assert_eq!(StatsOp::decode(message.op), Ok(op));
        let op = ListOp { action: ListAction::Add, kind, key: &key, ttl: kind, reason: &db };
        let mut bytes = Vec::new();
        encode_list(Kind::Whitelist, &op, false, &mut bytes);
        prop_assert_eq!(ListOp::decode(Message::decode(&bytes).unwrap().op), Ok(op));
    }
}
