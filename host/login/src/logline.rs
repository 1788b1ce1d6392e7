//! The two lines mail operators search their logs for, byte for byte those of wforce, but for values of more than
//! [`VALUE`](crate::clip::VALUE) bytes. Nothing in them is escaped here: control characters are, by the log, in every line
//! it writes.

use crate::attrs::{Attrs, MultiAttrs};
use crate::clip;
use crate::{Decision, Login};

/// `allowLog PHRASE: allow="-1" remote="..." ... rattrs={k="v" }`: the answer to an `allow` request. The phrase is
/// that of the list that matched (`blacklisted IP`), or the policy's log message.
pub fn allow_line(phrase: &[u8], login: &Login, decision: &Decision) -> Vec<u8> {
    let mut line = Vec::with_capacity(256);
    line.extend_from_slice(b"allowLog ");
    line.extend_from_slice(&clip::value(phrase));
    line.extend_from_slice(b": allow=\"");
    line.extend_from_slice(itoa::Buffer::new().format(decision.status).as_bytes());
    line.push(b'"');
    field(&mut line, b"remote", &login.remote.text());
    field(&mut line, b"login", &login.login);
    field(&mut line, b"protocol", &login.protocol);
    field(&mut line, b"device_id", &login.device_id);
    field(&mut line, b"session_id", &login.session_id);
    known(&mut line, login);
    line.extend_from_slice(b" rattrs={");
    for (key, value) in &decision.attrs {
        pair(&mut line, key, value);
        line.push(b' ');
    }
    line.push(b'}');
    line
}

/// `reportLog: remote="..." ... attrs={...} ` with its trailing blank. trackalert leaves the session out.
pub fn report_line(login: &Login, with_session: bool) -> Vec<u8> {
    let flag = |yes: bool| if yes { b"1" } else { b"0" };
    let mut line = Vec::with_capacity(256);
    line.extend_from_slice(b"reportLog:");
    field(&mut line, b"remote", &login.remote.text());
    field(&mut line, b"login", &login.login);
    field(&mut line, b"success", flag(login.success));
    field(&mut line, b"policy_reject", flag(login.policy_reject));
    field(&mut line, b"pwhash", &login.pwhash);
    field(&mut line, b"protocol", &login.protocol);
    field(&mut line, b"device_id", &login.device_id);
    if with_session {
        field(&mut line, b"session_id", &login.session_id);
    }
    known(&mut line, login);
    line.push(b' ');
    line
}

fn field(line: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    line.push(b' ');
    pair(line, name, value);
}

fn pair(line: &mut Vec<u8>, name: &[u8], text: &[u8]) {
    line.extend_from_slice(&clip::value(name));
    line.push(b'=');
    quoted(line, text);
}

fn known(line: &mut Vec<u8>, login: &Login) {
    line.extend_from_slice(b" device_attrs={");
    singles(line, &login.device_attrs);
    line.extend_from_slice(b"} attrs={");
    singles(line, &login.attrs);
    multiples(line, &login.attrs_mv);
    line.push(b'}');
}

fn singles(line: &mut Vec<u8>, attrs: &Attrs) {
    for (at, (key, value)) in attrs.iter().enumerate() {
        if at > 0 {
            line.extend_from_slice(b", ");
        }
        pair(line, key, value);
    }
}

/// Each list has a separator before it, the first one too: lines with lists only begin `{, k=[`. Tools that read
/// these lines know it that way.
fn multiples(line: &mut Vec<u8>, attrs: &MultiAttrs) {
    for (key, values) in attrs {
        line.extend_from_slice(b", ");
        line.extend_from_slice(&clip::value(key));
        line.extend_from_slice(b"=[");
        for (at, one) in values.iter().enumerate() {
            if at > 0 {
                line.extend_from_slice(b", ");
            }
            quoted(line, one);
        }
        line.push(b']');
    }
}

fn quoted(line: &mut Vec<u8>, text: &[u8]) {
    line.push(b'"');
    line.extend_from_slice(&clip::value(text));
    line.push(b'"');
}

#[cfg(test)]
mod tests;
