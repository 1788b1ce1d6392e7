//! Block lists and what their answers mean.

use portcullis::{Failure, IpAddress, Result, settings};
use serde::Deserialize;

/// Most zones: they are asked one after the other, and the call has to end in time.
const MAX_ZONES: usize = 4;

/// Settings of the policy; README.md says what each is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The name of the resolver.
    pub resolver: String,
    /// Further servers that are asked when one does not answer.
    pub retries: u32,
    /// The block lists.
    #[serde(deserialize_with = "settings::list")]
    pub zones: Vec<Zone>,
    /// How long a login from a listed address waits.
    pub seconds: u32,
    /// So many failed logins of a listed address within an hour: no.
    pub block_failures: i32,
}

/// A block list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Its zone.
    pub name: String,
    /// Answers that count; empty: the usual ones.
    #[serde(default, deserialize_with = "settings::list")]
    pub answers: Vec<String>,
    /// The same as addresses.
    #[serde(skip)]
    parsed: Vec<IpAddress>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { resolver: "rbl".to_owned(), retries: 0, zones: Vec::new(), seconds: 5, block_failures: 3 }
    }
}

impl Settings {
    /// Refuses what cannot be meant, and reads the answers.
    pub fn checked(mut self) -> Result<Self> {
        if self.zones.is_empty() || self.zones.len() > MAX_ZONES {
            return Err(Failure::new(format!("setting \"zones\": 1 to {MAX_ZONES} block lists")));
        }
        settings::not_below_zero(&[("block_failures", self.block_failures)])?;
        for zone in &mut self.zones {
            if zone.name.is_empty() || !zone.name.contains('.') || zone.name.contains(char::is_whitespace) {
                return Err(Failure::new(format!("setting \"zones\": {:?} is no zone", zone.name)));
            }
            for answer in &zone.answers {
                let Ok(address) = answer.parse::<std::net::Ipv4Addr>() else {
                    return Err(Failure::new(format!(
                        "setting \"zones\": {answer:?} is no answer: write an address, as \"127.0.0.4\""
                    )));
                };
                zone.parsed.push(std::net::IpAddr::from(address).into());
            }
        }
        Ok(self)
    }
}

impl Zone {
    /// Whether an answer means that an address is on the list.
    ///
    /// Without a list of its own: 127.0.0.2 to 127.0.0.9. Above that, lists name addresses of customers with dial-up, which send
    /// no mail by themselves but do log in; and 127.255.255.x is how lists say that they were asked too often.
    pub fn counts(&self, answer: IpAddress) -> bool {
        if self.parsed.is_empty() {
            matches!(answer, IpAddress::Ipv4(bits) if (0x7f00_0002..=0x7f00_0009).contains(&bits))
        } else {
            self.parsed.contains(&answer)
        }
    }
}
