#![allow(clippy::unwrap_used, clippy::panic)]
use std::sync::Arc;

use parking_lot::Mutex;

use super::*;
use crate::{EmbeddedSettings, EmbeddedStore, Ids, ReportStore as _};

/// A store with one report of yesterday, its lines to the operator, and its day.
async fn store(folder: &std::path::Path) -> (EmbeddedSettings, Arc<Mutex<Vec<String>>>, i64) {
    let complaints = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&complaints);
    let settings = EmbeddedSettings {
        complain: Arc::new(move |line| hear.lock().push(line.to_owned())),
        ..EmbeddedSettings::new(folder)
    };
    let at = jiff::Timestamp::now().as_millisecond() - 86_400_000;
    let login = login::Login { login: "u".into(), ..login::Login::default() };
    let store = EmbeddedStore::open(&settings).unwrap();
    store.ingest(vec![Report::new(&login, at, &Ids::seeded(1, 1))]).await.unwrap();
    store.flush().await.unwrap();
    (settings, complaints, super::super::day::number_of(at))
}

fn ask(catalog: &Catalog, number: i64) -> Result<(), StoreError> {
    let day = catalog.get(number).unwrap();
    segments(catalog, &day, &Sought::default(), &Deadline::never(), |_| panic!("a mistake of ours"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_over_a_question_costs_that_question_only() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, complaints, number) = store(folder.path()).await;
    let catalog = Catalog::open(settings).unwrap();
    for _ in 0..2 {
        let error = ask(&catalog, number).unwrap_err();
        assert!(matches!(&error, StoreError::Failed(text) if text.contains("a mistake of ours")), "{error}");
    }
    assert!(catalog.get(number).is_some());
    assert_eq!(catalog.broken.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert!(complaints.lock().iter().all(|line| line.contains("a mistake of ours")), "{complaints:?}");
    assert_eq!(complaints.lock().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_over_damaged_files_sets_the_day_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, complaints, number) = store(folder.path()).await;
    for entry in std::fs::read_dir(folder.path().join(folder_name(number))).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "fast") {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[8] ^= 0x40;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    let catalog = Catalog::open(settings).unwrap();
    assert!(ask(&catalog, number).is_ok());
    assert!(catalog.get(number).is_none());
    let complaints = complaints.lock().clone();
    assert!(matches!(complaints.as_slice(), [line] if line.contains("checksum")), "{complaints:?}");
}
