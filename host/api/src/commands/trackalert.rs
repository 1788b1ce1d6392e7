//! trackalert's commands, whose answers look different from wforce's.

use bstr::ByteSlice;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use login::json::{self, ObjectWriter};
use login::{CustomArgs, Login, LoginError};
use policy::FailureKind;

use super::custom::write_reply;
use super::stats::{counts, int};
use crate::backend::Backend;
use crate::reply::{self, Reply};

/// Seconds after which a client that found the queue full should try again: a queue of the usual size is worked off by
/// then.
const RETRY_SECONDS: &str = "5";

/// What comes before the reason of an error.
const REPORT_FAILED: &[u8] = br#"{"status":"failure", "reason":"#;
/// The text `failure` where a boolean is expected (wforce compatibility).
const CUSTOM_UNREAD: &[u8] = br#"{"success":"failure", "reason":"#;
const CUSTOM_FAILED: &[u8] = br#"{"success":false, "reason":"#;

/// A login that happened, to be looked at later.
pub(crate) async fn report<B: Backend>(backend: &B, body: &[u8]) -> Reply {
    let login = match Login::parse(body) {
        Ok(login) => login,
        Err(LoginError::Json(error)) => {
            return failure(StatusCode::INTERNAL_SERVER_ERROR, REPORT_FAILED, error.to_string().as_bytes());
        }
        // wforce compatibility: what is JSON was taken, whatever it says; the log tells what came of it.
        Err(LoginError::Addr(error)) => {
            let reason = error.reason();
            backend.capabilities().log.error(format!("report not processed: {}", reason.as_bstr()));
            return reply::ok();
        }
    };
    match backend.report(login).await {
        Ok(()) => reply::ok(),
        Err(refused) if refused.kind == FailureKind::Busy => {
            let mut answer = failure(StatusCode::SERVICE_UNAVAILABLE, REPORT_FAILED, &refused.reason);
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
            answer
        }
        Err(refused) => failure(StatusCode::INTERNAL_SERVER_ERROR, REPORT_FAILED, &refused.reason),
    }
}

/// A custom endpoint.
pub(crate) async fn custom<B: Backend>(backend: &B, name: &str, body: &[u8]) -> Reply {
    let args = match json::parse_body(body) {
        Ok(body) => CustomArgs::from_json(&body),
        Err(error) => {
            let reason = error.to_string();
            return failure(StatusCode::INTERNAL_SERVER_ERROR, CUSTOM_UNREAD, reason.as_bytes());
        }
    };
    match backend.custom(name, args).await {
        Ok(answer) => write_reply(&answer),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, CUSTOM_FAILED, &error.reason),
    }
}

/// The daemon's counters.
pub(crate) fn stats<B: Backend>(backend: &B) -> Reply {
    let stats = backend.capabilities().metrics.stats();
    let mut out = Vec::with_capacity(512);
    let mut object = ObjectWriter::new(&mut out);
    counts(object.member(b"perfstats"), stats.perf);
    object
        .int(b"reports", int(stats.reports))
        .int(b"sys-msec", int(stats.cpu.sys_msec))
        .int(b"uptime", int(stats.uptime))
        .int(b"user-msec", int(stats.cpu.user_msec));
    object.finish();
    reply::json(StatusCode::OK, out)
}

/// An error in trackalert's spelling, its reason escaped (which wforce's trackalert forgets).
fn failure(status: StatusCode, before: &[u8], reason: &[u8]) -> Reply {
    let mut body = Vec::with_capacity(before.len() + reason.len() + 8);
    body.extend_from_slice(before);
    json::write_str(&mut body, reason);
    body.push(b'}');
    reply::json(status, body)
}
