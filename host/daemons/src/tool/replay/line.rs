//! One line of a recording.

use login::json::{self, Value};
use login::{Login, LoginError};

/// What was recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A login that happened.
    Report,
    /// A login that was asked about.
    Allow,
}

/// A line, understood.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is.
    pub kind: Kind,
    /// The login; its time is that of the recording.
    pub login: Login,
    /// The status that was answered, if it was.
    pub answer: Option<i32>,
}

/// Why a line cannot be played.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LineError {
    /// It is no JSON.
    #[error("no JSON: {0}")]
    Json(String),
    /// Its address is none.
    #[error("remote is no address")]
    Address,
    /// It does not say what it is.
    #[error("\"type\" is neither \"report\" nor \"allow\"")]
    Kind,
    /// It does not say when it was.
    #[error("\"t\" is no time in seconds since 1970")]
    Time,
    /// It is longer than 2 MiB.
    #[error("the line is longer than 2 MiB")]
    TooLong,
}

impl Line {
    /// Reads a line without its end.
    ///
    /// # Errors
    /// It cannot be played.
    pub fn parse(text: &[u8]) -> Result<Line, LineError> {
        let value = json::parse_body(text).map_err(|error| LineError::Json(error.to_string()))?;
        let kind = match value.str_or_empty(b"type") {
            b"report" => Kind::Report,
            b"allow" => Kind::Allow,
            _ => return Err(LineError::Kind),
        };
        let login = Login::from_json(&value).map_err(|_| LineError::Address)?;
        // Beyond the year 9999 nothing was recorded.
        if !(login.t > 0.0 && login.t < 253_402_300_800.0) {
            return Err(LineError::Time);
        }
        let answer = value.get(b"answer").map(|answer| match answer {
            Value::Number(_) => Ok(answer.int() as i32),
            _ => Err(LineError::Kind),
        });
        Ok(Line { kind, login, answer: answer.transpose()? })
    }
}

impl From<LoginError> for LineError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Json(error) => Self::Json(error.to_string()),
            LoginError::Addr(_) => Self::Address,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_recorded_is_read() {
        let line = Line::parse(
            br#"{"answer": -1, "login": "joe", "remote": "192.0.2.1", "pwhash": "ab", "t": 1700000000.5, "type": "allow"}"#,
        )
        .unwrap();
        assert_eq!((line.kind, line.answer), (Kind::Allow, Some(-1)));
        assert_eq!((line.login.login.to_string(), line.login.t), ("joe".to_owned(), 1_700_000_000.5));
    }

    #[test]
    fn what_cannot_be_played_says_why() {
        for (text, error) in [
            (&br#"{"t": 5}"#[..], LineError::Kind),
            (br#"{"type": "report"}"#, LineError::Time),
            (br#"{"type": "report", "t": 1e300}"#, LineError::Time),
            (br#"{"type": "report", "t": 5, "remote": "nowhere"}"#, LineError::Address),
        ] {
            assert_eq!(Line::parse(text).unwrap_err(), error);
        }
        assert!(matches!(Line::parse(b"{").unwrap_err(), LineError::Json(_)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Line::parse(&bytes);
        }
    }
}
