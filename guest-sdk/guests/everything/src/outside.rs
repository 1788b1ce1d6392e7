//! Lists, GeoIP, DNS, and the interfaces of a function or two.

use crate::Answer;
use crate::args::{self, Args};
use crate::host::lists::{self, Colour, Entry, Kind, Subject};
use crate::host::{addresses, alerts, clock, dns, geoip, log, metrics, random, settings, types, webhooks};

fn subject<'a>(args: &'a Args<'_>) -> Subject<'a> {
    match args.text("kind") {
        "ip" => Subject::Ip(args.address("ip")),
        "netmask" => Subject::Netmask(addresses::parse_netmask(args.text("netmask")).expect("a netmask")),
        "login" => Subject::Login(args.text("login")),
        "ip-login" => Subject::IpLogin((args.address("ip"), args.text("login"))),
        "ja3" => Subject::Ja3(args.text("ja3")),
        "ip-ja3" => Subject::IpJa3((args.address("ip"), args.text("ja3"))),
        other => args::unknown(other),
    }
}

fn kind(args: &Args<'_>) -> Kind {
    match args.text("kind") {
        "ip" => Kind::Ip,
        "login" => Kind::Login,
        "ip-login" => Kind::IpLogin,
        "ja3" => Kind::Ja3,
        "ip-ja3" => Kind::IpJa3,
        other => args::unknown(other),
    }
}

/// With how long it holds from now on, in whole hundreds of seconds.
fn entry(entry: &Entry) -> String {
    format!("{} {} {}", entry.key, entry.reason, ((entry.expiration - clock::now()) / 100.0).round())
}

fn list(function: &str, args: &Args<'_>) -> Answer {
    let which = if args.text("which") == "white" { Colour::White } else { Colour::Black };
    Ok(match function {
        "add" => {
            lists::add(which, subject(args), args.number("seconds"), args.text("reason"))?;
            String::new()
        }
        "delete" => {
            lists::delete(which, subject(args))?;
            String::new()
        }
        "check" => args::option(lists::check(which, subject(args))?.as_ref().map(entry)),
        "entries" => {
            let found = lists::entries(which, kind(args), args.number("limit"))?;
            found.iter().map(entry).collect::<Vec<_>>().join(", ")
        }
        other => args::unknown(other),
    })
}

fn geo(function: &str, args: &Args<'_>) -> Answer {
    let db = geoip::open(args.text("db"))?;
    let (ip, path) = (args.address("ip"), args.list("path").collect::<Vec<_>>());
    Ok(match function {
        "open" => String::new(),
        "database.country" => db.country(ip),
        "database.isp" => db.isp(ip),
        "database.city" => {
            let place = db.city(ip);
            format!(
                "{}|{}|{}|{}|{}|{}|{:.3}|{:.3}",
                place.country_code,
                place.country_name,
                place.region,
                place.city,
                place.postal_code,
                place.continent_code,
                place.latitude,
                place.longitude
            )
        }
        "database.text" => db.text(ip, &path),
        "database.unsigned" => db.unsigned(ip, &path).to_string(),
        "database.flag" => db.flag(ip, &path).to_string(),
        "database.double" => format!("{:.3}", db.double(ip, &path)),
        other => args::unknown(other),
    })
}

fn resolve(function: &str, args: &Args<'_>) -> Answer {
    let resolver = dns::open(args.text("resolver"))?;
    let texts = |found: Vec<types::IpAddress>| {
        let mut texts: Vec<_> = found.into_iter().map(addresses::text).collect();
        texts.sort();
        texts.join(" ")
    };
    Ok(match function {
        "open" => String::new(),
        "resolver.addresses" => texts(resolver.addresses(args.text("name"), 1)?),
        "resolver.names" => resolver.names(args.address("ip"), 1)?.join(" "),
        "resolver.rbl" => texts(resolver.rbl(args.address("ip"), args.text("zone"), 1)?),
        other => args::unknown(other),
    })
}

fn write(args: &Args<'_>) {
    let level = match args.text("level") {
        "debug" => log::Level::Debug,
        "verbose" => log::Level::Verbose,
        "info" => log::Level::Info,
        "warning" => log::Level::Warning,
        "error" => log::Level::Error,
        other => args::unknown(other),
    };
    log::write(level, args.text("message"), &[("from", "here")]);
}

fn raise(args: &Args<'_>) -> Answer {
    let channels: Vec<_> = args.list("channels").collect();
    let outcome = alerts::raise(alerts::Alert {
        login: args.text("login"),
        reason: args.text("reason"),
        severity: alerts::Severity::Warning,
        ip: None,
        time: None,
        text: args.text("text"),
        fields: &[],
        channels: &channels,
        language: None,
        to: &[],
        confirm: false,
        block: None,
        block_seconds: None,
    })?;
    Ok(match outcome {
        alerts::Outcome::Queued => "queued",
        alerts::Outcome::Duplicate => "duplicate",
        alerts::Outcome::Limited => "limited",
        alerts::Outcome::Full => "full",
    }
    .to_owned())
}

pub fn call(interface: &str, function: &str, args: &Args<'_>) -> Answer {
    match (interface, function) {
        ("lists", _) => list(function, args),
        ("geoip", _) => geo(function, args),
        ("dns", _) => resolve(function, args),
        ("webhooks", "run") => webhooks::run(args.text("name"), args.text("body")).map(|()| String::new()),
        ("alerts", "raise") => raise(args),
        ("metrics", "increment") => metrics::increment(args.text("name")).map(|()| String::new()),
        ("log", "write") => {
            write(args);
            Ok(String::new())
        }
        ("settings", "json") => Ok(settings::json()),
        ("settings", "get") => Ok(args::option(settings::get(args.text("name")))),
        ("clock", "now") => Ok(clock::now().to_string()),
        // Whether it goes on and never back.
        ("clock", "monotonic") => {
            let times: Vec<f64> = (0..1000).map(|_| clock::monotonic()).collect();
            Ok((times.is_sorted() && times[0] < times[999] && times[0] >= 0.0).to_string())
        }
        // Whether they are different ones in their range.
        ("random", "number") => {
            let numbers: Vec<f64> = (0..100).map(|_| random::number()).collect();
            let fine = numbers.iter().all(|number| (0.0..1.0).contains(number)) && numbers[0] != numbers[1];
            Ok(fine.to_string())
        }
        ("random", "bytes") => {
            let bytes = random::bytes(args.number("count"));
            let different = bytes.iter().any(|byte| Some(byte) != bytes.first());
            Ok(format!("{} {different}", bytes.len()))
        }
        _ => args::unknown(&format!("{interface}.{function}")),
    }
}
