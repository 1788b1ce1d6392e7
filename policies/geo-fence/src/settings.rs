//! The fences.

use std::collections::BTreeMap;

use portcullis::{Failure, Result, settings};
use serde::Deserialize;

/// Settings of the policy; README.md says what each is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The name of the `GeoIP` database.
    pub database: String,
    /// Countries that logins may come from; empty: all that are not denied.
    #[serde(deserialize_with = "settings::list")]
    pub allow: Vec<String>,
    /// Countries that they may not come from.
    #[serde(deserialize_with = "settings::list")]
    pub deny: Vec<String>,
    /// Fences of their own, by domain of the login.
    #[serde(deserialize_with = "settings::map")]
    pub domains: BTreeMap<String, Fence>,
    /// What happens to an address whose country is not known.
    pub unknown: Unknown,
    /// How long a login from outside has to wait; 0: it is refused.
    pub wait_seconds: u32,
}

/// Countries as ISO codes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fence {
    /// Those that logins may come from; empty: all that are not denied.
    #[serde(deserialize_with = "settings::list")]
    pub allow: Vec<String>,
    /// Those that they may not come from.
    #[serde(deserialize_with = "settings::list")]
    pub deny: Vec<String>,
}

/// What happens to an address whose country is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// It is inside of every fence.
    Pass,
    /// It is outside of every fence.
    Deny,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            database: "Country".to_owned(),
            allow: Vec::new(),
            deny: Vec::new(),
            domains: BTreeMap::new(),
            unknown: Unknown::Pass,
            wait_seconds: 0,
        }
    }
}

impl Fence {
    /// Whether it keeps nobody out.
    pub fn is_open(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }

    /// Whether a country is inside.
    pub fn contains(&self, country: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|code| code == country);
        !named(&self.deny) && (self.allow.is_empty() || named(&self.allow))
    }
}

impl Settings {
    /// Refuses what cannot be meant, and brings domains into one spelling.
    pub fn checked(mut self) -> Result<Self> {
        check("allow", &self.allow)?;
        check("deny", &self.deny)?;
        let mut domains = BTreeMap::new();
        for (domain, fence) in self.domains {
            check(&format!("domains.{domain}.allow"), &fence.allow)?;
            check(&format!("domains.{domain}.deny"), &fence.deny)?;
            domains.insert(domain.to_lowercase(), fence);
        }
        self.domains = domains;
        if self.allow.is_empty() && self.deny.is_empty() && self.domains.values().all(Fence::is_open) {
            return Err(Failure::new(
                "no fence: set \"allow\" or \"deny\", for all or for one of \"domains\"",
            ));
        }
        Ok(self)
    }
}

/// Refuses what is no country: a fence with a mistake in it would lock out a whole country, or let it in.
fn check(setting: &str, countries: &[String]) -> Result<()> {
    for code in countries {
        if code.len() != 2 || !code.bytes().all(|letter| letter.is_ascii_uppercase()) {
            return Err(Failure::new(format!(
                "setting {setting:?}: {code:?} is no country: write two capital letters, as \"DE\" (ISO 3166-1)"
            )));
        }
        if code == "UK" {
            return Err(Failure::new(format!("setting {setting:?}: the United Kingdom is \"GB\"")));
        }
    }
    Ok(())
}
