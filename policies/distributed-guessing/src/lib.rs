//! Distributed guessing: stops many networks that guess at one login, each a little. See README.md.

mod settings;
#[cfg(test)]
mod tests;

use known_good::{KnownGood, counts, password};
use portcullis::stats::{Db, Distinct};
use portcullis::{Forget, Login, Policy, Result, Verdict};

use settings::Settings;

/// The policy.
pub struct DistributedGuessing {
    settings: Settings,
    counts: Db,
    /// Different networks that a login failed from.
    networks: Distinct,
    /// Different wrong passwords.
    passwords: Distinct,
    known: KnownGood,
}

#[portcullis::policy]
impl Policy for DistributedGuessing {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        settings.check()?;
        let counts = Db::open("guessing")?;
        let (networks, passwords) = (counts.distinct("networks"), counts.distinct("passwords"));
        Ok(Self { settings, counts, networks, passwords, known: KnownGood::open()? })
    }

    fn report(&mut self, login: &Login) -> Result<()> {
        if !counts(login) {
            return Ok(());
        }
        if login.success {
            return self.known.note(login);
        }
        if self.known.here(login)? {
            // Its owner's mistake, most likely.
            return Ok(());
        }
        let (network, tried) = (login.remote.network(24, 48), password(login));
        self.counts.batch([
            self.networks.plus(&login.login, &network),
            self.passwords.plus(&login.login, &*tried),
        ])?;
        Ok(())
    }

    fn allow(&mut self, login: &Login) -> Result<Verdict> {
        let limit = &self.settings;
        let [networks, passwords] =
            self.counts.batch([self.networks.of(&login.login), self.passwords.of(&login.login)])?;
        // A phone on the road brings one stale password through many networks; a guesser in one place is another policy's.
        let guesses = networks.min(passwords);
        if guesses <= limit.wait || self.known.here(login)? {
            return Ok(Verdict::pass());
        }
        let verdict = if guesses > limit.block && !self.known.nearby(login)? {
            Verdict::deny("Too many failed logins - try again later").log("guessing_block")
        } else {
            Verdict::wait(limit.seconds).log("guessing_wait")
        };
        Ok(verdict.attr("networks", networks).attr("different_passwords", passwords))
    }

    fn reset(&mut self, what: &Forget) -> Result<bool> {
        if let Some(login) = &what.login {
            self.counts.reset(login)?;
        }
        Ok(what.ip.is_some() || what.login.is_some())
    }
}
