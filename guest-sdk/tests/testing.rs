//! A policy that uses what the shipped ones do not, against the host in memory.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a panic is how a test fails")]

use portcullis::lists::{self, Colour, Kind, Subject};
use portcullis::testing::{Host, failed, login};
use portcullis::{Error, Login, NoSettings, Policy, Result, Verdict, metrics, webhooks};

/// Puts addresses that use a robot's device onto the blacklist, and tells of it.
struct Robots;

#[portcullis::policy]
impl Policy for Robots {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        Ok(Self)
    }

    fn report(&mut self, login: &Login) -> Result<()> {
        let robot = login.device_attribute("os.family").as_deref() == Some("Robot");
        if robot && login.attribute_values("realms").iter().any(|realm| realm == "staff") {
            let realm = login.attribute("realm").unwrap_or_default();
            lists::add(Colour::Black, Subject::Ip(login.remote), 60, &realm)?;
            metrics::increment("robots")?;
            webhooks::run("robot", &login.login)?;
        }
        Ok(())
    }

    fn allow(&mut self, login: &Login) -> Result<Verdict> {
        let entry = lists::check(Colour::Black, Subject::Ip(login.remote))?;
        Ok(entry.map_or_else(Verdict::pass, |entry| Verdict::deny("no").log(entry.reason)))
    }
}

#[test]
fn attributes_lists_counters_and_webhooks() {
    let mut host = Host::new();
    let mut policy = host.load::<Robots>("{}").unwrap();
    let report = failed("192.0.2.1", "alice", "x");
    policy.report(&report).unwrap();
    assert_eq!(host.counter("robots"), 0, "nothing is known of its device");

    host.attribute("realm", &["north"]).attribute("realms", &["guests", "staff"]);
    host.device_attribute("os.family", "Robot");
    policy.report(&report).unwrap();
    assert_eq!(host.counter("robots"), 1);
    assert_eq!(host.deliveries(), [("robot".to_owned(), "alice".to_owned())]);
    let verdict = policy.allow(&login("192.0.2.1", "bob")).unwrap();
    assert_eq!((verdict.status(), verdict.reason()), (Some(-1), "north"));
    assert_eq!(policy.allow(&login("192.0.2.2", "bob")).unwrap(), Verdict::pass());

    let entries = lists::entries(Colour::Black, Kind::Ip, 10).unwrap();
    assert_eq!(entries.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["192.0.2.1/32"]);
    assert!(lists::entries(Colour::White, Kind::Ip, 10).unwrap().is_empty());
    // Networks hold for the addresses in them, and everything ends.
    let network = portcullis::Netmask { address: login("198.51.100.0", "x").remote, bits: 24 };
    lists::add(Colour::Black, Subject::Netmask(network), 120, "net").unwrap();
    let inside = Subject::Ip(login("198.51.100.9", "x").remote);
    assert!(lists::check(Colour::Black, inside.clone()).unwrap().is_some());
    host.advance(61.0);
    assert_eq!(policy.allow(&login("192.0.2.1", "bob")).unwrap(), Verdict::pass());
    assert!(lists::check(Colour::Black, inside.clone()).unwrap().is_some());
    lists::delete(Colour::Black, Subject::Netmask(network)).unwrap();
    assert!(lists::check(Colour::Black, inside).unwrap().is_none());
}

#[test]
fn what_there_is_not_is_said() {
    let _host = Host::new();
    assert!(matches!(portcullis::stats::Db::open("nobody"), Err(Error::Unknown(name)) if name == "nobody"));
    assert!(matches!(portcullis::geoip::Database::open("nobody"), Err(Error::Unknown(_))));
    assert!(matches!(portcullis::dns::Resolver::open("nobody"), Err(Error::Unknown(_))));
    assert!(matches!(
        portcullis::reports::count(portcullis::reports::since(0.0)),
        Err(Error::Unavailable(_))
    ));
}
