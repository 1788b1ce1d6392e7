//! Geo-fence: lets logins in only from the countries they belong to. See README.md.

mod settings;
#[cfg(test)]
mod tests;

use portcullis::geoip::Database;
use portcullis::{Login, Policy, Result, Verdict};

use settings::{Fence, Settings, Unknown};

/// The policy.
pub struct GeoFence {
    settings: Settings,
    places: Database,
}

#[portcullis::policy]
impl Policy for GeoFence {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        let settings = settings.checked()?;
        let places = Database::open(&settings.database)?;
        Ok(Self { settings, places })
    }

    fn allow(&mut self, login: &Login) -> Result<Verdict> {
        if login.remote.is_private() {
            return Ok(Verdict::pass());
        }
        let Settings { allow, deny, domains, unknown, wait_seconds, .. } = &self.settings;
        let general = Fence { allow: allow.clone(), deny: deny.clone() };
        let domain = login.domain().to_lowercase();
        let fence = domains.get(&domain).unwrap_or(&general);
        if fence.is_open() {
            return Ok(Verdict::pass());
        }
        let country = self.places.text(login.remote, &["country", "iso_code"]);
        let (inside, told) = if country.is_empty() {
            (*unknown == Unknown::Pass, "unknown")
        } else {
            (fence.contains(&country), country.as_str())
        };
        if inside {
            return Ok(Verdict::pass());
        }
        let verdict = if *wait_seconds > 0 {
            Verdict::wait(*wait_seconds)
        } else {
            Verdict::deny("Logins from your country are not allowed")
        };
        Ok(verdict.log("geo_fence").attr("country", told))
    }
}
