//! Custom endpoints.

use http::StatusCode;
use login::CustomArgs;
use login::attrs::write_attrs;
use login::json::ObjectWriter;
use policy::CustomReply;

use crate::backend::Backend;
use crate::failure::{Refusal, parse, told};
use crate::reply::{self, Reply};

/// `{"attrs": {...}}` in, `{"r_attrs": {...}, "success": ...}` out.
pub(crate) async fn post<B: Backend>(backend: &B, name: &str, body: &[u8]) -> Reply {
    told(try_post(backend, name, body).await)
}

async fn try_post<B: Backend>(backend: &B, name: &str, body: &[u8]) -> Result<Reply, Refusal> {
    Ok(write_reply(&backend.custom(name, CustomArgs::from_json(&parse(body)?)).await?))
}

/// The answer of an endpoint whose function did its work, whatever that says about success.
pub(crate) fn write_reply(reply: &CustomReply) -> Reply {
    let mut out = Vec::with_capacity(128);
    let mut object = ObjectWriter::new(&mut out);
    write_attrs(object.member(b"r_attrs"), &reply.attrs);
    object.bool(b"success", reply.success);
    object.finish();
    reply::json(StatusCode::OK, out)
}

/// Text out; an error is JSON, but typed as text (wforce compatibility).
pub(crate) async fn get<B: Backend>(backend: &B, name: &str) -> Reply {
    match backend.custom_get(name).await {
        Ok(text) => reply::text(StatusCode::OK, Vec::from(text)),
        Err(failure) => reply::text(StatusCode::INTERNAL_SERVER_ERROR, reply::failure_body(&failure.reason)),
    }
}
