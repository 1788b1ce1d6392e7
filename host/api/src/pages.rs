//! Pages for people: `/confirm` and `/reports`, and `/reports.json` for machines.

mod confirm;
mod history;

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, StatusCode};

use crate::reply::{self, Reply};

pub(crate) use confirm::{ask, take};
pub(crate) use history::{document, page};

/// What a path leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Page {
    /// "Was this you?": the question.
    Ask,
    /// "Was this you?": the answer.
    Answer,
    /// The history of logins, for people.
    History,
    /// The same for machines.
    HistoryJson,
}

/// A page, with what keeps a browser from doing anything else with it.
fn html(status: StatusCode, page: String) -> Reply {
    let mut reply = reply::html(status, page);
    let headers = reply.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&pages::POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // Addresses of these pages have names of users and signed links in them.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
