//! `reloadPolicies`: WebAssembly policies are loaded again.

use http::StatusCode;
use login::json::ObjectWriter;

use super::text;
use crate::backend::Backend;
use crate::failure::{Refusal, parse, told};
use crate::reply::{self, Reply};

/// Loads all of them again, or the one that the body names; tells what came of each.
pub(crate) async fn reload<B: Backend>(backend: &B, body: &[u8]) -> Reply {
    told(try_reload(backend, body).await)
}

async fn try_reload<B: Backend>(backend: &B, body: &[u8]) -> Result<Reply, Refusal> {
    let name = text(&parse(body)?, b"name").map(|name| String::from_utf8_lossy(name).into_owned());
    let outcome = backend.reload_policies(name).await;
    let fine = outcome.iter().all(|(_, told)| told.is_ok());
    let mut out = Vec::with_capacity(256);
    let mut object = ObjectWriter::new(&mut out);
    let mut policies = ObjectWriter::new(object.member(b"policies"));
    for (name, told) in outcome {
        policies.str(name.as_bytes(), told.unwrap_or_else(|error| error.to_string()).as_bytes());
    }
    policies.finish();
    object.str(b"status", if fine { b"ok" } else { b"failure" });
    object.finish();
    Ok(reply::json(if fine { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }, out))
}
