//! Where lists are kept outside.

use std::time::Duration;

use bstr::BString;

/// A Redis server for one list.
#[derive(Clone, PartialEq, Eq)]
pub struct Redis {
    /// Host and port, if it was given so.
    pub server: Option<(BString, u32)>,
    /// The servers of a URL, which goes before.
    pub target: Option<valkey::Target>,
    /// User name.
    pub username: BString,
    /// Password.
    pub password: BString,
    /// Store what siblings sent, too.
    pub replicated: bool,
    /// Seconds that a connect may take.
    pub connect_timeout_secs: i32,
    /// Seconds and microseconds that a read or write may take.
    pub rw_timeout: (i32, i32),
}

impl Redis {
    /// How the list is kept; `None`: in memory only. Times of 0 or less mean wforce's defaults.
    pub fn options(&self) -> Option<valkey::Options> {
        let target = match (&self.target, &self.server) {
            (Some(target), _) => target.clone(),
            (None, Some((host, port))) => {
                let [user, password] = [&self.username, &self.password].map(ToString::to_string);
                valkey::Target::single(&host.to_string(), u16::try_from(*port).unwrap_or(0), &user, &password)
            }
            (None, None) => return None,
        };
        let positive = |number: i32| u64::try_from(number).unwrap_or(0);
        let connect = match positive(self.connect_timeout_secs) {
            0 => Duration::from_secs(1),
            seconds => Duration::from_secs(seconds),
        };
        let (seconds, micros) = self.rw_timeout;
        let response = match Duration::from_secs(positive(seconds)) + Duration::from_micros(positive(micros))
        {
            Duration::ZERO => Duration::from_millis(100),
            response => response,
        };
        Some(valkey::Options {
            target,
            replicated: self.replicated,
            connect_timeout: connect,
            response_timeout: response,
        })
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Redis")
            .field("server", &self.server)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            server: None,
            target: None,
            username: BString::default(),
            password: BString::default(),
            replicated: false,
            connect_timeout_secs: 1,
            rw_timeout: (0, 100_000),
        }
    }
}
