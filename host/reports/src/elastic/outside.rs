//! What reads the servers' answers, for the fuzz targets.

use bytes::Bytes;

use super::hosts::Reply;
use super::setup::Server;
use super::{bulk, read};
use crate::{Field, Range, Report};

fn reply(status: u16, body: &[u8]) -> Reply {
    Reply {
        status,
        body: serde_json::from_slice(body).unwrap_or_default(),
        bytes: Bytes::copy_from_slice(body),
    }
}

/// The answer to a bulk request of so many reports: places of those to be sent again, and how many were refused.
pub fn bulk(status: u16, body: &[u8], count: usize) -> (Vec<usize>, usize) {
    let outcome = bulk::outcome(&reply(status, body), count);
    (outcome.again, outcome.refused)
}

/// Reads an answer as each of those that are asked for; gives the reports in it, and how many intervals a histogram of 20 has.
pub fn answers(status: u16, body: &[u8]) -> (Vec<Report>, usize) {
    let reply = reply(status, body);
    let (body, aggregations) = (&reply.body, &reply.body["aggregations"]);
    let _ =
        (reply.reason(), Server::read(body), read::whole(body), read::first_last(body), read::total(body));
    for (_, aggregation) in aggregations.as_object().into_iter().flatten() {
        let _ = read::cardinality(aggregation);
        for field in Field::ALL {
            let _ = read::groups(aggregation, field, true);
        }
    }
    let bins = read::bins(&aggregations["bins"], Range { from: -1000, to: 1000 }, 100);
    (read::reports(body), bins.len())
}
