//! Password spray: stops whoever tries few passwords at many logins. See README.md.

mod settings;
#[cfg(test)]
mod tests;

use known_good::{KnownGood, counts};
use portcullis::stats::{Db, Distinct};
use portcullis::{Forget, Login, Policy, Result, Verdict};

use settings::Settings;

/// The key under which failures of everybody are counted. No address and no hash looks like it.
const EVERYBODY: &str = "everybody";

/// The policy.
pub struct PasswordSpray {
    settings: Settings,
    counts: Db,
    /// Different logins that failed, by address, by hash, and of everybody.
    failed: Distinct,
    /// Different logins that succeeded, by address.
    good: Distinct,
    known: KnownGood,
}

fn hash_key(login: &Login) -> String {
    format!("hash {}", login.pwhash)
}

#[portcullis::policy]
impl Policy for PasswordSpray {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        settings.check()?;
        let counts = Db::open("password_spray")?;
        let (failed, good) = (counts.distinct("failed"), counts.distinct("good"));
        Ok(Self { settings, counts, failed, good, known: KnownGood::open()? })
    }

    fn report(&mut self, login: &Login) -> Result<()> {
        if !counts(login) {
            return Ok(());
        }
        if login.success {
            self.good.add(login.remote, &login.login)?;
            return self.known.note(login);
        }
        if self.known.here(login)? {
            // Its owner's mistake, most likely.
            return Ok(());
        }
        let hash = hash_key(login);
        let steps = [
            self.failed.plus(login.remote, &login.login),
            self.failed.plus(EVERYBODY, &login.login),
            self.failed.plus(&hash, &login.login),
        ];
        self.counts.batch_all(steps.into_iter().take(if login.pwhash.is_empty() { 2 } else { 3 }))?;
        Ok(())
    }

    fn allow(&mut self, login: &Login) -> Result<Verdict> {
        let limit = &self.settings;
        let hash = hash_key(login);
        let [failed, good, by_hash, everybody] = self.counts.batch([
            self.failed.of(login.remote),
            self.good.of(login.remote),
            self.failed.of(&hash),
            self.failed.of(EVERYBODY),
        ])?;
        // Behind an address from which many logins succeed, some always fail.
        let by_address = failed.saturating_sub(good.saturating_mul(limit.credit));
        // Short hashes are the same for different passwords: so many of everybody's failures fall on this one by chance.
        let chance = f64::from(everybody) / f64::from(limit.hash_bits).exp2();
        let by_hash = f64::from(by_hash) - 4.0 * chance;

        let address_waits = by_address > limit.address_wait;
        let hash_waits = !login.pwhash.is_empty() && by_hash > f64::from(limit.hash_wait);
        if (!address_waits && !hash_waits) || self.known.here(login)? {
            return Ok(Verdict::pass());
        }
        let of = |verdict: Verdict, log: &str| {
            Ok(verdict.log(log).attr("failed_logins", failed).attr("good_logins", good))
        };
        if by_address > limit.address_block {
            return of(
                Verdict::deny("Too many failed logins from your address - try again later"),
                "spray_address_block",
            );
        }
        if hash_waits && by_hash > f64::from(limit.hash_block) {
            return of(Verdict::deny("Too many failed logins - try again later"), "spray_hash_block");
        }
        if address_waits {
            return of(Verdict::wait(limit.address_seconds), "spray_address_wait");
        }
        of(Verdict::wait(limit.hash_seconds), "spray_hash_wait")
    }

    fn reset(&mut self, what: &Forget) -> Result<bool> {
        // What is counted for a hash has no owner who could ask for it to be forgotten.
        if let Some(ip) = what.ip {
            self.counts.reset(ip)?;
        }
        Ok(what.ip.is_some() || what.login.is_some())
    }
}
