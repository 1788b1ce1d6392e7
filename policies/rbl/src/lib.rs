//! RBL: slows down addresses that DNS block lists name, and stops those that guess besides. See README.md.

mod settings;
#[cfg(test)]
mod tests;

use known_good::{KnownGood, counts};
use portcullis::dns::Resolver;
use portcullis::stats::{Db, Distinct, Int};
use portcullis::{Forget, IpAddress, Login, Policy, Result, Verdict};

use settings::{Settings, Zone};

/// The policy.
pub struct Rbl {
    settings: Settings,
    resolver: Resolver,
    counts: Db,
    /// Failed logins of an address.
    failures: Int,
    cache: Db,
    /// The zones that were asked about an address.
    asked: Distinct,
    /// The zones that name it.
    listed: Distinct,
    known: KnownGood,
}

impl Rbl {
    /// The first zone that names an address. What a zone said is good for a while: most addresses log in again and again.
    fn listed_in(&self, remote: IpAddress) -> Result<Option<&Zone>> {
        for zone in &self.settings.zones {
            let key = format!("{remote} {}", zone.name);
            let [asked, listed] = self.cache.batch([self.asked.of(&key), self.listed.of(&key)])?;
            let listed = if asked > 0 {
                listed > 0
            } else {
                let answers = self.resolver.rbl(remote, &zone.name, self.settings.retries)?;
                let listed = answers.iter().any(|answer| zone.counts(*answer));
                self.asked.add(&key, 1)?;
                if listed {
                    self.listed.add(&key, 1)?;
                }
                listed
            };
            if listed {
                return Ok(Some(zone));
            }
        }
        Ok(None)
    }
}

#[portcullis::policy]
impl Policy for Rbl {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        let settings = settings.checked()?;
        let resolver = Resolver::open(&settings.resolver)?;
        let (counts, cache) = (Db::open("rbl_failures")?, Db::open("rbl_cache")?);
        let failures = counts.int("failures");
        let (asked, listed) = (cache.distinct("asked"), cache.distinct("listed"));
        Ok(Self { settings, resolver, counts, failures, cache, asked, listed, known: KnownGood::open()? })
    }

    fn report(&mut self, login: &Login) -> Result<()> {
        if !counts(login) {
            return Ok(());
        }
        if login.success {
            return self.known.note(login);
        }
        self.failures.add(login.remote, 1)?;
        Ok(())
    }

    fn allow(&mut self, login: &Login) -> Result<Verdict> {
        // Before the question to the network, the one that costs nothing.
        if login.remote.is_private() || self.known.here(login)? {
            return Ok(Verdict::pass());
        }
        let Some(zone) = self.listed_in(login.remote)? else { return Ok(Verdict::pass()) };
        let failures = self.failures.get(login.remote)?;
        let verdict = if failures >= self.settings.block_failures {
            Verdict::deny("Your address is on a block list").log("rbl_block")
        } else {
            Verdict::wait(self.settings.seconds).log("rbl_wait")
        };
        Ok(verdict.attr("rbl", &zone.name).attr("failures", failures))
    }

    fn reset(&mut self, what: &Forget) -> Result<bool> {
        if let Some(ip) = what.ip {
            self.counts.reset(ip)?;
            for zone in &self.settings.zones {
                // It is asked again: the address may have been taken off the list.
                self.cache.reset(&format!("{ip} {}", zone.name))?;
            }
        }
        Ok(what.ip.is_some() || what.login.is_some())
    }
}
