//! The commands of the cluster. They check what they are given as they always will; what they would do then is not
//! available in this version, and they say so.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use login::Addr;
use login::json::Value;

use super::text;
use crate::failure::{Refusal, parse};
use crate::reply::Reply;

/// Bytes of a key.
const KEY: usize = 32;

/// `syncDBs`
pub(crate) fn sync_dbs(body: &[u8]) -> Reply {
    answer("syncDBs", body, |body| {
        let all = required(
            body,
            [b"replication_host", b"replication_port", b"callback_url", b"callback_auth_pw"],
            "One of mandatory parameters [replication_host, replication_port, callback_url, callback_auth_pw] is missing",
        )?;
        ip(all[0])
    })
}

/// `dumpEntries`
pub(crate) fn dump_entries(body: &[u8]) -> Reply {
    answer("dumpEntries", body, |body| {
        let missing = "One of mandatory parameters [dump_host, dump_port] is missing";
        let all = required(body, [b"dump_host", b"dump_port"], missing)?;
        ip(all[0])
    })
}

const MISSING: &str = "One of mandatory parameters [sibling_host, sibling_port] is missing";

/// `addSibling`
pub(crate) fn add(body: &[u8]) -> Reply {
    answer("addSibling", body, |body| sibling(body, MISSING))
}

/// `removeSibling`
pub(crate) fn remove(body: &[u8]) -> Reply {
    answer("removeSibling", body, |body| {
        required(body, [b"sibling_host", b"sibling_port"], MISSING).map(drop)
    })
}

/// `setSiblings`
pub(crate) fn set(body: &[u8]) -> Reply {
    answer("setSiblings", body, |body| {
        let siblings = body.get(b"siblings").and_then(Value::as_array).ok_or_else(|| {
            Refusal::invalid("Mandatory parameter [siblings] is missing or is not an array")
        })?;
        siblings.iter().try_for_each(|one| {
            sibling(one, "Mandatory parameter(s) [sibling_host, sibling_port] are missing")
        })
    })
}

fn answer(
    command: &'static str,
    body: &[u8],
    check: impl FnOnce(&Value<'_>) -> Result<(), Refusal>,
) -> Reply {
    let checked = parse(body).and_then(|body| check(&body));
    checked.err().unwrap_or(Refusal::NotAvailable(command)).into()
}

fn required<'v, 't, const N: usize>(
    body: &'v Value<'t>,
    keys: [&[u8]; N],
    missing: &str,
) -> Result<[&'v Value<'t>; N], Refusal> {
    let found: Vec<_> = keys.iter().filter_map(|key| body.get(key)).collect();
    found.try_into().map_err(|_| Refusal::invalid(missing))
}

fn ip(host: &Value<'_>) -> Result<(), Refusal> {
    Addr::parse(host.as_str().unwrap_or_default()).map(drop).map_err(|error| Refusal::Invalid(error.reason()))
}

fn sibling(one: &Value<'_>, missing: &str) -> Result<(), Refusal> {
    let [host, _port] = required(one, [b"sibling_host", b"sibling_port"], missing)?;
    if host.as_str().unwrap_or_default().is_empty() {
        return Err(Refusal::invalid("sibling_host is no address or host name"));
    }
    match text(one, b"sibling_protocol") {
        None | Some(b"udp" | b"tcp") => {}
        Some(b"none") => return Err(Refusal::invalid("Invalid sibling_protocol: none")),
        Some(other) => {
            let reason = [b"Sibling::stringToProtocol(): Unknown protocol ", other].concat();
            return Err(Refusal::invalid(reason));
        }
    }
    let key = text(one, b"encryption_key").map(|key| BASE64_STANDARD.decode(key));
    match key {
        Some(Ok(key)) if key.len() != KEY => Err(Refusal::invalid("encryption_key is not 32 bytes long")),
        Some(Err(_)) => Err(Refusal::invalid("encryption_key is not base64")),
        Some(Ok(_)) | None => Ok(()),
    }
}
