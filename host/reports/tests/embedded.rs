//! The embedded store, asked everything, and mistreated.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod battery;
mod days;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use days::{folder_of, newest_first, of_day, settings, stored};
use portcullis_reports::{
    Answer, Confirmation, EmbeddedSettings, EmbeddedStore, Field, Filter, Group, Ids, Lease, Limits, Query,
    Range, Rank, Report, ReportId, ReportStore, Significant, StoreError, Totals,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_question_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
    let reports = battery::reports(600);
    for batch in reports.chunks(130) {
        store.ingest(batch.to_vec()).await.unwrap();
        store.flush().await.unwrap();
    }
    assert_eq!(stored(&store).await, newest_first(reports.clone()));
    battery::run(&store, &reports).await;
    // Once more with one segment a day.
    store.tidy().await.unwrap();
    battery::run(&store, &reports).await;
}

/// What is known of finished days without opening them never hides a report: not one that came late, nor after a restart,
/// nor when the file of what is known is damaged or of another segment.
#[tokio::test(flavor = "multi_thread")]
async fn sketches_hide_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut reports = battery::reports(400);
    let late = reports.split_off(300);
    {
        let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
        store.ingest(reports.clone()).await.unwrap();
        store.flush().await.unwrap();
        store.tidy().await.unwrap();
        battery::run(&store, &reports).await;
        store.ingest(late.clone()).await.unwrap();
        store.flush().await.unwrap();
        reports.extend(late);
        battery::run(&store, &reports).await;
        reports[5].confirmation = Confirmation::Bad;
        assert!(store.confirm(&reports[5].id, Confirmation::Bad).await.unwrap());
        battery::run(&store, &reports).await;
    }
    let sketches = || {
        let days = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let files = days.filter(|path| path.is_dir()).flat_map(|day| std::fs::read_dir(day).unwrap());
        let paths = files.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "sketch")).collect::<Vec<_>>()
    };
    {
        let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
        store.tidy().await.unwrap();
        battery::run(&store, &reports).await;
    }
    let whole = sketches();
    assert_eq!(whole.len(), 3, "one for each day's only segment, none left over: {whole:?}");
    let first = std::fs::read(&whole[0]).unwrap();
    std::fs::write(&whole[0], &first[..first.len() / 2]).unwrap();
    let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
    battery::run(&store, &reports).await;
    store.tidy().await.unwrap();
    assert_eq!(std::fs::read(&whole[0]).unwrap(), first, "it is made again");
    drop(store);
    // That of another segment, and what would be waited for.
    std::fs::copy(&whole[1], &whole[0]).unwrap();
    std::fs::remove_file(&whole[2]).unwrap();
    assert!(Command::new("mkfifo").arg(&whole[2]).status().unwrap().success());
    let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
    battery::run(&store, &reports).await;
    assert_eq!(store.stats().await.unwrap().broken_days, 0);
}

/// Page by page, however many came in the same millisecond: each once.
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_equal_times_leave_nothing_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
    let ids = Ids::seeded(1 << 20, 7);
    let mut reports = of_day(&ids, 1, 30);
    let login = login::Login { t: reports[15].at as f64 / 1000.0, login: "u".into(), ..Default::default() };
    reports.extend((0..700).map(|_| Report::new(&login, 0, &ids)));
    for batch in reports.chunks(150) {
        store.ingest(batch.to_vec()).await.unwrap();
        store.flush().await.unwrap();
    }
    let mut expected = newest_first(reports);
    for oldest in [false, true] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (filter, range, limit) = (Filter::default(), Range::EVER, 101);
            let query = if oldest {
                Query::Oldest { filter, range, limit, after, fields: None }
            } else {
                Query::Logins { filter, range, limit, after }
            };
            let Answer::Logins { reports } = store.query(&query, Limits::default()).await.unwrap() else {
                panic!()
            };
            after = reports.last().map(|report| (report.at, report.id.clone()));
            if reports.is_empty() {
                break;
            }
            found.extend(reports);
        }
        assert_eq!(found, expected, "oldest first: {oldest}");
        expected.reverse();
    }
}

/// Of values that are equally frequent the least come first: numbers as numbers, then texts. There are more of them than
/// are asked for.
#[tokio::test(flavor = "multi_thread")]
async fn of_equals_the_least_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
    let ids = Ids::seeded(1 << 20, 7);
    let at = jiff::Timestamp::now().as_millisecond();
    let report = |login: String, remote: &str| {
        let remote = login::Addr::parse(remote.as_bytes()).unwrap();
        let login = login::Login { t: at as f64 / 1000.0, login: login.into(), remote, ..Default::default() };
        Report::new(&login, 0, &ids)
    };
    let mut reports = vec![report("zoe".into(), "203.0.113.9"), report("zoe".into(), "203.0.113.9")];
    for number in (0..60).rev() {
        reports.push(report(format!("{number}"), &format!("192.0.2.{number}")));
        reports.push(report(format!("{number}x"), &format!("2001:db8::{number:x}")));
    }
    for batch in reports.chunks(33) {
        store.ingest(batch.to_vec()).await.unwrap();
        store.flush().await.unwrap();
    }
    let top = async |by: Field, rank: Rank, limit: usize| {
        let query = Query::Top { by, rank, filter: Filter::default(), range: Range::EVER, limit };
        match store.query(&query, Limits::default()).await.unwrap() {
            Answer::Top { groups } => groups,
            other => panic!("{other:?}"),
        }
    };
    let keys = |groups: &[Group]| groups.iter().map(|group| group.key.clone()).collect::<Vec<_>>();
    for rank in [Rank::Reports, Rank::Failures] {
        assert_eq!(keys(&top(Field::Login, rank, 4).await), ["zoe", "0", "1", "2"]);
        assert_eq!(
            keys(&top(Field::Ip, rank, 4).await),
            ["203.0.113.9", "192.0.2.0", "192.0.2.1", "192.0.2.10"]
        );
    }
    assert_eq!(keys(&top(Field::Login, Rank::Reports, 1).await), ["zoe"]);
    let every = top(Field::Login, Rank::Reports, 1000).await;
    assert_eq!(every.len(), 121);
    assert_eq!(keys(&every[58..63]), ["57", "58", "59", "0x", "10x"]);
    assert_eq!(top(Field::Login, Rank::Successes, 10).await, []);
    let networks = top(Field::Network, Rank::Distinct(Field::Login), 3).await;
    let all = Totals { reports: 60, failures: 60 };
    let network = |key: &str, totals, distinct| Group { key: key.into(), totals, distinct: Some(distinct) };
    let two = Totals { reports: 2, failures: 2 };
    assert_eq!(
        networks,
        [
            network("192.0.2.0/24", all, 60),
            network("2001:db8::/64", all, 60),
            network("203.0.113.0/24", two, 1),
        ]
    );
}

/// Of the time before, only what is there now is counted: however many others there were, there is room.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_takes_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
    let ids = Ids::seeded(1 << 20, 7);
    let now = jiff::Timestamp::now().as_millisecond();
    let report = |ago: i64, remote: std::net::Ipv4Addr| {
        let remote = login::Addr::parse(remote.to_string().as_bytes()).unwrap();
        let login =
            login::Login { t: (now - ago) as f64 / 1000.0, login: "u".into(), remote, ..Default::default() };
        Report::new(&login, 0, &ids)
    };
    let known = std::net::Ipv4Addr::new(192, 0, 2, 1);
    let mut reports: Vec<Report> =
        (0..300).map(|number| report(7_200_000, (0x0b00_0000 + number).into())).collect();
    reports.extend([
        report(7_200_000, known),
        report(60_000, known),
        report(60_000, [198, 51, 100, 1].into()),
    ]);
    store.ingest(reports).await.unwrap();
    store.flush().await.unwrap();
    let query = Query::Significant {
        field: Field::Ip,
        filter: Filter::default(),
        now: Range { from: now - 3_600_000, to: now },
        baseline: Range { from: now - 10_800_000, to: now - 3_600_000 },
        min_count: 1,
        limit: 10,
    };
    let answer = store.query(&query, Limits { values: 2, ..Limits::default() }).await.unwrap();
    let Answer::Significant { terms } = answer else { panic!("{answer:?}") };
    let told = |one: &Significant| (one.key.clone(), one.now, one.baseline);
    let told: Vec<_> = terms.iter().map(told).collect();
    assert_eq!(told, [("198.51.100.1".to_owned(), 1, 0), ("192.0.2.1".to_owned(), 1, 1)]);
}

/// Reports name people.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_user_of_the_daemon_can_look_inside() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("reports");
    let store = EmbeddedStore::open(&settings(&folder)).unwrap();
    store.ingest(of_day(&Ids::seeded(1 << 20, 7), 0, 1)).await.unwrap();
    for path in [folder_of(&folder, 0), folder] {
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700,
            "{}",
            path.display()
        );
    }
}

/// A process that ingests is killed again and again, each time after another number of batches; whatever it was told is
/// taken must be there, each report once.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_nothing_that_was_taken() {
    let program = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples/ingest");
    assert!(program.is_file(), "{} is missing: cargo test builds it", program.display());
    let folder = tempfile::tempdir().unwrap();
    let mut begin = battery::begin();
    let mut expected = Vec::new();
    for batches in [1, 40, 7, 133] {
        let mut child = Command::new(&program)
            .arg(folder.path())
            .arg(begin.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told: i64 = lines.take(batches).last().unwrap().unwrap().parse().unwrap();
        assert_eq!(told, batches as i64 * 25);
        child.kill().unwrap();
        child.wait().unwrap();
        expected.push((begin, told));
        let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
        for (begin, told) in &expected {
            let range = Range { from: *begin, to: begin + 10_000_000 };
            let query = Query::Logins { filter: Filter::default(), range, limit: 1_000_000, after: None };
            let limits = Limits { results: 1_000_000, time: Duration::from_mins(1), ..Limits::default() };
            let Answer::Logins { reports } = store.query(&query, limits).await.unwrap() else { panic!() };
            // All that was taken, perhaps more that it had no time to tell, nothing twice, no gap.
            assert!(reports.len() as i64 >= *told, "{} of {told}", reports.len());
            let at: Vec<i64> = reports.iter().rev().map(|report| report.at - begin).collect();
            assert!(at.iter().copied().eq(0..reports.len() as i64), "twice or missing: {at:?}");
        }
        assert_eq!(store.stats().await.unwrap().broken_days, 0);
        begin += 10_000_000;
    }
}

/// More days in one batch than may be written at once: a writer is closed in the middle of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_many_days_is_whole_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let reports = battery::reports(90);
    for batch in reports.chunks(30) {
        let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
        store.ingest(batch.to_vec()).await.unwrap();
    }
    let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
    assert_eq!(stored(&store).await, newest_first(reports));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_changes_what_is_asked_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut reports = battery::reports(200);
    {
        let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
        store.ingest(reports.clone()).await.unwrap();
        for (number, confirmation) in
            [(3, Confirmation::Bad), (4, Confirmation::Forget), (3, Confirmation::Good)]
        {
            reports[number].confirmation = confirmation;
            assert!(store.confirm(&reports[number].id, confirmation).await.unwrap());
        }
        assert!(!store.confirm(&ReportId::from_text("nothing"), Confirmation::Bad).await.unwrap());
        battery::run(&store, &reports).await;
    }
    let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
    assert_eq!(stored(&store).await, newest_first(reports));
}

/// Questions are answered while reports come in: each sees whole commits, and never less than the one before.
#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_while_reports_come_in() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        EmbeddedSettings { commit_every: Duration::from_millis(20), ..EmbeddedSettings::new(folder.path()) };
    let store = Arc::new(EmbeddedStore::open(&settings).unwrap());
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            let ids = Ids::seeded(1 << 20, 7);
            for number in 0..150 {
                store.ingest(of_day(&ids, number % 3, 40)).await.unwrap();
            }
            store.flush().await.unwrap();
        }
    });
    let query = Query::Count { filter: Filter::default(), range: Range::EVER, distinct: Vec::new() };
    let count = async || match store.query(&query, Limits::default()).await.unwrap() {
        Answer::Count { totals, .. } => totals.reports,
        other => panic!("{other:?}"),
    };
    let (mut seen, mut steps) = (0, 0);
    while !writer.is_finished() {
        let now = count().await;
        assert!(now >= seen && now <= 6000, "{seen}, then {now}");
        steps += u32::from(now > seen);
        seen = now;
    }
    writer.await.unwrap();
    assert_eq!(count().await, 6000);
    assert!(steps > 1, "it was never seen half full");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let _store = EmbeddedStore::open(&settings(folder.path())).unwrap();
    let error = EmbeddedStore::open(&settings(folder.path())).err().unwrap().to_string();
    assert!(error.contains("another process"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
    store.ingest(battery::reports(100)).await.unwrap();
    store.flush().await.unwrap();
    let ask = |limits: Limits| {
        let store = &store;
        async move {
            let query = Query::parse(br#"{"query":"top","by":"ip","rank":{"distinct":"login"}}"#).unwrap();
            store.query(&query, limits).await
        }
    };
    let values = ask(Limits { values: 20, ..Limits::default() }).await;
    assert!(matches!(values, Err(StoreError::TooManyValues(20))), "{values:?}");
    let time = ask(Limits { time: Duration::ZERO, ..Limits::default() }).await;
    assert!(matches!(time, Err(StoreError::TimeOut(_))), "{time:?}");
    let results = ask(Limits { results: 99, ..Limits::default() }).await;
    assert!(matches!(results, Err(StoreError::Query(_))), "{results:?}");
    // Questions together have the limits of one.
    let of = |json: &[u8]| Query::parse(json).unwrap();
    let newest = of(br#"{"query":"logins","filter":{"login":"u1"},"limit":1}"#);
    let different = of(br#"{"query":"count","filter":{"login":"u1"},"distinct":["ip"]}"#);
    let each = |query: &Query, count: usize, limits: Limits| {
        let (store, queries) = (&store, vec![query.clone(); count]);
        async move { store.query_each(&queries, limits).await }
    };
    assert_eq!(each(&newest, 1000, Limits::default()).await.unwrap().len(), 1000);
    for (query, count, limits) in [
        (&newest, 1001, Limits::default()),
        (&newest, 100, Limits { results: 99, ..Limits::default() }),
        (&different, 100, Limits { values: 20, ..Limits::default() }),
        (&different, 1, Limits { time: Duration::ZERO, ..Limits::default() }),
    ] {
        assert!(each(query, count, limits).await.is_err(), "{query:?} {count} {limits:?}");
    }
    assert!(each(&different, 1, Limits { values: 20, ..Limits::default() }).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_has_one_holder() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&settings(folder.path())).unwrap();
    let long = Duration::from_secs(1000);
    assert_eq!(store.lease("scan", "a", long).await.unwrap(), Lease::Held);
    assert_eq!(store.lease("scan", "a", long).await.unwrap(), Lease::Held);
    assert!(
        matches!(store.lease("scan", "b", long).await.unwrap(), Lease::Taken { holder, .. } if holder == "a")
    );
    store.release("scan", "b").await.unwrap();
    assert!(matches!(store.lease("scan", "b", long).await.unwrap(), Lease::Taken { .. }));
    store.release("scan", "a").await.unwrap();
    assert_eq!(store.lease("scan", "b", Duration::ZERO).await.unwrap(), Lease::Held);
    assert_eq!(store.lease("scan", "a", long).await.unwrap(), Lease::Held);
}
