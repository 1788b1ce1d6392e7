//! Which of the daemons this is.

/// The daemons. They share most of their parts; what one of them has and another has not asks for this.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Daemon {
    /// Decides logins in real time.
    Wforce,
    /// Remembers reports for long, and looks through them.
    Trackalert,
    /// Passes on what siblings send.
    Replfwd,
}

impl Daemon {
    /// All of them.
    pub const ALL: [Daemon; 3] = [Daemon::Wforce, Daemon::Trackalert, Daemon::Replfwd];

    /// Its name: of the program, of its configuration file, in logs, and the first word of its metrics.
    pub fn name(self) -> &'static str {
        match self {
            Daemon::Wforce => "wforce",
            Daemon::Trackalert => "trackalert",
            Daemon::Replfwd => "replfwd",
        }
    }
}

impl std::fmt::Display for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
