//! Office NAT: vouches for an address that many people share, so that other policies do not punish them all for what one does.
//! See README.md.

mod settings;
#[cfg(test)]
mod tests;

use known_good::{KnownGood, counts, password};
use portcullis::stats::{Db, Distinct};
use portcullis::{Forget, Login, Policy, Result, Verdict};

use settings::Settings;

/// The policy.
pub struct OfficeNat {
    settings: Settings,
    /// Different logins that succeeded from an address.
    people: Distinct,
    hour: Db,
    /// Different logins that failed from an address and never succeeded from its network.
    strangers: Distinct,
    /// Different wrong passwords of a login from an address.
    different: Distinct,
    known: KnownGood,
}

#[portcullis::policy]
impl Policy for OfficeNat {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        settings.check()?;
        let (week, hour) = (Db::open("office_week")?, Db::open("office_hour")?);
        let people = week.distinct("people");
        let (strangers, different) = (hour.distinct("strangers"), hour.distinct("different"));
        Ok(Self { settings, people, hour, strangers, different, known: KnownGood::open()? })
    }

    fn report(&mut self, login: &Login) -> Result<()> {
        if !counts(login) {
            return Ok(());
        }
        let pair = login.pair();
        if login.success {
            self.hour.reset(&pair)?;
            self.people.add(login.remote, &login.login)?;
            return self.known.note(login);
        }
        self.different.add(&pair, &*password(login))?;
        if !self.known.here(login)? {
            self.strangers.add(login.remote, &login.login)?;
        }
        Ok(())
    }

    fn allow(&mut self, login: &Login) -> Result<Verdict> {
        let limit = &self.settings;
        let people = self.people.get(login.remote)?;
        if people < limit.people {
            return Ok(Verdict::pass());
        }
        let pair = login.pair();
        let [strangers, different] =
            self.hour.batch([self.strangers.of(login.remote), self.different.of(&pair)])?;
        if different > limit.passwords {
            // Whoever this is, the others of the chain shall judge.
            return Ok(Verdict::pass());
        }
        let usual = limit.strangers.saturating_add(people.saturating_mul(limit.strangers_percent) / 100);
        if strangers > usual && !self.known.here(login)? {
            // The office itself has become a source of attacks; for those who belong there it still vouches.
            return Ok(Verdict::pass());
        }
        Ok(Verdict::allow().log("office").attr("office_people", people))
    }

    fn reset(&mut self, what: &Forget) -> Result<bool> {
        if let Some(ip) = what.ip {
            self.hour.reset(ip)?;
            if let Some(login) = &what.login {
                self.hour.reset(&format!("{ip}:{login}"))?;
            }
        }
        Ok(what.ip.is_some() || what.login.is_some())
    }
}
