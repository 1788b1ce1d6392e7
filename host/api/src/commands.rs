//! What the commands do: from a body to an answer.

pub(crate) mod custom;
pub(crate) mod jobs;
pub(crate) mod key_stats;
pub(crate) mod lists;
pub(crate) mod login;
pub(crate) mod policies;
pub(crate) mod reset;
pub(crate) mod siblings;
pub(crate) mod stats;
pub(crate) mod trackalert;

use ::login::Addr;
use ::login::json::Value;
use bstr::BString;
use policy::FailureKind;

use crate::backend::Backend;
use crate::failure::Refusal;

/// The text of a member, if it is there. One that is no string reads as an empty one (wforce compatibility).
fn text<'v>(body: &'v Value<'_>, key: &[u8]) -> Option<&'v [u8]> {
    body.get(key).map(|value| value.as_str().unwrap_or_default())
}

/// What clients are told when the canonicalize function returned no string (wforce compatibility).
const UNKNOWN: &str = "unknown";

/// The canonical login, if there is one.
async fn canonical<B: Backend>(backend: &B, body: &Value<'_>) -> Result<Option<BString>, Refusal> {
    let Some(login) = text(body, b"login") else { return Ok(None) };
    match backend.canonicalize(login.into()).await {
        Ok(login) => Ok(Some(login)),
        Err(failure) if failure.kind == FailureKind::BadReturn => Err(Refusal::invalid(UNKNOWN)),
        Err(failure) => Err(failure.into()),
    }
}

/// The address in a member, if it is there; an unusable one is told by `refuse`.
fn address(body: &Value<'_>, key: &[u8], refuse: impl FnOnce() -> Refusal) -> Result<Option<Addr>, Refusal> {
    text(body, key).map(Addr::parse).transpose().map_err(|_| refuse())
}
