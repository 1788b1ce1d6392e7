//! The links of "was this you?": signed, for one report, until a day.
//!
//! A token is `EXPIRY.REPORT.SIGNATURE`: unix seconds in hexadecimal, the report's id and an HMAC-SHA256 over both in
//! URL-safe base64. Who has it may answer for this report, and for nothing else.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use crate::settings::{ConfigError, Confirmations, Secret};

/// Goes into each signature, so that no other use of the key could stand for a link.
const PURPOSE: &[u8] = b"portcullis confirm 1\n";
/// Bytes of the longest token that is looked at.
const LONGEST: usize = 1024;
/// The file in the state directory with a key that was made here.
const KEY_FILE: &str = "confirm.key";
const DAY: u64 = 86_400;

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not one of ours, or was changed.
    #[error("this link is not valid")]
    Invalid,
    /// It was one of ours.
    #[error("this link has expired")]
    Expired,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The report it is about.
    pub report: String,
    /// Until when it holds, unix seconds.
    pub expires: u64,
}

/// Makes and reads the links.
pub struct Confirm {
    key: hmac::Key,
    url: String,
    valid: Duration,
    on_bad: Vec<String>,
}

impl Confirm {
    /// Links with this key.
    pub fn new(settings: &Confirmations, key: &Secret) -> Confirm {
        Confirm {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.expose()),
            url: settings.url.clone(),
            valid: Duration::from_secs(u64::from(settings.days) * DAY),
            on_bad: settings.on_bad.clone(),
        }
    }

    /// Links with the configuration's key, or the one in the state directory, which is made if it is not there.
    ///
    /// # Errors
    /// There is neither, or a file cannot be read or written.
    pub fn open(settings: &Confirmations, state_dir: Option<&Path>) -> Result<Confirm, ConfigError> {
        let key = match (settings.secret()?, state_dir) {
            (Some(key), _) => key,
            (None, Some(folder)) => kept_key(&folder.join(KEY_FILE))?,
            (None, None) => {
                let text =
                    "setAlertConfirm: there is neither key nor key_file nor a setStateDir to keep one in";
                return Err(ConfigError(text.to_owned()));
            }
        };
        Ok(Confirm::new(settings, &key))
    }

    /// Who is told when a user says "that was not me".
    pub fn on_bad(&self) -> &[String] {
        &self.on_bad
    }

    /// The link for a report, from now on (unix seconds). `language`: that of the page.
    pub fn link(&self, report: &str, language: Option<&str>, now: u64) -> String {
        let token = self.token(report, now.saturating_add(self.valid.as_secs()));
        let language = language.map(|language| format!("&l={language}")).unwrap_or_default();
        format!("{}?t={token}{language}", self.url)
    }

    fn token(&self, report: &str, expires: u64) -> String {
        let tag = hmac::sign(&self.key, &signed(expires, report));
        format!("{expires:x}.{}.{}", URL_SAFE_NO_PAD.encode(report), URL_SAFE_NO_PAD.encode(tag))
    }

    /// What a token says.
    ///
    /// # Errors
    /// It is none of ours, or its time is over.
    pub fn read(&self, token: &str, now: u64) -> Result<Claim, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::Invalid);
        }
        let mut parts = token.split('.');
        let (Some(expires), Some(report), Some(tag), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Invalid);
        };
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Invalid);
        let expires = u64::from_str_radix(expires, 16).map_err(|_| TokenError::Invalid)?;
        let report = String::from_utf8(decode(report)?).map_err(|_| TokenError::Invalid)?;
        // In constant time.
        hmac::verify(&self.key, &signed(expires, &report), &decode(tag)?).map_err(|_| TokenError::Invalid)?;
        if now >= expires {
            return Err(TokenError::Expired);
        }
        Ok(Claim { report, expires })
    }
}

impl std::fmt::Debug for Confirm {
    /// Without its key.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Confirm").field("url", &self.url).finish_non_exhaustive()
    }
}

fn signed(expires: u64, report: &str) -> Vec<u8> {
    [PURPOSE, &expires.to_be_bytes(), report.as_bytes()].concat()
}

/// The key in this file; a new one if there is no such file.
fn kept_key(path: &Path) -> Result<Secret, ConfigError> {
    let cannot = |error: std::io::Error| ConfigError(format!("setAlertConfirm: {}: {error}", path.display()));
    match files::read(path, files::SECRET) {
        Ok(key) if key.len() >= 32 => return Ok(Secret::new(key)),
        Ok(_) => {
            let text =
                format!("setAlertConfirm: {} holds no key: delete it, and a new one is made", path.display());
            return Err(ConfigError(text));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(cannot(error)),
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key)
        .map_err(|error| ConfigError(format!("setAlertConfirm: no random numbers: {error}")))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    // Whole or not at all: a half key would make all links invalid after the next start.
    let fresh = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(&fresh).map_err(cannot)?;
    file.write_all(&key).and_then(|()| file.sync_all()).map_err(cannot)?;
    std::fs::rename(&fresh, path).map_err(cannot)?;
    Ok(Secret::new(key))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn confirm(key: &str) -> Confirm {
        let settings =
            Confirmations::read(&json!({"url": "https://mail.example.com/confirm", "days": 2})).unwrap();
        Confirm::new(&settings, &Secret::new(key))
    }

    fn token_of(link: &str) -> &str {
        link.split_once("?t=").unwrap().1.split('&').next().unwrap()
    }

    #[test]
    fn a_link_holds_until_its_day() {
        let confirm = confirm("0123456789abcdef");
        let link = confirm.link("019ab-1", Some("de"), 1000);
        assert!(link.starts_with("https://mail.example.com/confirm?t=") && link.ends_with("&l=de"), "{link}");
        let end = 1000 + 2 * DAY;
        let claim = Claim { report: "019ab-1".into(), expires: end };
        assert_eq!(confirm.read(token_of(&link), end - 1), Ok(claim));
        assert_eq!(confirm.read(token_of(&link), end), Err(TokenError::Expired));
    }

    #[test]
    fn nothing_else_is_valid() {
        let ours = confirm("0123456789abcdef");
        let link = ours.link("r1", None, 1000);
        let token = token_of(&link);
        assert_eq!(confirm("another key, 16 b").read(token, 1000), Err(TokenError::Invalid));
        let other = ours.link("r2", None, 1000);
        let mixed: Vec<&str> = token
            .split('.')
            .zip(token_of(&other).split('.'))
            .enumerate()
            .map(|(at, (one, two))| if at == 1 { two } else { one })
            .collect();
        assert_eq!(ours.read(&mixed.join("."), 1000), Err(TokenError::Invalid));
        let later = token.replacen(token.split('.').next().unwrap(), "fffffffff", 1);
        assert_eq!(ours.read(&later, 1000), Err(TokenError::Invalid));
        for wrong in ["", ".", "..", "...", "1.2.3", &"a".repeat(5000), &format!("{token}.x"), "é.é.é"] {
            assert_eq!(ours.read(wrong, 1000), Err(TokenError::Invalid), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_made_once_and_for_nobody_else_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Confirmations::read(&json!({"url": "http://127.0.0.1/confirm"})).unwrap();
        let state = folder.path().join("state");
        let link = Confirm::open(&settings, Some(&state)).unwrap().link("r", None, 0);
        let again = Confirm::open(&settings, Some(&state)).unwrap();
        assert!(again.read(token_of(&link), 1).is_ok());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(state.join(KEY_FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert!(Confirm::open(&settings, None).is_err());
        std::fs::write(state.join(KEY_FILE), "short").unwrap();
        assert!(Confirm::open(&settings, Some(&state)).is_err());
    }

    proptest! {
        #[test]
        fn a_changed_token_is_refused(report in "\\PC{1,40}", at in 0_usize..400, to in "[0-9A-Za-z_.-]") {
            let confirm = confirm("0123456789abcdef");
            let link = confirm.link(&report, None, 5);
            let token = token_of(&link);
            prop_assert_eq!(confirm.read(token, 6).unwrap().report, report);
            let at = at % token.len();
            let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
            if changed != token {
                prop_assert!(confirm.read(&changed, 6).is_err());
            }
        }

        #[test]
        fn any_text_is_survived(text in "\\PC{0,80}") {
            prop_assert!(confirm("0123456789abcdef").read(&text, 6).is_err());
        }
    }
}
