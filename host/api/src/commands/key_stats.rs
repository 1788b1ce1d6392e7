//! `getDBStats`: what is known about one key.

use bstr::BString;
use capabilities::Capabilities;
use capabilities::lists::{Entry, List};
use capabilities::stats::Db;
use http::StatusCode;
use login::Addr;
use login::json::ObjectWriter;

use super::{address, canonical, text};
use crate::backend::Backend;
use crate::failure::{Refusal, parse, told};
use crate::reply::{self, Reply};

/// What is looked up.
enum Key {
    IpLogin(Addr, BString),
    IpJa3(Addr, BString),
    Login(BString),
    Ja3(BString),
    Ip(Addr),
}

pub(crate) async fn get<B: Backend>(backend: &B, body: &[u8]) -> Reply {
    told(try_get(backend, body).await)
}

async fn try_get<B: Backend>(backend: &B, body: &[u8]) -> Result<Reply, Refusal> {
    let body = parse(body)?;
    if body.get(b"login").is_some() && body.get(b"ja3").is_some() {
        return Err(Refusal::BadRequest("ja3 and login fields are mutually exclusive"));
    }
    let ip = address(&body, b"ip", || Refusal::BadRequest("Could not parse input"))?;
    let login = canonical(backend, &body).await?;
    let ja3 = text(&body, b"ja3").map(BString::from);
    let key = match (ip, login, ja3) {
        (Some(ip), Some(login), _) => Key::IpLogin(ip, login),
        (Some(ip), None, Some(ja3)) => Key::IpJa3(ip, ja3),
        (None, Some(login), _) => Key::Login(login),
        (None, None, Some(ja3)) => Key::Ja3(ja3),
        (Some(ip), None, None) => Key::Ip(ip),
        (None, None, None) => return Err(Refusal::BadRequest("No ja3, ip or login field supplied")),
    };
    let capabilities = backend.capabilities();
    let now = capabilities.clock.now();
    let mut stats = Vec::new();
    for db in capabilities.stats.all() {
        let fields = db.all_of(now, key.in_stats(&db)).await;
        stats.extend(fields.map(|fields| (db, fields)));
    }
    Ok(reply::json(StatusCode::OK, key.describe(capabilities, now, &stats)))
}

impl Key {
    fn describe(
        &self,
        capabilities: &Capabilities,
        now: u64,
        stats: &[(Db, Vec<(BString, i32)>)],
    ) -> Vec<u8> {
        let black = self.entry(&capabilities.lists.black, now);
        let white = self.entry(&capabilities.lists.white, now);
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::new(&mut out);
        object
            .str(b"bl_expire", expires(black.as_ref()).as_bytes())
            .str(b"bl_reason", reason(black.as_ref()))
            .bool(b"blacklisted", black.is_some())
            .str(self.name(), &self.text());
        let mut dbs = ObjectWriter::new(object.member(b"stats"));
        for (db, fields) in stats {
            let mut object = ObjectWriter::new(dbs.member(db.name()));
            for (field, sum) in fields {
                object.int(field, i64::from(*sum));
            }
            object.finish();
        }
        dbs.finish();
        object
            .bool(b"whitelisted", white.is_some())
            .str(b"wl_expire", expires(white.as_ref()).as_bytes())
            .str(b"wl_reason", reason(white.as_ref()));
        object.finish();
        out
    }

    fn name(&self) -> &'static [u8] {
        match self {
            Self::IpLogin(..) => b"ip_login",
            Self::IpJa3(..) => b"ip_ja3",
            Self::Login(_) => b"login",
            Self::Ja3(_) => b"ja3",
            Self::Ip(_) => b"ip",
        }
    }

    /// The key as told to the client and, except for addresses, as it stands in the stats DBs.
    fn text(&self) -> BString {
        let pair = |ip: &Addr, between: &[u8], other: &BString| {
            let mut text = Vec::new();
            ip.write_text(&mut text);
            text.extend_from_slice(between);
            text.extend_from_slice(other);
            text.into()
        };
        match self {
            Self::IpLogin(ip, login) => pair(ip, b":", login),
            // Two colons: wforce compatibility.
            Self::IpJa3(ip, ja3) => pair(ip, b"::", ja3),
            Self::Login(text) | Self::Ja3(text) => text.clone(),
            Self::Ip(ip) => pair(ip, b"", &BString::default()),
        }
    }

    /// The key as it stands in a stats DB.
    fn in_stats(&self, db: &Db) -> BString {
        match self {
            Self::Ip(ip) => BString::from(&*db.addr_key(ip)),
            _ => self.text(),
        }
    }

    fn entry(&self, list: &List, now: u64) -> Option<Entry> {
        match self {
            Self::IpLogin(ip, login) => list.check_ip_login(now, ip.ip, login),
            Self::IpJa3(ip, ja3) => list.check_ip_ja3(now, ip.ip, ja3),
            Self::Login(login) => list.check_login(now, login),
            Self::Ja3(ja3) => list.check_ja3(now, ja3),
            Self::Ip(ip) => list.check_ip(now, ip.ip),
        }
    }
}

fn expires(entry: Option<&Entry>) -> String {
    entry.map(Entry::expiration_text).unwrap_or_default()
}

fn reason(entry: Option<&Entry>) -> &[u8] {
    entry.map_or(b"", |entry| &entry.reason)
}
