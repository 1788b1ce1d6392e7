//! `report` and `allow`: the two that are asked all day.

use http::StatusCode;
use login::Login;

use crate::backend::Backend;
use crate::failure::{Refusal, told};
use crate::reply::{self, Reply};

/// A login that happened.
pub(crate) async fn report<B: Backend>(backend: &B, body: &[u8]) -> Reply {
    told(try_report(backend, body).await)
}

async fn try_report<B: Backend>(backend: &B, body: &[u8]) -> Result<Reply, Refusal> {
    backend.report(Login::parse(body)?).await?;
    Ok(reply::ok())
}

/// Whether a login may go on.
pub(crate) async fn allow<B: Backend>(backend: &B, body: &[u8]) -> Reply {
    told(try_allow(backend, body).await)
}

async fn try_allow<B: Backend>(backend: &B, body: &[u8]) -> Result<Reply, Refusal> {
    let decision = backend.allow(Login::parse(body)?).await?;
    let mut out = Vec::with_capacity(128);
    decision.write_json(&mut out);
    Ok(reply::json(StatusCode::OK, out))
}
