//! The login tuple: what a client says about one login.

use std::sync::{Arc, LazyLock};

use bstr::BString;

use crate::attrs::{Attrs, MultiAttrs, attrs_from_json, write_attrs, write_merged};
use crate::json::{self, JsonError, ObjectWriter, Value, write_f64, write_str};
use crate::{Addr, AddrError};

/// One login. Absent fields are empty, false, 0 or `0.0.0.0`.
#[allow(clippy::struct_excessive_bools)] // the field names and types are those of the protocol
#[derive(Clone, PartialEq, Debug)]
pub struct Login {
    /// Unix time in seconds with a fraction. wforce overwrites it with the time of arrival.
    pub t: f64,
    /// Where the login came from, never v4-mapped. A port in the text is dropped.
    pub remote: Addr,
    /// The user name.
    pub login: BString,
    /// A truncated hash of the password, so that a policy can count different ones.
    pub pwhash: BString,
    /// What the client's software says about itself, in the form of the protocol.
    pub device_id: BString,
    /// `imap`, `http`, `mobileapi` and so on.
    pub protocol: BString,
    /// The client's name for the session.
    pub session_id: BString,
    /// Why a login failed, if the client tells.
    pub fail_type: BString,
    /// Whether the credentials were right.
    pub success: bool,
    /// Whether the login failed because a policy said so.
    pub policy_reject: bool,
    /// Whether the connection was encrypted.
    pub tls: bool,
    /// Attributes with one value.
    pub attrs: Attrs,
    /// Attributes with a list of values.
    pub attrs_mv: MultiAttrs,
    /// What is known about the device: as supplied, or parsed from `device_id`. Shared with the parser's cache.
    pub device_attrs: Arc<Attrs>,
    /// Whether `device_attrs` was supplied, even if empty: then `device_id` is not parsed.
    pub device_attrs_given: bool,
    /// Names the report in the report store; `None` where there is none, and before it is taken.
    pub report_id: Option<Arc<str>>,
}

/// Why a body gives no login.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LoginError {
    /// It is no JSON, or `null`.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Its `remote` is no address.
    #[error(transparent)]
    Addr(#[from] AddrError),
}

/// Most logins carry no device attributes; they share this one.
static NO_ATTRS: LazyLock<Arc<Attrs>> = LazyLock::new(Arc::default);

impl Default for Login {
    fn default() -> Self {
        Login {
            t: 0.0,
            remote: Addr::UNSPECIFIED,
            login: BString::default(),
            pwhash: BString::default(),
            device_id: BString::default(),
            protocol: BString::default(),
            session_id: BString::default(),
            fail_type: BString::default(),
            success: false,
            policy_reject: false,
            tls: false,
            attrs: Attrs::new(),
            attrs_mv: MultiAttrs::new(),
            device_attrs: Arc::clone(&NO_ATTRS),
            device_attrs_given: false,
            report_id: None,
        }
    }
}

impl Login {
    /// Reads the body of a `report` or `allow` request, in one pass over its text.
    ///
    /// # Errors
    /// [`LoginError::Json`] if it is no JSON or `null`, else [`LoginError::Addr`] if `remote` is a string that is no
    /// address. Wrong types are no error: they read as if the member were absent.
    pub fn parse(body: &[u8]) -> Result<Login, LoginError> {
        let mut reader = Reader::default();
        json::members(body, |key, value| reader.member(key, value))?;
        Ok(reader.finish()?)
    }

    /// About how many bytes of memory it takes.
    pub fn weight(&self) -> usize {
        let texts =
            [&self.login, &self.pwhash, &self.device_id, &self.protocol, &self.session_id, &self.fail_type];
        let single: usize = self.attrs.iter().map(|(key, value)| key.len() + value.len() + 48).sum();
        let lists: usize =
            self.attrs_mv.iter().flat_map(|(_, values)| values).map(|value| value.len() + 24).sum();
        512 + texts.iter().map(|text| text.len()).sum::<usize>() + single + lists
    }

    /// The login in a parsed object. Anything but an object has no members.
    ///
    /// # Errors
    /// [`AddrError`] if `remote` is a string that is no address.
    pub fn from_json(value: &Value<'_>) -> Result<Login, AddrError> {
        let mut reader = Reader::default();
        for (key, value) in value.as_object().unwrap_or_default() {
            reader.member(key, value);
        }
        reader.finish()
    }

    /// Appends the login as webhooks and report sinks get it, always with the same 13 keys.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        self.write_members(&mut object);
        object.finish();
    }

    /// Writes the 13 members into an object that the caller may continue with keys above `tls` (such as `type`).
    pub fn write_members(&self, object: &mut ObjectWriter<'_>) {
        write_merged(object.member(b"attrs"), &self.attrs, &self.attrs_mv);
        write_attrs(object.member(b"device_attrs"), &self.device_attrs);
        object
            .str(b"device_id", &self.device_id)
            .str(b"fail_type", &self.fail_type)
            .str(b"login", &self.login)
            .bool(b"policy_reject", self.policy_reject)
            .str(b"protocol", &self.protocol)
            .str(b"pwhash", &self.pwhash);
        write_str(object.member(b"remote"), &self.remote.text());
        object.str(b"session_id", &self.session_id).bool(b"success", self.success);
        write_f64(object.member(b"t"), self.t);
        object.bool(b"tls", self.tls);
    }
}

/// Takes the members of a login's object one by one; a later one replaces an earlier one of the same name.
struct Reader {
    login: Login,
    remote: Result<Addr, AddrError>,
}

impl Default for Reader {
    fn default() -> Self {
        Reader { login: Login::default(), remote: Ok(Addr::UNSPECIFIED) }
    }
}

impl Reader {
    fn member(&mut self, key: &[u8], value: &Value<'_>) {
        let login = &mut self.login;
        match key {
            b"login" => login.login = string(value),
            b"remote" => self.remote = value.as_str().map_or(Ok(Addr::UNSPECIFIED), Addr::parse),
            b"pwhash" => login.pwhash = string(value),
            b"device_id" => login.device_id = string(value),
            b"protocol" => login.protocol = string(value),
            b"session_id" => login.session_id = string(value),
            b"fail_type" => login.fail_type = string(value),
            b"success" => login.success = value.is_true(),
            b"policy_reject" => login.policy_reject = value.is_true(),
            b"tls" => login.tls = value.is_true(),
            b"t" => login.t = value.number(),
            b"attrs" => (login.attrs, login.attrs_mv) = attrs_from_json(Some(value)),
            b"device_attrs" => {
                login.device_attrs_given = value.as_object().is_some();
                let (attrs, _) = attrs_from_json(Some(value));
                login.device_attrs = if attrs.is_empty() { Arc::clone(&NO_ATTRS) } else { Arc::new(attrs) };
            }
            _ => {}
        }
    }

    fn finish(self) -> Result<Login, AddrError> {
        let Reader { mut login, remote } = self;
        login.remote = Addr::from_ip(remote?.unmapped().ip);
        Ok(login)
    }
}

fn string(value: &Value<'_>) -> BString {
    value.as_str().unwrap_or_default().into()
}

#[cfg(test)]
mod tests;
