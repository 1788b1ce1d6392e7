//! What a log gives back, whole or not.
#![allow(clippy::unwrap_used)]
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::Ids;

fn some(count: i64) -> Vec<Record> {
    let ids = Ids::seeded(0, 0);
    (1..=count)
        .map(|at| Record::Report(Box::new(Report::new(&login::Login::default(), at, &ids))))
        .chain([Record::Confirm(ids.next(count), Confirmation::Bad)])
        .collect()
}

/// Opens a log; also gives what the operator is told.
fn open(path: &Path) -> (Journal, Vec<(u64, Record)>, Option<String>) {
    let told = std::cell::RefCell::new(None);
    let (journal, index) =
        Journal::open(path, 1 << 20, &|text| *told.borrow_mut() = Some(text.to_owned())).unwrap();
    let records = records(&journal, index);
    (journal, records, told.into_inner())
}

/// The records of an index, in order.
fn records(journal: &Journal, index: Index) -> Vec<(u64, Record)> {
    let mut places: Vec<Place> = index.into_values().flatten().collect();
    places.sort_by_key(|place| place.at);
    places.iter().map(|place| (place.number, journal.record(place).unwrap())).collect()
}

/// A log with four records, and these.
fn four(path: &Path) -> (Vec<u8>, Vec<(u64, Record)>) {
    let (mut journal, before, told) = open(path);
    assert_eq!((before, told), (vec![], None));
    journal.at_least(41);
    journal.append(&some(3), true).unwrap();
    (std::fs::read(path).unwrap(), (42..).zip(some(3)).collect())
}

#[test]
fn records_come_back_up_to_a_torn_one_and_what_is_cut_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (whole, expected) = four(&path);
    for cut in 0..=whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let (_, back, told) = open(&path);
        assert_eq!(back, expected[..back.len()]);
        assert_eq!(back.len() == 4, cut == whole.len());
        let left = std::fs::metadata(&path).unwrap().len() as usize;
        match told {
            Some(told) => {
                let part = format!("journal: {} bytes at its end are no whole record", cut - left);
                assert!(left < cut && told.contains(&part), "{told}");
            }
            None => assert_eq!(left, cut),
        }
    }
    assert!(!folder.path().join("journal.damaged").exists());
}

#[test]
fn damage_costs_the_record_that_it_hit_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (whole, expected) = four(&path);
    let mut ends = Vec::new();
    while let Some((_, payload)) = first(&whole[ends.last().copied().unwrap_or(0)..]) {
        ends.push(ends.last().copied().unwrap_or(0) + HEAD + payload.len());
    }
    assert_eq!((ends.len(), ends.last()), (4, Some(&whole.len())));
    for flip in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[flip] ^= 0x40;
        std::fs::write(&path, &damaged).unwrap();
        let hit = ends.iter().position(|end| flip < *end).unwrap();
        let mut left = expected.clone();
        left.remove(hit);
        let (_, back, told) = open(&path);
        assert_eq!(back, left, "byte {flip}");
        let told = told.unwrap();
        if hit == 3 {
            assert!(told.contains(&format!("{} bytes at its end", ends[3] - ends[2])), "{told}");
        } else {
            let start = if hit == 0 { 0 } else { ends[hit - 1] };
            let part = format!("{} bytes in 1 places, from byte {start} on, are damaged", ends[hit] - start);
            assert!(told.contains(&part) && told.contains("journal.damaged"), "{told}");
            assert_eq!(std::fs::read(folder.path().join("journal.damaged")).unwrap(), damaged);
        }
    }
}

#[test]
fn a_log_of_the_first_version_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let mut old = Vec::new();
    for (number, record) in (7..).zip(some(2)) {
        let payload = serde_json::to_vec(&record.write()).unwrap();
        for head in [payload.len() as u64, number, xxh3_64(&payload)] {
            old.extend_from_slice(&head.to_le_bytes());
        }
        old.extend_from_slice(&payload);
    }
    std::fs::write(&path, old).unwrap();
    let (mut journal, records, told) = open(&path);
    assert_eq!((records, told), ((7..).zip(some(2)).collect(), None));
    journal.append(&some(0), true).unwrap();
    assert_eq!(open(&path).1.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [7, 8, 9, 10]);
}

#[test]
fn a_cleared_log_goes_on_counting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (mut journal, ..) = open(&path);
    journal.append(&some(1), false).unwrap();
    journal.clear().unwrap();
    journal.append(&some(0), false).unwrap();
    assert_eq!(open(&path).1.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3]);
}

/// Records of so many days, one after the other, `each` of each day.
fn of_days(days: i64, each: i64) -> Vec<Record> {
    let ids = Ids::seeded(0, 0);
    let login = |day: i64| login::Login { t: (day * 86_400) as f64, login: "u".into(), ..Default::default() };
    (0..days * each).map(|one| Record::Report(Box::new(Report::new(&login(one % days), 1, &ids)))).collect()
}

#[test]
fn a_rewritten_log_has_only_the_days_that_wait_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (mut journal, ..) = open(&path);
    let all = of_days(4, 500);
    journal.append(&all, true).unwrap();
    assert!(journal.is_long(1000) && !journal.is_long(1 << 30));
    assert_eq!((journal.count(1), journal.count(7)), (500, 0));
    let before = std::fs::metadata(&path).unwrap().len();
    journal.rewrite(&[1, 3].into(), &|text| panic!("{text}")).unwrap();
    let after = std::fs::metadata(&path).unwrap().len();
    assert!(after > before * 4 / 10 && after < before * 6 / 10, "{before} {after}");
    assert!(!journal.is_long(1000), "before it has doubled");
    assert_eq!((journal.count(1), journal.count(2)), (500, 0));
    let mut expected: Vec<(u64, Record)> =
        (1..).zip(all).filter(|(_, record)| record.day() % 2 == 1).collect();
    journal.append(&of_days(1, 1), true).unwrap();
    expected.push((2001, of_days(1, 1).remove(0)));
    let index = journal.index(&|text| panic!("{text}")).unwrap();
    assert_eq!(records(&journal, index), expected);
    drop(journal);
    let (_, back, told) = open(&path);
    assert_eq!((back.len(), told), (1001, None));
    assert_eq!(back, expected);
    assert!(!unfinished(&path).exists());
}

/// What waits for one day takes more than half of the room; another day's reports must not use up the rest.
#[test]
fn a_log_is_rewritten_before_it_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, ..) = open(&folder.path().join("journal"));
    journal.append(&of_days(1, 600), true).unwrap();
    journal.rewrite(&[0].into(), &|text| panic!("{text}")).unwrap();
    journal.limit = journal.length * 10 / 6;
    while !journal.is_long(1000) {
        journal.append(&of_days(1, 10), true).unwrap();
    }
    assert!(journal.length < journal.limit);
}

#[test]
fn a_full_log_takes_nothing_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (mut journal, ..) = open(&path);
    let some = of_days(2, 50);
    let mut taken = 0;
    let error = loop {
        match journal.append(&some, false) {
            Ok(()) => taken += some.len(),
            Err(error) => break error,
        }
    };
    assert!(taken > 100 && error.to_string().contains("takes no more"), "{error}");
    assert_eq!(open(&path).1.len(), taken);
    journal.clear().unwrap();
    journal.append(&some, false).unwrap();
}

/// Half of a batch is on the disk and cannot be cut off.
#[test]
fn what_a_failed_append_left_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (mut journal, ..) = open(&path);
    journal.append(&some(1), true).unwrap();
    let mut half = Vec::new();
    for (number, record) in (3..).zip(some(40)) {
        frame(&mut half, number, record.write().to_string().as_bytes());
    }
    journal.file.write_all_at(&half[..half.len() - 7], journal.length).unwrap();
    journal.torn = true;
    // Nothing of it is read, and the next one takes its place.
    let index = journal.index(&|text| panic!("{text}")).unwrap();
    assert_eq!(records(&journal, index).len(), 2);
    journal.append(&some(0), true).unwrap();
    let (_, back, told) = open(&path);
    assert_eq!((back.iter().map(|(number, _)| *number).collect::<Vec<_>>(), told), (vec![1, 2, 3], None));
}

#[test]
fn a_trial_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (mut journal, ..) = open(&path);
    journal.append(&some(1), true).unwrap();
    let before = std::fs::read(&path).unwrap();
    journal.probe().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), before);
    // Nor does one that the process did not outlive.
    std::fs::write(&path, [before.clone(), vec![0; TRIAL]].concat()).unwrap();
    assert_eq!(open(&path).1.len(), 2);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn damage_is_told_and_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (mut damaged, _) = four(&path);
    damaged[HEAD + 3] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let (mut journal, _, told) = open(&path);
    assert!(told.unwrap().contains("are damaged"));
    for _ in 0..3 {
        journal.index(&|text| panic!("told again: {text}")).unwrap();
    }
    // Nor is it copied again by the next start.
    assert!(open(&path).2.is_some());
    assert!(!folder.path().join("journal.damaged.1").exists());
    // Other damage is told.
    let length = journal.length;
    journal.file.write_all_at(&[0; 4], length - 4).unwrap();
    let told = std::cell::RefCell::new(0);
    for _ in 0..2 {
        journal.index(&|_| *told.borrow_mut() += 1).unwrap();
    }
    assert_eq!(*told.borrow(), 1);
}

/// A log that is read in many pieces, with damage where one ends and another begins.
#[test]
fn a_long_log_is_read_whole() {
    let mut bytes = Vec::new();
    let (mut expected, mut number) = (Vec::new(), 0);
    while bytes.len() < 5 << 20 {
        number += 1;
        let long = vec![b'x'; (number as usize * 7919) % 300_000];
        expected.push((bytes.len() as u64, number));
        frame(&mut bytes, number, &long);
    }
    let mut found = Vec::new();
    let lost = walk(&bytes.as_slice(), &mut |place, payload| {
        assert_eq!(payload.len(), place.length as usize);
        found.push((place.at, place.number));
        true
    });
    assert_eq!((lost.unwrap(), &found), (Lost::default(), &expected));
    let (hit, _) = expected.remove(expected.len() / 2);
    bytes[hit as usize + 9] ^= 1;
    found.clear();
    let lost = walk(&bytes.as_slice(), &mut |place, _| {
        found.push((place.at, place.number));
        true
    });
    assert!(lost.unwrap().is_damage());
    assert_eq!(found, expected);
}
