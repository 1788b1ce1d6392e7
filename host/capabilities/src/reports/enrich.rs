//! What a report gets beyond what the client told: its place, the owner of its network, its device.

use std::sync::Arc;

use login::Login;
use reports::{Ids, Place, Report};

use crate::device::Devices;
use crate::geoip::{GeoDb, GeoIp, Legacy};

/// The databases that know the owner of a network: the first of these names that is open.
const OWNERS: [&str; 5] = ["ASN", "GeoLite2-ASN", "GeoIP2-ASN", "ISP", "GeoIP2-ISP"];

/// Names of databases to ask, instead of the usual ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Databases {
    /// For country and city.
    pub place: Option<String>,
    /// For the number and the owner of the network.
    pub owner: Option<String>,
}

/// The report of a login, complete. `now`: unix milliseconds, for logins without a time.
pub(super) fn report(
    login: &Login,
    now: i64,
    ids: &Ids,
    databases: &Databases,
    geoip: &GeoIp,
    devices: &Devices,
) -> Report {
    let mut report = Report::new(login, now, ids);
    if !login.device_attrs_given && login.device_attrs.is_empty() {
        report.device_attrs = devices.parse(&login.protocol, &login.device_id);
    }
    if let Some(attrs) = Arc::get_mut(&mut report.device_attrs) {
        attrs.retain(|(_, value)| !value.is_empty());
    } else if report.device_attrs.iter().any(|(_, value)| value.is_empty()) {
        let kept = report.device_attrs.iter().filter(|(_, value)| !value.is_empty());
        report.device_attrs = Arc::new(kept.cloned().collect());
    }
    let named = |name: &Option<String>, usual: &dyn Fn() -> GeoDb| match name {
        Some(name) => geoip.get(name.as_bytes()).unwrap_or_default(),
        None => usual(),
    };
    let ip = report.remote;
    let place = named(&databases.place, &|| {
        let city = geoip.legacy(Legacy::City);
        if city.is_dead() { geoip.legacy(Legacy::Country) } else { city }
    });
    if !place.is_dead() {
        let found = place.city(ip);
        let located = found.latitude != 0.0 || found.longitude != 0.0;
        report.place = Place {
            country: found.country_code,
            country_name: found.country_name,
            region: found.region,
            city: found.city,
            postal_code: found.postal_code,
            location: located.then_some((found.latitude, found.longitude)),
        };
    }
    let owner = named(&databases.owner, &|| {
        OWNERS.iter().find_map(|name| geoip.get(name.as_bytes())).unwrap_or_default()
    });
    if !owner.is_dead() {
        report.asn = u32::try_from(owner.uint(ip, &["autonomous_system_number"])).unwrap_or_default();
        report.as_org = owner.string(ip, &["autonomous_system_organization"]);
    }
    report
}
