//! What the shipped policies share: where a login succeeded lately, and which reports count.
//!
//! The stats DB `known_good` (14 windows of a day, one `hll` field `good`) has two keys for each login that succeeded: its network
//! (/24, IPv6 /48) and the wider one around it (/16, IPv6 /32). All policies of a chain write the same values, so that a
//! chain of several knows no more and no less than one alone.

use std::borrow::Cow;

use portcullis::stats::{Db, Distinct};
use portcullis::{Login, Result};

/// The name of the stats DB.
pub const DB: &str = "known_good";

/// Where logins succeeded within the last 14 days.
pub struct KnownGood {
    db: Db,
    good: Distinct,
}

fn key(login: &Login, v4_bits: u8, v6_bits: u8) -> String {
    let mut key = String::with_capacity(20 + login.login.len());
    login.remote.write_network(&mut key, v4_bits, v6_bits);
    key.push(':');
    key.push_str(&login.login);
    key
}

/// The key of the network that a login comes from. Wider than an address: dial-up customers change theirs daily.
fn network(login: &Login) -> String {
    key(login, 24, 48)
}

/// The key of the part of a provider that a login comes from.
fn neighbourhood(login: &Login) -> String {
    key(login, 16, 32)
}

impl KnownGood {
    /// Opens the stats DB.
    ///
    /// # Errors
    ///
    /// If there is none, or the policy may not touch it.
    pub fn open() -> Result<Self> {
        let db = Db::open(DB)?;
        let good = db.distinct("good");
        Ok(Self { db, good })
    }

    /// Notes that a login succeeded.
    ///
    /// # Errors
    ///
    /// If the stats DB does not answer.
    pub fn note(&self, login: &Login) -> Result<()> {
        self.db.batch([self.good.plus(&network(login), 1), self.good.plus(&neighbourhood(login), 1)])?;
        Ok(())
    }

    /// Whether this login succeeded from this network.
    ///
    /// # Errors
    ///
    /// If the stats DB does not answer.
    pub fn here(&self, login: &Login) -> Result<bool> {
        Ok(self.good.get(&network(login))? > 0)
    }

    /// Whether this login succeeded from this part of its provider.
    ///
    /// # Errors
    ///
    /// If the stats DB does not answer.
    pub fn nearby(&self, login: &Login) -> Result<bool> {
        Ok(self.good.get(&neighbourhood(login))? > 0)
    }
}

/// Whether a report says anything about who tried: not if a policy refused the login, so that nobody looked at the password, and
/// not if it failed because of the server, or an outage would lock everybody out.
#[must_use]
pub fn counts(login: &Login) -> bool {
    !login.policy_reject && (login.success || login.fail_type != "internal")
}

/// What tells two passwords apart. Of a client that sends no hash every failure counts as another password.
#[must_use]
pub fn password(login: &Login) -> Cow<'_, str> {
    if login.pwhash.is_empty() {
        Cow::Owned(format!("at {:.0}", (login.t * 1000.0).floor()))
    } else {
        Cow::Borrowed(&login.pwhash)
    }
}

#[cfg(test)]
mod tests {
    use portcullis::testing::{FieldType, Host, failed, login, succeeded};

    use super::{DB, KnownGood, counts, password};

    #[test]
    fn a_success_is_remembered_for_its_network_and_the_one_around_it() {
        let mut host = Host::new();
        host.stats(DB, 86400, 14, &[("good", FieldType::Hll)]);
        let known = KnownGood::open().unwrap();
        known.note(&succeeded("192.0.2.1", "alice")).unwrap();
        known.note(&succeeded("2001:db8:1:2::3", "alice")).unwrap();
        for (remote, name, here, nearby) in [
            ("192.0.2.200", "alice", true, true),
            ("192.0.3.1", "alice", false, true),
            ("192.1.2.1", "alice", false, false),
            ("2001:db8:1:ffff::1", "alice", true, true),
            ("2001:db8:2::1", "alice", false, true),
            ("192.0.2.1", "bob", false, false),
        ] {
            let who = login(remote, name);
            assert_eq!(
                (known.here(&who).unwrap(), known.nearby(&who).unwrap()),
                (here, nearby),
                "{remote} {name}"
            );
        }
        host.advance(14.0 * 86400.0);
        assert!(!known.here(&login("192.0.2.1", "alice")).unwrap());
    }

    #[test]
    fn refusals_and_outages_say_nothing_about_a_login() {
        let mut refused = failed("192.0.2.1", "alice", "x");
        assert!(counts(&refused));
        refused.policy_reject = true;
        assert!(!counts(&refused));
        let mut outage = failed("192.0.2.1", "alice", "x");
        outage.fail_type = "internal".to_owned();
        assert!(!counts(&outage));
    }

    #[test]
    fn without_a_hash_each_failure_is_another_password() {
        let mut host = Host::new();
        let one = failed("192.0.2.1", "alice", "");
        host.advance(1.0);
        let other = failed("192.0.2.1", "alice", "");
        assert_ne!(password(&one), password(&other));
        assert_eq!(password(&failed("192.0.2.1", "alice", "ab12")), "ab12");
    }
}
