//! One login on the command line.

use lexopt::prelude::*;
use login::{Login, LoginError};
use serde_json::{Map, Value};

use crate::Trouble;

/// The login as it is put together.
#[derive(Default)]
pub(crate) struct LoginArguments {
    members: Map<String, Value>,
}

impl LoginArguments {
    /// Takes a long option if it is one of a login's.
    pub(crate) fn take(&mut self, name: &str, arguments: &mut lexopt::Parser) -> Result<bool, Trouble> {
        let member = match name {
            "login" | "remote" | "pwhash" | "protocol" => name,
            "device-id" => "device_id",
            "session-id" => "session_id",
            "fail-type" => "fail_type",
            "tls" | "success" => {
                self.members.insert(name.to_owned(), Value::Bool(true));
                return Ok(true);
            }
            "attr" => {
                let text = arguments.value()?.string()?;
                let (name, value) = text
                    .split_once('=')
                    .ok_or_else(|| Trouble::new(format!("--attr {text}: write NAME=VALUE")))?;
                let attrs = self.members.entry("attrs").or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(attrs) = attrs {
                    attrs.insert(name.to_owned(), Value::String(value.to_owned()));
                }
                return Ok(true);
            }
            "json-login" => {
                let text = arguments.value()?.string()?;
                match serde_json::from_str(&text) {
                    Ok(Value::Object(members)) => self.members.extend(members),
                    Ok(_) => return Err(Trouble::new("--json-login: it is no JSON object")),
                    Err(error) => return Err(Trouble::new(format!("--json-login: {error}"))),
                }
                return Ok(true);
            }
            _ => return Ok(false),
        };
        let text = arguments.value()?.string()?;
        self.members.insert(member.to_owned(), Value::String(text));
        Ok(true)
    }

    /// The login.
    pub(crate) fn login(&self) -> Result<Login, Trouble> {
        let text = Value::Object(self.members.clone()).to_string();
        Login::parse(text.as_bytes()).map_err(|error| match error {
            LoginError::Addr(_) => Trouble::new("--remote: that is no address"),
            LoginError::Json(error) => Trouble::new(error),
        })
    }
}
