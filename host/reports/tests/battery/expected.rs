//! What must come out of each question, worked out plainly.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_reports::{
    Answer, Bin, Confirmation, Field, Filter, Group, Ids, Place, Query, Range, Rank, Report, Significant,
    Totals, Trait,
};

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

/// What is left of a report of which some fields are wanted: what every report has, and those.
fn with_only(report: &Report, fields: &[Field]) -> Report {
    let login = login::Login {
        t: report.at as f64 / 1000.0,
        login: report.login.as_str().into(),
        remote: login::Addr::parse(report.remote.to_string().as_bytes()).unwrap(),
        success: report.success,
        policy_reject: report.policy_reject,
        tls: report.tls,
        ..login::Login::default()
    };
    let mut only = Report::new(&login, 0, &Ids::seeded(1, 1));
    (only.id, only.at) = (report.id.clone(), report.at);
    only.confirmation = report.confirmation;
    for field in fields {
        match field {
            Field::Country => only.place.country.clone_from(&report.place.country),
            Field::City => {
                only.place = Place { country: only.place.country.clone(), ..report.place.clone() };
            }
            Field::Asn => (only.asn, only.as_org) = (report.asn, report.as_org.clone()),
            Field::Device => only.device_attrs = report.device_attrs.clone(),
            Field::Pwhash => only.pwhash.clone_from(&report.pwhash),
            Field::Protocol => only.protocol.clone_from(&report.protocol),
            Field::FailType => only.fail_type.clone_from(&report.fail_type),
            // Every report has them.
            Field::Login | Field::Ip | Field::Network => {}
        }
    }
    only
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
        Query::Oldest { filter, range, limit, after, fields } => {
            let mut some = those(filter, *range);
            some.reverse();
            if let Some((at, id)) = after {
                some.retain(|report| (report.at, &report.id) > (*at, id));
            }
            let mut reports: Vec<Report> = some.into_iter().take(*limit).cloned().collect();
            if let Some(fields) = fields {
                reports = reports.iter().map(|report| with_only(report, fields)).collect();
            }
            Answer::Logins { reports }
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
        Query::Any { filter, range } => {
            Answer::Seen { seen: !those(&mine(filter), *range).is_empty(), report: None }
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
