//! The long memory.

use crate::Answer;
use crate::args::{self, Args};
use crate::host::reports::{self as host, Confirmation, Field, Filter, Measure, Position};
use crate::host::{addresses, types};

fn field(name: &str) -> Field {
    match name {
        "login" => Field::Login,
        "ip" => Field::Address,
        "network" => Field::Network,
        "country" => Field::Country,
        "city" => Field::City,
        "asn" => Field::Asn,
        "device" => Field::Device,
        "protocol" => Field::Protocol,
        "fail_type" => Field::FailType,
        "pwhash" => Field::Pwhash,
        other => args::unknown(other),
    }
}

fn measure(name: &str) -> Measure {
    match name {
        "reports" => Measure::Reports,
        "failures" => Measure::Failures,
        "successes" => Measure::Successes,
        other => Measure::Distinct(field(other)),
    }
}

fn said(text: &str) -> Confirmation {
    match text {
        "none" => Confirmation::None,
        "good" => Confirmation::Good,
        "bad" => Confirmation::Bad,
        "forget" => Confirmation::Forget,
        other => args::unknown(other),
    }
}

fn word(confirmation: Confirmation) -> &'static str {
    match confirmation {
        Confirmation::None => "none",
        Confirmation::Good => "good",
        Confirmation::Bad => "bad",
        Confirmation::Forget => "forget",
    }
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join(", ")
}

fn shown(report: host::Report) -> String {
    format!(
        "{} {} {} {} {} {} {}|{}|{}|{:.3}|{:.3}|{}|{}|{}|{}",
        report.t,
        report.login,
        addresses::text(report.remote),
        report.success,
        report.policy_reject,
        report.protocol,
        report.fail_type,
        report.country,
        report.city,
        report.latitude,
        report.longitude,
        report.asn,
        report.device,
        report.pwhash,
        word(report.confirmation)
    )
}

/// A filter, and one that fits nothing.
fn both<'a>(filter: &Filter<'a>) -> [Filter<'a>; 2] {
    let mut nothing = filter.clone();
    nothing.login = Some("nobody at all");
    [filter.clone(), nothing]
}

pub fn call(function: &str, args: &Args<'_>) -> Answer {
    let network: Option<types::Netmask> =
        args.find("network").map(|text| addresses::parse_netmask(text).expect("a network"));
    let confirmations: Option<Vec<_>> = args.find("confirmation").map(|text| vec![said(text)]);
    let realm = args.find("realm").map(|value| [("realm", value)]);
    let filter = Filter {
        since: args.number("since"),
        until: args.find("before").map(|_| args.number("before")),
        login: args.find("login"),
        network,
        country: args.find("country"),
        city: args.find("city"),
        asn: args.find("asn").map(|_| args.number("asn")),
        device: args.find("device"),
        protocol: args.find("protocol"),
        pwhash: args.find("pwhash"),
        success: args.find("success").map(|text| text == "true"),
        policy_reject: args.find("policy_reject").map(|text| text == "true"),
        confirmations: confirmations.as_deref(),
        attributes: realm.as_ref().map_or(&[][..], |realm| &realm[..]),
    };
    let limit = args.number("limit");
    let of = || field(args.text("field"));
    Ok(match function {
        "find" => lines(host::find(filter, limit)?.into_iter().map(shown)),
        // Behind the first one, if that is wanted: what the next page would have.
        "find-oldest" => {
            let some = args.find("field").map(|name| [field(name)]);
            let fields = some.as_ref().map(|some| &some[..]);
            let first = host::find_oldest(filter.clone(), None, 1, None)?;
            let after = first.first().filter(|_| args.find("next").is_some()).map(Position::from);
            lines(host::find_oldest(filter, after, limit, fields)?.into_iter().map(shown))
        }
        "any" => host::any(filter)?.to_string(),
        // Of this filter and of one that nothing fits.
        "any-each" => lines(host::any_each(&both(&filter))?.into_iter().map(|is| is.to_string())),
        "newest-each" => lines(
            host::newest_each(&both(&filter))?.into_iter().map(|one| one.map_or("none".to_owned(), shown)),
        ),
        "count-each" => lines(host::count_each(&both(&filter))?.into_iter().map(|count| count.to_string())),
        "distinct-each" => {
            lines(host::distinct_each(&both(&filter), of())?.into_iter().map(|count| count.to_string()))
        }
        "seen" => host::seen(args.text("login"), of(), args.text("value"), args.number("since"))?.to_string(),
        "first-and-last" => {
            args::option(host::first_and_last(filter)?.map(|span| format!("{} {}", span.first, span.last)))
        }
        "count" => host::count(filter)?.to_string(),
        "distinct" => host::distinct(filter, of())?.to_string(),
        "top" => {
            let found = host::top(filter, of(), measure(args.text("by")), limit)?;
            lines(found.into_iter().map(|ranked| format!("{} {}", ranked.value, ranked.count)))
        }
        "significant" => {
            let found = host::significant(filter, of(), args.number("baseline"), limit)?;
            lines(found.into_iter().map(|outlier| {
                format!("{} {} {} {}", outlier.value, outlier.count, outlier.baseline, outlier.score > 0.0)
            }))
        }
        "histogram" => {
            let found = host::histogram(filter, args.number("seconds"))?;
            lines(found.into_iter().map(|slot| format!("{} {} {}", slot.t, slot.count, slot.failures)))
        }
        // Of the newest one that fits, unless there is an id.
        "confirm" => {
            let id = match args.find("id") {
                Some(id) => id.to_owned(),
                None => host::find(filter, 1)?.swap_remove(0).id,
            };
            host::confirm(&id, said(args.text("said")))?.to_string()
        }
        "current" => args::option(host::current()),
        "search" => host::search(args.text("index"), args.text("query"))?,
        other => args::unknown(other),
    })
}
