//! The one place where what went wrong becomes an HTTP answer.

use bstr::BString;
use http::StatusCode;
use login::{JsonError, LoginError, json};
use policy::Failure;

use crate::reply::{self, Reply};

/// Why a command has no good answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// The body is no JSON, or `null`.
    Json(JsonError),
    /// The client's mistake, as such (400): nothing to reset or to look up was named.
    BadRequest(&'static str),
    /// The client's mistake, told as the server's (500, wforce compatibility): a field is missing or wrong.
    Invalid(BString),
    /// As before, without a reason (wforce compatibility).
    Unusable,
    /// The policy failed.
    Policy(Failure),
    /// It is under way already (503).
    Busy(&'static str),
    /// It belongs to the cluster, which is not there.
    NotAvailable(&'static str),
}

impl Refusal {
    pub(crate) fn invalid(reason: impl Into<BString>) -> Self {
        Self::Invalid(reason.into())
    }
}

impl From<JsonError> for Refusal {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl From<LoginError> for Refusal {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Json(error) => Self::Json(error),
            LoginError::Addr(error) => Self::Invalid(error.reason()),
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Policy(failure)
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Json(error) => reply::failure(StatusCode::BAD_REQUEST, error.to_string().as_bytes()),
            Refusal::BadRequest(reason) => reply::failure(StatusCode::BAD_REQUEST, reason.as_bytes()),
            Refusal::Invalid(reason) => reply::failure(StatusCode::INTERNAL_SERVER_ERROR, &reason),
            Refusal::Unusable => reply::failure_without_reason(),
            // wforce compatibility: a reset or canonicalize function that returns nothing usable has no reason worth
            // telling, except the word that the policy crate puts there.
            Refusal::Policy(failure) if failure.reason.is_empty() => reply::failure_without_reason(),
            Refusal::Policy(failure) => reply::failure(StatusCode::INTERNAL_SERVER_ERROR, &failure.reason),
            Refusal::Busy(reason) => reply::failure(StatusCode::SERVICE_UNAVAILABLE, reason.as_bytes()),
            Refusal::NotAvailable(command) => {
                let reason = format!("{command} is not available in this version");
                reply::failure(StatusCode::NOT_IMPLEMENTED, reason.as_bytes())
            }
        }
    }
}

/// The answer of a handler that can be refused.
pub(crate) fn told(outcome: Result<Reply, Refusal>) -> Reply {
    outcome.unwrap_or_else(Reply::from)
}

/// Reads a command's body.
pub(crate) fn parse(body: &[u8]) -> Result<json::Value<'_>, Refusal> {
    Ok(json::parse_body(body)?)
}
