//! What alerts ask of the report store.

use std::net::IpAddr;
use std::time::Duration;

use capabilities::Capabilities;
use reports::{Answer, Filter, Query, Range, Report};

/// What a question may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A report as people are told about it; what is unknown is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// Names the report in the store.
    pub(crate) id: String,
    /// ISO code of the country.
    pub(crate) country: String,
    /// English name of the country.
    pub(crate) country_name: String,
    /// Name of the city.
    pub(crate) city: String,
    /// Who owns the network.
    pub(crate) network_owner: String,
    /// The device, in words.
    pub(crate) device: String,
    /// The protocol.
    pub(crate) protocol: String,
}

/// The report of this login from this address at this time (unix seconds). `None`: there is none (yet), or no answer.
pub(crate) async fn find(caps: &Capabilities, login: &str, ip: IpAddr, time: f64) -> Option<Found> {
    // As the store rounds it.
    let at = (time * 1000.0).round() as i64;
    let filter = Filter { login: Some(login.to_owned()), ip: Some(ip), ..Filter::default() };
    let query =
        Query::Logins { filter, range: Range { from: at, to: at.saturating_add(1) }, limit: 1, after: None };
    match caps.reports.query(&query, Some(PATIENCE)).await {
        Ok(Answer::Logins { reports }) => reports.into_iter().next().map(Found::from),
        _ => None,
    }
}

impl From<Report> for Found {
    fn from(report: Report) -> Found {
        let device = pages::device(&report);
        let place = report.place;
        Found {
            id: report.id.to_string(),
            country: place.country,
            country_name: place.country_name,
            city: place.city,
            network_owner: report.as_org,
            device,
            protocol: report.protocol,
        }
    }
}
