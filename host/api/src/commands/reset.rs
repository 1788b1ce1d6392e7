//! `reset`: forget what was counted.

use login::json::Value;
use policy::{FailureKind, ResetRequest};

use super::{UNKNOWN, address, text};
use crate::backend::Backend;
use crate::failure::{Refusal, parse, told};
use crate::reply::{self, Reply};

pub(crate) async fn reset<B: Backend>(backend: &B, body: &[u8]) -> Reply {
    told(try_reset(backend, body).await)
}

async fn try_reset<B: Backend>(backend: &B, body: &[u8]) -> Result<Reply, Refusal> {
    let request = request(&parse(body)?)?;
    let named = request.ip.is_some() || request.login.is_some() || request.ja3.is_some();
    match backend.reset(request).await {
        Ok(_) if !named => Err(Refusal::BadRequest("No ip, login or ja3 field supplied")),
        Ok(true) => Ok(reply::ok()),
        Ok(false) => Err(Refusal::invalid("reset function returned false")),
        // wforce compatibility: no reason is told, except when it was the login that could not be made canonical.
        Err(failure) if failure.kind == FailureKind::BadReturn && failure.reason != UNKNOWN => {
            Err(Refusal::Unusable)
        }
        Err(failure) => Err(failure.into()),
    }
}

fn request(body: &Value<'_>) -> Result<ResetRequest, Refusal> {
    let request = ResetRequest {
        ip: address(body, b"ip", || Refusal::Unusable)?,
        login: text(body, b"login").map(Into::into),
        ja3: text(body, b"ja3").map(Into::into),
    };
    if request.login.is_some() && request.ja3.is_some() {
        return Err(Refusal::Unusable);
    }
    Ok(request)
}
