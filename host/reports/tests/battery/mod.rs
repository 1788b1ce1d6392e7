//! The battery: the same reports and questions for every engine. What must come out is worked out here, plainly, from the
//! list of reports, so that no engine is the measure of another.
#![allow(dead_code)] // not every test file uses all of it

mod expected;

use std::sync::Arc;

pub use expected::expected;
use portcullis_reports::{
    Answer, Confirmation, Field, Filter, Ids, Limits, Place, Query, Range, Rank, Report, ReportId,
    ReportStore, StoreError, Trait,
};

const DAY: i64 = 86_400_000;

/// A small generator: the data is the same in every run and on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn one_of<'a>(&mut self, some: &[&'a str]) -> &'a str {
        some[self.roll(some.len() as u64) as usize]
    }
}

/// Midnight (UTC) of the day before yesterday.
pub fn begin() -> i64 {
    (jiff::Timestamp::now().as_millisecond().div_euclid(DAY) - 3) * DAY
}

/// Some reports from `begin()` on, over two and a half days, in no order.
pub fn reports(count: u64) -> Vec<Report> {
    let ids = Ids::seeded(1 << 20, 7);
    let mut dice = Dice(42);
    let begin = begin();
    (0..count)
        .map(|_| {
            let mut at = begin + dice.roll((DAY * 5 / 2) as u64) as i64;
            if dice.roll(4) == 0 {
                // Several at the same time.
                at -= at % (DAY / 6);
            }
            let user = dice.roll(12);
            let family = dice.one_of(&["Firefox", "Chrome", "Safari", ""]);
            let login = login::Login {
                t: at as f64 / 1000.0,
                login: if user == 11 {
                    "ÜbΩ \"x\"\\@example.com".into()
                } else {
                    format!("u{user}").into()
                },
                remote: login::Addr::parse(
                    match dice.roll(4) {
                        0 => format!("2001:db8:{:x}::{:x}", dice.roll(3), dice.roll(4)),
                        _ => format!("192.0.{}.{}", dice.roll(3), dice.roll(6)),
                    }
                    .as_bytes(),
                )
                .unwrap(),
                success: dice.roll(3) > 0,
                policy_reject: dice.roll(9) == 0,
                tls: dice.roll(2) == 0,
                pwhash: format!("{:03x}", dice.roll(7)).into(),
                protocol: dice.one_of(&["imap", "http", "smtp", ""]).into(),
                device_id: format!("agent {family}").into(),
                session_id: format!("s{}", dice.roll(1 << 30)).into(),
                fail_type: dice.one_of(&["", "", "expired"]).into(),
                attrs: vec![("realm".into(), dice.one_of(&["a", "b"]).into())],
                attrs_mv: vec![("groups".into(), vec!["x".into(), "y".into()])],
                device_attrs: Arc::new(vec![
                    ("browser.family".into(), family.into()),
                    ("browser.major".into(), "12".into()),
                    ("os.family".into(), dice.one_of(&["Linux", "iOS"]).into()),
                ]),
                ..login::Login::default()
            };
            let mut report = Report::new(&login, 0, &ids);
            let country = dice.one_of(&["NL", "DE", "JP", ""]);
            if !country.is_empty() {
                let city = dice.one_of(&["Delft", "Köln", "京都", ""]);
                report.place = Place {
                    country: country.into(),
                    city: city.into(),
                    location: Some((52.5, -4.25)),
                    ..Place::default()
                };
                report.asn = [9, 10, 64_500][dice.roll(3) as usize];
                report.as_org = format!("Owner {}", report.asn);
            }
            report.confirmation = Confirmation::ALL[dice.roll(12).min(3) as usize];
            // Empty ones are not kept by every engine.
            Arc::make_mut(&mut report.device_attrs).retain(|(_, value)| !value.is_empty());
            report
        })
        .collect()
}

fn filters() -> Vec<Filter> {
    let mask = |text: &str| Some(login::Netmask::parse(text.as_bytes()).unwrap());
    let text = |text: &str| Some(text.to_owned());
    let none = Filter::default();
    vec![
        none.clone(),
        Filter { login: text("u1"), ..none.clone() },
        Filter { login: text("ÜbΩ \"x\"\\@example.com"), success: Some(true), ..none.clone() },
        Filter { login: text("nobody"), ..none.clone() },
        Filter { ip: Some("192.0.1.3".parse().unwrap()), ..none.clone() },
        Filter { network: mask("192.0.2.0/24"), ..none.clone() },
        Filter { network: mask("192.0.0.0/23"), success: Some(false), ..none.clone() },
        Filter { network: mask("2001:db8:1::/64"), ..none.clone() },
        Filter { network: mask("::/0"), ..none.clone() },
        Filter { country: text("JP"), policy_reject: Some(true), ..none.clone() },
        Filter { city: text("京都"), attrs: [("realm".into(), "a".into())].into(), ..none.clone() },
        Filter {
            attrs: [("groups".into(), "y".into()), ("realm".into(), "b".into())].into(),
            ..none.clone()
        },
        Filter { attrs: [("realm".into(), "c".into())].into(), ..none.clone() },
        Filter { asn: Some(64_500), protocol: text("imap"), ..none.clone() },
        Filter { device: text("browser.family=Firefox,os.family=Linux"), ..none.clone() },
        Filter { device: text("os.family=iOS"), pwhash: text("003"), ..none.clone() },
        Filter { confirmations: Some(vec![Confirmation::Bad, Confirmation::Forget]), ..none },
    ]
}

/// Every kind of question, with every filter and several ranges.
pub fn questions() -> Vec<Query> {
    let begin = begin();
    let ranges = [
        Range::EVER,
        Range::since(begin + DAY * 3 / 2),
        Range { from: begin + DAY / 2 + 1, to: begin + DAY * 2 - 1 },
        Range { from: begin - DAY, to: begin - 1 },
    ];
    let bounded = Range { from: begin + 1000, to: begin + DAY * 2 + 77 };
    let mut questions = Vec::new();
    for filter in filters() {
        for range in ranges {
            let filter = filter.clone();
            // Behind a time at which there is one, or none.
            let behind = |at: i64, id: &str| Some((at, ReportId::from_text(id)));
            for (limit, after) in [
                (7, None),
                (1000, None),
                (9, behind(begin + DAY, "8")),
                (9, behind(begin + DAY * 2, "")),
                (9, behind(begin - DAY * 9, "f")),
            ] {
                let filter = filter.clone();
                let whole = Query::Oldest {
                    filter: filter.clone(),
                    range,
                    limit,
                    after: after.clone(),
                    fields: None,
                };
                questions.push(whole);
                if limit == 9 {
                    for fields in [
                        vec![],
                        vec![Field::Country, Field::Device, Field::Asn],
                        vec![Field::City, Field::Pwhash, Field::Ip],
                        vec![Field::Protocol, Field::FailType],
                    ] {
                        let (filter, after) = (filter.clone(), after.clone());
                        questions.push(Query::Oldest { filter, range, limit, after, fields: Some(fields) });
                    }
                }
                questions.push(Query::Logins { filter, range, limit, after });
            }
            questions.push(Query::Any { filter: filter.clone(), range });
            questions.push(Query::Logins { filter: filter.clone(), range, limit: 1, after: None });
            let distinct = vec![Field::Asn, Field::Device, Field::City];
            questions.push(Query::Count { filter: filter.clone(), range, distinct });
            questions.push(Query::FirstLast { filter: filter.clone(), range });
            questions.push(Query::Count {
                filter,
                range,
                distinct: vec![Field::Ip, Field::Network, Field::Login, Field::Country],
            });
        }
        for rank in [Rank::Reports, Rank::Failures, Rank::Successes, Rank::Distinct(Field::Login)] {
            for by in [Field::Ip, Field::Asn] {
                questions.push(Query::Top { by, rank, filter: filter.clone(), range: ranges[2], limit: 5 });
            }
        }
        questions.push(Query::Histogram { filter: filter.clone(), range: bounded, interval_ms: 3_600_000 });
        questions.push(Query::Histogram { filter: filter.clone(), range: bounded, interval_ms: 7_000_001 });
        let (now, baseline) = (
            Range { from: begin + DAY * 2, to: begin + DAY * 3 },
            Range { from: begin, to: begin + DAY * 2 },
        );
        questions.push(Query::Significant {
            field: Field::Network,
            filter,
            now,
            baseline,
            min_count: 2,
            limit: 6,
        });
    }
    for by in Field::ALL {
        for rank in [Rank::Reports, Rank::Distinct(Field::Ip), Rank::Distinct(Field::Device)] {
            questions.push(Query::Top {
                by,
                rank,
                filter: Filter::default(),
                range: Range::EVER,
                limit: 100,
            });
        }
        questions.push(Query::Count { filter: Filter::default(), range: Range::EVER, distinct: vec![by] });
    }
    for user in ["u0", "u1", "ÜbΩ \"x\"\\@example.com", "nobody"] {
        for with in [
            Trait::Country("NL".into()),
            Trait::Country("XX".into()),
            Trait::Asn(10),
            Trait::City("Köln".into()),
            Trait::Protocol("imap".into()),
            Trait::Pwhash("003".into()),
            Trait::Device("browser.family=Safari,os.family=iOS".into()),
            Trait::Ip("192.0.0.1".parse().unwrap()),
            Trait::Ip("::ffff:192.0.0.2".parse().unwrap()),
            Trait::Network(login::Netmask::parse(b"192.0.1.0/24").unwrap()),
            Trait::Network(login::Netmask::parse(b"2001:db8::/32").unwrap()),
        ] {
            for range in ranges {
                for filter in [Filter::default(), Filter { success: Some(false), ..Filter::default() }] {
                    questions.push(Query::Seen { login: user.into(), with: with.clone(), range, filter });
                }
            }
        }
    }
    questions
}

/// Asks everything, and says what was answered wrongly.
pub async fn run(store: &dyn ReportStore, reports: &[Report]) {
    let limits = Limits { time: std::time::Duration::from_mins(1), ..Limits::default() };
    let mut wrong = Vec::new();
    let questions = questions();
    let mut check = |query: &Query, answer: Result<Answer, StoreError>| {
        let expected = expected(reports, query);
        match answer {
            Ok(answer) if answer == expected => {}
            other => wrong.push(format!("{query:?}\n  expected {expected:?}\n  but got  {other:?}")),
        }
    };
    for query in &questions {
        check(query, store.query(query, limits).await);
    }
    // The same together, those of one user beside each other and among others.
    let limits = Limits { results: 1_000_000, ..limits };
    for some in questions.chunks(Query::MOST_TOGETHER) {
        let answers = store.query_each(some, limits).await.unwrap();
        assert_eq!(answers.len(), some.len());
        for (query, answer) in some.iter().zip(answers) {
            check(query, Ok(answer));
        }
    }
    let first: Vec<&str> = wrong.iter().take(5).map(String::as_str).collect();
    assert!(
        wrong.is_empty(),
        "{} of {} answers are wrong:\n{}",
        wrong.len(),
        questions.len() * 2,
        first.join("\n")
    );
}
