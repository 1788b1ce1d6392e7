#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use statsdb::{CountMinShape, FieldKind, Schema};

use super::*;
use crate::lists::{Kind, Origin};

const NOW: u64 = 1_700_000_000;

fn stats(name: &str) -> StatsRegistry {
    let stats = StatsRegistry::new(Log::discard()).unwrap();
    let fields = [("i", FieldKind::Int), ("h", FieldKind::Hll), ("c", FieldKind::CountMin)];
    let schema = Schema {
        name: name.into(),
        window_secs: 60,
        windows: 10,
        fields: fields.map(|(name, kind)| (name.into(), kind)).into(),
        shards: 2,
        start: 0,
        hll_bits: 6,
        countmin: CountMinShape::default(),
    };
    stats.create(schema).unwrap();
    stats
}

fn fill(stats: &StatsRegistry, keys: u32) {
    let db = stats.get(b"db").unwrap();
    for n in 0..keys {
        let key = format!("192.0.2.{n}/32");
        db.add(NOW, key.as_bytes(), b"i", n.to_string().as_bytes()).unwrap();
        db.add(NOW + 60, key.as_bytes(), b"h", b"a").unwrap();
        db.add(NOW + 60, key.as_bytes(), b"h", n.to_string().as_bytes()).unwrap();
        if n % 10 == 0 {
            db.add_count(NOW, key.as_bytes(), b"c", b"NL", 7);
        }
    }
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn open(&self) -> StateDir {
        StateDir::open(&self.folder.path().join("state-dir")).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("state-dir").join(name)
    }

    fn save(&self, keys: u32) -> Saved {
        let stats = stats("db");
        fill(&stats, keys);
        let lists = Lists::default();
        lists.black.add_login(NOW, b"joe", 3600, b"many \"tries\"");
        lists.black.add_key(NOW, Kind::Ip, b"198.51.100.0/24", 5, b"", Origin::Local);
        lists.white.add_ip(NOW, "192.0.2.1".parse().unwrap(), u32::MAX, b"office");
        self.open().save(&stats, &lists, NOW + 61, &|| {}).unwrap()
    }

    fn restore(&self) -> (StatsRegistry, Lists, Restored) {
        let (stats, lists) = (stats("db"), Lists::default());
        let restored = self.open().restore(&stats, &lists, NOW + 61, &Log::discard());
        (stats, lists, restored)
    }
}

#[test]
fn everything_comes_back() {
    let place = Place::new();
    let saved = place.save(100);
    assert_eq!((saved.keys, saved.entries), (100, 3));
    let (stats, lists, restored) = place.restore();
    assert_eq!((restored.keys, restored.entries, restored.time, restored.damaged), (100, 2, NOW + 61, 0));
    let db = stats.get(b"db").unwrap();
    for n in 0..100 {
        let key = format!("192.0.2.{n}/32");
        assert_eq!(db.windows(NOW + 61, key.as_bytes(), b"i", None)[..2], [0, n]);
        assert_eq!(db.get(NOW + 61, key.as_bytes(), b"h"), 2);
        assert_eq!(db.get_value(NOW + 61, key.as_bytes(), b"c", b"NL"), if n % 10 == 0 { 7 } else { 0 });
    }
    let joe = lists.black.check_login(NOW + 61, b"joe").unwrap();
    assert_eq!((joe.expiration, joe.reason), (NOW + 3600, "many \"tries\"".into()));
    assert!(lists.white.check_ip(NOW + 61, "192.0.2.1".parse().unwrap()).is_some());
    assert_eq!(lists.black.len(Kind::Ip), 0);
    // The least recently written key goes first, as before.
    db.set_max_size(2);
    assert!(db.stats_of(NOW + 61, b"192.0.2.99/32").is_some());
    assert_eq!(std::fs::metadata(place.file("state")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_directory_without_a_snapshot_restores_nothing() {
    let (stats, _, restored) = Place::new().restore();
    assert!(restored.from.is_none() && restored.damaged == 0);
    assert_eq!(stats.get(b"db").unwrap().len(), 0);
}

#[test]
fn wherever_a_snapshot_is_cut_or_changed_the_one_before_is_used() {
    let place = Place::new();
    place.save(5);
    place.save(20);
    let good = std::fs::read(place.file("state")).unwrap();
    let before = std::fs::read(place.file("state.1")).unwrap();
    for at in (0..good.len()).step_by(41) {
        for change in [true, false] {
            std::fs::write(place.file("state.1"), &before).unwrap();
            std::fs::write(place.file("state"), &good).unwrap();
            let mut file = OpenOptions::new().read(true).write(true).open(place.file("state")).unwrap();
            if change {
                let mut byte = [0];
                file.seek(SeekFrom::Start(at as u64)).unwrap();
                file.read_exact(&mut byte).unwrap();
                file.seek(SeekFrom::Start(at as u64)).unwrap();
                file.write_all(&[byte[0] ^ 0x40]).unwrap();
            } else {
                file.set_len(at as u64).unwrap();
            }
            let (stats, _, restored) = place.restore();
            assert_eq!((restored.damaged, restored.keys), (1, 5), "{at} {change}");
            assert_eq!(restored.from, Some(place.file("state.1")));
            assert_eq!(stats.get(b"db").unwrap().len(), 5);
            assert!(place.file("state.damaged").exists() && !place.file("state").exists());
        }
    }
    std::fs::write(place.file("state.1"), b"nothing of the kind").unwrap();
    let (_, _, restored) = place.restore();
    assert_eq!((restored.damaged, restored.from), (1, None));
}

#[test]
fn a_snapshot_takes_the_room_of_an_older_one_that_nobody_needs() {
    let place = Place::new();
    // Large ones, then small ones: nothing of the old content stays behind the new.
    for keys in [200, 190, 180, 20, 5, 7] {
        let saved = place.save(keys);
        assert_eq!(std::fs::metadata(place.file("state")).unwrap().len(), saved.bytes);
        let (_, _, restored) = place.restore();
        assert_eq!((restored.damaged, restored.keys), (0, u64::from(keys)));
    }
    let mut names: Vec<_> =
        std::fs::read_dir(place.file("")).unwrap().map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["lock", "state", "state.1", "state.spare"]);
    // One that others may read is not used again.
    for name in ["state", "state.1", "state.spare"] {
        std::fs::set_permissions(place.file(name), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    for keys in [5, 6, 7] {
        place.save(keys);
        assert_eq!(std::fs::metadata(place.file("state")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // A crash may leave one file under two names: the one that is kept is not written over.
    std::fs::remove_file(place.file("state.spare")).unwrap();
    std::fs::hard_link(place.file("state"), place.file("state.spare")).unwrap();
    let last = std::fs::read(place.file("state")).unwrap();
    place.save(9);
    assert_eq!(std::fs::read(place.file("state.1")).unwrap(), last);
    let (_, _, restored) = place.restore();
    assert_eq!((restored.damaged, restored.keys), (0, 9));
}

/// What would be left if the process ended right before the new snapshot gets its name.
#[test]
fn a_reserve_that_is_all_there_is_stays_until_the_next_snapshot_is_whole() {
    let place = Place::new();
    place.save(5);
    place.save(20);
    std::fs::remove_file(place.file("state")).unwrap();
    let reserve = std::fs::read(place.file("state.1")).unwrap();
    place.save(30);
    assert_eq!(std::fs::read(place.file("state.1")).unwrap(), reserve, "it was not moved away meanwhile");
    let (_, _, restored) = place.restore();
    assert_eq!(restored.keys, 30);
}

#[test]
fn two_snapshots_in_one_file_do_not_count_twice() {
    let place = Place::new();
    place.save(5);
    place.save(20);
    let good = std::fs::read(place.file("state")).unwrap();
    std::fs::write(place.file("state"), good.repeat(2)).unwrap();
    let (_, _, restored) = place.restore();
    assert_eq!((restored.damaged, restored.keys), (1, 5));
    assert_eq!(restored.from, Some(place.file("state.1")));
}

#[test]
fn a_failed_save_leaves_the_last_snapshot() {
    let place = Place::new();
    place.save(5);
    let dir = place.open();
    std::fs::create_dir(place.file("state.tmp")).unwrap();
    let error = dir.save(&stats("db"), &Lists::default(), NOW, &|| {}).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::IsADirectory);
    drop(dir);
    std::fs::remove_dir(place.file("state.tmp")).unwrap();
    let (_, _, restored) = place.restore();
    assert_eq!(restored.keys, 5);
}

#[test]
fn a_full_disk_is_told_with_what_to_do_and_nothing_is_left_of_the_attempt() {
    let place = Place::new();
    place.save(5);
    let options = crate::Options { log: Log::discard(), metrics_prefix: "wforce".to_owned(), regexes: None };
    let capabilities = crate::Capabilities::new(options).unwrap();
    let dir = place.open();
    std::os::unix::fs::symlink("/dev/full", place.file("state.tmp")).unwrap();
    let error = dir.save(&stats("db"), &Lists::default(), NOW, &|| {}).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(!place.file("state.tmp").is_symlink());
    std::os::unix::fs::symlink("/dev/full", place.file("state.tmp")).unwrap();
    let keeper = Keeper::start(dir, std::time::Duration::from_hours(1), Arc::clone(&capabilities));
    keeper.unwrap().finish();
    assert_eq!(capabilities.troubles.told().as_deref(), Some("state: not saved (no storage space)"));
    let (_, _, restored) = place.restore();
    assert_eq!(restored.keys, 5);
}

#[test]
fn a_db_that_is_no_longer_made_is_told_of() {
    let place = Place::new();
    place.save(5);
    let restored = place.open().restore(&stats("other"), &Lists::default(), NOW + 61, &Log::discard());
    assert_eq!((restored.unknown, restored.keys, restored.entries), (vec!["db".to_owned()], 0, 2));
}

#[test]
fn one_daemon_at_a_time() {
    let place = Place::new();
    let held = place.open();
    let again = StateDir::open(&place.folder.path().join("state-dir"));
    assert!(matches!(again, Err(StateError::InUse(_))));
    drop(held);
    place.open();
    std::fs::write(place.folder.path().join("file"), b"").unwrap();
    let error = StateDir::open(&place.folder.path().join("file")).err().unwrap().to_string();
    assert!(error.starts_with("state directory /"), "{error}");
}

#[test]
fn a_key_takes_little_room() {
    let place = Place::new();
    let stats = stats("db");
    let db = stats.get(b"db").unwrap();
    for n in 0..20_000u32 {
        let key = format!("10.{}.{}.{}/32", n >> 16, n >> 8 & 255, n & 255);
        db.add(NOW, key.as_bytes(), b"i", b"1").unwrap();
        db.add(NOW + 60, key.as_bytes(), b"i", b"1").unwrap();
        db.add(NOW + 60, key.as_bytes(), b"h", n.to_string().as_bytes()).unwrap();
    }
    let saved = place.open().save(&stats, &Lists::default(), NOW + 61, &|| {}).unwrap();
    assert!(saved.bytes / saved.keys < 150, "{} bytes a key", saved.bytes / saved.keys);
}
