//! Impossible travel: refuses a login that is farther away than its owner can have travelled. See README.md.

mod place;
mod settings;
#[cfg(test)]
mod tests;

use known_good::KnownGood;
use portcullis::geoip::Database;
use portcullis::stats::{Db, Int};
use portcullis::{Forget, Login, Policy, Result, Verdict};

use place::{Country, Place, minute};
use settings::Settings;

/// The policy.
pub struct ImpossibleTravel {
    settings: Settings,
    places: Database,
    tracks: Db,
    place: Int,
    minute: Int,
    country: Int,
    known: KnownGood,
}

/// Where and when somebody was last.
struct Seen {
    place: Place,
    minute: i32,
    country: Country,
}

/// The track of one device of a login. What a client says about itself has no slashes at its beginning.
fn device_key(login: &Login) -> String {
    format!("{}//{}", login.login, login.device_id)
}

impl ImpossibleTravel {
    /// Where the database sees an address; `None` if it does not know.
    fn locate(&self, login: &Login) -> Option<(Place, Country)> {
        if login.remote.is_private() {
            return None;
        }
        let country = Country::parse(&self.places.text(login.remote, &["country", "iso_code"]))?;
        let degrees = |which| self.places.double(login.remote, &["location", which]);
        Place::new(degrees("latitude"), degrees("longitude")).map(|place| (place, country))
    }

    fn last_seen(&self, key: &str) -> Result<Option<Seen>> {
        let [place, minute, country] =
            self.tracks.batch([self.place.of(key), self.minute.of(key), self.country.of(key)])?;
        Ok(Place::unpack(place).map(|place| Seen { place, minute, country: Country(country) }))
    }

    /// Puts a track to a new place. The sum of a field over all windows is the value it was set to last, because all of the key is
    /// set to nothing before.
    fn put(&self, key: &str, place: Place, country: Country, now: i32) -> Result<()> {
        if let Some(seen) = self.last_seen(key)?
            && seen.place == place
            && now - seen.minute < self.settings.precision_minutes
        {
            return Ok(());
        }
        self.tracks.reset(key)?;
        self.tracks.batch([
            self.place.plus(key, place.pack()),
            self.minute.plus(key, now),
            self.country.plus(key, country.0),
        ])?;
        Ok(())
    }
}

#[portcullis::policy]
impl Policy for ImpossibleTravel {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        settings.check()?;
        let places = Database::open(&settings.database)?;
        let tracks = Db::open("tracks")?;
        let (place, minute, country) = (tracks.int("place"), tracks.int("minute"), tracks.int("country"));
        Ok(Self { settings, places, tracks, place, minute, country, known: KnownGood::open()? })
    }

    fn report(&mut self, login: &Login) -> Result<()> {
        if !login.success || login.policy_reject {
            return Ok(());
        }
        if let Some((place, country)) = self.locate(login) {
            let now = minute(login.t);
            self.put(&login.login, place, country, now)?;
            if !login.device_id.is_empty() {
                self.put(&device_key(login), place, country, now)?;
            }
        }
        self.known.note(login)
    }

    fn allow(&mut self, login: &Login) -> Result<Verdict> {
        let Some((place, country)) = self.locate(login) else { return Ok(Verdict::pass()) };
        // A device that is known has its own track: a machine that stays at home does not hold back the phone that travels.
        let own = if login.device_id.is_empty() { None } else { self.last_seen(&device_key(login))? };
        let Some(seen) = (match own {
            Some(seen) => Some(seen),
            None => self.last_seen(&login.login)?,
        }) else {
            return Ok(Verdict::pass());
        };
        let limit = &self.settings;
        if limit.same_country && seen.country == country {
            return Ok(Verdict::pass());
        }
        let km = seen.place.km_to(place);
        if km < f64::from(limit.min_km) {
            return Ok(Verdict::pass());
        }
        let hours = f64::from((minute(login.t) - seen.minute).max(1)) / 60.0;
        if km / hours <= f64::from(limit.kmh) || self.known.here(login)? {
            return Ok(Verdict::pass());
        }
        let verdict = if limit.wait_seconds > 0 {
            Verdict::wait(limit.wait_seconds)
        } else {
            Verdict::deny("You logged in from far away a short time ago - try again later")
        };
        Ok(verdict
            .log("impossible_travel")
            .attr("from", seen.country)
            .attr("to", country)
            .attr("km", format!("{km:.0}"))
            .attr("minutes", format!("{:.0}", hours * 60.0)))
    }

    fn reset(&mut self, what: &Forget) -> Result<bool> {
        if let Some(login) = &what.login {
            self.tracks.reset(login)?;
        }
        Ok(what.ip.is_some() || what.login.is_some())
    }
}
