//! `portcullis jobs`: the background functions of a running trackalert.

use std::time::Duration;

use capabilities::Daemon;
use lexopt::prelude::*;
use login::screen::shown;
use portcullis_daemons::tool::remote::{Place, Remote};
use schedule::{JobRow, table, timestamp};
use serde_json::{Value, json};

use crate::{Outcome, Status, Trouble};

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let mut place = Place::default();
    let (mut as_json, mut start) = (false, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("json") => as_json = true,
            Long("url") => place.url = Some(arguments.value()?.string()?),
            Long("password-file") => place.password_file = Some(arguments.value()?.into()),
            Long("ca") => place.ca = Some(arguments.value()?.into()),
            Long("run") => start = Some(arguments.value()?.string()?),
            Short('C') | Long("config") => place.config = Some(arguments.value()?.into()),
            lexopt::Arg::Value(file) if place.config.is_none() => place.config = Some(file.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let remote = Remote::new(Daemon::Trackalert, &place).map_err(Trouble::new)?;
    if let Some(name) = start {
        let done = remote.post("runBackground", &json!({"name": name})).map_err(Trouble::new)?;
        println!("{}", if as_json { done.to_string() } else { format!("{} started", shown(&name)) });
        return Ok(Status::Fine);
    }
    let jobs = remote.get("jobs").map_err(Trouble::new)?;
    if as_json {
        println!("{jobs}");
    } else {
        let jobs = jobs["jobs"]
            .as_array()
            .ok_or_else(|| Trouble::new("the answer lists no jobs: is this a trackalert?"))?;
        let rows: Vec<JobRow> = jobs.iter().map(row).collect();
        for line in table(&rows) {
            println!("{}", shown(&line));
        }
    }
    Ok(Status::Fine)
}

/// A job out of the daemon's answer; what is missing is empty.
fn row(job: &Value) -> JobRow {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let count = |name: &str| job[name].as_u64().unwrap_or(0);
    let last = &job["last"];
    JobRow {
        name: text(&job["name"]),
        schedule: text(&job["schedule"]),
        next: job["next"].as_f64().and_then(timestamp),
        running: u32::try_from(count("running")).unwrap_or(u32::MAX),
        runs: count("runs"),
        failures: count("failures"),
        skipped: count("skipped"),
        last: last["began"].as_f64().and_then(timestamp).map(|began| {
            let took = last["seconds"].as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            let failed = (last["result"] != "done").then(|| text(&last["error"]));
            (began, took.unwrap_or_default(), failed)
        }),
    }
}
