//! HTTP user agents, by uap-core's patterns.

use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice};
use login::Attrs;
use ua_parser::{Extractor, Regexes};

/// The patterns that come with the program.
const BUILT_IN: &str = include_str!("../../data/regexes.yaml");

/// Bytes of the longest file of patterns; uap-core's has a quarter of a megabyte.
const LONGEST: u64 = 16 << 20;

/// Why a regexes file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegexesError {
    /// It cannot be read.
    #[error("cannot read device regexes {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// It is not YAML in uap-core's form.
    #[error("device regexes {} are not in uap-core's form: {reason}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// One of its patterns does not compile.
    #[error("device regexes {} hold a bad pattern: {reason}", path.display())]
    Pattern {
        /// The file.
        path: PathBuf,
        /// Which and why.
        reason: String,
    },
}

/// Compiled patterns. `None` only if the built-in ones did not compile, which a test rules out: then every family is
/// `Other`.
pub(super) struct Agents(Option<Extractor<'static>>);

impl Agents {
    pub(super) fn built_in() -> Self {
        Self(
            serde_saphyr::from_str(BUILT_IN)
                .ok()
                .and_then(|regexes: Regexes<'static>| regexes.try_into().ok()),
        )
    }

    pub(super) fn read(path: &Path) -> Result<Self, RegexesError> {
        let at = || path.to_owned();
        let text =
            files::read_text(path, LONGEST).map_err(|reason| RegexesError::Read { path: at(), reason })?;
        let regexes: Regexes<'static> = serde_saphyr::from_str(&text)
            .map_err(|error| RegexesError::Form { path: at(), reason: error.to_string() })?;
        let extractor = Extractor::try_from(regexes)
            .map_err(|error| RegexesError::Pattern { path: at(), reason: error.to_string() })?;
        Ok(Self(Some(extractor)))
    }

    /// The nine attributes of a user agent, sorted by key.
    pub(super) fn parse(&self, agent: &[u8]) -> Attrs {
        let agent = agent.to_str_lossy();
        let (browser, os, device) = match &self.0 {
            Some(extractor) => extractor.extract(&agent),
            None => (None, None, None),
        };
        let attr = |key: &str, value: Option<&str>| (BString::from(key), BString::from(value.unwrap_or("")));
        let other = Some("Other");
        vec![
            attr("browser.family", browser.as_ref().map(|browser| browser.family.as_ref()).or(other)),
            attr("browser.major", browser.as_ref().and_then(|browser| browser.major)),
            attr("browser.minor", browser.as_ref().and_then(|browser| browser.minor)),
            attr("device.brand", device.as_ref().and_then(|device| device.brand.as_deref())),
            attr("device.family", device.as_ref().map(|device| device.device.as_ref()).or(other)),
            attr("device.model", device.as_ref().and_then(|device| device.model.as_deref())),
            attr("os.family", os.as_ref().map(|os| os.os.as_ref()).or(other)),
            attr("os.major", os.as_ref().and_then(|os| os.major.as_deref())),
            attr("os.minor", os.as_ref().and_then(|os| os.minor.as_deref())),
        ]
    }
}
