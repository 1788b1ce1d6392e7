//! What is kept of a login.

mod confirmation;
mod document;
mod id;

use std::net::IpAddr;
use std::sync::Arc;

use bstr::ByteSlice as _;
use login::{Attrs, Login, MultiAttrs, Netmask};

pub use confirmation::Confirmation;
pub(crate) use document::{attrs_of, attrs_value, instant};

pub use id::{Ids, ReportId};

use crate::Field;

/// Longest text of a field in bytes; the rest is cut off. Search engines refuse terms somewhat above that.
const LONGEST: usize = 2048;
/// Most bytes of all attributes of one report, keys and values; what would exceed it is left out.
const ATTRS: usize = 8192;
/// Unix milliseconds of the year 2200: a time above it is taken for a mistake.
const LATEST: i64 = 7_258_118_400_000;

/// Device attributes that tell one device from another (as wforce's report API has them).
const DEVICE_PARTS: [&str; 5] = ["app.name", "browser.family", "device.family", "imapc.family", "os.family"];

/// Where an address is, as the GeoIP databases say; unknown parts are empty or 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// ISO 3166-1 code of the country.
    pub country: String,
    /// The country's English name.
    pub country_name: String,
    /// ISO 3166-2 code of the first subdivision, without the country.
    pub region: String,
    /// The city's English name.
    pub city: String,
    /// Postal code.
    pub postal_code: String,
    /// Degrees north and east.
    pub location: Option<(f32, f32)>,
}

/// A login as the store keeps it. Texts are UTF-8 (other bytes became U+FFFD) and bounded.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools)] // the fields of the protocol
pub struct Report {
    /// Names this report in all engines.
    pub id: ReportId,
    /// When the login was reported, unix milliseconds.
    pub at: i64,
    /// The user name.
    pub login: String,
    /// Where the login came from.
    pub remote: IpAddr,
    /// Whether the credentials were right.
    pub success: bool,
    /// Whether the login failed because a policy said so.
    pub policy_reject: bool,
    /// Whether the connection was encrypted.
    pub tls: bool,
    /// The truncated hash of the password.
    pub pwhash: String,
    /// `imap`, `http` and so on.
    pub protocol: String,
    /// What the client's software says about itself.
    pub device_id: String,
    /// The client's name for the session.
    pub session_id: String,
    /// Why the login failed, if the client tells.
    pub fail_type: String,
    /// Attributes with one value.
    pub attrs: Attrs,
    /// Attributes with several values.
    pub attrs_mv: MultiAttrs,
    /// What is known about the device.
    pub device_attrs: Arc<Attrs>,
    /// Where the address is.
    pub place: Place,
    /// Number of the network the address belongs to (ASN), 0 if unknown.
    pub asn: u32,
    /// Who owns that network.
    pub as_org: String,
    /// What the user said about it.
    pub confirmation: Confirmation,
}

impl Report {
    /// Leaves only what these fields say, and what every report has: id, time, user, address and how it went. `City` has the
    /// whole place but for the country's code; the device's id and attributes of the session are in no field.
    pub fn keep_only(&mut self, fields: &[Field]) {
        let is_wanted = |field| fields.contains(&field);
        let clear = |field, text: &mut String| {
            if !is_wanted(field) {
                text.clear();
            }
        };
        clear(Field::Country, &mut self.place.country);
        clear(Field::City, &mut self.place.country_name);
        clear(Field::City, &mut self.place.region);
        clear(Field::City, &mut self.place.city);
        clear(Field::City, &mut self.place.postal_code);
        clear(Field::Protocol, &mut self.protocol);
        clear(Field::FailType, &mut self.fail_type);
        clear(Field::Pwhash, &mut self.pwhash);
        clear(Field::Asn, &mut self.as_org);
        if !is_wanted(Field::City) {
            self.place.location = None;
        }
        if !is_wanted(Field::Asn) {
            self.asn = 0;
        }
        if !is_wanted(Field::Device) {
            self.device_attrs = Arc::default();
        }
        self.device_id.clear();
        self.session_id.clear();
        self.attrs.clear();
        self.attrs_mv.clear();
    }

    /// The report of a login without what enrichment adds. Its time is the login's, or `now` (unix milliseconds) if that
    /// is none.
    pub fn new(login: &Login, now: i64, ids: &Ids) -> Self {
        let at = (login.t * 1000.0).round();
        let at = if at >= 1.0 && at < LATEST as f64 { at as i64 } else { now.clamp(0, LATEST) };
        let mut room = ATTRS;
        let mut fits = |size: usize| {
            let yes = size <= room;
            room -= if yes { size } else { 0 };
            yes
        };
        let single = |attrs: &Attrs, fits: &mut dyn FnMut(usize) -> bool| -> Attrs {
            let fitting = attrs.iter().filter(|(key, value)| fits(key.len() + value.len()));
            fitting.map(|(key, value)| (text(key).into(), text(value).into())).collect()
        };
        let device_attrs = single(&login.device_attrs, &mut fits);
        let attrs = single(&login.attrs, &mut fits);
        let attrs_mv = login
            .attrs_mv
            .iter()
            .filter(|(key, values)| fits(key.len() + values.iter().map(|value| value.len()).sum::<usize>()))
            .map(|(key, values)| (text(key).into(), values.iter().map(|value| text(value).into()).collect()))
            .collect();
        Self {
            id: ids.next(at),
            at,
            login: text(&login.login),
            remote: login.remote.ip,
            success: login.success,
            policy_reject: login.policy_reject,
            tls: login.tls,
            pwhash: text(&login.pwhash),
            protocol: text(&login.protocol),
            device_id: text(&login.device_id),
            session_id: text(&login.session_id),
            fail_type: text(&login.fail_type),
            attrs,
            attrs_mv,
            device_attrs: Arc::new(device_attrs),
            place: Place::default(),
            asn: 0,
            as_org: String::new(),
            confirmation: Confirmation::None,
        }
    }

    /// The device in one word, see [`device_of`].
    pub fn device(&self) -> String {
        device_of(&self.device_attrs)
    }

    /// The network of the address, see [`network_of`].
    pub fn network(&self) -> Netmask {
        network_of(self.remote)
    }
}

/// The network that stands for an address in questions about networks: `/24` or `/64`.
pub fn network_of(ip: IpAddr) -> Netmask {
    Netmask::new(ip, if ip.is_ipv4() { 24 } else { 64 })
}

/// One text for what tells devices apart: the families of browser, app, mail program, device and system that are known,
/// as `browser.family=Firefox,os.family=Linux`, sorted. Versions are left out, as updates are no new devices. Empty if
/// nothing is known.
pub fn device_of(attrs: &Attrs) -> String {
    let mut device = String::new();
    for part in DEVICE_PARTS {
        let Some((_, value)) = attrs.iter().find(|(key, _)| *key == part) else { continue };
        if value.is_empty() {
            continue;
        }
        if !device.is_empty() {
            device.push(',');
        }
        device.push_str(part);
        device.push('=');
        // A comma in a name would read as the next part.
        device.extend(value.to_str_lossy().chars().map(|char| if char == ',' { ';' } else { char }));
    }
    device
}

fn text(bytes: &bstr::BString) -> String {
    let cut: &[u8] = bytes.get(..LONGEST).unwrap_or(bytes);
    let mut text = cut.to_str_lossy().into_owned();
    if cut.len() < bytes.len() && text.ends_with('\u{fffd}') {
        // The cut went through a character.
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests;
