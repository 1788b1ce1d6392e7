//! `stats`: the daemon's counters.

use http::StatusCode;
use login::json::ObjectWriter;

use crate::backend::Backend;
use crate::reply::{self, Reply};

pub(crate) fn get<B: Backend>(backend: &B) -> Reply {
    let stats = backend.capabilities().metrics.stats();
    let mut out = Vec::with_capacity(1024);
    let mut object = ObjectWriter::new(&mut out);
    object.int(b"allows", int(stats.allows));
    counts(object.member(b"commandstats"), stats.commands);
    counts(object.member(b"customstats"), stats.custom);
    object.int(b"denieds", int(stats.denieds));
    counts(object.member(b"perfstats"), stats.perf);
    object
        .int(b"reports", int(stats.reports))
        .int(b"sys-msec", int(stats.cpu.sys_msec))
        .int(b"uptime", int(stats.uptime))
        .int(b"user-msec", int(stats.cpu.user_msec));
    object.finish();
    reply::json(StatusCode::OK, out)
}

pub(crate) fn counts(out: &mut Vec<u8>, mut counts: Vec<(String, u64)>) {
    counts.sort();
    let mut object = ObjectWriter::new(out);
    for (name, count) in counts {
        object.int(name.as_bytes(), int(count));
    }
    object.finish();
}

pub(crate) fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
