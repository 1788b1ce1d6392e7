//! Every hook of the contract, each doing something that a test can see.

use portcullis::stats::{Db, Int};
use portcullis::{Error, Failure, Forget, Login, NoSettings, Policy, Reply, Result, Verdict};

/// Counts what happened to it, where there is a stats DB: trackalert has none.
pub struct AllHooks {
    stats: core::result::Result<(Db, Int), Error>,
}

impl AllHooks {
    fn stats(&self) -> Result<&(Db, Int)> {
        self.stats.as_ref().map_err(|error| Failure::new(error))
    }
}

#[portcullis::policy]
impl Policy for AllHooks {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        let stats = Db::open("all_hooks").map(|db| (db.clone(), db.int("seen")));
        Ok(Self { stats })
    }

    fn allow(&mut self, login: &Login) -> Result<Verdict> {
        let seen = self.stats()?.1.get(&login.login)?;
        Ok(if seen > 0 { Verdict::wait(7).log("seen").attr("seen", seen) } else { Verdict::pass() })
    }

    fn report(&mut self, login: &Login) -> Result<()> {
        Ok(self.stats()?.1.add(&login.login, 1)?)
    }

    fn reset(&mut self, what: &Forget) -> Result<bool> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let ip = what.ip.map(|ip| ip.to_string());
        portcullis::info!("asked to forget"; ip = text(&ip), login = text(&what.login), ja3 = text(&what.ja3));
        let Some(login) = &what.login else { return Ok(false) };
        self.stats()?.0.reset(login)?;
        Ok(true)
    }

    fn canonicalize(&mut self, login: &str) -> Result<String> {
        Ok(login.trim().to_lowercase())
    }

    fn post(
        &mut self,
        name: &str,
        attrs: &[(String, String)],
        multi: &[(String, Vec<String>)],
    ) -> Result<Reply> {
        if name != "mirror" {
            return Err(Failure::new(format!("no POST endpoint is called {name:?}")));
        }
        let joined = multi.iter().map(|(name, values)| (name.clone(), values.join("+")));
        let attrs: Vec<_> = attrs.iter().cloned().chain(joined).collect();
        Ok(Reply { success: attrs.iter().all(|(name, _)| name != "refuse"), attrs })
    }

    fn get(&mut self, name: &str) -> Result<String> {
        Ok(format!("{} keys, says {name}", self.stats()?.0.size()?))
    }

    fn background(&mut self, job: &str) -> Result<()> {
        portcullis::info!("a component's job ran"; job = job);
        Ok(())
    }
}
