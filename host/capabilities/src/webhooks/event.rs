//! What can happen, and the JSON that tells of it.

use std::sync::{Arc, OnceLock};

use bstr::BString;
use bytes::Bytes;
use login::json::{ObjectWriter, write_str};
use login::{Addr, Decision, Login};

use crate::lists::{Colour, Kind};

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A login was reported.
    Report,
    /// A login was asked about and answered.
    Allow,
    /// Something was to be forgotten.
    Reset,
    /// A blacklist entry was added.
    AddBl,
    /// A blacklist entry was deleted.
    DelBl,
    /// A blacklist entry's time was over.
    ExpireBl,
    /// A whitelist entry was added.
    AddWl,
    /// A whitelist entry was deleted.
    DelWl,
    /// A whitelist entry's time was over.
    ExpireWl,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Report,
        Self::Allow,
        Self::Reset,
        Self::AddBl,
        Self::DelBl,
        Self::ExpireBl,
        Self::AddWl,
        Self::DelWl,
        Self::ExpireWl,
    ];

    /// The name in the configuration and in `X-Wforce-Event`.
    pub fn name(self) -> &'static str {
        ["report", "allow", "reset", "addbl", "delbl", "expirebl", "addwl", "delwl", "expirewl"]
            [self as usize]
    }

    pub(super) fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A login was reported.
    Report(Arc<Login>),
    /// A login was asked about, and this was the answer.
    Allow(Arc<Login>, Decision),
    /// `reset` was asked for.
    Reset {
        /// The address, else 0.0.0.0.
        ip: Addr,
        /// The canonical login, else empty.
        login: BString,
        /// The JA3 hash, else empty.
        ja3: BString,
    },
    /// An entry was added to a list.
    Added {
        /// Which list.
        colour: Colour,
        /// What it matches.
        kind: Kind,
        /// Its key.
        key: BString,
        /// How long it holds, in seconds.
        expire_secs: u32,
        /// Why.
        reason: BString,
    },
    /// An entry was deleted, or was to be.
    Deleted(Colour, Kind, BString),
    /// An entry's time was over.
    Expired(Colour, Kind, BString),
}

impl Event {
    /// Its kind.
    pub fn kind(&self) -> EventKind {
        match self {
            Event::Report(_) => EventKind::Report,
            Event::Allow(..) => EventKind::Allow,
            Event::Reset { .. } => EventKind::Reset,
            Event::Added { colour: Colour::Black, .. } => EventKind::AddBl,
            Event::Added { .. } => EventKind::AddWl,
            Event::Deleted(Colour::Black, ..) => EventKind::DelBl,
            Event::Deleted(..) => EventKind::DelWl,
            Event::Expired(Colour::Black, ..) => EventKind::ExpireBl,
            Event::Expired(..) => EventKind::ExpireWl,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        match self {
            Event::Report(login) => {
                login.write_members(&mut object);
                object.str(b"type", b"wforce_report");
            }
            Event::Allow(login, decision) => {
                login.write_json(object.member(b"request"));
                decision.write_json(object.member(b"response"));
                object.str(b"type", b"wforce_allow");
            }
            Event::Reset { ip, login, ja3 } => {
                write_str(object.member(b"ip"), &ip.text());
                object.str(b"ja3", ja3).str(b"login", login).str(b"type", b"wforce_reset");
            }
            Event::Added { colour, kind, key, expire_secs, reason } => {
                list(&mut object, *colour, *kind, b"wforce_addblwl", |object| {
                    object
                        .int(b"expire_secs", i64::from(*expire_secs))
                        .str(b"key", key)
                        .str(b"reason", reason);
                });
            }
            Event::Deleted(colour, kind, key) => {
                list(&mut object, *colour, *kind, b"wforce_delblwl", |object| {
                    object.str(b"key", key);
                });
            }
            Event::Expired(colour, kind, key) => {
                list(&mut object, *colour, *kind, b"wforce_expireblwl", |object| {
                    object.str(b"key", key);
                });
            }
        }
        object.finish();
    }

    /// About how many bytes it holds.
    fn weight(&self) -> usize {
        let attrs = |attrs: &[(BString, BString)]| -> usize {
            attrs.iter().map(|(k, v)| k.len() + v.len() + 8).sum()
        };
        let login = |login: &Login| {
            let texts = [
                &login.login,
                &login.pwhash,
                &login.device_id,
                &login.protocol,
                &login.session_id,
                &login.fail_type,
            ];
            let lists: usize =
                login.attrs_mv.iter().flat_map(|(_, values)| values).map(|value| value.len() + 24).sum();
            let texts: usize = texts.iter().map(|text| text.len()).sum();
            256 + texts + lists + attrs(&login.attrs) + attrs(&login.device_attrs)
        };
        match self {
            Event::Report(tuple) => login(tuple),
            Event::Allow(tuple, decision) => login(tuple) + decision.msg.len() + attrs(&decision.attrs),
            Event::Reset { login, ja3, .. } => 128 + login.len() + ja3.len(),
            Event::Added { key, reason, .. } => 128 + key.len() + reason.len(),
            Event::Deleted(.., key) | Event::Expired(.., key) => 128 + key.len(),
        }
    }
}

/// The type's key comes first for the blacklist and last for the whitelist: keys are sorted.
fn list(
    object: &mut ObjectWriter<'_>,
    colour: Colour,
    kind: Kind,
    what: &[u8],
    middle: impl FnOnce(&mut ObjectWriter<'_>),
) {
    let name = kind.type_name().as_bytes();
    if colour == Colour::Black {
        object.str(b"bl_type", name);
    }
    middle(object);
    object.str(b"type", what);
    if colour == Colour::White {
        object.str(b"wl_type", name);
    }
}

/// An event on its way to several hooks, with its JSON once somebody needed it.
#[derive(Debug)]
pub(super) struct Fired {
    pub event: Event,
    pub weight: usize,
    json: OnceLock<Bytes>,
}

impl Fired {
    pub(super) fn new(event: Event) -> Fired {
        Fired { weight: event.weight(), event, json: OnceLock::new() }
    }

    pub(super) fn json(&self) -> Bytes {
        let write = || {
            let mut out = Vec::with_capacity(self.weight);
            self.event.write(&mut out);
            out.into()
        };
        self.json.get_or_init(write).clone()
    }
}

/// The payload of OX Protect in place of an allow event's own.
pub(super) fn ox_protect(login: &Login, message: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(256);
    let mut object = ObjectWriter::new(&mut out);
    object.str(b"application", b"wforce").int(b"code", 0).str(b"device", &login.device_id);
    write_str(object.member(b"ip"), &login.remote.text());
    object
        .str(b"message", message)
        .str(b"timestamp", timestamp(login.t).as_bytes())
        .str(b"user", &login.login);
    object.finish();
    out.into()
}

/// Unix seconds as `2026-11-22T05:03:09.608472Z`.
fn timestamp(unix_seconds: f64) -> String {
    let time =
        jiff::Timestamp::from_microsecond((unix_seconds * 1e6) as i64).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn json(event: Event) -> String {
        String::from_utf8(Fired::new(event).json().to_vec()).unwrap()
    }

    fn login() -> Arc<Login> {
        let body =
            br#"{"login": "ahu", "remote": "198.51.100.7", "device_id": "d\"", "t": 1795323789.608472}"#;
        Arc::new(Login::parse(body).unwrap())
    }

    const TUPLE: &str = r#""attrs": {}, "device_attrs": {}, "device_id": "d\"", "fail_type": "", "login": "ahu", "policy_reject": false, "protocol": "", "pwhash": "", "remote": "198.51.100.7", "session_id": "", "success": false, "t": 1795323789.6084721, "tls": false"#;

    #[test]
    fn payloads_are_wforces() {
        assert_eq!(json(Event::Report(login())), format!(r#"{{{TUPLE}, "type": "wforce_report"}}"#));
        let decision =
            Decision { status: -1, msg: "no".into(), log: "l".into(), attrs: vec![("a".into(), "b".into())] };
        assert_eq!(
            json(Event::Allow(login(), decision)),
            format!(
                r#"{{"request": {{{TUPLE}}}, "response": {{"msg": "no", "r_attrs": {{"a": "b"}}, "status": -1}}, "type": "wforce_allow"}}"#
            )
        );
        let reset = Event::Reset { ip: Addr::UNSPECIFIED, login: "ahu".into(), ja3: "".into() };
        assert_eq!(json(reset), r#"{"ip": "0.0.0.0", "ja3": "", "login": "ahu", "type": "wforce_reset"}"#);
    }

    #[test]
    fn list_payloads_are_sorted() {
        let added = |colour| Event::Added {
            colour,
            kind: Kind::IpLogin,
            key: "k".into(),
            expire_secs: u32::MAX,
            reason: "r".into(),
        };
        assert_eq!(
            json(added(Colour::Black)),
            r#"{"bl_type": "ip_login", "expire_secs": 4294967295, "key": "k", "reason": "r", "type": "wforce_addblwl"}"#
        );
        assert_eq!(
            json(added(Colour::White)),
            r#"{"expire_secs": 4294967295, "key": "k", "reason": "r", "type": "wforce_addblwl", "wl_type": "ip_login"}"#
        );
        let key = || BString::from("1.2.3.4/32");
        assert_eq!(
            json(Event::Deleted(Colour::Black, Kind::Ip, key())),
            r#"{"bl_type": "ip", "key": "1.2.3.4/32", "type": "wforce_delblwl"}"#
        );
        assert_eq!(
            json(Event::Expired(Colour::White, Kind::Ip, key())),
            r#"{"key": "1.2.3.4/32", "type": "wforce_expireblwl", "wl_type": "ip"}"#
        );
    }

    #[test]
    fn ox_protect_has_a_payload_of_its_own() {
        let text = ox_protect(&login(), b"hello");
        assert_eq!(
            String::from_utf8(text.to_vec()).unwrap(),
            r#"{"application": "wforce", "code": 0, "device": "d\"", "ip": "198.51.100.7", "message": "hello", "timestamp": "2026-11-22T05:03:09.608472Z", "user": "ahu"}"#
        );
    }

    #[test]
    fn kinds_and_names_agree() {
        for (number, kind) in EventKind::ALL.into_iter().enumerate() {
            assert_eq!(kind.bit(), 1 << number, "{}", kind.name());
        }
    }
}
