//! `jobs` and `runBackground`: background functions, looked at and started by hand.

use http::StatusCode;
use login::json::{ArrayWriter, ObjectWriter, write_f64};
use schedule::{JobRow, JobStatus, Missed, Refusal, unix_seconds};

use super::stats::int;
use super::text;
use crate::backend::Backend;
use crate::failure::{self, parse, told};
use crate::reply::{self, Reply};

/// All jobs as they are.
pub(crate) fn list<B: Backend>(backend: &B) -> Reply {
    let mut out = Vec::with_capacity(512);
    let mut object = ObjectWriter::new(&mut out);
    let mut jobs = ArrayWriter::new(object.member(b"jobs"));
    for status in backend.jobs() {
        job(jobs.item(), &status);
    }
    jobs.finish();
    object.finish();
    reply::json(StatusCode::OK, out)
}

fn job(out: &mut Vec<u8>, status: &JobStatus) {
    let row = JobRow::from(status);
    let options = &status.options;
    let mut object = ObjectWriter::new(out);
    write_f64(object.member(b"deadline"), options.deadline.as_secs_f64());
    object.int(b"failures", int(row.failures));
    write_f64(object.member(b"jitter"), options.jitter.as_secs_f64());
    match &row.last {
        None => object.member(b"last").extend_from_slice(b"null"),
        Some((began, took, failed)) => {
            let mut last = ObjectWriter::new(object.member(b"last"));
            write_f64(last.member(b"began"), unix_seconds(*began));
            if let Some(error) = failed {
                last.str(b"error", error.as_bytes());
            }
            last.str(b"result", if failed.is_some() { b"failed" } else { b"done" });
            write_f64(last.member(b"seconds"), took.as_secs_f64());
            last.finish();
        }
    }
    let missed: &[u8] = match options.missed {
        Missed::Skip => b"skip",
        Missed::RunOnce => b"run once",
    };
    object.str(b"missed", missed).str(b"name", row.name.as_bytes());
    match row.next {
        None => object.member(b"next").extend_from_slice(b"null"),
        Some(next) => write_f64(object.member(b"next"), unix_seconds(next)),
    }
    object
        .bool(b"once_per_cluster", options.once_per_cluster)
        .bool(b"overlap", options.overlap)
        .int(b"running", i64::from(row.running))
        .int(b"runs", int(row.runs))
        .str(b"schedule", row.schedule.as_bytes())
        .int(b"skipped", int(row.skipped))
        .str(b"timezone", options.zone_name().as_bytes());
    object.finish();
}

/// Starts the background function that the body names; the answer does not wait for its end.
pub(crate) fn run<B: Backend>(backend: &B, body: &[u8]) -> Reply {
    told(try_run(backend, body))
}

fn try_run<B: Backend>(backend: &B, body: &[u8]) -> Result<Reply, failure::Refusal> {
    let body = parse(body)?;
    let missing = failure::Refusal::BadRequest("the name of a background function is missing");
    let name = text(&body, b"name").filter(|name| !name.is_empty()).ok_or(missing)?;
    let Err(refusal) = backend.run_background(&String::from_utf8_lossy(name)) else {
        return Ok(reply::ok());
    };
    let status = match refusal {
        Refusal::Unknown(_) => StatusCode::BAD_REQUEST,
        Refusal::Running(_) => StatusCode::CONFLICT,
        Refusal::Stopped => StatusCode::SERVICE_UNAVAILABLE,
    };
    Ok(reply::failure(status, refusal.to_string().as_bytes()))
}
