//! The commands of the black- and the whitelist.

use bstr::BString;
use capabilities::lists::{Kind, List};
use http::StatusCode;
use login::json::{ArrayWriter, ObjectWriter, Value};
use login::{Addr, Netmask};

use super::{address, canonical, text};
use crate::backend::Backend;
use crate::command::Colour;
use crate::failure::{Refusal, parse, told};
use crate::reply::{self, Reply};

/// What an entry is about: login and JA3 hash, alone or with an address, go before networks and addresses.
enum Key {
    IpLogin(Addr, BString),
    IpJa3(Addr, BString),
    Login(BString),
    Ja3(BString),
    Network(Netmask),
}

/// `addBLEntry`, `addWLEntry`.
pub(crate) async fn add<B: Backend>(backend: &B, colour: Colour, body: &[u8]) -> Reply {
    told(try_add(backend, colour, body).await)
}

async fn try_add<B: Backend>(backend: &B, colour: Colour, body: &[u8]) -> Result<Reply, Refusal> {
    let body = parse(body)?;
    let key = key(backend, &body).await?;
    let secs =
        body.get(b"expire_secs").ok_or_else(|| Refusal::invalid("Missing mandatory expire_secs field"))?;
    let reason = text(&body, b"reason").ok_or_else(|| Refusal::invalid("Missing mandatory reason field"))?;
    let (list, now, secs) = (list(backend, colour), backend.capabilities().clock.now(), seconds(secs));
    match key {
        Key::IpLogin(ip, login) => list.add_ip_login(now, ip.ip, &login, secs, reason),
        Key::IpJa3(ip, ja3) => list.add_ip_ja3(now, ip.ip, &ja3, secs, reason),
        Key::Login(login) => list.add_login(now, &login, secs, reason),
        Key::Ja3(ja3) => list.add_ja3(now, &ja3, secs, reason),
        Key::Network(mask) => list.add_netmask(now, &mask, secs, reason).map_err(|_| Refusal::Unusable)?,
    }
    Ok(reply::ok())
}

/// `delBLEntry`, `delWLEntry`. Fine if there is no such entry.
pub(crate) async fn delete<B: Backend>(backend: &B, colour: Colour, body: &[u8]) -> Reply {
    told(try_delete(backend, colour, body).await)
}

async fn try_delete<B: Backend>(backend: &B, colour: Colour, body: &[u8]) -> Result<Reply, Refusal> {
    let key = key(backend, &parse(body)?).await?;
    let list = list(backend, colour);
    match key {
        Key::IpLogin(ip, login) => list.delete_ip_login(ip.ip, &login),
        Key::IpJa3(ip, ja3) => list.delete_ip_ja3(ip.ip, &ja3),
        Key::Login(login) => list.delete_login(&login),
        Key::Ja3(ja3) => list.delete_ja3(&ja3),
        Key::Network(mask) => list.delete_netmask(&mask),
    };
    Ok(reply::ok())
}

/// `getBL`, `getWL`.
pub(crate) fn get<B: Backend>(backend: &B, colour: Colour) -> Reply {
    let list = list(backend, colour);
    let member: &[u8] = match colour {
        Colour::Black => b"bl_entries",
        Colour::White => b"wl_entries",
    };
    let mut out = Vec::new();
    let mut object = ObjectWriter::new(&mut out);
    let mut entries = ArrayWriter::new(object.member(member));
    for kind in Kind::LISTING {
        for entry in list.entries(kind) {
            let mut object = ObjectWriter::new(entries.item());
            object
                .str(b"expiration", entry.expiration_text().as_bytes())
                .str(kind.api_name().as_bytes(), &entry.key)
                .str(b"reason", &entry.reason);
            object.finish();
        }
    }
    entries.finish();
    object.finish();
    reply::json(StatusCode::OK, out)
}

fn list<B: Backend>(backend: &B, colour: Colour) -> &List {
    let lists = &backend.capabilities().lists;
    match colour {
        Colour::Black => &lists.black,
        Colour::White => &lists.white,
    }
}

async fn key<B: Backend>(backend: &B, body: &Value<'_>) -> Result<Key, Refusal> {
    // An address must be one in both readings (wforce compatibility): no port, no short forms.
    let ip = address(body, b"ip", || Refusal::Unusable)?;
    let ip_mask = mask(body, b"ip")?;
    let netmask = mask(body, b"netmask")?;
    let login = canonical(backend, body).await?;
    let ja3 = text(body, b"ja3").map(BString::from);
    match (ip, login, ja3, netmask.or(ip_mask)) {
        (_, Some(_), Some(_), _) => Err(Refusal::invalid("login and ja3 are mutually exclusive parameters")),
        (Some(ip), Some(login), None, _) => Ok(Key::IpLogin(ip, login)),
        (Some(ip), None, Some(ja3), _) => Ok(Key::IpJa3(ip, ja3)),
        (None, Some(login), None, _) => Ok(Key::Login(login)),
        (None, None, Some(ja3), _) => Ok(Key::Ja3(ja3)),
        (_, None, None, Some(mask)) => Ok(Key::Network(mask)),
        (_, None, None, None) => {
            Err(Refusal::invalid("Must provide at least one of login, ip, netmask or ja3"))
        }
    }
}

fn mask(body: &Value<'_>, key: &[u8]) -> Result<Option<Netmask>, Refusal> {
    text(body, key).map(Netmask::parse).transpose().map_err(|_| Refusal::Unusable)
}

/// Wrong types read as 0 and negative numbers wrap (wforce compatibility); numbers too large mean the longest time.
fn seconds(value: &Value<'_>) -> u32 {
    match value.int() {
        negative @ ..0 => negative as u32,
        large => u32::try_from(large).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_of_anything() {
        for (value, wanted) in [
            (Value::Number(60.9), 60),
            (Value::Number(-1.0), u32::MAX),
            (Value::Number(1e18), u32::MAX),
            (Value::from("60"), 0),
            (Value::Bool(true), 0),
        ] {
            assert_eq!(seconds(&value), wanted, "{value:?}");
        }
    }
}
