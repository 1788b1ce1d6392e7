//! Why an exchange failed.

use std::fmt::Write as _;
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not an absolute `http` or `https` URL.
    #[error("not a usable URL: {0}")]
    Url(String),
    /// The whole exchange took longer than allowed.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// Name look-up, TCP connect or TLS handshake.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection broke, or what came was not HTTP.
    #[error("{0}")]
    Exchange(String),
    /// The body of the answer is longer than allowed.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

/// An error with everything below it, without saying the same twice.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        if !text.contains(&said) {
            // Writing into a String does not fail.
            let _ = write!(text, ": {said}");
        }
        next = source.source();
    }
    text
}

impl From<hyper_util::client::legacy::Error> for Error {
    fn from(error: hyper_util::client::legacy::Error) -> Error {
        // The outermost text only says "client error"; what happened stands below it.
        let text = std::error::Error::source(&error).map_or_else(|| error.to_string(), chain);
        if error.is_connect() { Error::Connect(text) } else { Error::Exchange(text) }
    }
}
