#![allow(clippy::unwrap_used, clippy::expect_used)]

use ::reports::{Answer, Field, Filter, Range, Report};
use serde_json::json;

use super::*;
use crate::Options;

/// A store that answers nothing and takes reports only when told.
struct Slow {
    open: tokio::sync::Semaphore,
    taken: Mutex<Vec<Report>>,
}

impl Slow {
    fn new() -> Arc<Slow> {
        Arc::new(Slow { open: tokio::sync::Semaphore::new(0), taken: Mutex::default() })
    }
}

impl ReportStore for Slow {
    fn ingest(&self, reports: Vec<Report>) -> ::reports::Answering<'_, ()> {
        Box::pin(async move {
            self.open.acquire().await.map_err(|_| StoreError::Closed)?.forget();
            self.taken.lock().extend(reports);
            Ok(())
        })
    }

    fn query<'a>(&'a self, _: &'a Query, limits: Limits) -> ::reports::Answering<'a, Answer> {
        Box::pin(async move { Err(StoreError::TimeOut(limits.time)) })
    }

    fn query_each<'a>(&'a self, _: &'a [Query], limits: Limits) -> ::reports::Answering<'a, Vec<Answer>> {
        Box::pin(async move { Err(StoreError::TimeOut(limits.time)) })
    }

    fn search<'a>(&'a self, _: &'a str, _: &'a [u8], _: Limits) -> ::reports::Answering<'a, Vec<u8>> {
        Box::pin(async { Err(StoreError::Closed) })
    }

    fn confirm<'a>(&'a self, _: &'a ReportId, _: Confirmation) -> ::reports::Answering<'a, bool> {
        Box::pin(async { Ok(false) })
    }

    fn lease<'a>(&'a self, _: &'a str, _: &'a str, _: Duration) -> ::reports::Answering<'a, Lease> {
        Box::pin(async { Ok(Lease::Held) })
    }

    fn release<'a>(&'a self, _: &'a str, _: &'a str) -> ::reports::Answering<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn health(&self) -> ::reports::Answering<'_, Health> {
        Box::pin(async { Ok(Health::default()) })
    }

    fn stats(&self) -> ::reports::Answering<'_, StoreStats> {
        Box::pin(async { Ok(StoreStats::default()) })
    }

    fn flush(&self) -> ::reports::Answering<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

fn capabilities() -> Arc<Capabilities> {
    let mut options = crate::log::Options::new("test");
    options.syslog = None;
    let log = Log::start(options).unwrap();
    Capabilities::new(Options { log, metrics_prefix: "trackalert".to_owned(), regexes: None }).unwrap()
}

fn settings(queue: usize) -> Settings {
    Settings::read("embedded", json!({"path": "unused", "queue": queue})).unwrap()
}

fn login(name: &str) -> Login {
    Login {
        t: 1_700_000_000.0,
        login: name.into(),
        remote: login::Addr::parse(b"192.0.2.1").unwrap(),
        protocol: "imap".into(),
        device_id: "(\"name\" \"Thunder\" \"version\" \"1\")".into(),
        success: true,
        ..Login::default()
    }
}

#[tokio::test]
async fn a_full_queue_refuses_and_loses_nothing_that_was_taken() {
    let caps = capabilities();
    let store = Slow::new();
    let runtime = Handle::current();
    caps.reports.open_with(store.clone(), &settings(2), (1, false), &runtime);
    let (mut taken, mut full) = (0, 0);
    for number in 0..20 {
        match caps.take_report(&login(&format!("u{number}")), 0).await {
            Ok(id) => taken += usize::from(id.is_some()),
            Err(ReportsError::Full) => full += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(taken >= 2 && full > 0, "{taken} {full}");
    store.open.add_permits(100);
    assert_eq!(caps.reports.flush(Duration::from_mins(1)).await, 0);
    assert_eq!(store.taken.lock().len(), taken);
}

#[tokio::test]
async fn whether_it_is_shared_is_told_of_the_store_that_is_open() {
    let caps = capabilities();
    let elastic = || Settings::read("elasticsearch", json!({"hosts": "http://127.0.0.1:9"})).unwrap();
    caps.reports.choose(elastic());
    assert!(!caps.reports.shared(), "none is open");
    let runtime = Handle::current();
    caps.reports.open_with(Slow::new(), &settings(2), (1, false), &runtime);
    assert!(!caps.reports.shared());
    caps.reports.open_with(Slow::new(), &elastic(), (1, false), &runtime);
    caps.reports.choose(settings(2));
    assert!(caps.reports.shared());
}

#[tokio::test]
async fn without_a_store_nothing_is_taken_and_questions_say_so() {
    let caps = capabilities();
    assert!(matches!(caps.take_report(&login("u"), 0).await, Ok(None)));
    let query = question::find(Which::default(), 1);
    let error = caps.reports.query(&query, None).await.unwrap_err();
    assert!(error.to_string().contains("setReportStore"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_complete_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let caps = capabilities();
    caps.reports.configure("embedded", json!({"path": folder.path(), "retention_days": 36_500})).unwrap();
    caps.reports.start(&Handle::current()).unwrap();
    let id = caps.take_report(&login("u1"), 0).await.unwrap().unwrap();
    caps.reports.stop(Duration::from_mins(1)).await;
    drop(caps);

    let caps = capabilities();
    caps.reports.configure("embedded", json!({"path": folder.path(), "retention_days": 36_500})).unwrap();
    // The other store's lock goes when its last task has ended.
    let deadline = Instant::now() + Duration::from_mins(1);
    while let Err(error) = caps.reports.start(&Handle::current()) {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let Answer::Logins { reports } =
        caps.reports.query(&question::find(Which::default(), 10), None).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(reports.len(), 1);
    assert_eq!((&reports[0].id, reports[0].login.as_str()), (&id, "u1"));
    assert_eq!(reports[0].device(), "imapc.family=Thunder");
    assert!(caps.reports.confirm(&id, Confirmation::Bad).await.unwrap());
    let seen = question::seen("u1".into(), Field::Ip, "192.0.2.1".into(), 0).unwrap();
    let Answer::Seen { seen, .. } = caps.reports.query(&seen, None).await.unwrap() else { panic!() };
    assert!(!seen);
}

#[test]
fn filters_of_scripts_are_read_strictly() {
    let table =
        json!({"since": 10, "before": 20.5, "login": "u", "network": "192.0.2.0/24", "attrs": {"a": "b"}});
    let which = Which::read(table).unwrap();
    assert_eq!(which.range, Range { from: 10_000, to: 20_500 });
    assert_eq!(which.filter.login.as_deref(), Some("u"));
    assert_eq!(Which::read(json!({})).unwrap(), Which::default());
    let empty = Which::read(json!({"confirmations": {}})).unwrap();
    assert_eq!(empty.filter, Filter { confirmations: Some(Vec::new()), ..Filter::default() });
    for (table, word) in [
        (json!({"user": "u"}), "user"),
        (json!({"since": "yesterday"}), "since"),
        (json!({"since": 1e300}), "time"),
        (json!({"network": "x"}), "filter"),
        (json!([1]), "names"),
    ] {
        let error = Which::read(table).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    assert!(question::field("nothing").unwrap_err().to_string().contains("fail_type"));
    assert!(question::seen("u".into(), Field::Network, "x".into(), 0).is_err());
    assert!(question::histogram(Which::default(), 0, 0).is_err());
}

/// A log's screen.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn on_screen() -> (Arc<Log>, Screen) {
    let screen = Screen::default();
    let mut options = crate::log::Options::new("test");
    options.syslog = None;
    (Log::start_with(options, Box::new(screen.clone())).unwrap(), screen)
}

impl Screen {
    fn lines(&self, log: &Log) -> Vec<String> {
        assert!(log.flush(Duration::from_mins(1)));
        String::from_utf8(self.0.lock().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_damage_that_a_start_finds_has_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let opened = |caps: &Arc<Capabilities>| {
        let options = json!({"path": folder.path(), "retention_days": 36_500});
        caps.reports.configure("embedded", options).unwrap();
        caps.reports.start(&Handle::current()).unwrap();
    };
    let caps = capabilities();
    opened(&caps);
    for day in 0..3 {
        let login = Login { t: 1_700_000_000.0 + f64::from(day) * 86_400.0, ..login("u") };
        caps.take_report(&login, 0).await.unwrap().unwrap();
    }
    caps.reports.stop(Duration::from_mins(1)).await;
    drop(caps);
    // The store's lock goes when its last task has ended, which may still clear the log.
    let lock = std::fs::File::open(folder.path().join("lock")).unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while lock.try_lock().is_err() {
        assert!(Instant::now() < deadline, "the store does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(lock);
    let days = ["2023-11-14", "2023-11-15", "2023-11-16"];
    for day in days {
        std::fs::write(folder.path().join(day).join("meta.json"), "no index").unwrap();
    }
    std::fs::write(folder.path().join("journal"), [0x5a; 300]).unwrap();

    let (log, screen) = on_screen();
    let options = Options { log: log.clone(), metrics_prefix: "trackalert".to_owned(), regexes: None };
    let caps = Capabilities::new(options).unwrap();
    opened(&caps);
    // Some damage is only found by the first question.
    caps.reports.query(&question::find(Which::default(), 10), None).await.unwrap();
    let lines = screen.lines(&log);
    for day in days {
        let told = |line: &&String| line.contains(&format!("reports of {day} cannot be read"));
        assert_eq!(lines.iter().filter(told).count(), 1, "{day}: {lines:?}");
    }
    assert!(lines.iter().any(|line| line.contains("The log of reports")), "{lines:?}");
}

#[test]
fn complaints_without_an_end_do_not_fill_the_log() {
    let (log, screen) = on_screen();
    let complain = complaints::to_log(log.clone());
    (0..10_000).for_each(|number| complain(&format!("complaint {number}")));
    assert!(screen.lines(&log).len() < 1000, "{}", screen.lines(&log).len());
}
