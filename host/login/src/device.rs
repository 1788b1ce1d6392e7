//! What IMAP clients and mobile applications say about themselves. (What browsers say needs a table of patterns and
//! is read elsewhere.)

use bstr::{BString, ByteSlice as _};

use crate::Attrs;

/// Reads an IMAP ID list: pairs of a quoted key and a quoted value with at most one blank between them. A version
/// counts only if it begins with two numbers joined by a dot.
///
/// Always yields `imapc.family`, `imapc.major`, `imapc.minor`, `os.family`, `os.major`, `os.minor`, empty where the
/// text does not tell.
pub fn imap(device_id: &[u8]) -> Attrs {
    let (major, minor) = version_of(device_id, b"\"version\"");
    let (os_major, os_minor) = version_of(device_id, b"\"os-version\"");
    attrs([
        ("imapc.family", value_of(device_id, b"\"name\"")),
        ("imapc.major", major),
        ("imapc.minor", minor),
        ("os.family", value_of(device_id, b"\"os\"")),
        ("os.major", os_major),
        ("os.minor", os_minor),
    ])
}

/// Reads `BRAND.OS.APP/N.N... (OS: N.N...; device: ...)`, the parts in any surroundings.
///
/// Always yields `app.brand`, `app.major`, `app.minor`, `app.name`, `device.family`, `os.family`, `os.major`,
/// `os.minor`, empty where the text does not tell. The five parts of `BRAND.OS.APP/N.N` are known together or not at
/// all.
pub fn mobileapi(device_id: &[u8]) -> Attrs {
    let app = application(device_id).unwrap_or_default();
    let (os_major, os_minor) = each_after(device_id, b"OS: ").find_map(version).unwrap_or_default();
    let device = each_after(device_id, b"device: ").map(device_name).find(|name| !name.is_empty());
    attrs([
        ("app.brand", app.brand),
        ("app.major", app.major),
        ("app.minor", app.minor),
        ("app.name", app.name),
        ("device.family", device.unwrap_or_default()),
        ("os.family", app.os),
        ("os.major", os_major),
        ("os.minor", os_minor),
    ])
}

#[derive(Default)]
struct Application<'a> {
    brand: &'a [u8],
    os: &'a [u8],
    name: &'a [u8],
    major: &'a [u8],
    minor: &'a [u8],
}

fn attrs<const N: usize>(pairs: [(&str, &[u8]); N]) -> Attrs {
    pairs.into_iter().map(|(key, value)| (BString::from(key), BString::from(value))).collect()
}

/// What follows each place where `key` stands.
fn each_after<'a>(text: &'a [u8], key: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    text.find_iter(key).filter_map(move |at| text.get(at + key.len()..))
}

/// The opening quote of a value, with at most one blank before it, taken off.
fn open(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b" ").unwrap_or(text).strip_prefix(b"\"")
}

fn value_of<'a>(text: &'a [u8], key: &'a [u8]) -> &'a [u8] {
    each_after(text, key)
        .filter_map(open)
        .find_map(|rest| rest.split_once_str(b"\"").map(|(value, _)| value))
        .unwrap_or_default()
}

fn version_of<'a>(text: &'a [u8], key: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    each_after(text, key).filter_map(open).find_map(version).unwrap_or_default()
}

/// `N.N` at the beginning of a text.
fn version(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (major, rest) = digits(text)?;
    let (minor, _) = digits(rest.strip_prefix(b".")?)?;
    Some((major, minor))
}

fn digits(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at_checked(count).filter(|(number, _)| !number.is_empty())
}

fn application(text: &[u8]) -> Option<Application<'_>> {
    let (names, rest) = text.split_once_str(b"/")?;
    let (major, minor) = version(rest)?;
    let mut parts = names.trim_ascii_start().splitn_str(3, b".");
    let (brand, os, name) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = ![brand, os, name].iter().any(|part| part.is_empty());
    whole.then_some(Application { brand, os, name, major, minor })
}

fn device_name(text: &[u8]) -> &[u8] {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b" \t-._/".contains(byte);
    let len = text.iter().take_while(|byte| in_name(byte)).count();
    text.get(..len).unwrap_or_default()
}

#[cfg(test)]
mod tests;
