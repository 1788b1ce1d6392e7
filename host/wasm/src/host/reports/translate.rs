//! Questions, and reports, as the contract has them and as the store has them.

use ::reports as store;
use capabilities::reports::ReportsError;
use capabilities::reports::question::{self, Which};
use store::{Filter as Conditions, Range, Rank};

use crate::bindings::reports::{Confirmation, Field, Filter, Measure, Report};
use crate::convert;

pub(super) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

pub(super) fn which(filter: Filter) -> std::result::Result<Which, ReportsError> {
    let range = Range {
        from: question::instant(filter.since)?,
        to: filter.until.map_or(Ok(i64::MAX), question::instant)?,
    };
    let filter = Conditions {
        login: filter.login,
        ip: None,
        network: filter.network.map(convert::netmask),
        country: filter.country,
        city: filter.city,
        asn: filter.asn,
        device: filter.device,
        protocol: filter.protocol,
        pwhash: filter.pwhash,
        success: filter.success,
        policy_reject: filter.policy_reject,
        confirmations: filter.confirmations.map(|some| some.into_iter().map(said).collect()),
        attrs: filter.attributes.into_iter().collect(),
    };
    Ok(Which { filter, range })
}

pub(super) fn said(confirmation: Confirmation) -> store::Confirmation {
    match confirmation {
        Confirmation::None => store::Confirmation::None,
        Confirmation::Good => store::Confirmation::Good,
        Confirmation::Bad => store::Confirmation::Bad,
        Confirmation::Forget => store::Confirmation::Forget,
    }
}

pub(super) fn field(field: Field) -> store::Field {
    match field {
        Field::Login => store::Field::Login,
        Field::Address => store::Field::Ip,
        Field::Network => store::Field::Network,
        Field::Country => store::Field::Country,
        Field::City => store::Field::City,
        Field::Asn => store::Field::Asn,
        Field::Device => store::Field::Device,
        Field::Protocol => store::Field::Protocol,
        Field::FailType => store::Field::FailType,
        Field::Pwhash => store::Field::Pwhash,
    }
}

pub(super) fn rank(measure: Measure) -> Rank {
    match measure {
        Measure::Reports => Rank::Reports,
        Measure::Failures => Rank::Failures,
        Measure::Successes => Rank::Successes,
        Measure::Distinct(other) => Rank::Distinct(field(other)),
    }
}

pub(super) fn report(report: store::Report) -> Report {
    let (latitude, longitude) = report.place.location.unwrap_or_default();
    Report {
        id: report.id.as_str().to_owned(),
        t: seconds(report.at),
        remote: convert::address(report.remote),
        success: report.success,
        policy_reject: report.policy_reject,
        device: report.device(),
        fail_type: report.fail_type,
        protocol: report.protocol,
        pwhash: report.pwhash,
        country: report.place.country,
        city: report.place.city,
        latitude: f64::from(latitude),
        longitude: f64::from(longitude),
        asn: report.asn,
        confirmation: match report.confirmation {
            store::Confirmation::None => Confirmation::None,
            store::Confirmation::Good => Confirmation::Good,
            store::Confirmation::Bad => Confirmation::Bad,
            store::Confirmation::Forget => Confirmation::Forget,
        },
        login: report.login,
    }
}
