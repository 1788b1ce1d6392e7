//! The kinds of entries and their names, which differ from place to place.

/// Which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Colour {
    /// The blacklist.
    Black = 0,
    /// The whitelist.
    White = 1,
}

/// What an entry matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An address or a network.
    Ip = 0,
    /// A login.
    Login = 1,
    /// A JA3 hash.
    Ja3 = 2,
    /// An address together with a login.
    IpLogin = 3,
    /// An address together with a JA3 hash.
    IpJa3 = 4,
}

impl Kind {
    /// All kinds, in the order in which a login is checked.
    pub const ALL: [Self; 5] = [Self::Ip, Self::Login, Self::Ja3, Self::IpLogin, Self::IpJa3];
    /// All kinds, in the order in which `getBL` and `getWL` list them.
    pub const LISTING: [Self; 5] = [Self::Ip, Self::Login, Self::IpLogin, Self::Ja3, Self::IpJa3];

    /// The name in `getBL`, in `r_attrs` and in metrics: `ip login ja3 iplogin ipja3`.
    pub fn api_name(self) -> &'static str {
        ["ip", "login", "ja3", "iplogin", "ipja3"][self as usize]
    }

    /// The name in logs, webhooks, replication and Redis keys: `ip login ja3 ip_login ip_ja3`.
    pub fn type_name(self) -> &'static str {
        ["ip", "login", "ja3", "ip_login", "ip_ja3"][self as usize]
    }

    /// The name in the phrase of the allow log line: `IP Login JA3 IPLogin IPJA3`.
    pub fn phrase_name(self) -> &'static str {
        ["IP", "Login", "JA3", "IPLogin", "IPJA3"][self as usize]
    }

    /// The message of a hit unless another one was set.
    pub(super) fn default_message(self, colour: Colour) -> String {
        let what = match (self, colour) {
            (Self::Ip, _) => "IP Address",
            (Self::Login, _) => "Login Name",
            (Self::Ja3, _) => "JA3 Hash",
            (Self::IpLogin, _) => "IP/Login Tuple",
            (Self::IpJa3, Colour::Black) => "IP/JA3 Hash Tuple",
            (Self::IpJa3, Colour::White) => "IP/JA3 Hash",
        };
        match colour {
            Colour::Black => format!("Temporarily blacklisted {what} - try again later"),
            Colour::White => format!("Whitelisted {what}"),
        }
    }
}
