//! Brute force: slows down, then stops, whoever tries many *different* wrong passwords. See README.md.

mod settings;
#[cfg(test)]
mod tests;

use known_good::{KnownGood, counts, password};
use portcullis::stats::{Db, Distinct};
use portcullis::{Forget, Login, Policy, Result, Verdict};

use settings::Settings;

/// The policy.
pub struct BruteForce {
    settings: Settings,
    counts: Db,
    /// Different wrong passwords.
    different: Distinct,
    known: KnownGood,
}

#[portcullis::policy]
impl Policy for BruteForce {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        settings.check()?;
        let counts = Db::open("brute_force")?;
        let different = counts.distinct("different");
        Ok(Self { settings, counts, different, known: KnownGood::open()? })
    }

    fn report(&mut self, login: &Login) -> Result<()> {
        if !counts(login) {
            return Ok(());
        }
        let pair = login.pair();
        if login.success {
            // Only this pair is forgiven: who owns one mailbox must not be able to clear the record of an address.
            self.counts.reset(&pair)?;
            return self.known.note(login);
        }
        let tried = password(login);
        if self.known.here(login)? {
            // Its owner's mistakes, most likely. They count for this pair, but not against colleagues behind the same address.
            self.counts.batch([self.different.plus(&pair, &*tried)])?;
        } else {
            self.counts.batch([
                self.different.plus(login.remote, &*tried),
                self.different.plus(&pair, &*tried),
                self.different.plus(&login.login, &*tried),
            ])?;
        }
        Ok(())
    }

    fn allow(&mut self, login: &Login) -> Result<Verdict> {
        let limit = &self.settings;
        let pair = login.pair();
        let [by_address, by_pair, by_login] = self.counts.batch([
            self.different.of(login.remote),
            self.different.of(&pair),
            self.different.of(&login.login),
        ])?;

        if by_pair > limit.pair_block {
            return Ok(Verdict::deny("Too many failed logins - try again later")
                .log("pair_block")
                .attr("different_passwords", by_pair));
        }
        if by_pair > limit.pair_wait {
            return Ok(Verdict::wait(limit.pair_seconds)
                .log("pair_wait")
                .attr("different_passwords", by_pair));
        }
        // What remains is about others behind the same address, or others who try the same login. Where this login
        // succeeded lately from this network, its owner shall not notice.
        if by_address <= limit.address_wait && by_login <= limit.login_wait {
            return Ok(Verdict::pass());
        }
        if self.known.here(login)? {
            return Ok(Verdict::pass());
        }
        if by_address > limit.address_block {
            return Ok(Verdict::deny("Too many failed logins from your address - try again later")
                .log("address_block")
                .attr("different_passwords", by_address));
        }
        if by_address > limit.address_wait {
            return Ok(Verdict::wait(limit.address_seconds)
                .log("address_wait")
                .attr("different_passwords", by_address));
        }
        Ok(Verdict::wait(limit.login_seconds).log("login_wait").attr("different_passwords", by_login))
    }

    fn reset(&mut self, what: &Forget) -> Result<bool> {
        match (&what.ip, &what.login) {
            (Some(ip), Some(login)) => {
                self.counts.reset(&format!("{ip}:{login}"))?;
                self.counts.reset(*ip)?;
                self.counts.reset(login)?;
            }
            (Some(ip), None) => self.counts.reset(*ip)?,
            (None, Some(login)) => self.counts.reset(login)?,
            (None, None) => return Ok(false),
        }
        Ok(true)
    }
}
