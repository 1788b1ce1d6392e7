//! Which daemons have a function.

use capabilities::Daemon;

use super::Group;

/// A set of daemons.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Daemons(u8);

impl Daemons {
    /// Only `wforce`.
    pub const WFORCE: Daemons = Daemons::of(Daemon::Wforce);
    /// Only `trackalert`.
    pub const TRACKALERT: Daemons = Daemons::of(Daemon::Trackalert);
    /// Only `replfwd`.
    pub const REPLFWD: Daemons = Daemons::of(Daemon::Replfwd);
    /// `wforce` and `trackalert`: the two with policies.
    pub const POLICIES: Daemons = Daemons::WFORCE.and(Daemons::TRACKALERT);
    /// Every daemon.
    pub const ALL: Daemons = Daemons::POLICIES.and(Daemons::REPLFWD);

    const fn of(daemon: Daemon) -> Daemons {
        Daemons(1 << daemon as u8)
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, others: Daemons) -> Daemons {
        Daemons(self.0 | others.0)
    }

    /// Whether this one is among them.
    pub const fn contains(self, daemon: Daemon) -> bool {
        self.0 & Daemons::of(daemon).0 != 0
    }

    /// Whether the two sets share a daemon.
    pub const fn meets(self, others: Daemons) -> bool {
        self.0 & others.0 != 0
    }

    /// Their names: `wforce and trackalert`.
    pub fn names(self) -> String {
        let names: Vec<&str> =
            Daemon::ALL.into_iter().filter(|daemon| self.contains(*daemon)).map(Daemon::name).collect();
        names.join(" and ")
    }
}

impl Group {
    /// Who has the functions of a topic, those that say something else excepted.
    pub(super) const fn daemons(self) -> Daemons {
        match self {
            Group::Server
            | Group::Policies
            | Group::Addresses
            | Group::GeoIp
            | Group::Logging
            | Group::Webhooks
            | Group::Alerts
            | Group::Reports
            | Group::Console => Daemons::POLICIES,
            Group::Jobs => Daemons::TRACKALERT,
            Group::Hooks
            | Group::Stats
            | Group::Lists
            | Group::Dns
            | Group::Replication
            | Group::ReportSinks
            | Group::Redis => Daemons::WFORCE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_know_their_members() {
        assert!(Daemons::POLICIES.contains(Daemon::Wforce) && Daemons::POLICIES.contains(Daemon::Trackalert));
        assert!(!Daemons::POLICIES.contains(Daemon::Replfwd));
        assert!(Daemons::ALL.meets(Daemons::REPLFWD) && !Daemons::POLICIES.meets(Daemons::REPLFWD));
        assert_eq!(Daemons::POLICIES.names(), "wforce and trackalert");
    }
}
