//! Every hook of the contract, each doing something that a test can see.

use portcullis::stats::{Db, Int};
use portcullis::{Failure, Forget, Login, NoSettings, Policy, Reply, Result, Verdict};

/// Counts what happened to it.
pub struct AllHooks {
    db: Db,
    seen: Int,
}

#[portcullis::policy]
impl Policy for AllHooks {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        let db = Db::open("all_hooks")?;
        Ok(Self { seen: db.int("seen"), db })
    }

    fn allow(&mut self, login: &Login) -> Result<Verdict> {
        let seen = self.seen.get(&login.login)?;
        Ok(if seen > 0 { Verdict::wait(7).log("seen").attr("seen", seen) } else { Verdict::pass() })
    }

    fn report(&mut self, login: &Login) -> Result<()> {
        Ok(self.seen.add(&login.login, 1)?)
    }

    fn reset(&mut self, what: &Forget) -> Result<bool> {
        let Some(login) = &what.login else { return Ok(false) };
        self.db.reset(login)?;
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
        let attrs = attrs.iter().cloned().chain(joined).collect();
        Ok(Reply { success: true, attrs })
    }

    fn get(&mut self, name: &str) -> Result<String> {
        Ok(format!("{} keys, says {name}", self.db.size()?))
    }

    fn background(&mut self, job: &str) -> Result<()> {
        Ok(self.seen.add(job, 1)?)
    }
}
