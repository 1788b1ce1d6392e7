//! `report` and `allow`: the two that are asked all day.

use http::StatusCode;
use login::Login;
use login::json::ObjectWriter;

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

/// The same with an explanation: `"explain"` comes first in the usual answer, also in that of a policy that failed.
pub(crate) async fn explain<B: Backend>(backend: &B, body: &[u8]) -> Reply {
    told(try_explain(backend, body).await)
}

async fn try_explain<B: Backend>(backend: &B, body: &[u8]) -> Result<Reply, Refusal> {
    let (result, explanation) = backend.explain(Login::parse(body)?).await;
    let mut out = Vec::with_capacity(1024);
    let mut object = ObjectWriter::new(&mut out);
    if let Some(explanation) = explanation {
        explanation.write_json(object.member(b"explain"));
    }
    let status = match result {
        Ok(decision) => {
            decision.write_members(&mut object);
            StatusCode::OK
        }
        Err(failure) => {
            object.str(b"reason", &failure.reason).str(b"status", b"failure");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    object.finish();
    Ok(reply::json(status, out))
}

async fn try_allow<B: Backend>(backend: &B, body: &[u8]) -> Result<Reply, Refusal> {
    let decision = backend.allow(Login::parse(body)?).await?;
    let mut out = Vec::with_capacity(128);
    decision.write_json(&mut out);
    Ok(reply::json(StatusCode::OK, out))
}
