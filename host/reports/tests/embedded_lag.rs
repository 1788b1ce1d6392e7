//! The embedded store while days of it cannot be written.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod days;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use days::{by_day, folder_of, of_day, settings};
use parking_lot::Mutex;
use portcullis_reports::{EmbeddedSettings, EmbeddedStore, Ids, ReportStore as _};

/// The folder of a day goes away, or becomes a file, while reports come for it and for others.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_gone_costs_no_report_of_others() {
    let ids = Ids::seeded(1 << 20, 7);
    for (mistreat, orders) in [(0, vec![1, 2, 3]), (0, vec![0, 2, 0]), (1, vec![1, 2, 3]), (2, vec![2, 1, 3])]
    {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let mut expected = std::collections::BTreeMap::new();
        {
            let store = EmbeddedStore::open(&settings).unwrap();
            for ago in 0..5 {
                store.ingest(of_day(&ids, ago, 20)).await.unwrap();
                expected.insert(ago, 20);
            }
            store.flush().await.unwrap();
            let gone = folder_of(folder.path(), 2);
            if mistreat == 2 {
                for entry in std::fs::read_dir(&gone).unwrap() {
                    let path = entry.unwrap().path();
                    if path.extension().is_some_and(|ending| ending == "term") {
                        std::fs::write(path, "rubbish").unwrap();
                    }
                }
            } else {
                std::fs::remove_dir_all(&gone).unwrap();
                if mistreat == 1 {
                    std::fs::write(&gone, "no folder").unwrap();
                }
            }
            expected.remove(&2);
            for ago in orders {
                store.ingest(of_day(&ids, ago, 20)).await.unwrap();
                *expected.entry(ago).or_default() += 20;
            }
            store.flush().await.unwrap();
            let expected: Vec<(i64, usize)> = expected.clone().into_iter().collect();
            assert_eq!(by_day(&store).await, expected, "{mistreat}");
            assert!(store.health().await.unwrap().ready);
            assert_eq!(std::fs::metadata(folder.path().join("journal")).unwrap().len(), 0);
        }
        let store = EmbeddedStore::open(&settings).unwrap();
        let expected: Vec<(i64, usize)> = expected.into_iter().collect();
        assert_eq!(by_day(&store).await, expected, "{mistreat} after a restart");
    }
}

/// While nothing can be written the log keeps what was taken, and that is told.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_waits_in_the_log() {
    let ids = Ids::seeded(1 << 20, 7);
    let place = tempfile::tempdir().unwrap();
    let (folder, away) = (place.path().join("reports"), place.path().join("away"));
    let settings = settings(&folder);
    let store = EmbeddedStore::open(&settings).unwrap();
    for ago in 0..4 {
        store.ingest(of_day(&ids, ago, 20)).await.unwrap();
    }
    store.flush().await.unwrap();
    store.ingest(of_day(&ids, 3, 20)).await.unwrap();
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, "no folder").unwrap();
    for ago in 0..4 {
        store.ingest(of_day(&ids, ago, 20)).await.unwrap();
    }
    assert!(store.flush().await.is_err());
    assert!(store.flush().await.is_err());
    assert!(!store.health().await.unwrap().ready);
    assert_eq!(store.stats().await.unwrap().pending, 100);
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    store.flush().await.unwrap();
    let expected = [(0, 40), (1, 40), (2, 40), (3, 60)];
    assert_eq!(by_day(&store).await, expected);
    assert!(store.health().await.unwrap().ready);
    assert_eq!(store.stats().await.unwrap().pending, 0);
    drop(store);
    assert_eq!(by_day(&EmbeddedStore::open(&settings).unwrap()).await, expected);
}

/// Makes a day with one report, and keeps it from being written for as long as the file that is returned is open.
async fn unwritable(ids: &Ids, folder: &Path, ago: i64) -> File {
    let store = EmbeddedStore::open(&settings(folder)).unwrap();
    store.ingest(of_day(ids, ago, 1)).await.unwrap();
    drop(store);
    let lock = File::create(folder_of(folder, ago).join(".tantivy-writer.lock")).unwrap();
    lock.lock().unwrap();
    lock
}

fn length(folder: &Path) -> u64 {
    std::fs::metadata(folder.join("journal")).unwrap().len()
}

/// The only day that waits is dropped by retention: nothing waits any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_dropped_does_not_wait_any_more() {
    let ids = Ids::seeded(1 << 20, 7);
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let _lock = unwritable(&ids, folder, 2).await;
    let settings = EmbeddedSettings { keep_bytes: 1, ..settings(folder) };
    let store = EmbeddedStore::open(&settings).unwrap();
    store.ingest(of_day(&ids, 2, 20)).await.unwrap();
    store.ingest(of_day(&ids, 0, 20)).await.unwrap();
    assert!(store.flush().await.is_err());
    assert_eq!(store.stats().await.unwrap().pending, 20);
    assert!(!store.health().await.unwrap().ready && length(folder) > 0);
    store.tidy().await.unwrap();
    assert_eq!(store.stats().await.unwrap().pending, 0);
    assert!(store.health().await.unwrap().ready);
    assert_eq!(length(folder), 0);
    assert_eq!(by_day(&store).await, [(0, 20)]);
}

/// What could not be written before it became too old is given up, and that is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_too_old_does_not_wait_any_more() {
    let ids = Ids::seeded(1 << 20, 7);
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let _lock = unwritable(&ids, folder, 5).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let complain = Arc::clone(&told);
    let mut settings = EmbeddedSettings {
        complain: Arc::new(move |line| complain.lock().push(line.to_owned())),
        ..settings(folder)
    };
    {
        let store = EmbeddedStore::open(&settings).unwrap();
        store.ingest(of_day(&ids, 5, 20)).await.unwrap();
        store.ingest(of_day(&ids, 1, 20)).await.unwrap();
        assert!(store.flush().await.is_err());
        assert_eq!(store.stats().await.unwrap().pending, 20);
    }
    settings.keep_days = 3;
    let store = EmbeddedStore::open(&settings).unwrap();
    store.flush().await.unwrap();
    store.tidy().await.unwrap();
    assert!(store.health().await.unwrap().ready);
    assert_eq!((length(folder), by_day(&store).await), (0, vec![(1, 20)]));
    let told = told.lock();
    assert!(
        told.iter().any(|line| line.contains("20 reports of") && line.contains("older than 3 days")),
        "{told:?}"
    );
}

/// While a day waits the log keeps that day's reports, and not those of days that are written.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_does_not_grow_by_what_is_written() {
    let ids = Ids::seeded(1 << 20, 7);
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let settings = EmbeddedSettings { log_rewrite: 30_000, ..settings(folder) };
    let lock = unwritable(&ids, folder, 3).await;
    {
        let store = EmbeddedStore::open(&settings).unwrap();
        store.ingest(of_day(&ids, 3, 20)).await.unwrap();
        let waits = length(folder);
        for _ in 0..30 {
            store.ingest(of_day(&ids, 0, 20)).await.unwrap();
            store.ingest(of_day(&ids, 1, 20)).await.unwrap();
            assert!(store.flush().await.is_err());
            assert!(length(folder) <= 30_000 + 3 * waits, "{} of {waits}", length(folder));
        }
        store.ingest(of_day(&ids, 3, 20)).await.unwrap();
        assert!(store.flush().await.is_err());
        assert_eq!(store.stats().await.unwrap().pending, 40);
    }
    // Nor is anything lost or there twice after a start.
    let store = EmbeddedStore::open(&settings).unwrap();
    assert_eq!(by_day(&store).await, [(0, 600), (1, 600), (3, 1)]);
    assert_eq!(store.stats().await.unwrap().pending, 40);
    drop(lock);
    store.flush().await.unwrap();
    assert_eq!(by_day(&store).await, [(0, 600), (1, 600), (3, 41)]);
    assert_eq!(length(folder), 0);
}

/// Reports that wait have a bound. Beyond it none are taken, which is told, and none that was taken is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_full_refuses_until_there_is_room() {
    let ids = Ids::seeded(1 << 20, 7);
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let settings = EmbeddedSettings { log_limit: 200_000, ..settings(folder) };
    let lock = unwritable(&ids, folder, 3).await;
    let store = EmbeddedStore::open(&settings).unwrap();
    let mut taken = 0;
    let error = loop {
        match store.ingest(of_day(&ids, 3, 20)).await {
            Ok(()) => taken += 20,
            Err(error) => break error.to_string(),
        }
    };
    assert!(taken > 0 && error.contains("takes no more"), "{error}");
    let health = store.health().await.unwrap();
    assert!(!health.ready && health.complaints.iter().any(|line| line.contains("are refused")), "{health:?}");
    drop(lock);
    store.flush().await.unwrap();
    store.ingest(of_day(&ids, 3, 20)).await.unwrap();
    store.flush().await.unwrap();
    assert!(store.health().await.unwrap().ready);
    assert_eq!(by_day(&store).await, [(3, taken + 21)]);
}
