//! The battery: the same reports and questions for every engine. What must come out is worked out here, plainly, from the
//! list of reports, so that no engine is the measure of another.
#![allow(dead_code)] // not every test file uses all of it

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_reports::{
    Answer, Bin, Confirmation, Field, Filter, Group, Ids, Limits, Place, Query, Range, Rank, Report,
    ReportId, ReportStore, Significant, Totals, Trait,
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
            questions.push(Query::Logins { filter: filter.clone(), range, limit: 7, after: None });
            questions.push(Query::Logins { filter: filter.clone(), range, limit: 1000, after: None });
            // Behind a time at which there is one, or none.
            for (at, id) in [(begin + DAY, "8"), (begin + DAY * 2, ""), (begin - DAY * 9, "f")] {
                let after = Some((at, ReportId::from_text(id)));
                questions.push(Query::Logins { filter: filter.clone(), range, limit: 9, after });
            }
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

fn value(report: &Report, field: Field) -> String {
    match field {
        Field::Login => report.login.clone(),
        Field::Ip => report.remote.to_string(),
        Field::Network => report.network().to_string(),
        Field::Country => report.place.country.clone(),
        Field::City => report.place.city.clone(),
        Field::Asn => {
            if report.asn == 0 {
                String::new()
            } else {
                report.asn.to_string()
            }
        }
        Field::Device => report.device(),
        Field::Protocol => report.protocol.clone(),
        Field::FailType => report.fail_type.clone(),
        Field::Pwhash => report.pwhash.clone(),
    }
}

fn totals(reports: &[&Report]) -> Totals {
    let failures = reports.iter().filter(|report| !report.success).count();
    Totals { reports: reports.len() as u64, failures: failures as u64 }
}

fn distinct(reports: &[&Report], field: Field) -> u64 {
    let values: BTreeSet<String> = reports.iter().map(|report| value(report, field)).collect();
    values.iter().filter(|value| !value.is_empty()).count() as u64
}

fn groups<'a>(reports: &[&'a Report], field: Field) -> BTreeMap<String, Vec<&'a Report>> {
    let mut groups: BTreeMap<String, Vec<&Report>> = BTreeMap::new();
    for report in reports {
        groups.entry(value(report, field)).or_default().push(report);
    }
    groups.remove("");
    groups
}

fn mine(filter: &Filter) -> Filter {
    let mut filter = filter.clone();
    filter.confirmations.get_or_insert_with(|| vec![Confirmation::None, Confirmation::Good]);
    filter
}

/// What must come out.
pub fn expected(reports: &[Report], query: &Query) -> Answer {
    let those = |filter: &Filter, range: Range| -> Vec<&Report> {
        let mut some: Vec<&Report> =
            reports.iter().filter(|report| range.contains(report.at) && filter.matches(report)).collect();
        some.sort_by(|left, right| (right.at, &right.id).cmp(&(left.at, &left.id)));
        some
    };
    let order = |left: &str, right: &str| match (left.parse::<u64>(), right.parse::<u64>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => left.cmp(right),
    };
    match query {
        Query::Logins { filter, range, limit, after } => {
            let mut some = those(filter, *range);
            if let Some((at, id)) = after {
                some.retain(|report| (report.at, &report.id) < (*at, id));
            }
            Answer::Logins { reports: some.into_iter().take(*limit).cloned().collect() }
        }
        Query::Seen { login, with, range, filter } => {
            let mut filter = mine(filter);
            filter.login = Some(login.clone());
            filter.success.get_or_insert(true);
            match with.clone() {
                Trait::Country(country) => filter.country = Some(country),
                Trait::Asn(asn) => filter.asn = Some(asn),
                Trait::Device(device) => filter.device = Some(device),
                Trait::Ip(ip) => filter.ip = Some(ip),
                Trait::City(city) => filter.city = Some(city),
                Trait::Protocol(protocol) => filter.protocol = Some(protocol),
                Trait::Pwhash(pwhash) => filter.pwhash = Some(pwhash),
                Trait::Network(network) => filter.network = Some(network),
            }
            let newest = those(&filter, *range).first().map(|report| report.id.clone());
            Answer::Seen { seen: newest.is_some(), report: newest }
        }
        Query::FirstLast { filter, range } => {
            let some = those(&mine(filter), *range);
            Answer::FirstLast {
                first: some.last().map(|report| report.at),
                last: some.first().map(|report| report.at),
            }
        }
        Query::Count { filter, range, distinct: fields } => {
            let some = those(filter, *range);
            let distinct = fields.iter().map(|field| (*field, distinct(&some, *field))).collect();
            Answer::Count { totals: totals(&some), distinct }
        }
        Query::Top { by, rank, filter, range, limit } => {
            let mut list: Vec<(u64, Group)> = groups(&those(filter, *range), *by)
                .into_iter()
                .map(|(key, some)| {
                    let totals = totals(&some);
                    let (ranked, distinct) = match rank {
                        Rank::Reports => (totals.reports, None),
                        Rank::Failures => (totals.failures, None),
                        Rank::Successes => (totals.reports - totals.failures, None),
                        Rank::Distinct(field) => {
                            let count = distinct(&some, *field);
                            (count, Some(count))
                        }
                    };
                    (ranked, Group { key, totals, distinct })
                })
                .filter(|(ranked, _)| *ranked > 0)
                .collect();
            list.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| order(&left.1.key, &right.1.key)));
            Answer::Top { groups: list.into_iter().take(*limit).map(|(_, group)| group).collect() }
        }
        Query::Significant { field, filter, now, baseline, min_count, limit } => {
            let before = groups(&those(filter, *baseline), *field);
            let seconds = |range: &Range| (range.to - range.from) as f64 / 1000.0;
            let mut terms: Vec<Significant> = groups(&those(filter, *now), *field)
                .into_iter()
                .filter(|(_, some)| some.len() as u64 >= *min_count)
                .map(|(key, some)| {
                    let count = before.get(&key).map_or(0, Vec::len) as u64;
                    let rate = some.len() as f64 / seconds(now);
                    let score = rate / ((count + 1) as f64 / seconds(baseline));
                    Significant { key, now: some.len() as u64, baseline: count, score }
                })
                .collect();
            terms.sort_by(|left, right| {
                right.score.total_cmp(&left.score).then_with(|| order(&left.key, &right.key))
            });
            terms.truncate(*limit);
            Answer::Significant { terms }
        }
        Query::Histogram { filter, range, interval_ms } => {
            let some = those(filter, *range);
            let first = range.from.div_euclid(*interval_ms) * interval_ms;
            let count = range.to.saturating_sub(first).max(0);
            let bins = (0..count)
                .map(|number| first + number * interval_ms)
                .take_while(|at| *at < range.to)
                .map(|at| {
                    let inside = Range { from: at, to: at + interval_ms };
                    let some: Vec<&Report> =
                        some.iter().copied().filter(|report| inside.contains(report.at)).collect();
                    Bin { at, totals: totals(&some) }
                })
                .collect();
            Answer::Histogram { bins }
        }
    }
}

/// Asks everything, and says what was answered wrongly.
pub async fn run(store: &dyn ReportStore, reports: &[Report]) {
    let limits = Limits { time: std::time::Duration::from_mins(1), ..Limits::default() };
    let mut wrong = Vec::new();
    let questions = questions();
    for query in &questions {
        let answer = store.query(query, limits).await;
        let expected = expected(reports, query);
        match answer {
            Ok(answer) if answer == expected => {}
            other => wrong.push(format!("{query:?}\n  expected {expected:?}\n  but got  {other:?}")),
        }
    }
    let first: Vec<&str> = wrong.iter().take(5).map(String::as_str).collect();
    assert!(
        wrong.is_empty(),
        "{} of {} answers are wrong:\n{}",
        wrong.len(),
        questions.len(),
        first.join("\n")
    );
}
