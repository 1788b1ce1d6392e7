//! A report in words.

use reports::{Confirmation, Report};

/// What came of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It succeeded.
    Good,
    /// A policy refused it.
    Refused,
    /// It failed.
    Failed,
}

impl Verdict {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Good => "logged in",
            Self::Refused => "refused by policy",
            Self::Failed => "failed",
        }
    }
}

/// What came of a login.
pub fn verdict(report: &Report) -> Verdict {
    match report {
        Report { policy_reject: true, .. } => Verdict::Refused,
        Report { success: true, .. } => Verdict::Good,
        _ => Verdict::Failed,
    }
}

/// The device for people: `Firefox, Linux`; what the client says of itself if nothing is known of it.
pub fn device(report: &Report) -> String {
    let device = report.device();
    let parts: Vec<&str> = device.split(',').filter_map(|part| Some(part.split_once('=')?.1)).collect();
    if parts.is_empty() { report.device_id.clone() } else { parts.join(", ") }
}

/// Where it came from: `Delft, Netherlands`.
pub fn place(report: &Report) -> String {
    let place = &report.place;
    let country = if place.country_name.is_empty() { &place.country } else { &place.country_name };
    let known: Vec<&str> =
        [place.city.as_str(), country].into_iter().filter(|text| !text.is_empty()).collect();
    known.join(", ")
}

/// What the user said.
pub(crate) fn confirmation(report: &Report) -> &'static str {
    match report.confirmation {
        Confirmation::None => "",
        Confirmation::Good => "it was me",
        Confirmation::Bad => "it was not me",
        Confirmation::Forget => "forget it",
    }
}

/// The owner of the network: `AS64496 Example`.
pub(crate) fn network(report: &Report) -> String {
    match (report.asn, report.as_org.as_str()) {
        (0, org) => org.to_owned(),
        (asn, org) => format!("AS{asn} {org}").trim_end().to_owned(),
    }
}
