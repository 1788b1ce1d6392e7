//! Refuses addresses that try many different wrong passwords.

use portcullis::stats::{Db, Distinct};
use portcullis::{Login, Policy, Result, Verdict};
use serde::Deserialize;

/// What the operator may set.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// More different wrong passwords from an address within the last hour than this: no.
    limit: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { limit: 20 }
    }
}

/// The policy.
pub struct Guard {
    limit: i32,
    different: Distinct,
}

#[portcullis::policy]
impl Policy for Guard {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        let db = Db::open("{{name}}")?;
        Ok(Self { limit: settings.limit, different: db.distinct("different") })
    }

    fn report(&mut self, login: &Login) -> Result<()> {
        // What a policy refused says nothing about the password: nobody looked at it.
        if !login.success && !login.policy_reject {
            self.different.add(login.remote, &login.pwhash)?;
        }
        Ok(())
    }

    fn allow(&mut self, login: &Login) -> Result<Verdict> {
        let different = self.different.get(login.remote)?;
        if different > self.limit {
            return Ok(Verdict::deny("Too many failed logins from your address - try again later")
                .log("{{name}}")
                .attr("different_passwords", different));
        }
        Ok(Verdict::pass())
    }
}

#[cfg(test)]
mod tests {
    use portcullis::testing::{FieldType, Host, failed, login};
    use portcullis::{Policy, Verdict};

    use super::Guard;

    #[test]
    fn many_different_passwords_are_too_many() {
        let mut host = Host::new();
        host.stats("{{name}}", 600, 6, &[("different", FieldType::Hll)]);
        let mut policy = host.load::<Guard>(r#"{"limit": 2}"#).unwrap();
        let ask = login("192.0.2.1", "alice");
        for attempt in 0..3 {
            assert_eq!(policy.allow(&ask).unwrap(), Verdict::pass());
            policy.report(&failed("192.0.2.1", "alice", &format!("hash{attempt}"))).unwrap();
        }
        assert_eq!(policy.allow(&ask).unwrap().status(), Some(-1));
        host.advance(3600.0);
        assert_eq!(policy.allow(&ask).unwrap(), Verdict::pass());
    }
}
