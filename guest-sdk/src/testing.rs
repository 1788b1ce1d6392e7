//! Runs a policy natively, against a host in memory with a clock of its own: `cargo test` needs no WebAssembly.
//!
//! ```
//! # use portcullis::{Login, Policy, Result, Verdict, stats};
//! # struct Guessing { wrong: stats::Distinct }
//! # #[portcullis::policy]
//! # impl Policy for Guessing {
//! #     fn new(_: Self::Settings) -> Result<Self> { Ok(Self { wrong: stats::Db::open("hour")?.distinct("wrong") }) }
//! #     fn report(&mut self, login: &Login) -> Result<()> { Ok(self.wrong.add(login.remote, &login.pwhash)?) }
//! #     fn allow(&mut self, login: &Login) -> Result<Verdict> {
//! #         Ok(if self.wrong.get(login.remote)? > 3 { Verdict::deny("no") } else { Verdict::pass() })
//! #     }
//! # }
//! use portcullis::testing::{FieldType, Host, failed, login};
//!
//! let mut host = Host::new();
//! host.stats("hour", 600, 6, &[("wrong", FieldType::Hll)]);
//! let mut policy = host.load::<Guessing>("{}").unwrap();
//! for attempt in 0..4 {
//!     policy.report(&failed("192.0.2.1", "alice", &format!("hash{attempt}"))).unwrap();
//! }
//! assert_eq!(policy.allow(&login("192.0.2.1", "alice")).unwrap().status(), Some(-1));
//! host.advance(3600.0);
//! assert_eq!(policy.allow(&login("192.0.2.1", "alice")).unwrap(), Verdict::pass());
//! ```

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::geoip::Place;
pub use crate::host::alerts::Raised;
use crate::host::state::{State, with};
pub use crate::host::stats::FieldType;
use crate::host::stats::Table;
use crate::reports::{Confirmation, Report};
use crate::{IpAddress, Login, Policy, Result};

/// This thread's host. Making one empties it.
#[derive(Debug)]
pub struct Host(());

impl Host {
    /// One that knows nothing yet.
    #[expect(
        clippy::new_without_default,
        reason = "making one empties the thread's host, which a default should not do"
    )]
    pub fn new() -> Self {
        with(|state| *state = State::default());
        Self(())
    }

    /// Makes a stats DB, as `newStringStatsDB` does: seconds of a window, number of windows, fields.
    pub fn stats(
        &mut self,
        name: &str,
        window: u32,
        windows: u32,
        fields: &[(&str, FieldType)],
    ) -> &mut Self {
        with(|state| state.stats.insert(name.to_owned(), Table::new(state.now, window, windows, fields)));
        self
    }

    /// Sets the prefix lengths of a stats DB, as `twSetv4Prefix` and `twSetv6Prefix` do.
    pub fn prefixes(&mut self, name: &str, v4_bits: u8, v6_bits: u8) -> &mut Self {
        with(|state| {
            if let Some(table) = state.stats.get_mut(name) {
                (table.v4_bits, table.v6_bits) = (v4_bits, v6_bits);
            }
        });
        self
    }

    /// Makes a GeoIP database of one country code, latitude and longitude for each network (`192.0.2.0/24`).
    pub fn geoip(&mut self, name: &str, networks: &[(&str, &str, f32, f32)]) -> &mut Self {
        let places = networks.iter().map(|(network, country, latitude, longitude)| {
            let place = Place {
                country_code: (*country).to_owned(),
                latitude: *latitude,
                longitude: *longitude,
                ..crate::host::geoip::nowhere()
            };
            ((*network).to_owned(), place)
        });
        with(|state| state.geoip.insert(name.to_owned(), places.collect()));
        self
    }

    /// Makes a resolver with these answers: `("zone.example/192.0.2.1", &["127.0.0.2"])` for a block list, else by name or address.
    pub fn dns(&mut self, name: &str, answers: &[(&str, &[&str])]) -> &mut Self {
        let answers = answers.iter().map(|(question, answers)| {
            ((*question).to_owned(), answers.iter().map(|a| (*a).to_owned()).collect())
        });
        with(|state| state.dns.insert(name.to_owned(), answers.collect()));
        self
    }

    /// Sets an attribute of the logins to come.
    pub fn attribute(&mut self, name: &str, values: &[&str]) -> &mut Self {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        with(|state| state.attributes.insert(name.to_owned(), values));
        self
    }

    /// Sets a device attribute of the logins to come.
    pub fn device_attribute(&mut self, name: &str, value: &str) -> &mut Self {
        with(|state| state.device.insert(name.to_owned(), value.to_owned()));
        self
    }

    /// Makes a policy with these settings, as JSON.
    ///
    /// # Errors
    ///
    /// If the policy refuses them.
    pub fn load<P: Policy>(&mut self, settings: &str) -> Result<P> {
        with(|state| state.settings = settings.to_owned());
        P::new(crate::settings::read()?)
    }

    /// Lets time pass.
    pub fn advance(&mut self, seconds: f64) -> &mut Self {
        with(|state| state.now += seconds);
        self
    }

    /// Seconds since 1970.
    pub fn now(&self) -> f64 {
        with(|state| state.now)
    }

    /// The log lines so far: level, message, named values.
    pub fn log(&self) -> Vec<String> {
        with(|state| state.log.clone())
    }

    /// How often a counter was incremented.
    pub fn counter(&self, name: &str) -> u64 {
        with(|state| state.counters.get(name).copied().unwrap_or(0))
    }

    /// Puts a report into the long memory.
    pub fn reported(&mut self, report: Stored) -> &mut Self {
        with(|state| state.reports.get_or_insert_default().add(report.0));
        self
    }

    /// How often the long memory was asked this question so far, named as in the contract: `find-oldest`.
    pub fn asked(&self, question: &str) -> u64 {
        with(|state| state.asked.get(question).copied().unwrap_or(0))
    }

    /// How often it was asked anything.
    pub fn questions(&self) -> u64 {
        with(|state| state.asked.values().sum())
    }

    /// From now on each answer of the long memory takes so many seconds.
    pub fn slow_answers(&mut self, seconds: f64) -> &mut Self {
        with(|state| state.answer_takes = seconds);
        self
    }

    /// Alerts so far.
    pub fn alerts(&self) -> Vec<Raised> {
        with(|state| state.alerts.clone())
    }

    /// Deliveries to custom webhooks so far: name and body.
    pub fn deliveries(&self) -> Vec<(String, String)> {
        with(|state| state.deliveries.clone())
    }
}

/// A report of the long memory, which begins as a good login of an unknown place and device.
#[derive(Debug, Clone)]
pub struct Stored(Report);

/// A good login so many seconds from the host's time (before it: below 0).
///
/// # Panics
///
/// If the address is none.
pub fn stored(seconds: f64, remote: &str, name: &str) -> Stored {
    let login = succeeded(remote, name);
    let t = login.t + seconds;
    Stored(Report {
        id: alloc::format!("{t:.3}-{remote}-{name}"),
        t,
        login: login.login,
        remote: login.remote,
        success: true,
        policy_reject: false,
        fail_type: String::new(),
        protocol: login.protocol,
        pwhash: login.pwhash,
        country: String::new(),
        city: String::new(),
        latitude: 0.0,
        longitude: 0.0,
        asn: 0,
        device: String::new(),
        confirmation: Confirmation::None,
    })
}

impl Stored {
    /// It failed.
    #[must_use]
    pub fn failed(mut self) -> Self {
        self.0.success = false;
        "credentials".clone_into(&mut self.0.fail_type);
        "wrong".clone_into(&mut self.0.pwhash);
        self
    }

    /// It came from this country and autonomous system.
    #[must_use]
    pub fn place(mut self, country: &str, asn: u32) -> Self {
        country.clone_into(&mut self.0.country);
        self.0.asn = asn;
        self
    }

    /// It came from these degrees north and east.
    #[must_use]
    pub fn at(mut self, latitude: f64, longitude: f64) -> Self {
        (self.0.latitude, self.0.longitude) = (latitude, longitude);
        self
    }

    /// It came from this device.
    #[must_use]
    pub fn device(mut self, device: &str) -> Self {
        device.clone_into(&mut self.0.device);
        self
    }

    /// The user said this about it.
    #[must_use]
    pub fn confirmed(mut self, confirmation: Confirmation) -> Self {
        self.0.confirmation = confirmation;
        self
    }
}

/// A login that is asked about, at the host's time.
///
/// # Panics
///
/// If the address is none.
pub fn login(remote: &str, login: &str) -> Login {
    #[expect(clippy::expect_used, reason = "for tests, where a panic is the way to fail")]
    let remote: IpAddr = remote.parse().expect("an IP address");
    Login {
        t: with(|state| state.now),
        remote: IpAddress::from(remote),
        login: login.to_owned(),
        pwhash: String::new(),
        device_id: String::new(),
        protocol: "imap".to_owned(),
        session_id: String::new(),
        fail_type: String::new(),
        success: false,
        policy_reject: false,
        tls: true,
    }
}

/// The report of a login with a wrong password.
pub fn failed(remote: &str, name: &str, pwhash: &str) -> Login {
    Login { pwhash: pwhash.to_owned(), fail_type: "credentials".to_owned(), ..login(remote, name) }
}

/// The report of a login with the right password.
pub fn succeeded(remote: &str, name: &str) -> Login {
    Login { pwhash: "right".to_owned(), success: true, ..login(remote, name) }
}
