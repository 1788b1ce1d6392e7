//! The days of an embedded store: those that cannot be read, those that go, and those that are open.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod battery;
mod days;

use std::path::Path;
use std::sync::Arc;

use days::{by_day, newest_first, of_day, settings, stored};
use parking_lot::Mutex;
use portcullis_reports::{EmbeddedSettings, EmbeddedStore, Ids, Report, ReportStore, StoreError};

/// However many days a question needs, few of their files stay in memory, and the answers are the same.
#[tokio::test(flavor = "multi_thread")]
async fn few_days_stay_open() {
    let folder = tempfile::tempdir().unwrap();
    let ids = Ids::seeded(1 << 20, 7);
    {
        let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
        for ago in 0..9 {
            store.ingest(of_day(&ids, ago, 10)).await.unwrap();
        }
    }
    // The dictionaries of users that are mapped, by day.
    let mapped = || {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let ours = maps.lines().filter(|line| line.contains(folder.path().to_str().unwrap()));
        let mut days: Vec<String> = ours
            .filter_map(|line| Some(Path::new(line.strip_suffix(".term")?).parent()?.to_str()?.to_owned()))
            .collect();
        days.sort();
        days.dedup();
        days.len()
    };
    let store = EmbeddedStore::open(&EmbeddedSettings { open_days: 2, ..settings(folder.path()) }).unwrap();
    store.tidy().await.unwrap();
    assert!(mapped() <= 2, "after making sketches: {}", mapped());
    let expected: Vec<(i64, usize)> = (0..9).map(|ago| (ago, 10)).collect();
    for _ in 0..3 {
        let both = tokio::join!(by_day(&store), by_day(&store));
        assert_eq!(both, (expected.clone(), expected.clone()));
        assert!((1..=2).contains(&mapped()), "{}", mapped());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_day_is_set_aside_and_the_others_answer() {
    let folder = tempfile::tempdir().unwrap();
    let reports = battery::reports(100);
    {
        let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
        store.ingest(reports.clone()).await.unwrap();
    }
    let mut days: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    days.sort();
    assert_eq!(days.len(), 3);
    // The first day loses the end of its columns, the second its list of segments.
    for entry in std::fs::read_dir(&days[0]).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "fast") {
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }
    }
    std::fs::write(days[1].join("meta.json"), "{").unwrap();
    let complaints = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&complaints);
    let settings = EmbeddedSettings {
        complain: Arc::new(move |line| hear.lock().push(line.to_owned())),
        ..settings(folder.path())
    };
    let store = EmbeddedStore::open(&settings).unwrap();
    let left = stored(&store).await;
    let third = battery::begin() + 2 * 86_400_000;
    assert_eq!(left, newest_first(reports.iter().filter(|report| report.at >= third).cloned().collect()));
    assert!(!left.is_empty());
    let name = days[0].file_name().unwrap().to_str().unwrap();
    let complaints = complaints.lock().clone();
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(
        complaints.iter().any(|line| line.contains(name) && line.contains("set aside")),
        "{complaints:?}"
    );
    assert_eq!(store.stats().await.unwrap().broken_days, 2);
    assert!(folder.path().join(format!("broken-{name}")).is_dir());
    // New reports of a day that was set aside are taken.
    store.ingest(reports[..20].to_vec()).await.unwrap();
    store.flush().await.unwrap();
    assert!(stored(&store).await.len() > left.len());
}

/// A day whose segments cannot be merged is no reason to leave the others as they are.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_day_does_not_keep_others_from_being_tidied() {
    let folder = tempfile::tempdir().unwrap();
    {
        let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
        for batch in battery::reports(100).chunks(50) {
            store.ingest(batch.to_vec()).await.unwrap();
            store.flush().await.unwrap();
        }
    }
    let mut days: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    days.sort();
    let files = |day: &Path, ending: &str| {
        let paths = std::fs::read_dir(day).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|one| one == ending)).collect::<Vec<_>>()
    };
    for path in files(&days[0], "fast") {
        std::fs::write(path, "short").unwrap();
    }
    let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
    // Whether it says so or sets the day aside depends on what it reads first.
    let _ = store.tidy().await;
    for day in &days[1..] {
        assert_eq!((files(day, "fast").len(), files(day, "sketch").len()), (1, 1), "{}", day.display());
    }
    assert!(!stored(&store).await.is_empty());
    store.tidy().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn old_days_go_by_age_and_by_size() {
    let folder = tempfile::tempdir().unwrap();
    let reports = battery::reports(100);
    {
        let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
        store.ingest(reports.clone()).await.unwrap();
        store.flush().await.unwrap();
        assert_eq!(store.stats().await.unwrap().days, 3);
    }
    {
        let settings = EmbeddedSettings { keep_days: 3, ..settings(folder.path()) };
        let store = EmbeddedStore::open(&settings).unwrap();
        store.tidy().await.unwrap();
        assert_eq!(store.stats().await.unwrap().days, 2);
        let second = battery::begin() + 86_400_000;
        assert!(stored(&store).await.iter().all(|report| report.at >= second));
        let old: Vec<Report> = reports.iter().filter(|report| report.at < second).cloned().collect();
        let count = old.len();
        let refused = store.ingest(old).await;
        assert!(
            matches!(refused, Err(StoreError::Refused { count: refused, .. }) if refused == count),
            "{refused:?}"
        );
    }
    let settings = EmbeddedSettings { keep_bytes: 1, ..settings(folder.path()) };
    let store = EmbeddedStore::open(&settings).unwrap();
    store.tidy().await.unwrap();
    assert_eq!(store.stats().await.unwrap().days, 0);
    assert_eq!(stored(&store).await, []);
}

/// Size drops the oldest days, as many as are needed, and never today's reports.
#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_days_go_for_size() {
    let folder = tempfile::tempdir().unwrap();
    let ids = Ids::seeded(1 << 20, 7);
    let bytes = {
        let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
        for ago in 0..5 {
            store.ingest(of_day(&ids, ago, 200)).await.unwrap();
        }
        store.flush().await.unwrap();
        store.stats().await.unwrap().bytes
    };
    // A day is a fifth of it: without two it fits.
    for (keep_bytes, left) in [(bytes * 7 / 10, vec![0, 1, 2]), (1, vec![0])] {
        let settings = EmbeddedSettings { keep_bytes, ..settings(folder.path()) };
        let store = EmbeddedStore::open(&settings).unwrap();
        store.tidy().await.unwrap();
        let expected: Vec<(i64, usize)> = left.into_iter().map(|ago| (ago, 200)).collect();
        assert_eq!(by_day(&store).await, expected, "{keep_bytes} of {bytes}");
    }
}
