//! Passwords and keys.

use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::{ConfigError, refuse};

/// Something that neither logs nor errors show.
#[derive(Clone, Eq)]
pub struct Secret(Vec<u8>);

impl PartialEq for Secret {
    /// In a time that only the lengths decide.
    fn eq(&self, other: &Secret) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Secret {
    /// These bytes, from now on hidden.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Secret {
        Secret(bytes.into())
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The value, or the first line of the file; both is a mistake.
    pub(super) fn of(
        value: Option<&Secret>,
        file: Option<&PathBuf>,
        name: &str,
    ) -> Result<Option<Secret>, ConfigError> {
        let Some(path) = file else { return Ok(value.cloned()) };
        if value.is_some() {
            return refuse(format!("both {name} and {name}_file: which of them?"));
        }
        let cannot = |why: String| ConfigError(format!("{name}_file {}: {why}", path.display()));
        let bytes = files::read(path, files::SECRET).map_err(|error| cannot(error.to_string()))?;
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Err(cannot("its first line is empty".to_owned()));
        }
        Ok(Some(Secret::new(line)))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret")
    }
}

impl<'de> Deserialize<'de> for Secret {
    /// serde's own errors would tell the value.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        match Value::deserialize(from)? {
            Value::String(text) if !text.is_empty() => Ok(Secret::new(text)),
            _ => Err(D::Error::custom("a password or key must be a text that is not empty")),
        }
    }
}
