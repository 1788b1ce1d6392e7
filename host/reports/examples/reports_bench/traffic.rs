//! Reports as a mail provider sees them: users with habits, guessing machines, a day's rhythm.

use std::sync::Arc;

use portcullis_reports::{Ids, Place, Report};

/// Milliseconds of a day.
pub const DAY: i64 = 86_400_000;

/// A small generator: the data is the same in every run and on every machine.
pub struct Dice(u64);

impl Dice {
    /// One that begins here.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % sides.max(1)
    }
}

const COUNTRIES: [(&str, &str, &[&str]); 12] = [
    ("NL", "Netherlands", &["Amsterdam", "Delft", "Utrecht", "Groningen"]),
    ("DE", "Germany", &["Berlin", "Köln", "München", "Hamburg"]),
    ("FR", "France", &["Paris", "Lyon", "Lille"]),
    ("GB", "United Kingdom", &["London", "Leeds"]),
    ("US", "United States", &["New York", "Chicago", "Dallas", "Seattle"]),
    ("BE", "Belgium", &["Brussels", "Gent"]),
    ("IT", "Italy", &["Roma", "Milano"]),
    ("ES", "Spain", &["Madrid", "Sevilla"]),
    ("PL", "Poland", &["Warszawa", "Gdańsk"]),
    ("BR", "Brazil", &["São Paulo", "Recife"]),
    ("IN", "India", &["Mumbai", "Delhi"]),
    ("JP", "Japan", &["京都", "東京"]),
];
const BROWSERS: [&str; 5] = ["Firefox", "Chrome", "Safari", "Edge", "Opera"];
const SYSTEMS: [&str; 5] = ["Windows", "Mac OS X", "Linux", "iOS", "Android"];
const CLIENTS: [&str; 6] = ["Thunderbird", "iPhone Mail", "K-9 Mail", "Outlook", "Evolution", "Apple Mail"];

/// Makes reports.
pub struct Traffic {
    dice: Dice,
    ids: Ids,
    users: u64,
}

impl Traffic {
    /// Traffic of so many users.
    pub fn new(seed: u64, users: u64) -> Self {
        Self { dice: Dice::new(seed), ids: Ids::seeded(seed, seed), users }
    }

    /// A user's name.
    pub fn name(user: u64) -> String {
        format!("user{user}@example{}.com", user % 40)
    }

    fn session(&mut self) -> bstr::BString {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        (0..16).map(|_| LETTERS[self.dice.roll(64) as usize]).collect::<Vec<u8>>().into()
    }

    /// A login at this time: nine of ten by a user from one of his usual places, one of ten by a machine that guesses.
    pub fn report(&mut self, at: i64) -> Report {
        // Few users log in often, most seldom.
        let scale = self.dice.roll(1000) + 1;
        let user = self.dice.roll(self.users) * scale / 1000;
        let guess = self.dice.roll(10) == 0;
        let mut habit =
            Dice::new(if guess { 1 << 40 | self.dice.roll(3000) } else { user << 8 | self.dice.roll(3) });
        let home = habit.roll(COUNTRIES.len() as u64) as usize;
        let (country, country_name, cities) = COUNTRIES[home];
        let city = habit.roll(cities.len() as u64) as usize;
        let asn = 3000 + home as u32 * 40 + habit.roll(40) as u32;
        let web = habit.roll(3) == 0;
        let (device_id, device_attrs): (String, Vec<(&str, &str)>) = if web {
            let (browser, system) = (BROWSERS[habit.roll(5) as usize], SYSTEMS[habit.roll(5) as usize]);
            let major = 90 + habit.roll(40);
            (
                format!("Mozilla/5.0 ({system}) Gecko/20100101 {browser}/{major}.0"),
                vec![("browser.family", browser), ("os.family", system), ("device.family", "Other")],
            )
        } else {
            let client = CLIENTS[habit.roll(6) as usize];
            (
                format!("(\"name\" \"{client}\" \"version\" \"{}\")", 60 + habit.roll(60)),
                vec![("imapc.family", client)],
            )
        };
        // The last byte changes now and then, as with dynamic addresses.
        let network = habit.roll(1 << 22) as u32;
        let address = 0x0b00_0000 + (network << 8) + self.dice.roll(4) as u32;
        let remote = if habit.roll(8) == 0 {
            format!("2001:db8:{:x}:{:x}::{:x}", network >> 16, network & 0xffff, self.dice.roll(4))
        } else {
            std::net::Ipv4Addr::from(address).to_string()
        };
        let success = !guess && self.dice.roll(30) > 0;
        let login = login::Login {
            t: at as f64 / 1000.0,
            login: Self::name(user).into(),
            remote: login::Addr::parse(remote.as_bytes()).unwrap_or_default(),
            success,
            policy_reject: guess && self.dice.roll(4) == 0,
            tls: true,
            pwhash: if success {
                format!("{:04x}", user & 0xffff)
            } else {
                format!("{:04x}", self.dice.roll(1 << 16))
            }
            .into(),
            protocol: if web { "http" } else { ["imap", "smtp", "pop3"][habit.roll(3) as usize] }.into(),
            device_id: device_id.into(),
            // Dovecot's: 12 bytes as base64, different for each session.
            session_id: if web { bstr::BString::default() } else { self.session() },
            fail_type: if success { "" } else { "credentials" }.into(),
            device_attrs: Arc::new(
                device_attrs.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
            ),
            ..login::Login::default()
        };
        let mut report = Report::new(&login, at, &self.ids);
        report.place = Place {
            country: country.into(),
            country_name: country_name.into(),
            region: format!("{:02}", city + 1),
            city: cities[city].into(),
            postal_code: String::new(),
            location: Some((40.0 + home as f32 + city as f32 / 8.0, 5.0 + home as f32 * 3.0)),
        };
        report.asn = asn;
        report.as_org = format!("Network Operator {asn} Ltd");
        report
    }
}
